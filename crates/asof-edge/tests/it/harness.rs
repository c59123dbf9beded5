//! Services that a test scripts, an edge in front of them, and raw sockets to it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asof_edge::{Edge, PassThrough, Plan, Reloader};
use asof_env::{SystemClock, SystemRandom};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes, so that a test that hangs ends.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// An edge that runs, stopped when it goes.
pub(crate) struct Running {
    pub(crate) ingress: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Of the service `a`, if it has one.
    pub(crate) egress: Option<SocketAddr>,
    pub(crate) reloader: Reloader<PassThrough>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

/// An edge by `text`, with listeners on free ports.
pub(crate) async fn edge(text: &str) -> Running {
    let edge = Edge::bind(plan(text), Arc::new(SystemClock), |forwarder| {
        PassThrough::new(forwarder, Arc::new(SystemRandom))
    })
    .await
    .unwrap();
    let addresses = edge.addresses().clone();
    let reloader = edge.reloader();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(edge.run(async { drop(stopped.await) }));
    Running {
        ingress: addresses.ingress,
        admin: addresses.admin,
        egress: addresses.egress.get("a").copied(),
        reloader,
        stop: Some(stop),
        task: Some(task),
    }
}

/// The plan of `text`, with listeners on free ports.
pub(crate) fn plan(text: &str) -> Plan {
    let text = format!("listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n{text}");
    Plan::from_toml(&text, Path::new("")).unwrap()
}

/// The configuration of one service `a` at `upstream` that takes everything.
pub(crate) fn service(upstream: SocketAddr, more: &str) -> String {
    format!(
        "[[ingress.rules]]\nservice = 'a'\n[services.a]\nupstreams = ['http://{upstream}']\n\
         egress = '127.0.0.1:0'\n{more}\n"
    )
}

impl Running {
    /// Tells it to stop; the task ends when it has.
    pub(crate) fn begin_stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.task.take().unwrap()
    }
}

/// A service that answers by `answer`.
pub(crate) async fn upstream<F, R>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, std::convert::Infallible>(answered.await) }
                });
                let builder = Builder::new(TokioExecutor::new());
                // A connection that the edge drops is no failure of the test.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// A service that answers each request with its head as text.
pub(crate) async fn echo() -> SocketAddr {
    upstream(|request| async move {
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            let value = value.to_str().unwrap_or("?");
            writeln!(text, "{name}: {value}").unwrap();
        }
        Response::new(Full::new(text.into()))
    })
    .await
}

/// A service that speaks raw bytes: `talk` has each connection, with its number from 0.
pub(crate) async fn raw<F, R>(talk: F) -> SocketAddr
where
    F: Fn(TcpStream, usize) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut nth = 0;
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(talk(stream, nth));
            nth += 1;
        }
    });
    address
}

/// An address where nobody listens.
pub(crate) async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Reads a request head off `stream`.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    until(stream, "\r\n\r\n").await
}

/// What arrives until `end`, or the end of the connection.
pub(crate) async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let read = tokio::time::timeout(LONG, stream.read(&mut buffer)).await;
        match read.expect("something in time") {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                text.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap()));
            }
        }
    }
    text
}

/// Sends `request` on a connection of its own and reads to the connection's end.
pub(crate) async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that refuses early may be gone before all is written.
    let _ = stream.write_all(request.as_bytes()).await;
    until(&mut stream, "\u{0}never").await
}

/// `GET path`, with further header lines, on a connection that is closed after it.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    exchange(address, &request).await
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

/// Tries `check` until it holds.
pub(crate) async fn eventually<R: Future<Output = bool>>(check: impl Fn() -> R) {
    let tried = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, tried).await.expect("it comes to hold");
}
