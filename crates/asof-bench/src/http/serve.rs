//! The servers that are measured, each in a process of its own, as they run in earnest.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use asof_server::{Config, Server};
use asof_store::{Options, Store};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::data;
use crate::measure::Result;

/// A server in a child process. It ends when its input does.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts this program again with `arguments`; it says where it listens.
    pub(crate) fn start(arguments: &[&str], dir: &Path) -> Result<Self> {
        Self::start_by(|program| Command::new(program), arguments, Some(dir))
    }

    /// As [`Self::start`], by a command that `command` makes.
    pub(crate) fn start_by<C: FnOnce(&Path) -> Command>(
        command: C,
        arguments: &[&str],
        dir: Option<&Path>,
    ) -> Result<Self> {
        let mut child = command(&std::env::current_exe()?)
            .args(arguments)
            .args(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("the server has no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse();
        let served = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        // Held already, so that it ends here too.
        let address = address.map_err(|_| format!("the server said `{}`", line.trim()))?;
        Ok(served.at(address))
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn at(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves the store in `dir`; `log` is the filter of its log, none where empty.
pub(crate) fn store(dir: &Path, log: &str) -> Result<()> {
    if !log.is_empty() {
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        tracing_subscriber::registry().with(log.parse::<Targets>()?).with(lines).init();
    }
    let store = Store::open(dir, Options::default())?;
    // As `asof serve` does: it accepts, and the server has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config =
            Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..Config::default() };
        let server = Server::bind(store, &config).await?;
        say(server.local_addr())?;
        server.run(end_of_input()).await;
        Ok(())
    })
}

/// Answers every request with one value: as much as the stack underneath can do.
pub(crate) fn limit() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        say(listener.local_addr()?)?;
        let value = data::value(0, 0).bytes;
        tokio::select! {
            answered = answer(listener, value) => answered,
            () = end_of_input() => Ok(()),
        }
    })
}

async fn answer(listener: TcpListener, value: Bytes) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let value = value.clone();
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let mut response = Response::new(Full::new(value.clone()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

pub(crate) fn say(address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

pub(crate) async fn end_of_input() {
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}
