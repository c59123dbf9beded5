//! What readers see, and how they are told that it moved.

use core::ops::{Bound, ControlFlow};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use arc_swap::ArcSwap;
use asof_time::{Sequence, Timestamp};

use crate::codec::keys;
use crate::engine::{Direction, EngineError, KeyRange, Snapshot};
use crate::state::State;
use crate::{Health, StoreTime};

/// A snapshot of the rows and the control state that belongs to it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) rows: Arc<dyn Snapshot>,
    pub(crate) state: Arc<State>,
}

type Hook = Box<dyn Fn(StoreTime, u64) + Send + Sync>;

/// The published side of a store: written by the one writer, read without a lock.
pub(crate) struct Published {
    closed: AtomicU64,
    /// Counts what a follower of the feed must look at.
    moved: AtomicU64,
    /// When the next pending commit takes effect; `u64::MAX` while there is none.
    next_due: AtomicU64,
    scene: ArcSwap<Scene>,
    health: ArcSwap<Health>,
    hooks: Mutex<Vec<Hook>>,
    waiters: (Mutex<()>, Condvar),
    groups: AtomicU64,
    grouped: AtomicU64,
}

impl core::fmt::Debug for Published {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Published").field("closed", &self.closed()).finish_non_exhaustive()
    }
}

impl Published {
    pub(crate) fn new(rows: Arc<dyn Snapshot>, state: Arc<State>, closed: Timestamp) -> Self {
        Self {
            closed: AtomicU64::new(closed.as_micros()),
            moved: AtomicU64::new(0),
            next_due: AtomicU64::new(next_due(rows.as_ref(), closed)),
            scene: ArcSwap::from_pointee(Scene { rows, state }),
            health: ArcSwap::from_pointee(Health::Writable),
            hooks: Mutex::new(Vec::new()),
            waiters: (Mutex::new(()), Condvar::new()),
            groups: AtomicU64::new(0),
            grouped: AtomicU64::new(0),
        }
    }

    /// The closed timestamp. A reader takes it before the scene, so that the scene holds all of
    /// what is closed.
    pub(crate) fn closed(&self) -> Timestamp {
        Timestamp::from_micros(self.closed.load(Ordering::Acquire)).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn scene(&self) -> Arc<Scene> {
        self.scene.load_full()
    }

    pub(crate) fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.scene.load().rows.clone()
    }

    pub(crate) fn control_sequence(&self) -> u64 {
        self.scene.load().state.control_sequence
    }

    pub(crate) fn time(&self) -> StoreTime {
        // Closed before the scene, as everywhere.
        let closed = self.closed();
        self.scene.load().state.time(closed)
    }

    /// Publishes new rows and state, then closed.
    pub(crate) fn set(&self, rows: Arc<dyn Snapshot>, state: Arc<State>, closed: Timestamp) {
        self.next_due.store(next_due(rows.as_ref(), closed), Ordering::Relaxed);
        self.scene.store(Arc::new(Scene { rows, state }));
        self.close_up_to(closed);
        self.moved.fetch_add(1, Ordering::AcqRel);
        self.tell(self.time());
    }

    /// Publishes closed over the rows that are there.
    pub(crate) fn set_closed(&self, closed: Timestamp) {
        self.close_up_to(closed);
        if self.next_due.load(Ordering::Relaxed) <= closed.as_micros() {
            let due = next_due(self.snapshot().as_ref(), closed);
            self.next_due.store(due, Ordering::Relaxed);
            self.moved.fetch_add(1, Ordering::AcqRel);
        }
        self.tell(self.time());
    }

    /// A number that moves whenever there is something new in the feed. While it stands, the feed
    /// has heartbeats only. To be taken before the page that it is about.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Acquire)
    }

    fn close_up_to(&self, closed: Timestamp) {
        let before = self.closed.swap(closed.as_micros(), Ordering::AcqRel);
        assert!(before <= closed.as_micros(), "closed never steps back");
    }

    fn tell(&self, time: StoreTime) {
        let (lock, moved) = &self.waiters;
        drop(lock.lock().unwrap_or_else(PoisonError::into_inner));
        moved.notify_all();
        for hook in self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            hook(time, self.moved());
        }
    }

    /// Takes the rows away while the engine is opened again: a snapshot of the failed engine would
    /// read pages that the new one may write.
    pub(crate) fn withdraw(&self) {
        let state = self.scene.load().state.clone();
        self.scene.store(Arc::new(Scene { rows: Arc::new(Withdrawn), state }));
    }

    pub(crate) fn wait_closed(&self, at: Timestamp, timeout: Duration) -> Timestamp {
        let (lock, moved) = &self.waiters;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = moved.wait_timeout_while(guard, timeout, |()| self.closed() < at);
        drop(waited);
        self.closed()
    }

    pub(crate) fn add_hook(&self, hook: Hook) {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    pub(crate) fn health(&self) -> Health {
        self.health.load().as_ref().clone()
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.store(Arc::new(health));
    }

    pub(crate) fn note_group(&self, size: usize) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.grouped.fetch_add(size as u64, Ordering::Relaxed);
    }

    /// Groups made durable so far, and requests in them.
    pub(crate) fn groups(&self) -> (u64, u64) {
        (self.groups.load(Ordering::Relaxed), self.grouped.load(Ordering::Relaxed))
    }
}

/// Effective microseconds of the first commit after `closed`; `u64::MAX` where there is none. Where
/// that cannot be read it is due at once: whoever looks then gets the error.
fn next_due(rows: &dyn Snapshot, closed: Timestamp) -> u64 {
    let (after, end) = (keys::log(closed, Sequence::MAX), [keys::LOG + 1]);
    let range = (Bound::Excluded(after.as_slice()), Bound::Excluded(end.as_slice()));
    let mut due = u64::MAX;
    let scanned = rows.scan(range, Direction::Forward, &mut |key, _| {
        due = keys::parse_log(key).map_or(0, |(effective, _)| effective.as_micros());
        ControlFlow::Break(())
    });
    scanned.map_or(0, |()| due)
}

/// Stands where no rows can be read.
#[derive(Debug)]
struct Withdrawn;

impl Withdrawn {
    fn error() -> EngineError {
        EngineError::Io("the store file is being opened again after a failure".to_owned())
    }
}

impl Snapshot for Withdrawn {
    fn get(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<bool, EngineError> {
        Err(Self::error())
    }

    fn scan(
        &self,
        _: KeyRange<'_>,
        _: Direction,
        _: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        Err(Self::error())
    }
}
