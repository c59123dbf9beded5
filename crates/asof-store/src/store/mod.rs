//! The store: one writer thread over a synchronous core, and readers that need no lock.

mod erase;
mod operate;
mod read;
mod release;
mod thread;
mod write;

use core::time::Duration;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use asof_env::storage::DiskFile;
use asof_time::{Epoch, Timestamp};

use crate::engine::{Engine, EngineError, MemoryEngine, WhenEmpty};
use crate::publish::{Published, Scene};
use crate::writer::{Opener, Writer};
use crate::{Actor, Erasure, Options, Result, disk, restore};
use thread::{Message, WriterThread};

/// A timestamped store. Cheap to clone; the last clone to go closes it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    published: Arc<Published>,
    options: Options,
    writer: WriterThread,
    /// Held by the one control action in flight that looks before it acts.
    turn: Mutex<()>,
}

impl Store {
    /// Opens the store in the folder `dir`, creating both where they do not exist.
    ///
    /// # Errors
    ///
    /// `Unavailable` where another process has it open or the disk refuses, `Corrupt`, `Invalid`
    /// where it was written by a newer version.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        Self::with_opener(disk::opener(dir, &options)?, options)
    }

    /// Opens the store in `file`, making it where that is empty. Nothing keeps another process
    /// from doing the same; [`open`](Self::open) does.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_file(file: Arc<dyn DiskFile>, options: Options) -> Result<Self> {
        let open = disk::engine_opener(file, &options, WhenEmpty::Create);
        Self::with_opener(open, options)
    }

    /// Whether the folder `dir` holds a store.
    pub fn is_in(dir: &Path) -> bool {
        disk::holds_store(dir)
    }

    /// Opens an empty store that lives in memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn in_memory(options: Options) -> Result<Self> {
        let latest = Mutex::new(MemoryEngine::new());
        let open: Opener = Box::new(move || {
            let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
            *latest = latest.reopen();
            Ok(Box::new(latest.clone()) as Box<dyn Engine>)
        });
        Self::with_opener(open, options)
    }

    /// Opens a store on whatever engine `open` opens, at the start and again after it failed: for
    /// measuring and testing what lies above the engine.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[doc(hidden)]
    pub fn open_engine(
        open: Box<dyn Fn() -> Result<Box<dyn Engine>, EngineError> + Send>,
        options: Options,
    ) -> Result<Self> {
        Self::with_opener(Box::new(move || Ok(open()?)), options)
    }

    /// Waits for the writes under way, makes closed durable and stops the writer. Later writes
    /// are `Unavailable`; reads go on. Dropping the last clone does the same.
    pub fn close(&self) {
        self.inner.writer.close();
    }

    /// Where the store is in time. Lock-free.
    pub fn time(&self) -> StoreTime {
        self.inner.published.time()
    }

    /// Whether it can do its work.
    pub fn health(&self) -> Health {
        self.inner.published.health()
    }

    /// Calls `hook` from the writer thread whenever closed or the control state has moved, with
    /// [`moved`](Self::moved). It must not block.
    pub fn on_publish(&self, hook: Box<dyn Fn(StoreTime, u64) + Send + Sync>) {
        self.inner.published.add_hook(hook);
    }

    /// A number that moves whenever there is something new in the feed; while it stands, a page of
    /// the feed is a heartbeat. Take it before the page.
    pub fn moved(&self) -> u64 {
        self.inner.published.moved()
    }

    /// Waits until closed is at least `at`, or `timeout` is over; returns closed.
    pub fn wait_closed(&self, at: Timestamp, timeout: Duration) -> Timestamp {
        self.inner.published.wait_closed(at, timeout)
    }

    /// Bytes on disk.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub fn disk_bytes(&self) -> Result<u64> {
        self.inner.writer.ask(Message::DiskBytes)
    }

    /// Does now, and before it returns, what is due on an idle tick. For tests, which set the idle
    /// tick so long that nothing but this call makes one.
    ///
    /// # Errors
    ///
    /// `Unavailable` where the store is closed.
    #[doc(hidden)]
    pub fn tick(&self) -> Result<()> {
        self.inner.writer.ask(Message::Tick)
    }

    /// Makes the store in the empty or absent folder `dir` out of a backup, in a new epoch that
    /// begins above the wall clock. A failed restore leaves no store behind. What was `erased` since
    /// the backup was taken is erased from it before it is a store.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the backup is damaged or incomplete, `Conflict` where `dir` holds a store, or
    /// where it is not said what was erased although keys may have been.
    pub fn restore(
        source: &mut dyn Read,
        dir: &Path,
        options: &Options,
        erased: Erased<'_>,
        by: Actor,
        progress: &mut dyn FnMut(u64),
    ) -> Result<RestoreSummary> {
        restore::restore(source, dir, options, erased, &by.checked()?, progress)
    }

    /// Groups made durable since the start, and requests in them.
    pub fn groups(&self) -> (u64, u64) {
        self.inner.published.groups()
    }

    /// Starts the writer thread over what `open` opens.
    pub(crate) fn with_opener(open: Opener, options: Options) -> Result<Self> {
        let (mut writer, published) = Writer::open(open, options.clone())?;
        // What came due while nobody was there takes effect before the first read.
        writer.tick();
        let writer = WriterThread::start(writer, published.clone(), options.clone())?;
        Ok(Self { inner: Arc::new(Inner { published, options, writer, turn: Mutex::new(()) }) })
    }

    fn scene(&self) -> Arc<Scene> {
        self.inner.published.scene()
    }
}

