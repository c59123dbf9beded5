//! Making connections.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::UpstreamErrorKind;
use super::instance::Instance;
use super::pool::Sender;
use crate::config::BaseUrl;
use crate::limits;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct DialError {
    pub(crate) kind: UpstreamErrorKind,
    pub(crate) cause: String,
}

impl DialError {
    fn new(kind: UpstreamErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into() }
    }
}

/// A connection to `instance`: one that waits, or a new one. Says which.
pub(crate) async fn connection(instance: &Arc<Instance>) -> Result<(Sender, Reused), DialError> {
    if instance.http2 {
        return two(instance).await;
    }
    if let Some(sender) = instance.pool.take().await {
        return Ok((Sender::One(sender), Reused::Yes));
    }
    fresh(instance).await.map(|sender| (sender, Reused::No))
}

/// Whether a connection has carried a request before: its other end may just have closed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reused {
    Yes,
    No,
}

async fn two(instance: &Arc<Instance>) -> Result<(Sender, Reused), DialError> {
    // Whoever is before may be dialling. Where that fails each of those who wait would dial in
    // turn, so nobody waits for more than two of them.
    let patience = instance.connect_timeout.saturating_mul(2);
    let Ok(mut shared) = timeout(patience, instance.pool.shared.lock()).await else {
        let cause = "others are still connecting";
        return Err(DialError::new(UpstreamErrorKind::ConnectTimeout, cause));
    };
    if let Some(sender) = shared.as_ref().filter(|sender| !sender.is_closed()) {
        return Ok((Sender::Two(sender.clone()), Reused::Yes));
    }
    let sender = fresh(instance).await?;
    if let Sender::Two(sender) = &sender {
        *shared = Some(sender.clone());
    }
    Ok((sender, Reused::No))
}

/// A new connection.
pub(crate) async fn fresh(instance: &Arc<Instance>) -> Result<Sender, DialError> {
    let dialled = dial(instance).await;
    match &dialled {
        Ok(_) => instance.connected(),
        Err(_) => instance.connect_failed(),
    }
    dialled
}

async fn dial(instance: &Arc<Instance>) -> Result<Sender, DialError> {
    let mut addresses = instance.addresses();
    if addresses.is_empty() {
        let found = resolve(&instance.url).await;
        instance.moved(
            found.map_err(|e| DialError::new(UpstreamErrorKind::Unresolved, e.to_string()))?,
        );
        addresses = instance.addresses();
    }
    let mut failed = DialError::new(UpstreamErrorKind::Unresolved, "the name has no address");
    // A name may lead to an address family that is not served: the second is a way out.
    for address in addresses.iter().take(2) {
        match timeout(instance.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return greet(instance, stream).await,
            Ok(Err(error)) => {
                failed = DialError::new(UpstreamErrorKind::Connect, format!("{address}: {error}"));
            }
            Err(_) => {
                failed = DialError::new(UpstreamErrorKind::ConnectTimeout, address.to_string());
            }
        }
    }
    Err(failed)
}

async fn greet(instance: &Arc<Instance>, stream: TcpStream) -> Result<Sender, DialError> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY failed");
    }
    let Some(tls) = &instance.tls else {
        return handshake(instance, stream).await;
    };
    match timeout(instance.connect_timeout, tls.greet(stream)).await {
        Ok(Ok(stream)) => handshake(instance, stream).await,
        Ok(Err(error)) => Err(DialError::new(UpstreamErrorKind::Tls, error.to_string())),
        Err(_) => {
            Err(DialError::new(UpstreamErrorKind::ConnectTimeout, "its end of TLS does not come"))
        }
    }
}

async fn handshake(
    instance: &Arc<Instance>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, DialError> {
    let stream = TokioIo::new(stream);
    let broken =
        |error: hyper::Error| DialError::new(UpstreamErrorKind::Connect, error.to_string());
    if instance.http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(limits::HEADER_TIMEOUT)
            .keep_alive_timeout(limits::HEADER_TIMEOUT);
        let (sender, connection) = builder.handshake(stream).await.map_err(broken)?;
        tokio::spawn(async move { ended(connection.await) });
        return Ok(Sender::Two(sender));
    }
    let (sender, connection) = http1::Builder::new().handshake(stream).await.map_err(broken)?;
    tokio::spawn(async move { ended(connection.with_upgrades().await) });
    Ok(Sender::One(sender))
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to an upstream broke");
    }
}

/// The addresses of an upstream, asked of the system on a thread that may block.
pub(crate) async fn resolve(url: &BaseUrl) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = (url.host().to_owned(), url.port());
    let asked = tokio::task::spawn_blocking(move || {
        let found = (host.as_str(), port).to_socket_addrs()?;
        Ok(found.take(limits::ADDRESSES_MAX).collect())
    });
    match timeout(limits::RESOLVE_TIMEOUT, asked).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
