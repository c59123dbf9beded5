//! A store, services, and two edges that share the trees of calls between them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use asof_edge::Addresses;
use http::{Method, Request};
use http_body_util::Full;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::world::{AheadClock, Got, Http, Running, Service, ask, edge, http, put, store};
use crate::harness::eventually;

/// A way from one edge to the other, which can be cut.
#[derive(Clone)]
pub(crate) struct Link {
    from: SocketAddr,
    to: Arc<Mutex<Option<SocketAddr>>>,
    open: watch::Sender<bool>,
}

impl Link {
    async fn new() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let from = socket.local_addr().unwrap();
        let (open, to) = (watch::Sender::new(true), Arc::<Mutex<Option<SocketAddr>>>::default());
        let link = Self { from, to: Arc::clone(&to), open: open.clone() };
        tokio::spawn(async move {
            while let Ok((mut near, _)) = socket.accept().await {
                let mut cut = open.subscribe();
                let to = *to.lock().unwrap();
                let Some(to) = to.filter(|_| *cut.borrow_and_update()) else { continue };
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(to).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        link
    }

    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

/// One of the two edges.
pub(crate) struct Side {
    pub(crate) at: Addresses,
    pub(crate) clock: Arc<AheadClock>,
    stop: Option<oneshot::Sender<()>>,
    text: String,
}

/// A system of two edges, `north` and `south`.
pub(crate) struct Pair {
    pub(crate) north: Side,
    pub(crate) south: Side,
    /// By which south reaches north.
    pub(crate) to_north: Link,
    /// By which north reaches south.
    pub(crate) to_south: Link,
    pub(crate) store: SocketAddr,
    http: Http,
    services: Vec<Service>,
    _running: Running,
    _folder: tempfile::TempDir,
}

impl Pair {
    /// Two edges before `services`, the first of which is for clients; all of them make their calls
    /// through the north until they are attached to the south.
    pub(crate) async fn start(services: &[&Service], more: &str) -> Self {
        Self::differing(services, more, "").await
    }

    /// As [`start`](Self::start), with more in the configuration of the south.
    pub(crate) async fn differing(services: &[&Service], more: &str, southern: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, running) = store(&folder.path().join("0"), "127.0.0.1:0").await;
        let http = http();
        put(&http, address, "begun", "yes").await;
        let (to_north, to_south) = (Link::new().await, Link::new().await);
        let first = services.first().unwrap().name;
        let mut text = format!(
            "peer_listen = '127.0.0.1:0'\npreview_listen = '127.0.0.1:0'\n[[ingress.rules]]\nservice = '{first}'\n\
             [stores.main]\nurl = 'http://{address}'\n"
        );
        for service in services {
            let Service { name, address, .. } = service;
            let egress = "egress = '127.0.0.1:0'";
            writeln!(text, "[services.{name}]\nupstreams = ['http://{address}']\n{egress}")
                .unwrap();
        }
        text.push_str(more);
        let peer = |link: &Link| format!("[peers.other]\nurl = 'http://{}'\n", link.from);
        let north = Side::start(format!("{text}{}", peer(&to_south)), services).await;
        let south = Side::start(format!("{text}{southern}{}", peer(&to_north)), &[]).await;
        *to_north.to.lock().unwrap() = north.at.peer;
        *to_south.to.lock().unwrap() = south.at.peer;
        let services = services.iter().copied().cloned().collect();
        let pair = Self {
            north,
            south,
            to_north,
            to_south,
            store: address,
            http,
            services,
            _running: running,
            _folder: folder,
        };
        pair.know_each_other().await;
        pair
    }

    /// Waits until both edges have heard of the store and of each other.
    pub(crate) async fn know_each_other(&self) {
        for side in [&self.north, &self.south] {
            eventually(|| async {
                let ready = self.admin(side, "/readyz").await.status == 200;
                ready && self.silence(side).await.is_some_and(|silent| silent < 1_000)
            })
            .await;
        }
    }

    /// For how many milliseconds an edge has not heard of the other one.
    pub(crate) async fn silence(&self, side: &Side) -> Option<u64> {
        let report: serde_json::Value = serde_json::from_str(&self.report(side).await).unwrap();
        report.pointer("/peers/0/silent_ms").and_then(serde_json::Value::as_u64)
    }

    /// What an operator of an edge is told.
    pub(crate) async fn report(&self, side: &Side) -> String {
        self.admin(side, "/report").await.text
    }

    /// Starts the south anew: it has forgotten everything.
    pub(crate) async fn restart_south(&mut self) {
        drop(self.south.stop.take());
        self.south = Side::start(self.south.text.clone(), &[]).await;
        *self.to_south.to.lock().unwrap() = self.south.at.peer;
        // Connections to the old one end.
        self.to_south.cut();
        self.to_south.mend();
    }

    /// From now on the service makes its calls through the south.
    pub(crate) fn attach_south(&self, names: &[&str]) {
        for service in self.services.iter().filter(|service| names.contains(&service.name)) {
            service.attach(&self.south.at);
        }
    }

    /// From now on the service makes its calls through the north.
    pub(crate) fn attach_north(&self, names: &[&str]) {
        for service in self.services.iter().filter(|service| names.contains(&service.name)) {
            service.attach(&self.north.at);
        }
    }

    /// The services that make their calls through the south.
    pub(crate) fn of_south(&self) -> Vec<&'static str> {
        let is_there = |service: &&Service| service.is_attached(&self.south.at);
        self.services.iter().filter(is_there).map(|service| service.name).collect()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) -> String {
        put(&self.http, self.store, key, value).await
    }

    /// Asks an edge as a client.
    pub(crate) async fn get(&self, side: &Side, path: &str, headers: &[(&str, &str)]) -> Got {
        let uri = format!("http://{}{path}", side.at.ingress);
        let mut request = Request::builder().method(Method::GET).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        ask(&self.http, request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn north(&self, path: &str) -> Got {
        self.get(&self.north, path, &[]).await
    }

    /// Asks for what a write of `token` must be seen in.
    pub(crate) async fn north_after(&self, token: &str, path: &str) -> Got {
        self.get(&self.north, path, &[("asof-token", token)]).await
    }

    /// Writes past the edges what takes effect at `at`.
    pub(crate) async fn schedule(&self, key: &str, value: &str, at: &str) {
        let uri = format!("http://{}/v1/spaces/goods/keys/{key}", self.store);
        let request =
            Request::put(uri).header("content-type", "text/plain").header("effective-at", at);
        let got = ask(&self.http, request.body(Full::from(value.to_owned())).unwrap()).await;
        assert!(got.status.is_success(), "{got:?}");
    }

    /// Asks the north by its listener for what is still to come.
    pub(crate) async fn preview_north(&self, path: &str, at: &str) -> Got {
        let uri = format!("http://{}{path}", self.north.at.preview.unwrap());
        let request = Request::get(uri).header("as-of", at);
        ask(&self.http, request.body(Full::default()).unwrap()).await
    }

    async fn admin(&self, side: &Side, path: &str) -> Got {
        let uri = format!("http://{}{path}", side.at.admin);
        ask(&self.http, Request::get(uri).body(Full::default()).unwrap()).await
    }
}

impl Side {
    async fn start(text: String, services: &[&Service]) -> Self {
        let clock = Arc::new(AheadClock::default());
        let (at, stop) = edge(crate::harness::plan(&text), services, Arc::clone(&clock)).await;
        Self { at, clock, stop: Some(stop), text }
    }
}