/// Where the store is in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreTime {
    /// The timeline.
    pub epoch: Epoch,
    /// At and above this moment every space can be read.
    pub floor: Timestamp,
    /// Nothing will ever again take effect at or below this moment.
    pub closed: Timestamp,
    /// The operator's ceiling.
    pub cap: Option<Timestamp>,
    /// What "now" resolves to: the smaller of closed and cap.
    pub latest: Timestamp,
}

/// Whether the store can do its work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It takes writes.
    Writable,
    /// It takes writes, and an operator should know this.
    Alarmed(String),
    /// It answers reads at the frozen moment and refuses writes, for this reason.
    ReadOnly(String),
}

/// What an import brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ImportReceipt {
    /// Commits that are new.
    pub imported: u64,
    /// Commits whose source id the space already had.
    pub known: u64,
}

/// Whether an action is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DryRun {
    /// Only say what it would do.
    Yes,
    /// Do it.
    No,
}

/// What a backup holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackupSummary {
    /// The epoch it was taken in (after a restore: the new one).
    pub epoch: Epoch,
    /// The closed timestamp it was taken at.
    pub closed: Timestamp,
    /// Rows.
    pub rows: u64,
    /// Bytes of the backup.
    pub bytes: u64,
}

/// What is known of the keys that were erased since a backup was taken.
#[derive(Clone, Copy, Debug)]
pub enum Erased<'a> {
    /// These were: [`erasures`](Store::erasures) of the store, as late as there is. What was erased
    /// before the backup may be among it.
    These(&'a [Erasure]),
    /// None were.
    None,
    /// Nothing is said. A backup in which keys are foreseen to be erased is refused.
    NotSaid,
}

/// What was restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestoreSummary {
    /// The backup; its epoch is the new one.
    pub backup: BackupSummary,
    /// Keys that were erased again.
    pub erased: u64,
    /// Keys that were erased before the backup was taken.
    pub erased_before: u64,
    /// Keys of spaces that the backup does not hold.
    pub unknown_spaces: u64,
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VerifyReport {
    /// Rows read.
    pub rows: u64,
    /// Versions among them.
    pub versions: u64,
    /// Commits among them.
    pub commits: u64,
    /// What is wrong, at most 1,000 sentences; none if all is well.
    pub problems: Vec<String>,
}
