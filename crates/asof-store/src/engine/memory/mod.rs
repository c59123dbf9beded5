//! The engine in memory, for simulation and tests.

use core::fmt;
use core::ops::{Bound, ControlFlow};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    Batch, Direction, Durability, Engine, EngineError, KeyRange, Snapshot, is_empty_range,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// An engine in memory. Snapshots share the map; the first commit after one copies it.
///
/// It forgets everything when dropped, `Durable` or not.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    rows: Arc<Rows>,
    next_commit_fails: Option<EngineError>,
    failed: Option<EngineError>,
}

impl MemoryEngine {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next commit fail with `error` and change nothing; like any engine after an
    /// error, this one then refuses every call, until [`reopen`](Self::reopen).
    pub fn fail_next_commit(&self, error: EngineError) {
        self.state().next_commit_fails = Some(error);
    }

    /// What opening anew after an error finds: the rows of the commits that succeeded.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let rows = Arc::clone(&self.state().rows);
        let state = State { rows, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for MemoryEngine {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        let state = self.state();
        match &state.failed {
            Some(error) => Err(error.clone()),
            None => Ok(Arc::new(MemorySnapshot(Arc::clone(&state.rows)))),
        }
    }

    fn commit(&self, batch: &Batch, _durability: Durability) -> Result<(), EngineError> {
        let mut state = self.state();
        if state.failed.is_none() {
            state.failed = state.next_commit_fails.take();
        }
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let rows = Arc::make_mut(&mut state.rows);
        for (key, value) in batch.ops() {
            match value {
                Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                None => rows.remove(key),
            };
        }
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, EngineError> {
        match &self.state().failed {
            Some(error) => Err(error.clone()),
            None => Ok(0),
        }
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.state().rows.len();
        f.debug_struct("MemoryEngine").field("rows", &rows).finish_non_exhaustive()
    }
}

struct MemorySnapshot(Arc<Rows>);

impl Snapshot for MemorySnapshot {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, EngineError> {
        let value = self.0.get(key);
        if let Some(value) = value {
            read(value);
        }
        Ok(value.is_some())
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        // The map would panic.
        if is_empty_range(range) {
            return Ok(());
        }
        let mut rows = self.0.range::<[u8], (Bound<&[u8]>, Bound<&[u8]>)>(range);
        loop {
            let row = match direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            let Some((key, value)) = row else {
                return Ok(());
            };
            if visit(key, value).is_break() {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for MemorySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySnapshot").field("rows", &self.0.len()).finish()
    }
}
