//! Over sockets: which context a request has, and which calls carry it.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use asof_context::{Carry, CarryLayer, Egress, ServeLayer, bound, current};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::{Layer, Service, ServiceExt, service_fn};

type HttpClient = Carry<Client<HttpConnector, Empty<Bytes>>>;

fn client(egress: Egress) -> HttpClient {
    CarryLayer::new(egress).layer(Client::builder(TokioExecutor::new()).build_http())
}

async fn get(client: &HttpClient, url: &str, headers: &[(&'static str, &str)]) -> String {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = client.clone().oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

/// Serves on loopback, and returns the URL.
async fn start<H, F>(handler: H) -> String
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = String> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = ServeLayer.layer(service_fn(move |request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer.await))) }
    }));
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service);
            tokio::spawn(serving);
        }
    });
    url
}

/// A server that answers with the context it got, or "none".
async fn echo() -> String {
    start(|request| async move {
        let mut got = request.headers().get_all("asof-context").iter();
        got.next().map_or("none".to_owned(), |value| value.to_str().unwrap().to_owned())
    })
    .await
}

/// Runs the work inside of a request with these headers.
async fn inside<F: Future>(headers: &[(&'static str, &[u8])], work: F) -> F::Output {
    let mut request = Request::new(Some(work));
    for (name, value) in headers {
        request.headers_mut().append(*name, value.to_vec().try_into().unwrap());
    }
    let mut service = ServeLayer.layer(service_fn(|mut request: Request<Option<F>>| async move {
        Ok::<_, Infallible>(request.body_mut().take().unwrap().await)
    }));
    service.ready().await.unwrap().call(request).await.unwrap()
}

async fn taken(headers: &[(&'static str, &[u8])]) -> Option<String> {
    inside(headers, async { current().map(|it| it.to_str().unwrap().to_owned()) }).await
}

#[tokio::test]
async fn the_header_or_else_the_baggage_member() {
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(taken(&[("asof-context", b"1-a-b-c-d")]).await, some("1-a-b-c-d"));
    assert_eq!(taken(&[("baggage", b"x=1, asof = t1 ;p=asof,y=2")]).await, some("t1"));
    assert_eq!(taken(&[("baggage", b"x=1"), ("baggage", b"asof=t2")]).await, some("t2"));
    assert_eq!(taken(&[("asof-context", b"h"), ("baggage", b"asof=b")]).await, some("h"));
    assert_eq!(taken(&[("asof-context", b"a b"), ("baggage", b"asof=b")]).await, None);
    assert_eq!(taken(&[("baggage", b"x=asof,asofx=1,y=2;asof=3")]).await, None);
    assert_eq!(taken(&[("traceparent", b"00-1-2-01")]).await, None);
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let longest = "x".repeat(256);
    assert_eq!(taken(&[("asof-context", longest.as_bytes())]).await, Some(longest.clone()));
    let above = longest + "x";
    for bad in [b"" as &[u8], above.as_bytes(), b"a b", b"a\tb", b"a\xe9"] {
        assert_eq!(taken(&[("asof-context", bad)]).await, None, "{bad:?}");
    }
    assert_eq!(taken(&[("baggage", format!("asof={above}").as_bytes())]).await, None);
    assert_eq!(taken(&[("asof-context", b"a"), ("asof-context", b"b")]).await, None);
}

#[tokio::test]
async fn calls_carry_it_inside_of_a_request_only() {
    let (egress, client) = (echo().await, client(Egress::anywhere()));
    let call = || get(&client, &egress, &[]);
    assert_eq!(inside(&[("asof-context", b"t")], call()).await, "t");
    assert_eq!(inside(&[], call()).await, "none");
    assert_eq!(call().await, "none");
}

#[tokio::test]
async fn work_that_is_done_before_there_is_a_future_is_part_of_the_request() {
    let mut eager = ServeLayer.layer(service_fn(|_: Request<()>| {
        let seen = current();
        async { Ok::<_, Infallible>(seen) }
    }));
    let request = Request::get("/").header("asof-context", "t").body(()).unwrap();
    assert_eq!(eager.call(request).await.unwrap().unwrap(), "t");
}

#[tokio::test]
async fn an_explicit_header_is_left_alone() {
    let (egress, client) = (echo().await, client(Egress::anywhere()));
    let call = get(&client, &egress, &[("asof-context", "mine")]);
    assert_eq!(inside(&[("asof-context", b"t")], call).await, "mine");
}

#[tokio::test]
async fn only_the_egress_gets_it() {
    let (egress, foreign) = (echo().await, echo().await);
    inside(&[("asof-context", b"t")], async {
        let kept = client(Egress::at(&format!("{egress}/")));
        assert_eq!(get(&kept, &format!("{egress}/-/files/x"), &[]).await, "t");
        assert_eq!(get(&kept, &foreign, &[]).await, "none");
        for broken in ["not a url", "egress", "/path"] {
            assert_eq!(get(&client(Egress::at(broken)), &egress, &[]).await, "none");
        }
    })
    .await;
}

#[tokio::test]
async fn an_origin_is_scheme_host_and_port() {
    let egress = Egress::at("http://egress:80");
    let carried = async |uri: &'static str| {
        let mut headers = HeaderMap::new();
        inside(&[("asof-context", b"t")], async {
            egress.add_context(&Uri::from_static(uri), &mut headers);
        })
        .await;
        headers.contains_key("asof-context")
    };
    for uri in ["http://egress/x", "http://EGRESS:80/", "http://user@egress/"] {
        assert!(carried(uri).await, "{uri}");
    }
    for uri in ["https://egress:80/", "http://egress:81/", "http://egress.evil/", "/x"] {
        assert!(!carried(uri).await, "{uri}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interleaved_requests_keep_their_contexts_also_after_the_answer() {
    const CALLS: usize = 120;
    let expected = |i: usize| if i.is_multiple_of(3) { "none".to_owned() } else { format!("t{i}") };

    let (egress, client) = (echo().await, client(Egress::anywhere()));
    let (late, mut seen) = mpsc::channel(CALLS);
    let url = start({
        let client = client.clone();
        move |request| {
            let (client, egress, late) = (client.clone(), egress.clone(), late.clone());
            async move {
                let first = get(&client, &egress, &[]).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                let after_the_answer = {
                    let (client, egress) = (client.clone(), egress.clone());
                    async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let got = get(&client, &egress, &[]).await;
                        late.send((request.uri().path().to_owned(), got)).await.unwrap();
                    }
                };
                tokio::spawn(bound(after_the_answer));
                let second = async move { get(&client, &egress, &[]).await };
                format!("{first} {}", tokio::spawn(bound(second)).await.unwrap())
            }
        }
    })
    .await;

    let asking = (0..CALLS).map(|i| {
        let (client, url) = (client.clone(), format!("{url}/{i}"));
        tokio::spawn(async move {
            let (header, member) = (format!("t{i}"), format!("a=b,asof=t{i}"));
            let headers: &[_] = match i % 3 {
                0 => &[],
                1 => &[("asof-context", &*header)],
                _ => &[("baggage", &*member)],
            };
            get(&client, &url, headers).await
        })
    });
    for (i, answer) in asking.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), format!("{0} {0}", expected(i)));
    }
    for _ in 0..CALLS {
        let (path, got) = seen.recv().await.unwrap();
        assert_eq!(got, expected(path.trim_start_matches('/').parse().unwrap()));
    }
}
