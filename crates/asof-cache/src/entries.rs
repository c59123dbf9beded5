//! The table of entries: bounded by weight, with evictions counted.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::{Lifecycle, Weighter};

use crate::call::CallKey;
use crate::entry::Entry;
use crate::short::Short;
use crate::weight;

/// Entries by the keys of their calls.
pub(crate) type Entries =
    quick_cache::sync::Cache<CallKey, Arc<Entry>, Weigh, BuildHasherDefault<Short>, Arc<Window>>;

/// The stretch of time that a rollback may go back to, and what of it was evicted.
#[derive(Debug, Default)]
pub(crate) struct Window {
    pub(crate) from: AtomicU64,
    pub(crate) evicted: AtomicU64,
    pub(crate) evicted_inside: AtomicU64,
}

/// Weighs an entry.
#[derive(Clone, Debug)]
pub(crate) struct Weigh;

impl Weighter<CallKey, Arc<Entry>> for Weigh {
    fn weight(&self, _: &CallKey, entry: &Arc<Entry>) -> u64 {
        entry.weight() + weight::SLOT
    }
}

impl Lifecycle<CallKey, Arc<Entry>> for Arc<Window> {
    type RequestState = ();

    // An entry that takes the place of the one before it is no eviction, and is not told here.
    fn before_evict(&self, (): &mut (), _: &CallKey, entry: &mut Arc<Entry>) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
        if entry.last().as_micros() >= self.from.load(Ordering::Relaxed) {
            self.evicted_inside.fetch_add(1, Ordering::Relaxed);
        }
    }
}
