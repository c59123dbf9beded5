//! Services and stores as the edge reaches them: instances, connections, retries.

mod attempt;
mod dial;
mod error;
mod instance;
mod pool;
mod progress;
mod set;
mod tunnel;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Request, Response};
use tokio::sync::{Semaphore, watch as channel};

pub(crate) use self::attempt::EndsWithConnection;
pub use self::error::{UpstreamError, UpstreamErrorKind};
pub(crate) use self::pool::Lease;

use self::set::{Settings, Upstreams};
use crate::body::Body;
use crate::config::Plan;
use crate::limits;
use crate::metrics::Metrics;
use crate::target::Target;

/// Hands requests on to services and stores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Forwarder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sets: ArcSwap<BTreeMap<Target, Arc<Upstreams>>>,
    metrics: Metrics,
    tunnels: Arc<Semaphore>,
    /// Turns true when the edge stops.
    stopping: channel::Receiver<bool>,
}

impl Forwarder {
    /// One that knows nobody before [`reload`](Self::reload).
    pub(crate) fn new(metrics: Metrics, stopping: channel::Receiver<bool>) -> Self {
        Self(Arc::new(Shared {
            sets: ArcSwap::default(),
            metrics,
            tunnels: Arc::new(Semaphore::new(limits::TUNNELS_MAX)),
            stopping,
        }))
    }

    /// Goes over to the services and stores of `plan`. Those that stay as they were keep their
    /// connections; requests under way end where they are. Runs inside a runtime.
    pub(crate) fn reload(&self, plan: &Plan) {
        let known = self.0.sets.load();
        let mut sets = BTreeMap::new();
        let services = plan
            .services
            .iter()
            .map(|(name, service)| (Target::Service(name.clone()), Settings::of_service(service)));
        let stores = plan
            .stores
            .iter()
            .map(|(name, store)| (Target::Store(name.clone()), Settings::of_store(store)));
        for (target, settings) in services.chain(stores) {
            let kept = known.get(&target).filter(|set| set.settings == settings);
            let set = kept
                .cloned()
                .unwrap_or_else(|| Upstreams::start(target.clone(), settings, &self.0.metrics));
            sets.insert(target, set);
        }
        self.0.sets.store(Arc::new(sets));
    }

    /// Sends a request to an instance of `target` and returns its answer once the head is there.
    ///
    /// The URI is path and query. Headers of the connection are removed on both sides, and `Via`
    /// is added; a Host header is sent as it is, or else names the instance. Bodies and trailers
    /// are streamed. An upgrade is handed through: the answer 101 is returned, and the two
    /// connections become one tunnel once it was sent.
    ///
    /// # Errors
    ///
    /// Where no answer came. The request may have been carried out all the same, unless
    /// [`UpstreamError::was_sent`] says otherwise.
    pub async fn forward(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let set = self.0.sets.load().get(target).cloned();
        let Some(set) = set else {
            return Err(UpstreamError::new(target, UpstreamErrorKind::Unknown));
        };
        let answered = attempt::forward(&self.0, &set, request).await;
        if let Err(error) = &answered {
            self.0.metrics.upstream_failed(target.as_str(), error.kind().as_str());
            tracing::debug!(%error, "a request could not be handed on");
        }
        answered
    }

    /// How many instances `target` has, and how many of them are thought to be well.
    pub fn health(&self, target: &Target) -> Option<(usize, usize)> {
        let sets = self.0.sets.load();
        sets.get(target).map(|set| set.health())
    }
}
