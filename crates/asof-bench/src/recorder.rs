//! An engine that shows what is written through it, so that a peer can be given the very same
//! batches.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use asof_env::storage::{DiskFile, OsFile, WhenMissing};
use asof_store::engine::{
    Batch, Durability, Engine, EngineError, RedbEngine, RedbOptions, Snapshot,
};
use asof_store::{Options, Store};

use crate::measure::Result;

/// Memory for pages, the same for the store and for redb beside it.
pub(crate) const CACHE_BYTES: usize = 128 << 20;

/// Batches as the store wrote them.
#[derive(Clone, Default, Debug)]
pub(crate) struct Recording(Arc<Mutex<Tape>>);

#[derive(Default, Debug)]
struct Tape {
    running: bool,
    batches: Vec<Batch>,
}

impl Recording {
    /// From now on batches are kept.
    pub(crate) fn start(&self) {
        let mut tape = self.tape();
        tape.running = true;
        tape.batches.clear();
    }

    /// The batches since the start.
    pub(crate) fn stop(&self) -> Vec<Batch> {
        let mut tape = self.tape();
        tape.running = false;
        core::mem::take(&mut tape.batches)
    }

    fn tape(&self) -> std::sync::MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, batch: &Batch) {
        let mut tape = self.tape();
        if tape.running {
            tape.batches.push(batch.clone());
        }
    }
}

#[derive(Debug)]
struct RecordingEngine {
    engine: RedbEngine,
    recording: Recording,
}

impl Engine for RecordingEngine {
    fn snapshot(&self) -> core::result::Result<Arc<dyn Snapshot>, EngineError> {
        self.engine.snapshot()
    }

    fn commit(
        &self,
        batch: &Batch,
        durability: Durability,
    ) -> core::result::Result<(), EngineError> {
        self.recording.note(batch);
        self.engine.commit(batch, durability)
    }

    fn disk_bytes(&self) -> core::result::Result<u64, EngineError> {
        self.engine.disk_bytes()
    }
}

/// A store in `dir` on the engine it always has, with a recorder in between.
pub(crate) fn open(dir: &Path, recording: &Recording) -> Result<Store> {
    let path: PathBuf = dir.join("store.asof");
    let file: Arc<dyn DiskFile> = Arc::new(OsFile::open(&path, WhenMissing::Create)?);
    let recording = recording.clone();
    let options = RedbOptions { cache_bytes: CACHE_BYTES, ..RedbOptions::default() };
    let opener = move || {
        let engine = RedbEngine::open(file.clone(), options)?;
        let recording = recording.clone();
        Ok(Box::new(RecordingEngine { engine, recording }) as Box<dyn Engine>)
    };
    Ok(Store::open_engine(Box::new(opener), Options::default())?)
}
