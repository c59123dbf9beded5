//! A store, services that a test writes, and an edge that caches in front of and between them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asof_edge::{Addresses, Caching, Edge, Plan, Reloader, SpanSink};
use asof_env::{BootTime, Clock, SystemClock, SystemRandom};
use asof_server::Config;
use asof_store::{Options, Store};
use asof_time::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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

pub(crate) type Http = Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>;

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
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
        let mut headers = HeaderMap::new();
        if let Some(context) = context {
            headers.insert("asof-context", context.clone());
        }
        self.call_with(headers, method, name, path, body).await
    }

    /// Calls with these headers and no others.
    pub(crate) async fn call_with(
        &self,
        headers: HeaderMap,
        method: Method,
        name: &str,
        path: &str,
        body: &str,
    ) -> Got {
        let uri = format!("http://{}/-/{name}{path}", self.egress);
        let mut request = Request::new(Full::new(Bytes::from(body.to_owned())));
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap();
        *request.headers_mut() = headers;
        ask(&self.http, request).await
    }

    /// The context that it was given.
    pub(crate) fn context(&self) -> http::HeaderValue {
        self.headers.get("asof-context").unwrap().clone()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    }
}

/// A service: how often it executed, and where it listens.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    egress: Arc<Mutex<Option<SocketAddr>>>,
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

    async fn beside<F, R>(
        name: &'static str,
        egress: Arc<Mutex<Option<SocketAddr>>>,
        answer: F,
    ) -> Self
    where
        F: Fn(Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let executions: Arc<AtomicUsize> = Arc::default();
        let (own, count, http) = (Arc::clone(&egress), Arc::clone(&executions), http());
        let address = upstream(move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::SeqCst);
            let (own, http, answer) = (Arc::clone(&own), http.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
                let (method, headers, egress) =
                    (parts.method, parts.headers, own.lock().unwrap().unwrap());
                answer(Asked { method, path, headers, body, egress, http }).await
            }
        })
        .await;
        Self { name, address, egress, executions }
    }

    /// One that has each connection for itself: `talk` reads the request head off it and answers.
    pub(crate) async fn raw<F, R>(name: &'static str, talk: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let executions: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&executions);
        let address = crate::harness::raw(move |stream, _| {
            count.fetch_add(1, Ordering::SeqCst);
            talk(stream)
        })
        .await;
        Self { name, address, egress: Arc::default(), executions }
    }

    /// From now on it makes its calls through this edge.
    pub(crate) fn attach(&self, edge: &Addresses) {
        *self.egress.lock().unwrap() = edge.egress.get(self.name).copied();
    }

    /// Whether it makes its calls through this edge.
    pub(crate) fn is_attached(&self, edge: &Addresses) -> bool {
        *self.egress.lock().unwrap() == edge.egress.get(self.name).copied()
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

/// A text with another status.
pub(crate) fn status(code: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = text(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

/// The clocks of the machine, of which a test can move the boot-time one ahead.
#[derive(Debug, Default)]
pub(crate) struct AheadClock(AtomicU64);

impl AheadClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for AheadClock {
    fn wall(&self) -> Timestamp {
        SystemClock.wall()
    }

    fn boot(&self) -> BootTime {
        SystemClock.boot().after(Duration::from_millis(self.0.load(Ordering::SeqCst)))
    }

    fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration);
    }
}

/// The store of a system, while it runs.
pub(crate) struct Running {
    store: Store,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A running system.
pub(crate) struct World {
    pub(crate) ingress: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) store: SocketAddr,
    pub(crate) http: Http,
    pub(crate) clock: Arc<AheadClock>,
    preview: SocketAddr,
    reloader: Reloader<Caching>,
    /// What the edge was configured by.
    config: String,
    running: Mutex<Option<Running>>,
    _stop_edge: oneshot::Sender<()>,
    folder: tempfile::TempDir,
}

impl World {
    /// A store, `services` behind an edge, the first of them for clients. `more` is configuration,
    /// in which STORE is the address of the store.
    pub(crate) async fn start(services: &[&Service], more: &str) -> Self {
        Self::start_with(services, "", more).await
    }

    /// As [`start`](Self::start), with `of_store` among the settings of the store.
    pub(crate) async fn start_with(services: &[&Service], of_store: &str, more: &str) -> Self {
        Self::start_as(services, of_store, more, None).await
    }

    /// As [`start`](Self::start), with spans of all requests handed to `sink`.
    pub(crate) async fn watched(
        services: &[&Service],
        more: &str,
        sink: Arc<dyn SpanSink>,
    ) -> Self {
        Self::start_as(services, "", &format!("{more}[traces]\nsample = 1\n"), Some(sink)).await
    }

    async fn start_as(
        services: &[&Service],
        of_store: &str,
        more: &str,
        sink: Option<Arc<dyn SpanSink>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, running) = store(&folder.path().join("0"), "127.0.0.1:0").await;
        let http = http();
        // Before the edge begins to follow, so that its first moment has it.
        put(&http, store, "begun", "yes").await;
        let mut text = format!(
            "preview_listen = '127.0.0.1:0'\n[[ingress.rules]]\nservice = '{}'\n[stores.main]\nurl = 'http://{store}'\n{of_store}\n",
            services.first().unwrap().name
        );
        for service in services {
            let Service { name, address, .. } = service;
            write!(
                text,
                "[services.{name}]\nupstreams = ['http://{address}']\negress = '127.0.0.1:0'\n"
            )
            .unwrap();
        }
        text.push_str(&more.replace("STORE", &store.to_string()));
        let plan = crate::harness::plan(&text);
        let clock = Arc::new(AheadClock::default());
        let (addresses, reloader, stop) =
            reloadable(plan, services, Arc::clone(&clock), sink).await;
        let world = Self {
            ingress: addresses.ingress,
            admin: addresses.admin,
            store,
            http,
            clock,
            preview: addresses.preview.unwrap(),
            reloader,
            config: text,
            running: Mutex::new(Some(running)),
            _stop_edge: stop,
            folder,
        };
        world.ready().await;
        world
    }

    /// Waits until the edge has heard of the store.
    pub(crate) async fn ready(&self) {
        for _ in 0..400 {
            let request = Request::get(format!("http://{}/readyz", self.admin));
            let got = ask(&self.http, request.body(Full::default()).unwrap()).await;
            if got.status == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the edge does not become ready");
    }

    /// Has the edge go on with `old` in its configuration replaced by `new`.
    pub(crate) async fn reload(&self, old: &str, new: &str) {
        assert!(self.config.contains(old), "{}", self.config);
        let plan = crate::harness::plan(&self.config.replace(old, new));
        self.reloader.reload(plan).await.unwrap();
    }

    /// Stops the store: its connections end.
    pub(crate) async fn stop_store(&self) {
        let Running { store, stop, task } = self.running.lock().unwrap().take().unwrap();
        drop(stop);
        task.await.unwrap();
        store.close();
    }

    /// Does something to the store of `generation` while it is stopped.
    pub(crate) fn meanwhile<R>(&self, generation: u8, act: impl FnOnce(&Store) -> R) -> R {
        let folder = self.folder.path().join(generation.to_string());
        let store = Store::open(&folder, Options::default()).unwrap();
        let done = act(&store);
        store.close();
        done
    }

    /// Erases a key of the space `goods`.
    pub(crate) async fn erase(&self, key: &str) {
        let uri = format!("http://{}/v1/spaces/goods/erasures?confirm=99-versions", self.store);
        let body = format!("{{\"key\":\"{key}\",\"author\":\"me\",\"reason\":\"test\"}}");
        let request = Request::post(uri).header("content-type", "application/json");
        let got = ask(&self.http, request.body(Full::new(body.into())).unwrap()).await;
        assert!(got.status.is_success(), "{got:?}");
    }

    /// Starts what was stopped: the same store for the same `generation`, an empty one for another.
    pub(crate) async fn start_store(&self, generation: u8) {
        let folder = self.folder.path().join(generation.to_string());
        let (_, running) = store(&folder, &self.store.to_string()).await;
        *self.running.lock().unwrap() = Some(running);
    }

    /// Sets the cap, or clears it.
    pub(crate) async fn cap(&self, at: Option<&str>) {
        let uri = format!("http://{}/v1/cap", self.store);
        let request = match at {
            Some(at) => {
                let body = format!("{{\"at\":\"{at}\",\"author\":\"me\",\"reason\":\"test\"}}");
                Request::put(uri).header("content-type", "application/json").body(body)
            }
            None => Request::delete(uri)
                .header("asof-author", "me")
                .header("asof-reason", "test")
                .body(String::new()),
        };
        let got = ask(&self.http, request.unwrap().map(|body| Full::new(body.into()))).await;
        assert!(got.status.is_success(), "{got:?}");
    }

    /// The moment at which the edge answers clients now.
    pub(crate) async fn now(&self, path: &str) -> String {
        self.get(path).await.header("as-of")
    }

    /// Writes past the edge; returns the token of the write.
    pub(crate) async fn put(&self, key: &str, value: &str) -> String {
        put(&self.http, self.store, key, value).await
    }

    /// Asks the edge as a client.
    pub(crate) async fn get(&self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(Method::GET, path, headers, "").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Got {
        self.send_to(self.ingress, method, path, headers, body).await
    }

    async fn send_to(
        &self,
        listener: SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Got {
        let mut request = Request::builder().method(method).uri(format!("http://{listener}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        ask(&self.http, request.body(Full::new(body.to_owned().into())).unwrap()).await
    }

    /// Asks by the listener for what is still to come.
    pub(crate) async fn preview(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send_to(self.preview, Method::GET, path, headers, "").await
    }

    /// As [`preview`](Self::preview), by any method.
    pub(crate) async fn preview_by(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Got {
        self.send_to(self.preview, method, path, headers, "").await
    }

    /// Writes past the edge what takes effect at `at`.
    pub(crate) async fn schedule(&self, key: &str, value: &str, at: &str) {
        let path = format!("/v1/spaces/goods/keys/{key}");
        let headers = [("content-type", "text/plain"), ("effective-at", at)];
        let got = self.send_to(self.store, Method::PUT, &path, &headers, value).await;
        assert!(got.status.is_success(), "{got:?}");
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

/// Writes a key of the space `goods`; returns the token of the write.
pub(crate) async fn put(http: &Http, store: SocketAddr, key: &str, value: &str) -> String {
    let uri = format!("http://{store}/v1/spaces/goods/keys/{key}");
    let request = Request::put(uri).header("content-type", "text/plain");
    let got = ask(http, request.body(Full::new(Bytes::from(value.to_owned()))).unwrap()).await;
    assert!(got.status.is_success(), "{got:?}");
    got.header("asof-token")
}

/// A store in `folder`.
pub(crate) async fn store(folder: &Path, listen: &str) -> (SocketAddr, Running) {
    let store = Store::open(folder, Options::default()).unwrap();
    let config = Config { listen: listen.parse().unwrap(), ..Config::default() };
    let server = asof_server::Server::bind(store.clone(), &config).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.run(async { drop(stopped.await) }));
    (address, Running { store, stop, task })
}

/// An edge that caches; `services` are attached to it.
pub(crate) async fn edge(
    plan: Plan,
    services: &[&Service],
    clock: Arc<AheadClock>,
) -> (Addresses, oneshot::Sender<()>) {
    let (addresses, _, stop) = reloadable(plan, services, clock, None).await;
    (addresses, stop)
}

/// As [`edge`], with what can give it another configuration.
async fn reloadable(
    plan: Plan,
    services: &[&Service],
    clock: Arc<AheadClock>,
    sink: Option<Arc<dyn SpanSink>>,
) -> (Addresses, Reloader<Caching>, oneshot::Sender<()>) {
    let memory = plan.limits.memory;
    let clock: Arc<dyn Clock> = clock;
    let own = Arc::clone(&clock);
    let edge = Edge::bind(plan, own, |forwarder| {
        Caching::watched(forwarder, Arc::new(SystemRandom), clock, memory, sink)
    })
    .await
    .unwrap();
    let addresses = edge.addresses().clone();
    for service in services {
        service.attach(&addresses);
    }
    let (reloader, (stop, stopped)) = (edge.reloader(), oneshot::channel::<()>());
    tokio::spawn(edge.run(async { drop(stopped.await) }));
    (addresses, reloader, stop)
}

/// A route of `service` that takes all paths and is on.
pub(crate) fn on(service: &str, more: &str) -> String {
    format!(
        "[[services.{service}.routes]]\npath = '/{{*path}}'\nmode = 'on'\nobserved_min = 0\n\
         trust = true\nshadow = 0.0\n{more}\n"
    )
}
