//! What passes through, and what stops.

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{echo, edge, exchange, get, head, raw, service, status, until, upstream};

#[tokio::test]
async fn a_request_reaches_its_service_and_private_headers_do_not() {
    let running = edge(&service(echo().await, "")).await;
    let sent = "asof-context: forged\r\nbaggage: asof=forged,user=1\r\nx-own: 1\r\n\
                forwarded: for=9.9.9.9\r\nx-forwarded-for: 9.9.9.9\r\nx-hop: 1\r\n\
                connection: x-hop\r\n";
    let answer = get(running.ingress, "/p?q=1", sent).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("GET /p?q=1\n"), "{answer}");
    for there in
        ["x-own: 1", "baggage: user=1", "host: localhost", "via: 1.1 asof", "traceparent: 00-"]
    {
        assert!(answer.contains(there), "{there} in {answer}");
    }
    for gone in ["forged", "9.9.9.9", "x-hop"] {
        assert!(!answer.contains(gone), "{gone} in {answer}");
    }
    assert!(answer.contains("forwarded: for=127.0.0.1;proto=http"), "{answer}");
    assert!(answer.contains("asof-depth: 1\n"), "{answer}");
}

#[tokio::test]
async fn what_a_service_says_to_the_edge_alone_stops_there() {
    let address = upstream(|_| async {
        let mut response = Response::new(Full::new(Bytes::from_static(b"x")));
        for (name, value) in [("asof-version", "1"), ("asof-context", "c"), ("asof-token", "t")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    })
    .await;
    let running = edge(&service(address, "")).await;
    let answer = get(running.ingress, "/", "").await;
    assert!(answer.contains("asof-token: t"), "{answer}");
    assert!(!answer.contains("asof-version") && !answer.contains("asof-context"), "{answer}");
}

#[tokio::test]
async fn services_reach_each_other_and_nobody_else() {
    let (a, b) = (echo().await, echo().await);
    let text = service(a, &format!("[services.b]\nupstreams = ['http://{b}']\nhosts = ['b.int']"));
    let running = edge(&text).await;
    let egress = running.egress.unwrap();
    for (line, host) in [
        ("/-/b/x?y".to_owned(), egress.to_string()),
        ("http://b/x?y".to_owned(), "b".to_owned()),
        ("http://b.int:80/x?y".to_owned(), "b.int:80".to_owned()),
        ("/x?y".to_owned(), "b.int".to_owned()),
    ] {
        let request = format!("GET {line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = exchange(egress, &request).await;
        assert!(answer.contains("GET /x?y\n"), "{line}: {answer}");
        assert!(answer.contains(&format!("host: {b}\n")), "{line}: {answer}");
    }
    for (line, host) in [("http://example.org/", "example.org"), ("/x", "example.org")] {
        let request = format!("GET {line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(status(&exchange(egress, &request).await), 421, "{line}");
    }
    let connect = "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n";
    assert_eq!(status(&exchange(egress, connect).await), 405);
    assert_eq!(status(&exchange(running.ingress, connect).await), 405);
}

#[tokio::test]
async fn a_request_that_goes_in_a_circle_is_ended() {
    // The edge is its own upstream.
    let address = crate::harness::nowhere().await;
    let text = format!(
        "[limits]\ncall_depth = 5\n[[ingress.rules]]\nservice = 'a'\n[services.a]\n\
         upstreams = ['http://{address}']\n"
    );
    let mut plan = crate::harness::plan(&text);
    plan.listen = address;
    let edge =
        asof_edge::Edge::bind(plan, std::sync::Arc::new(asof_env::SystemClock), |forwarder| {
            asof_edge::PassThrough::new(forwarder, std::sync::Arc::new(asof_env::SystemRandom))
        });
    tokio::spawn(edge.await.unwrap().run(std::future::pending()));
    let answer = get(address, "/", "").await;
    assert_eq!(status(&answer), 508, "{answer}");
    assert!(answer.contains("\"name\":\"Loop\""), "{answer}");
}

#[tokio::test]
async fn bodies_stream_both_ways_before_they_end() {
    let address = raw(|mut stream, _| async move {
        // The answer begins while the request is still being sent.
        until(&mut stream, "one").await;
        let begin = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nuno\r\n";
        stream.write_all(begin.as_bytes()).await.unwrap();
        until(&mut stream, "two").await;
        stream.write_all(b"3\r\ndos\r\n0\r\n\r\n").await.unwrap();
        until(&mut stream, "never").await;
    })
    .await;
    let running = edge(&service(address, "")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    let begin = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n";
    client.write_all(begin.as_bytes()).await.unwrap();
    assert!(until(&mut client, "uno").await.contains("200 OK"));
    client.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    assert!(until(&mut client, "0\r\n\r\n").await.contains("dos"));
}

#[tokio::test]
async fn an_upgraded_connection_is_a_tunnel() {
    let address = raw(|mut stream, _| async move {
        let asked = head(&mut stream).await.to_ascii_lowercase();
        assert!(asked.contains("upgrade: websocket") && asked.contains("connection: upgrade"));
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
                      upgrade: websocket\r\n\r\nhello";
        stream.write_all(switch.as_bytes()).await.unwrap();
        assert_eq!(until(&mut stream, "ping").await, "ping");
        stream.write_all(b"pong").await.unwrap();
    })
    .await;
    let running = edge(&service(address, "")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    let ask = "GET /chat HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\n\
               upgrade: websocket\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let switched = until(&mut client, "hello").await;
    assert!(switched.starts_with("HTTP/1.1 101"), "{switched}");
    assert!(switched.contains("upgrade: websocket"), "{switched}");
    client.write_all(b"ping").await.unwrap();
    assert_eq!(until(&mut client, "never").await, "pong");
}

#[tokio::test]
async fn http2_passes_with_its_trailers() {
    use hyper::body::Frame;
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let service = hyper::service::service_fn(|request: http::Request<_>| async move {
                assert_eq!(request.version(), http::Version::HTTP_2);
                assert_eq!(request.headers()["te"], "trailers");
                let body: hyper::body::Incoming = request.into_body();
                let sent = body.collect().await.unwrap();
                assert_eq!(sent.trailers().unwrap()["x-sent"], "1");
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let frames = [Ok(Frame::data(sent.to_bytes())), Ok(Frame::trailers(trailers))];
                let body = Frames(frames.into_iter().collect());
                Ok::<_, std::convert::Infallible>(Response::new(body))
            });
            let executor = hyper_util::rt::TokioExecutor::new();
            let server = hyper::server::conn::http2::Builder::new(executor);
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(server.serve_connection(stream, service));
        }
    });
    let running = edge(&service(address, "http2 = true")).await;
    let stream = TcpStream::connect(running.ingress).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..2 {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sent", "1".parse().unwrap());
        let frames = [Ok(Frame::data(Bytes::from_static(b"ask"))), Ok(Frame::trailers(trailers))];
        let request = http::Request::post("http://x/svc/Method")
            .header("te", "trailers")
            .body(Frames(frames.into_iter().collect()))
            .unwrap();
        let answer = client.send_request(request).await.unwrap().into_body();
        let answer = answer.collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), "ask");
    }
}

