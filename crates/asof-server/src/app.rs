//! What all requests share.

use core::time::Duration;
use std::sync::Arc;

use asof_api::ErrorName;
use asof_env::{Clock, Random, SystemClock, SystemRandom};
use asof_store::{Store, StoreTime};
use asof_time::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::access::{Access, Gate};
use crate::console::Console;
use crate::edges::Edges;
use crate::limits;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// How the service behaves, sockets aside.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where latencies and lags are taken from: the clock of the store.
    pub clock: Arc<dyn Clock>,
    /// Where the secrets of tokens come from.
    pub random: Arc<dyn Random>,
    /// Largest value, in bytes: that of the store.
    pub value_bytes_max: usize,
    /// Feed followers at once.
    pub followers_max: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// Keys that a control action may touch without a second word.
    pub confirm_above_keys: u64,
    /// What lies between this service and a browser.
    pub transport: Transport,
}

/// What lies between the service and a browser: the cookie of the console is made for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transport {
    /// Nothing that encrypts: loopback.
    #[default]
    Plain,
    /// TLS, here or in something in front.
    Tls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            value_bytes_max: asof_time::limits::VALUE_BYTES_MAX_DEFAULT,
            followers_max: limits::FOLLOWERS_DEFAULT,
            body_timeout: limits::BODY_TIMEOUT_DEFAULT,
            confirm_above_keys: limits::CONFIRM_ABOVE_KEYS_DEFAULT,
            transport: Transport::default(),
        }
    }
}

/// What all requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) gate: Gate,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    /// The epoch as text: it never changes while the store is open.
    pub(crate) epoch: String,
    /// Where the store is in time, as last published.
    pub(crate) published: watch::Receiver<StoreTime>,
    /// Moves when there is something new in the feed: until then a follower need not ask.
    pub(crate) moved: watch::Receiver<u64>,
    /// Turns true when the service stops.
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) backups: Arc<Semaphore>,
    pub(crate) console: Console,
    pub(crate) edges: Edges,
    large_bodies: Arc<Semaphore>,
    walks: Arc<Semaphore>,
    feed_asks: Arc<Semaphore>,
}

impl core::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// The shared state, and the switch that says that the service stops.
    pub(crate) fn new(
        store: Store,
        access: Access,
        settings: Settings,
    ) -> (Self, watch::Sender<bool>) {
        let (publish, published) = watch::channel(store.time());
        let (move_on, moved) = watch::channel(store.moved());
        store.on_publish(Box::new(move |time, moved| {
            publish.send_replace(time);
            move_on.send_if_modified(|known| core::mem::replace(known, moved) != moved);
        }));
        let (stop, stopping) = watch::channel(false);
        let shared = Shared {
            gate: Gate::new(access, &store),
            metrics: Metrics::new(store.clone(), Arc::clone(&settings.clock)),
            epoch: store.time().epoch.to_string(),
            published,
            moved,
            stopping,
            followers: Arc::new(Semaphore::new(settings.followers_max)),
            backups: Arc::new(Semaphore::new(limits::BACKUPS_MAX)),
            console: Console::default(),
            edges: Edges::default(),
            large_bodies: Arc::new(Semaphore::new(limits::LARGE_BODIES_MAX)),
            walks: Arc::new(Semaphore::new(limits::WALKS_MAX)),
            feed_asks: Arc::new(Semaphore::new(limits::FEED_ASKS_MAX)),
            store,
            settings,
        };
        (Self(Arc::new(shared)), stop)
    }

    /// Waits until closed is at least `at` or `timeout` is over; returns closed.
    pub(crate) async fn wait_closed(&self, at: Timestamp, timeout: Duration) -> Timestamp {
        let mut published = self.published.clone();
        let reached = async {
            loop {
                let closed = self.store.time().closed;
                if closed >= at || published.changed().await.is_err() {
                    return;
                }
            }
        };
        // The end of the time and the end of the store come to the same: closed is where it is.
        let _ = tokio::time::timeout(timeout, reached).await;
        self.store.time().closed
    }

    /// Runs what walks the store, on a thread that may block.
    pub(crate) async fn walk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.block(&self.walks, work).await
    }

    /// As [`walk`](Self::walk), for the feed: long walks do not hold it up.
    pub(crate) async fn ask_feed<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.block(&self.feed_asks, work).await
    }

    async fn block<T: Send + 'static>(
        &self,
        lane: &Arc<Semaphore>,
        work: impl FnOnce(&Store) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = turn(lane).await?;
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&store);
            drop(turn);
            result
        });
        done.await.unwrap_or_else(|error| Err(broken(&error)))
    }

    /// A place for a request with a large body.
    pub(crate) async fn large_body(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        turn(&self.large_bodies).await
    }
}

/// Does what takes time in proportion to `bytes`: here if they are few, else on a thread that may
/// block, since the other connections of this lane would wait.
pub(crate) async fn off_lane<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    if bytes <= limits::ON_LANE_BYTES_MAX {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error))
}

/// A permit of `semaphore`, waited for within a bound.
async fn turn(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    let permit = Arc::clone(semaphore).acquire_owned();
    match tokio::time::timeout(limits::TURN_WAIT, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(Refusal::new(
            ErrorName::Unavailable,
            "too many requests of this kind are under way; nothing was done",
        )),
    }
}

/// What a caller is told where a thread of ours panicked.
pub(crate) fn broken(error: &dyn core::fmt::Display) -> Refusal {
    tracing::error!(%error, "a request panicked");
    Refusal::new(ErrorName::Internal, "the service failed on this request; its log says more")
}
