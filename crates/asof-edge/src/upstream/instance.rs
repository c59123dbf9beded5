//! One instance: where it is, how it is, and the connections to it.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::pool::Pool;
use super::set::Settings;
use super::tls::Dialect;
use crate::config::BaseUrl;
use crate::limits;
use crate::metrics::Metrics;

/// One instance of a service.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) url: BaseUrl,
    pub(crate) http2: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) pool: Pool,
    /// How TLS is spoken to it, where it is.
    pub(crate) tls: Option<Dialect>,
    /// Where its name leads, as last resolved; empty before that.
    addresses: ArcSwap<Vec<SocketAddr>>,
    in_flight: AtomicUsize,
    /// What the health checks say.
    ill: AtomicBool,
    trouble: Mutex<Trouble>,
    metrics: Metrics,
}

/// What connects say.
#[derive(Debug)]
struct Trouble {
    failures: u32,
    alone_until: Option<Instant>,
    alone_next: Duration,
}

impl Instance {
    pub(crate) fn new(url: BaseUrl, settings: &Settings, metrics: Metrics) -> Self {
        let fixed = url.host().parse::<IpAddr>().ok();
        let addresses = fixed.map(|ip| SocketAddr::new(ip, url.port())).into_iter().collect();
        let trouble = Trouble { failures: 0, alone_until: None, alone_next: limits::EJECTION_MIN };
        let tls = url.secured().map(|name| settings.trusted.dialect(name, settings.http2));
        Self {
            url,
            tls,
            http2: settings.http2,
            connect_timeout: settings.connect_timeout,
            pool: Pool::default(),
            addresses: ArcSwap::from_pointee(addresses),
            in_flight: AtomicUsize::new(0),
            ill: AtomicBool::new(false),
            trouble: Mutex::new(trouble),
            metrics,
        }
    }

    /// Whether its address is a number, which nobody resolves.
    pub(crate) fn is_fixed(&self) -> bool {
        self.url.host().parse::<IpAddr>().is_ok()
    }

    pub(crate) fn addresses(&self) -> Arc<Vec<SocketAddr>> {
        self.addresses.load_full()
    }

    /// Goes over to other addresses. None is no news: the old ones may still be good.
    pub(crate) fn moved(&self, addresses: Vec<SocketAddr>) {
        if !addresses.is_empty() && **self.addresses.load() != addresses {
            tracing::debug!(upstream = %self.url, ?addresses, "resolved");
            self.addresses.store(Arc::new(addresses));
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Counts one more request, unless there are too many.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = InFlight(Arc::clone(self));
        (before < limits::UPSTREAM_IN_FLIGHT_MAX).then_some(entered)
    }

    /// Whether it is thought to answer.
    pub(crate) fn is_well(&self, now: Instant) -> bool {
        let alone = self.lock().alone_until.is_some_and(|until| now < until);
        !alone && !self.ill.load(Ordering::Relaxed)
    }

    /// A health check turned.
    pub(crate) fn set_ill(&self, ill: bool) {
        if self.ill.swap(ill, Ordering::Relaxed) != ill {
            tracing::warn!(upstream = %self.url, well = !ill, "health check");
        }
    }

    /// A connect succeeded.
    pub(crate) fn connected(&self) {
        let mut trouble = self.lock();
        trouble.failures = 0;
        trouble.alone_until = None;
        trouble.alone_next = limits::EJECTION_MIN;
    }

    /// A connect failed. After some in a row the instance is left alone, each time for longer.
    pub(crate) fn connect_failed(&self) {
        let now = Instant::now();
        let mut trouble = self.lock();
        trouble.failures = trouble.failures.saturating_add(1);
        let alone = trouble.alone_until.is_some_and(|until| now < until);
        if trouble.failures < limits::FAILURES_TO_EJECT || alone {
            return;
        }
        let wait = trouble.alone_next;
        trouble.alone_until = Some(now + wait);
        trouble.alone_next = (wait * 2).min(limits::EJECTION_MAX);
        self.metrics.ejections.inc();
        tracing::warn!(upstream = %self.url, ?wait, "cannot be connected to: left alone");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way to an instance.
#[derive(Debug)]
pub(crate) struct InFlight(pub(crate) Arc<Instance>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
