//! One connection: bounding what its client may do, and ending it.

use core::pin::pin;
use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};

use asof_listen::{Alarms, Stream};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::config::Limits;
use crate::limits;
use crate::router::Router;

/// What speaks with clients: all connections share it.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) app: App,
    pub(crate) tls: Option<Acceptor>,
    pub(crate) limits: Limits,
}

/// A [`TlsAcceptor`] that can be shown.
#[derive(Clone)]
pub(crate) struct Acceptor(pub(crate) TlsAcceptor);

impl core::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl Speaker {
    /// Speaks with whoever is at the other end until the connection ends, or `stopping` turns true
    /// and what is under way has ended. It must be called on the runtime that shall own the socket.
    pub(crate) async fn serve(&self, stream: std::net::TcpStream, stopping: watch::Receiver<bool>) {
        let connections = &self.app.metrics.connections;
        connections.inc();
        match TcpStream::from_std(stream) {
            Ok(stream) => self.greet(stream, stopping).await,
            Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
        }
        connections.dec();
    }

    async fn greet(&self, stream: TcpStream, stopping: watch::Receiver<bool>) {
        // Answers are whole when they are written: waiting to join them only adds latency.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY failed");
        }
        match &self.tls {
            None => self.speak(stream, stopping).await,
            Some(Acceptor(acceptor)) => {
                match timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream, stopping).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
        }
    }

    /// Speaks HTTP/1.1 or HTTP/2 until the connection ends, is idle, or the service stops.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        mut stopping: watch::Receiver<bool>,
    ) {
        let router = Router::new(self.app.clone());
        let requests = AtomicU64::new(0);
        let service = service_fn(|request: Request<Incoming>| {
            requests.fetch_add(1, Ordering::Relaxed);
            let (parts, body) = request.into_parts();
            router.route(parts, body.into())
        });
        let builder = self.builder();
        // A client that takes nothing of its answer must not hold its place for ever.
        let stream = TokioIo::new(Stream::new(stream, self.limits.write_timeout.0));
        let mut connection = pin!(builder.serve_connection(stream, service));
        let interval = self.limits.look_interval();
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
                () = sleep(interval) => {
                    let count = requests.load(Ordering::Relaxed);
                    quiet = if count == seen { quiet + interval } else { Duration::ZERO };
                    seen = count;
                    ending |= quiet >= self.limits.idle_timeout.0;
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
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(Alarms)
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
