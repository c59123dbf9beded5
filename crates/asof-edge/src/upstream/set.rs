//! The instances of one service or store, and the choice among them.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::instance::Instance;
use super::tls::Trusted;
use super::watch;
use crate::config::{BaseUrl, Health, Peer, Service, Store};
use crate::limits;
use crate::metrics::Metrics;
use crate::target::Target;

/// What is configured of an upstream set: as long as this is the same, the set is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    pub(crate) urls: Vec<BaseUrl>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) health: Option<Health>,
    pub(crate) http2: bool,
    /// Whose certificates are believed; of those who speak no TLS none is asked for.
    pub(crate) trusted: Trusted,
}

impl Settings {
    pub(crate) fn of_service(service: &Service) -> Self {
        Self {
            urls: service.upstreams.clone(),
            timeout: service.timeout,
            connect_timeout: service.connect_timeout,
            health: service.health.clone(),
            http2: service.http2,
            trusted: Trusted::default(),
        }
    }

    pub(crate) fn of_judge(url: &BaseUrl) -> Self {
        Self {
            urls: vec![url.clone()],
            timeout: limits::JUDGE_TIMEOUT,
            connect_timeout: limits::CONNECT_TIMEOUT_DEFAULT,
            health: None,
            http2: false,
            trusted: Trusted::default(),
        }
    }

    pub(crate) fn of_peer(peer: &Peer) -> Self {
        Self {
            urls: vec![peer.url.clone()],
            timeout: limits::PEER_TIMEOUT,
            connect_timeout: limits::PEER_CONNECT_TIMEOUT,
            health: None,
            http2: false,
            trusted: Trusted::default(),
        }
    }

    pub(crate) fn of_store(store: &Store) -> Self {
        Self {
            urls: vec![store.url.clone()],
            timeout: limits::TIMEOUT_DEFAULT,
            connect_timeout: limits::CONNECT_TIMEOUT_DEFAULT,
            health: None,
            http2: false,
            trusted: Trusted::default(),
        }
    }
}

impl Settings {
    /// Believing those whom `trusted` believes, if anybody here shows a certificate.
    pub(crate) fn trusting(self, trusted: &Trusted) -> Self {
        let asked = self.urls.iter().any(|url| url.secured().is_some());
        if asked { Self { trusted: trusted.clone(), ..self } } else { self }
    }
}

/// The instances of one target.
#[derive(Debug)]
pub(crate) struct Upstreams {
    pub(crate) target: Target,
    pub(crate) settings: Settings,
    instances: Vec<Arc<Instance>>,
    next: AtomicUsize,
    tasks: Vec<AbortHandle>,
}

impl Upstreams {
    /// The set, with the tasks that look after it. Runs inside a runtime.
    pub(crate) fn start(target: Target, settings: Settings, metrics: &Metrics) -> Arc<Self> {
        let instances: Vec<_> = settings
            .urls
            .iter()
            .map(|url| Arc::new(Instance::new(url.clone(), &settings, metrics.clone())))
            .collect();
        let mut tasks = Vec::new();
        for instance in &instances {
            tasks.extend(watch::start(instance, settings.health.as_ref()));
        }
        Arc::new(Self { target, settings, instances, next: AtomicUsize::new(0), tasks })
    }

    /// The instance for the next request: of those that are well, one with the fewest requests,
    /// taking turns. Where none is well, all are tried: they may be better than is thought.
    /// `tried` is passed over as long as there is another.
    pub(crate) fn choose(&self, tried: Option<&Arc<Instance>>) -> Option<Arc<Instance>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.instances.len();
        let now = Instant::now();
        let turn = (0..count).filter_map(|nth| {
            let instance = self.instances.get(start.wrapping_add(nth) % count)?;
            let again = tried.is_some_and(|tried| Arc::ptr_eq(tried, instance));
            Some(((again, !instance.is_well(now), instance.in_flight()), instance))
        });
        // The first of equals is the one whose turn it is.
        turn.min_by_key(|(rank, _)| *rank).map(|(_, instance)| Arc::clone(instance))
    }

    /// How many instances there are, and how many are thought to be well.
    pub(crate) fn health(&self) -> (usize, usize) {
        let now = Instant::now();
        let well = self.instances.iter().filter(|instance| instance.is_well(now)).count();
        (self.instances.len(), well)
    }
}

impl Drop for Upstreams {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
