//! Services and stores as the edge reaches them: instances, connections, retries.

mod attempt;
mod dial;
mod error;
mod instance;
mod pool;
mod progress;
mod set;
mod tls;
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
pub(crate) use self::tls::Trusted;

use self::set::{Settings, Upstreams};
use crate::body::Body;
use crate::config::{Auth, PeerName, Plan, Version};
use crate::limits;
use crate::metrics::Metrics;
use crate::target::Target;

/// What whoever judges requests is called in metrics.
const JUDGE: &str = "auth";

/// What other edges are called in metrics.
const PEER: &str = "peer";

/// Hands requests on to services and stores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Forwarder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sets: ArcSwap<Sets>,
    metrics: Metrics,
    tunnels: Arc<Semaphore>,
    /// Turns true when the edge stops.
    stopping: channel::Receiver<bool>,
}

/// The instances of everybody.
#[derive(Debug, Default)]
struct Sets {
    /// Of each service and store; and of a version of a service, where it has some of its own.
    all: BTreeMap<(Target, Option<Version>), Arc<Upstreams>>,
    /// Of whoever judges the requests of clients.
    judge: Option<Arc<Upstreams>>,
    /// Other edges.
    peers: BTreeMap<PeerName, Arc<Upstreams>>,
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
    /// connections; requests under way end where they are. Certificates are believed that
    /// `trusted` believes. Runs inside a runtime.
    pub(crate) fn reload(&self, plan: &Plan, trusted: &Trusted) {
        let known = self.0.sets.load();
        let start = |kept: Option<&Arc<Upstreams>>, target: &Target, settings: Settings| {
            let settings = settings.trusting(trusted);
            let kept = kept.filter(|set| set.settings == settings).cloned();
            kept.unwrap_or_else(|| Upstreams::start(target.clone(), settings, &self.0.metrics))
        };
        let mut sets = Sets::default();
        for (name, service) in &plan.services {
            let target = Target::Service(name.clone());
            let versions = service.versions.iter();
            let versions = versions.map(|(version, urls)| (Some(version.clone()), urls));
            for (version, urls) in versions.chain([(None, &service.upstreams)]) {
                if urls.is_empty() {
                    continue;
                }
                let key = (target.clone(), version);
                let settings = Settings { urls: urls.clone(), ..Settings::of_service(service) };
                let set = start(known.all.get(&key), &target, settings);
                sets.all.insert(key, set);
            }
        }
        for (name, store) in &plan.stores {
            let key = (Target::Store(name.clone()), None);
            let set = start(known.all.get(&key), &key.0, Settings::of_store(store));
            sets.all.insert(key, set);
        }
        if let (Auth::Forward { url, .. }, Ok(name)) = (&plan.auth, JUDGE.parse()) {
            let settings = Settings::of_judge(url);
            sets.judge = Some(start(known.judge.as_ref(), &Target::Service(name), settings));
        }
        if let Ok(name) = PEER.parse() {
            let target = Target::Service(name);
            for (name, peer) in &plan.peers {
                let set = start(known.peers.get(name), &target, Settings::of_peer(peer));
                sets.peers.insert(name.clone(), set);
            }
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
        self.forward_release(target, "", request).await
    }

    /// As [`forward`](Self::forward), to an instance of the version `release` of a service where
    /// that one has some of its own.
    ///
    /// # Errors
    ///
    /// Where no answer came.
    pub async fn forward_release(
        &self,
        target: &Target,
        release: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let set = {
            let sets = self.0.sets.load();
            let of = |version| sets.all.get(&(target.clone(), version));
            let own = release.parse().ok().and_then(|version| of(Some(version)));
            own.or_else(|| of(None)).cloned()
        };
        self.send(set, target, request).await
    }

    /// Asks whoever judges the requests of clients; `None` where nobody does or no answer came.
    pub(crate) async fn judge(&self, request: Request<Body>) -> Option<Response<Body>> {
        let set = self.0.sets.load().judge.clone()?;
        let target = set.target.clone();
        self.send(Some(set), &target, request).await.ok()
    }

    /// Asks another edge; `None` where no answer came.
    pub(crate) async fn peer(
        &self,
        name: &PeerName,
        request: Request<Body>,
    ) -> Option<Response<Body>> {
        let set = self.0.sets.load().peers.get(name).cloned()?;
        let target = set.target.clone();
        self.send(Some(set), &target, request).await.ok()
    }

    async fn send(
        &self,
        set: Option<Arc<Upstreams>>,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
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

    /// How many instances `target` has, of all versions, and how many of them are thought to be
    /// well.
    pub fn health(&self, target: &Target) -> Option<(usize, usize)> {
        let sets = self.0.sets.load();
        let own = sets.all.iter().filter(|((of, _), _)| of == target);
        let each = own.map(|(_, set)| set.health());
        each.reduce(|one, other| (one.0 + other.0, one.1 + other.1))
    }
}
