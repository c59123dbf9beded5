//! A store, services that a test writes, and an edge that caches in front of and between them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use asof_edge::{Caching, Edge, Plan};
use asof_env::{SystemClock, SystemRandom};
use asof_server::Config;
use asof_store::{Options, Store};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;

use crate::harness::{LONG, upstream};

/// An answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    /// What the edge says of how the answer came about.
    pub(crate) fn outcome(&self) -> String {
        self.header("cache-status")
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    }
}

type Http = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

pub(crate) async fn ask(http: &Http, request: Request<Full<Bytes>>) -> Got {
    let answered = tokio::time::timeout(LONG, http.request(request)).await.unwrap().unwrap();
    let (parts, body) = answered.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Got { status: parts.status, headers: parts.headers, text }
}

/// What a service has to answer with: the request it was asked, and the way to others.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    egress: SocketAddr,
    http: Http,
}

impl Asked {
    /// Calls `name` through the service's own egress, with the context that it was given.
    pub(crate) async fn call(&self, method: Method, name: &str, path: &str, body: &str) -> Got {
        let context = self.headers.get("asof-context");
        self.call_as(context, method, name, path, body).await
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Got {
        self.call(Method::GET, name, path, "").await
    }

    /// Reads a key of the store.
    pub(crate) async fn read(&self, key: &str) -> String {
        let got = self.get("main", &format!("/v1/spaces/goods/keys/{key}")).await;
        if got.status == StatusCode::OK { got.text } else { format!("[{}]", got.status.as_u16()) }
    }

    /// Calls with another context, or none.
    pub(crate) async fn call_as(
        &self,
        context: Option<&http::HeaderValue>,
        method: Method,
        name: &str,
        path: &str,
        body: &str,
    ) -> Got {
        let uri = format!("http://{}/-/{name}{path}", self.egress);
        let mut request = Request::new(Full::new(Bytes::from(body.to_owned())));
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        if let Some(context) = context {
            request.headers_mut().insert("asof-context", context.clone());
        }
        ask(&self.http, request).await
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    }
}

/// A service: how often it executed, and where it listens.
#[derive(Clone)]
pub(crate) struct Service {
    name: &'static str,
    pub(crate) address: SocketAddr,
    egress: Arc<OnceLock<SocketAddr>>,
    executions: Arc<AtomicUsize>,
}

impl Service {
    /// One that answers by `answer`.
    pub(crate) async fn new<F, R>(name: &'static str, answer: F) -> Self
    where
        F: Fn(Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        Self::beside(name, Arc::default(), answer).await
    }

    /// Another instance of it, which answers otherwise.
    pub(crate) async fn another<F, R>(&self, answer: F) -> Self
    where
        F: Fn(Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        Self::beside(self.name, Arc::clone(&self.egress), answer).await
    }

    async fn beside<F, R>(name: &'static str, egress: Arc<OnceLock<SocketAddr>>, answer: F) -> Self
    where
        F: Fn(Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let executions: Arc<AtomicUsize> = Arc::default();
        let (own, count, http) = (Arc::clone(&egress), Arc::clone(&executions), http());
        let address = upstream(move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::SeqCst);
            let asked = Asked {
                path: request.uri().path_and_query().unwrap().as_str().to_owned(),
                headers: request.headers().clone(),
                egress: *own.get().unwrap(),
                http: http.clone(),
            };
            answer(asked)
        })
        .await;
        Self { name, address, egress, executions }
    }

    /// How often it was asked since the last time.
    pub(crate) fn executed(&self) -> usize {
        self.executions.swap(0, Ordering::SeqCst)
    }
}

pub(crate) fn text(text: impl Into<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.into())));
    let media_type = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert("content-type", media_type);
    response
}

/// A running system.
pub(crate) struct World {
    pub(crate) ingress: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) store: SocketAddr,
    pub(crate) http: Http,
    stops: Mutex<BTreeMap<&'static str, oneshot::Sender<()>>>,
    _folder: tempfile::TempDir,
}

impl World {
    /// A store, `services` behind an edge, the first of them for clients. `more` is configuration.
    pub(crate) async fn start(services: &[&Service], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, stop_store) = store(folder.path()).await;
        let http = http();
        let first = services.first().unwrap().name;
        let mut text = format!(
            "[[ingress.rules]]\nservice = '{first}'\n[stores.main]\nurl = 'http://{store}'\n"
        );
        for service in services {
            let Service { name, address, .. } = service;
            write!(
                text,
                "[services.{name}]\nupstreams = ['http://{address}']\negress = '127.0.0.1:0'\n"
            )
            .unwrap();
        }
        text.push_str(more);
        let plan = crate::harness::plan(&text);
        let (edge, stop_edge) = edge(plan, services).await;
        let stops = Mutex::new(BTreeMap::from([("store", stop_store), ("edge", stop_edge)]));
        let world = Self { ingress: edge.0, admin: edge.1, store, http, stops, _folder: folder };
        world.put("begun", "yes").await;
        world.ready().await;
        world
    }

    /// Waits until the edge has heard of the store.
    async fn ready(&self) {
        for _ in 0..400 {
            let request = Request::get(format!("http://{}/readyz", self.admin));
            let got = ask(&self.http, request.body(Full::default()).unwrap()).await;
            if got.status == StatusCode::OK {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("the edge does not become ready");
    }

    /// Stops the store.
    pub(crate) fn stop_store(&self) {
        drop(self.stops.lock().unwrap().remove("store"));
    }

    /// Writes past the edge; returns the token of the write.
    pub(crate) async fn put(&self, key: &str, value: &str) -> String {
        let uri = format!("http://{}/v1/spaces/goods/keys/{key}", self.store);
        let request = Request::put(uri).header("content-type", "text/plain");
        let body = Full::new(Bytes::from(value.to_owned()));
        let got = ask(&self.http, request.body(body).unwrap()).await;
        assert!(got.status.is_success(), "{got:?}");
        got.header("asof-token")
    }

    /// Asks the edge as a client.
    pub(crate) async fn get(&self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        let mut request = Request::get(format!("http://{}{path}", self.ingress));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        ask(&self.http, request.body(Full::default()).unwrap()).await
    }

    /// Asks for what a write of `token` must be seen in.
    pub(crate) async fn get_after(&self, token: &str, path: &str) -> Got {
        self.get_with(path, &[("asof-token", token)]).await
    }

    pub(crate) async fn admin(&self, method: Method, path: &str) -> Got {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.admin));
        ask(&self.http, request.body(Full::default()).unwrap()).await
    }
}

async fn store(folder: &std::path::Path) -> (SocketAddr, oneshot::Sender<()>) {
    let store = Store::open(folder, Options::default()).unwrap();
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    let server = asof_server::Server::bind(store, &config).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async { drop(stopped.await) }));
    (address, stop)
}

async fn edge(
    plan: Plan,
    services: &[&Service],
) -> ((SocketAddr, SocketAddr), oneshot::Sender<()>) {
    let memory = plan.limits.memory;
    let edge = Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
        Caching::new(forwarder, Arc::new(SystemRandom), Arc::new(SystemClock), memory)
    })
    .await
    .unwrap();
    let addresses = edge.addresses().clone();
    for service in services {
        service.egress.set(*addresses.egress.get(service.name).unwrap()).unwrap();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(edge.run(async { drop(stopped.await) }));
    ((addresses.ingress, addresses.admin), stop)
}