/// A body of given frames.
struct Frames(std::collections::VecDeque<Result<hyper::body::Frame<Bytes>, std::io::Error>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[tokio::test]
async fn a_head_has_no_body_and_keeps_the_length() {
    let running = edge(&service(echo().await, "")).await;
    let request = "HEAD /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(running.ingress, request).await;
    assert!(answer.contains("content-length: ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(!answer.contains("content-length: 0"), "{answer}");
}

#[tokio::test]
async fn the_edge_itself_says_to_go_on() {
    let address = upstream(|request| async move {
        assert!(!request.headers().contains_key("expect"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(Full::new(body))
    })
    .await;
    let running = edge(&service(address, "")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    let ask = "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    assert!(until(&mut client, "\r\n\r\n").await.starts_with("HTTP/1.1 100"));
    client.write_all(b"sent").await.unwrap();
    assert!(until(&mut client, "sent").await.contains("200 OK"));
}

#[tokio::test]
async fn when_the_client_goes_the_service_is_let_go_too() {
    let (gone, seen) = tokio::sync::oneshot::channel::<()>();
    let gone = std::sync::Arc::new(std::sync::Mutex::new(Some(gone)));
    let address = raw(move |mut stream, _| {
        let gone = std::sync::Arc::clone(&gone);
        async move {
            head(&mut stream).await;
            // Ends when the other side does.
            until(&mut stream, "never").await;
            drop(gone.lock().unwrap().take());
        }
    })
    .await;
    let running = edge(&service(address, "timeout = '1h'")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(client);
    let seen = tokio::time::timeout(crate::harness::LONG, seen).await;
    assert!(seen.expect("the connection to the service ends").is_err());
}
