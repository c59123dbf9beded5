//! Sockets: accepting, bounding, and ending connections.

pub(crate) mod lanes;
pub(crate) mod tls;

use core::pin::pin;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use asof_listen::{Alarms, Stream};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::lanes::Lanes;
use self::tls::Acceptor;
use crate::door::{self, Door, Peer};
use crate::engine::Engine;
use crate::limits;
use crate::metrics::DoorLabel;
use crate::server::Shared;

/// One socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) door: Door,
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<ArcSwap<Acceptor>>>,
    /// Places for connections; listeners of one kind share them.
    pub(crate) places: Arc<Semaphore>,
    /// Turns true when it is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Accepts until the edge stops; then lets what is under way end, within a bound.
pub(crate) async fn run<E: Engine>(listener: Listener, lanes: Arc<Lanes>, shared: Arc<Shared<E>>) {
    let mut stopping = listener.stopping;
    let mut tasks = JoinSet::new();
    let connection =
        Connection { door: listener.door, tls: listener.tls, stopping: stopping.clone(), shared };
    loop {
        let (stream, peer, place) = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            accepted = accept(&listener.socket, &listener.places) => accepted,
            // Finished connections leave; with none the branch is off.
            Some(_) = tasks.join_next() => continue,
        };
        let Some(seat) = lanes.seat() else { continue };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be handed over");
                continue;
            }
        };
        let (connection, runtime) = (connection.clone(), seat.runtime.clone());
        let serve = async move {
            connection.serve(stream, peer).await;
            drop((seat, place));
        };
        tasks.spawn_on(serve, &runtime);
    }
    drop(listener.socket);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if timeout(limits::DRAIN_TIMEOUT, drained).await.is_err() {
        let listener = connection.door.as_str();
        tracing::warn!(listener, connections = tasks.len(), "cut off what did not end in time");
        tasks.shutdown().await;
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // The semaphore is never closed.
            core::future::pending::<()>().await;
            continue;
        };
        match socket.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                // Out of file descriptors, say: it passes, but not at once.
                tracing::warn!(%error, "accepting failed");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What the connections of one listener share.
#[derive(Debug)]
struct Connection<E> {
    door: Door,
    tls: Option<Arc<ArcSwap<Acceptor>>>,
    stopping: watch::Receiver<bool>,
    shared: Arc<Shared<E>>,
}

impl<E> Clone for Connection<E> {
    fn clone(&self) -> Self {
        Self {
            door: self.door.clone(),
            tls: self.tls.clone(),
            stopping: self.stopping.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E: Engine> Connection<E> {
    /// Serves it on the runtime that shall own the socket.
    async fn serve(self, stream: std::net::TcpStream, address: SocketAddr) {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken over");
                return;
            }
        };
        let label = DoorLabel { listener: self.door.as_str() };
        let connections = self.shared.metrics.connections.get_or_create_owned(&label);
        connections.inc();
        // Answers are whole when they are written: waiting to join them only adds latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY failed");
        }
        match &self.tls {
            None => self.speak(stream, Peer { address, tls: false }).await,
            Some(acceptor) => {
                let Acceptor(acceptor) = (**acceptor.load()).clone();
                match timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream, Peer { address, tls: true }).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
        connections.dec();
    }

    /// Speaks HTTP/1.1 or HTTP/2 until the connection ends, is idle, or the edge stops.
    async fn speak<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let requests = Arc::new(AtomicU64::new(0));
        let (shared, door) = (Arc::clone(&self.shared), self.door.clone());
        let count = Arc::clone(&requests);
        let service = service_fn(move |request: Request<Incoming>| {
            count.fetch_add(1, Ordering::Relaxed);
            door::answer(&shared, &door, peer, request)
        });
        let builder = self.builder();
        // A client that takes nothing of its answer must not hold its place for ever.
        let stream = TokioIo::new(Stream::new(stream, limits::WRITE_TIMEOUT));
        let mut connection = pin!(builder.serve_connection_with_upgrades(stream, service));
        let mut stopping = self.stopping.clone();
        let (mut seen, mut quiet) = (0, Duration::ZERO);
        let (mut ending, mut told) = (false, false);
        loop {
            tokio::select! {
                // What is polled on every request comes first; the rest moves seldom.
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                    return;
                }
                _ = stopping.wait_for(|stopping| *stopping), if !ending => ending = true,
                // The alarms of the connection are looked at then as well.
                () = sleep(limits::LOOK_INTERVAL) => {
                    let count = requests.load(Ordering::Relaxed);
                    quiet = if count == seen { quiet + limits::LOOK_INTERVAL } else { Duration::ZERO };
                    seen = count;
                    // One that has asked nothing yet gets no longer than its first head may take.
                    let patience =
                        if seen == 0 { limits::HEADER_TIMEOUT } else { limits::IDLE_TIMEOUT };
                    ending |= quiet >= patience;
                }
            }
            if ending && !told {
                // What is under way still ends; nothing new is taken.
                connection.as_mut().graceful_shutdown();
                told = true;
            }
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let head_bytes = self.shared.header_bytes;
        // The date would tell a service the moment, which it may not know.
        let dated = !matches!(self.door, Door::Egress(_));
        let mut builder = Builder::new(TokioExecutor::new());
        // No more than a hundred header fields of HTTP/1.1: that is what hyper takes unless it is
        // told a number, which it then makes room for anew on every request.
        builder
            .http1()
            .auto_date_header(dated)
            .timer(Alarms)
            .header_read_timeout(limits::HEADER_TIMEOUT)
            .max_buf_size(head_bytes);
        builder
            .http2()
            .auto_date_header(dated)
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(limits::STREAMS_MAX)
            .keep_alive_interval(limits::HEADER_TIMEOUT)
            .keep_alive_timeout(limits::HEADER_TIMEOUT);
        builder
    }
}
