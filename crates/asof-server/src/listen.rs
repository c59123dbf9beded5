//! Sockets: accepting, bounding, and ending connections.

use core::fmt;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asof_store::Store;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::access::Access;
use crate::app::{App, Settings};
use crate::config::{Config, ConfigError, Limits};
use crate::limits;
use crate::tls;

/// Why a server does not start.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration makes no sense, or is not safe.
    Config(ConfigError),
    /// Beyond loopback it takes a token, and the store has none.
    NoToken,
    /// The certificate or key cannot be used.
    Tls(io::Error),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::NoToken => f.write_str(
                "tokens are required and the store has none: create one for an operator first",
            ),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl core::error::Error for ServeError {}

/// A server that listens and does not accept yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Acceptor>,
    limits: Limits,
    app: App,
    stop: watch::Sender<bool>,
}

/// A [`TlsAcceptor`] that can be shown.
#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// Serves `store` until `shutdown`, then stops cleanly and closes the store.
///
/// # Errors
///
/// As [`Server::bind`].
pub async fn serve(
    store: Store,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(store, config).await?.run(shutdown).await;
    Ok(())
}

impl Server {
    /// Checks the configuration and listens.
    ///
    /// # Errors
    ///
    /// As [`ServeError`] says. Nothing listens then.
    pub async fn bind(store: Store, config: &Config) -> Result<Self, ServeError> {
        config.check().map_err(ServeError::Config)?;
        let needs_tokens = config.require_tokens || !config.listen.ip().is_loopback();
        if needs_tokens && store.tokens().is_empty() {
            return Err(ServeError::NoToken);
        }
        let access = if needs_tokens { Access::Tokens } else { Access::Loopback };
        let tls = config
            .tls
            .as_ref()
            .map(|files| tls::acceptor(files).map(Acceptor))
            .transpose()
            .map_err(ServeError::Tls)?;
        let refused = |error| ServeError::Listen(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let settings = Settings {
            value_bytes_max: config.store.value_bytes_max,
            followers_max: config.limits.followers,
            body_timeout: config.limits.body_timeout.0,
            ..Settings::default()
        };
        let (app, stop) = App::new(store, access, settings);
        Ok(Self { listener, address, tls, limits: config.limits.clone(), app, stop })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections until `shutdown`; then lets requests under way end, within the drain
    /// time-out, and closes the store.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let shared = Connections {
            router: self.app.router(),
            app: self.app.clone(),
            tls: self.tls,
            limits: self.limits.clone(),
        };
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        tracing::info!(address = %self.address, tls = shared.tls.is_some(), "listening");
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&self.listener, &places) => accepted,
                // Finished connections leave; with none the branch is off.
                Some(_) = tasks.join_next() => continue,
            };
            let (stream, place) = accepted;
            let shared = shared.clone();
            tasks.spawn(async move {
                shared.serve(stream).await;
                drop(place);
            });
        }
        drop(self.listener);
        tracing::info!(connections = tasks.len(), "stopping");
        self.stop.send_replace(true);
        let drained = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.limits.drain_timeout.0, drained).await.is_err() {
            tracing::warn!(connections = tasks.len(), "cut off what did not end in time");
            tasks.shutdown().await;
        }
        let store = self.app.store.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, Place) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // The semaphore is never closed.
            core::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                // Out of file descriptors, say: it passes, but not at once.
                tracing::warn!(%error, "accepting failed");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What all connections share.
#[derive(Clone, Debug)]
struct Connections {
    router: Router,
    app: App,
    tls: Option<Acceptor>,
    limits: Limits,
}

impl Connections {
    async fn serve(self, stream: TcpStream) {
        let connections = &self.app.metrics.connections;
        connections.inc();
        // Answers are whole when they are written: waiting to join them only adds latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY failed");
        }
        match &self.tls {
            None => self.speak(stream).await,
            Some(Acceptor(acceptor)) => {
                match timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
        connections.dec();
    }

    /// Speaks HTTP/1.1 or HTTP/2 until the connection ends, is idle, or the service stops.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S) {
        let requests = AtomicU64::new(0);
        let service = service_fn(|request: Request<Incoming>| {
            requests.fetch_add(1, Ordering::Relaxed);
            self.router.clone().oneshot(request.map(Body::new))
        });
        let builder = self.builder();
        // A client that takes nothing of its answer must not hold its place for ever.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.limits.write_timeout.0));
        let stream = TokioIo::new(Box::pin(stream));
        let mut connection = pin!(builder.serve_connection(stream, service));
        let mut stopping = self.app.stopping.clone();
        let mut seen = 0;
        let mut ending = false;
        loop {
            tokio::select! {
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                    return;
                }
                _ = stopping.wait_for(|stopping| *stopping), if !ending => ending = true,
                () = sleep(self.limits.idle_timeout.0), if !ending => {
                    let count = requests.load(Ordering::Relaxed);
                    ending = count == seen;
                    seen = count;
                }
            }
            if ending {
                // What is under way still ends; nothing new is taken.
                connection.as_mut().graceful_shutdown();
            }
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout.0)
            .max_buf_size(limits::HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits::STREAMS_MAX)
            .keep_alive_interval(self.limits.header_timeout.0)
            .keep_alive_timeout(self.limits.header_timeout.0);
        builder
    }
}
