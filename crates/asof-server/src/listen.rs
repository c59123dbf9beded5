//! Sockets: listening, accepting, stopping.

use core::fmt;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use asof_store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::access::Access;
use crate::app::{App, Settings, Transport};
use crate::config::{Config, ConfigError};
use crate::connection::{Acceptor, Speaker};
use crate::lanes::Lanes;
use crate::tls;
use crate::webhooks::WebhookFigures;

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
    /// The threads that speak with clients cannot be started.
    Threads(io::Error),
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
            Self::Threads(error) => write!(f, "no threads to speak with clients: {error}"),
        }
    }
}

impl core::error::Error for ServeError {}

/// A server that listens and does not accept yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    speaker: Speaker,
    lanes: Lanes,
    stop: watch::Sender<bool>,
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
        let Ground { access, tls, listener, address } =
            Ground::prepare(config, !store.tokens().is_empty()).await?;
        let settings = Settings {
            value_bytes_max: config.store.value_bytes_max,
            followers_max: config.limits.followers,
            confirm_above_keys: config.guard.confirm_above_keys,
            body_timeout: config.limits.body_timeout.0,
            transport: if config.tls.is_some() || config.tls_terminated_elsewhere {
                Transport::Tls
            } else {
                Transport::Plain
            },
            ..Settings::default()
        };
        let (app, stop) = App::new(store, access, settings);
        let speaker = Speaker { app, tls, limits: config.limits.clone() };
        let lanes =
            Lanes::start(&speaker, config.limits.connections).map_err(ServeError::Threads)?;
        Ok(Self { listener, address, speaker, lanes, stop })
    }

    /// Whether a store that does not exist yet could be served: whoever asks first need not make
    /// one in vain. Nothing listens afterwards.
    ///
    /// # Errors
    ///
    /// As those of [`bind`](Self::bind) with a new store, so far as they do not depend on when it
    /// is called.
    pub async fn rehearse(config: &Config) -> Result<(), ServeError> {
        Ground::prepare(config, false).await.map(drop)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it is counted how webhooks are told.
    pub fn webhook_figures(&self) -> WebhookFigures {
        self.speaker.app.metrics.webhooks.clone()
    }

    /// Accepts connections until `shutdown`; then lets requests under way end, within the drain
    /// time-out, and closes the store. Connections are served by threads of their own.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, address, speaker, lanes, stop } = self;
        let limits = &speaker.limits;
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut shutdown = pin!(shutdown);
        tracing::info!(%address, tls = speaker.tls.is_some(), "listening");
        loop {
            let (stream, place) = tokio::select! {
                () = &mut shutdown => break,
                accepted = accept(&listener, &places) => accepted,
            };
            match stream.into_std() {
                Ok(stream) => lanes.give(stream, place).await,
                Err(error) => tracing::warn!(%error, "a connection could not be handed over"),
            }
        }
        drop(listener);
        tracing::info!(connections = lanes.open(), "stopping");
        stop.send_replace(true);
        // All places are free again once the last connection has ended.
        let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
        if timeout(limits.drain_timeout.0, places.acquire_many(all)).await.is_err() {
            tracing::warn!(connections = lanes.open(), "cut off what did not end in time");
        }
        let store = speaker.app.store.clone();
        let end = move || {
            lanes.stop();
            store.close();
        };
        if let Err(error) = tokio::task::spawn_blocking(end).await {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

/// What a server stands on, whatever it serves.
struct Ground {
    access: Access,
    tls: Option<Acceptor>,
    listener: TcpListener,
    address: SocketAddr,
}

impl Ground {
    async fn prepare(config: &Config, has_tokens: bool) -> Result<Self, ServeError> {
        config.check().map_err(ServeError::Config)?;
        let needs_tokens = config.require_tokens || !config.listen.ip().is_loopback();
        if needs_tokens && !has_tokens {
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
        Ok(Self { access, tls, listener, address })
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
