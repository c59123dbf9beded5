//! How far a route is trusted, and what it was seen to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use asof_cache::{Bypass, Unstorable};

use crate::config::{Mode, Route};

/// What one route was seen to do since the edge started. Survives a reload that leaves the
/// meaning of the route as it is.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    agreed: AtomicU64,
    mismatched: AtomicU64,
    executed: AtomicU64,
    held: AtomicU64,
    bypassed: AtomicBool,
    quarantine: Mutex<Option<String>>,
    unstorable: Mutex<BTreeMap<Unstorable, u64>>,
}

/// What is done with a request of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Treatment {
    /// Looked up, verified, shared.
    Serve,
    /// Executed, recorded, and compared with what is held.
    Observe(Bypass),
    /// Executed; nothing is kept of it.
    Pass(Bypass),
}

/// The figures of a route.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) agreed: u64,
    pub(crate) mismatched: u64,
    pub(crate) executed: u64,
    pub(crate) held: u64,
    pub(crate) bypassed: bool,
    pub(crate) quarantine: Option<String>,
    pub(crate) unstorable: BTreeMap<Unstorable, u64>,
}

impl Trust {
    /// What is done with the next request.
    pub(crate) fn treatment(&self, route: &Route) -> Treatment {
        if self.bypassed.load(Ordering::Relaxed) {
            return Treatment::Pass(Bypass::Operator);
        }
        match route.mode {
            Mode::Off => Treatment::Pass(Bypass::RouteOff),
            _ if self.is_quarantined() => Treatment::Pass(Bypass::Quarantined),
            Mode::Observe => Treatment::Observe(Bypass::Observing),
            Mode::On if self.agreed.load(Ordering::Relaxed) < route.observed_min => {
                Treatment::Observe(Bypass::NotYetObserved)
            }
            Mode::On => Treatment::Serve,
        }
    }

    fn is_quarantined(&self) -> bool {
        self.quarantine.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Holds the route back, by its first reason. Says whether that is news.
    pub(crate) fn quarantine(&self, why: &str) -> bool {
        let mut quarantine = self.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
        let news = quarantine.is_none();
        quarantine.get_or_insert_with(|| why.to_owned());
        news
    }

    /// Lets the route begin anew, with nothing observed.
    pub(crate) fn forgive(&self) {
        *self.quarantine.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.agreed.store(0, Ordering::Relaxed);
    }

    /// Sends everything past the cache, or no longer.
    pub(crate) fn bypass(&self, on: bool) {
        self.bypassed.store(on, Ordering::Relaxed);
    }

    /// A result was held for a request, and the service said the same.
    pub(crate) fn agreed(&self) {
        self.agreed.fetch_add(1, Ordering::Relaxed);
    }

    /// A result was held for a request, and the service said something else.
    pub(crate) fn mismatched(&self) {
        self.mismatched.fetch_add(1, Ordering::Relaxed);
    }

    /// A result was held for a request.
    pub(crate) fn held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    /// The service executed a call of the route.
    pub(crate) fn executed(&self, stored: Result<(), Unstorable>) {
        self.executed.fetch_add(1, Ordering::Relaxed);
        if let Err(why) = stored {
            let mut unstorable = self.unstorable.lock().unwrap_or_else(PoisonError::into_inner);
            *unstorable.entry(why).or_default() += 1;
        }
    }

    /// The figures.
    pub(crate) fn standing(&self) -> Standing {
        let unstorable = self.unstorable.lock().unwrap_or_else(PoisonError::into_inner);
        Standing {
            agreed: self.agreed.load(Ordering::Relaxed),
            mismatched: self.mismatched.load(Ordering::Relaxed),
            executed: self.executed.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            bypassed: self.bypassed.load(Ordering::Relaxed),
            quarantine: self.quarantine.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            unstorable: unstorable.clone(),
        }
    }
}
