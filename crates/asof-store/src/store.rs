//! The store: one writer thread over a synchronous core, and readers that need no lock.

use core::time::Duration;
use std::path::Path;

use asof_time::{Epoch, Sequence, Timestamp};

use crate::{
    Actor, Amendment, AsOf, Backfill, Cap, Commit, CommitRequest, ControlRecord, Cursor, DiffPage,
    FeedPage, Key, LogPage, LogRange, Options, Pin, PinRequest, Receipt, Result, Retention,
    SpaceInfo, SpaceName, SpaceUsage, Token, View,
};

/// A timestamped store. Cheap to clone; the last clone to go closes it.
#[derive(Clone, Debug)]
pub struct Store {}

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

impl Store {
    /// Opens the store in the folder `dir`, creating both where they do not exist.
    ///
    /// # Errors
    ///
    /// `Unavailable` where another process has it open or the disk refuses, `Corrupt`, `Invalid`
    /// where it was written by a newer version.
    pub fn open(_dir: &Path, _options: Options) -> Result<Self> {
        todo!()
    }

    /// Opens an empty store that lives in memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn in_memory(_options: Options) -> Result<Self> {
        todo!()
    }

    /// Waits for the writes under way, makes closed durable and stops the writer. Later writes
    /// are `Unavailable`; reads go on. Dropping the last clone does the same.
    pub fn close(&self) {
        todo!()
    }

    /// Where the store is in time. Lock-free.
    pub fn time(&self) -> StoreTime {
        todo!()
    }

    /// Whether it can do its work.
    pub fn health(&self) -> Health {
        todo!()
    }

    /// Calls `hook` from the writer thread whenever closed or the control state has moved. It
    /// must not block.
    pub fn on_publish(&self, _hook: Box<dyn Fn(StoreTime) + Send + Sync>) {
        todo!()
    }

    /// Waits until closed is at least `at`, or `timeout` is over; returns closed.
    pub fn wait_closed(&self, _at: Timestamp, _timeout: Duration) -> Timestamp {
        todo!()
    }

    /// The store at one moment.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `AboveCap`, `BelowFloor` (where no space can be read there).
    pub fn view(&self, _as_of: AsOf) -> Result<View> {
        todo!()
    }

    /// The keys of `space` that hold something else at `to` than at `from`, in order, a page at a
    /// time.
    ///
    /// # Errors
    ///
    /// As reading at either moment; `Invalid` where `to` is before `from`.
    pub fn diff(
        &self,
        _space: &SpaceName,
        _from: Timestamp,
        _to: Timestamp,
        _after: Option<&Key>,
        _limit: usize,
    ) -> Result<DiffPage> {
        todo!()
    }

    /// Commits that took effect, oldest first, up to latest.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where `after` lies below what is kept of the log.
    pub fn log(&self, _range: &LogRange) -> Result<LogPage> {
        todo!()
    }

    /// Commits that are still to take effect, soonest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn pending(&self, _after: Cursor, _limit: usize) -> Result<LogPage> {
        todo!()
    }

    /// One commit by its id, pending or not.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub fn commit_by_id(&self, _id: Sequence) -> Result<Commit> {
        todo!()
    }

    /// What took effect after `after`, up to closed, at most `limit` items, only of `spaces` where
    /// given. Never waits: an empty page is a heartbeat.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where `after` lies below what is kept of the log: take a snapshot and follow
    /// on from it.
    pub fn feed(
        &self,
        _after: Cursor,
        _spaces: Option<&[SpaceName]>,
        _limit: usize,
    ) -> Result<FeedPage> {
        todo!()
    }

    /// The sequence of the last control record: the third part of a snapshot's cursor.
    pub fn control_sequence(&self) -> u64 {
        todo!()
    }

    /// The control history after `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn control_log(&self, _after: u64, _limit: usize) -> Result<Vec<ControlRecord>> {
        todo!()
    }

    /// Commits, and returns once the commit is durable and, where it is for now, closed.
    ///
    /// # Errors
    ///
    /// `Invalid`, `TooLarge`, `Conflict`, `InThePast`, `StillImporting`, `Unavailable`.
    pub fn commit(&self, _request: CommitRequest) -> Result<Receipt> {
        todo!()
    }

    /// As [`commit`](Self::commit), without waiting: `done` is called from the writer thread.
    pub fn submit(&self, _request: CommitRequest, _done: Box<dyn FnOnce(Result<Receipt>) + Send>) {
        todo!()
    }

    /// Changes a pending commit. It keeps its id.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its old or new time is no longer above `last`; as
    /// [`commit`](Self::commit).
    pub fn amend(&self, _id: Sequence, _amendment: Amendment, _by: Actor) -> Result<Receipt> {
        todo!()
    }

    /// Cancels a pending commit, as if it had never been asked for.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its time is no longer above `last`.
    pub fn cancel(&self, _id: Sequence, _by: Actor) -> Result<Commit> {
        todo!()
    }

    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<SpaceInfo> {
        todo!()
    }

    /// One space.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn space(&self, _name: &SpaceName) -> Result<SpaceInfo> {
        todo!()
    }

    /// Creates a space that is live at once.
    ///
    /// # Errors
    ///
    /// `Conflict` where it exists, `TooLarge` where there are too many.
    pub fn create_space(&self, _name: &SpaceName, _by: Actor) -> Result<SpaceInfo> {
        todo!()
    }

    /// Creates a space that is importing.
    ///
    /// # Errors
    ///
    /// As [`create_space`](Self::create_space).
    pub fn create_importing_space(&self, _name: &SpaceName, _by: Actor) -> Result<SpaceInfo> {
        todo!()
    }

    /// Writes history into an importing space, in order. All of `commits` is durable on return,
    /// or nothing of it is there. Those whose source id the space already has are skipped.
    ///
    /// # Errors
    ///
    /// `Conflict` where the space is live; `Invalid` (naming the index in `commits`) where a time
    /// is not above the one before it; `UnknownSpace`; `TooLarge`.
    pub fn import(&self, _space: &SpaceName, _commits: Vec<Backfill>) -> Result<ImportReceipt> {
        todo!()
    }

    /// The commit that brought source id `id` into `space`: its id and effective timestamp.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn source(&self, _space: &SpaceName, _id: &str) -> Result<Option<(Sequence, Timestamp)>> {
        todo!()
    }

    /// Takes an importing space live: one event in the log, at now.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is live already.
    pub fn go_live(&self, _name: &SpaceName, _by: Actor) -> Result<Receipt> {
        todo!()
    }

    /// Counts what a space holds, by walking it.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn space_usage(&self, _name: &SpaceName) -> Result<SpaceUsage> {
        todo!()
    }

    /// Changes what is kept of a space. Returns the floor that the policy leads to at present;
    /// with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Invalid` where the policy makes no sense.
    pub fn set_retention(
        &self,
        _name: &SpaceName,
        _retention: Retention,
        _by: Actor,
        _dry_run: DryRun,
    ) -> Result<Timestamp> {
        todo!()
    }

    /// The cap, where there is one.
    pub fn cap(&self) -> Option<Cap> {
        todo!()
    }

    /// Sets the cap; nothing above `at` is read until it is cleared.
    ///
    /// # Errors
    ///
    /// `NotYetClosed` where `at` is above closed, `BelowFloor` where it is below the floor,
    /// `Invalid` where no reason is given.
    pub fn set_cap(&self, _at: Timestamp, _by: Actor, _dry_run: DryRun) -> Result<StoreTime> {
        todo!()
    }

    /// Clears the cap.
    ///
    /// # Errors
    ///
    /// `Conflict` where there is none.
    pub fn clear_cap(&self, _by: Actor, _dry_run: DryRun) -> Result<StoreTime> {
        todo!()
    }

    /// The live pins, by name.
    pub fn pins(&self) -> Vec<Pin> {
        todo!()
    }

    /// Creates or renews a pin.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `BelowFloor`, `AboveCap`, `Conflict` (the name is another owner's),
    /// `Invalid`, `TooLarge`.
    pub fn create_pin(&self, _request: PinRequest) -> Result<Pin> {
        todo!()
    }

    /// Releases a pin.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn release_pin(&self, _name: &str, _by: Actor, _dry_run: DryRun) -> Result<Pin> {
        todo!()
    }

    /// The bearer tokens, by name.
    pub fn tokens(&self) -> Vec<Token> {
        todo!()
    }

    /// Remembers a token.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is taken, `Invalid`.
    pub fn create_token(&self, _token: Token, _by: Actor) -> Result<()> {
        todo!()
    }

    /// Forgets a token; it stops working at once.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn revoke_token(&self, _name: &str, _by: Actor) -> Result<()> {
        todo!()
    }

    /// Accepts the wall clock as it is now, after it had jumped, and takes writes again.
    ///
    /// # Errors
    ///
    /// `Conflict` where the clock is not in doubt.
    pub fn accept_clock(&self, _by: Actor) -> Result<StoreTime> {
        todo!()
    }

    /// Bytes on disk.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub fn disk_bytes(&self) -> Result<u64> {
        todo!()
    }

    /// Writes a consistent copy of the whole store as of now into `sink`, while it goes on
    /// working; returns what it holds. `progress` is told the bytes written so far.
    ///
    /// # Errors
    ///
    /// `Unavailable` (also where `sink` fails), `Corrupt`.
    pub fn backup(
        &self,
        _sink: &mut dyn std::io::Write,
        _progress: &mut dyn FnMut(u64),
    ) -> Result<BackupSummary> {
        todo!()
    }

    /// Makes the store in the empty or absent folder `dir` out of a backup, in a new epoch that
    /// begins above the wall clock. A failed restore leaves no store behind.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the backup is damaged or incomplete, `Conflict` where `dir` holds a store.
    pub fn restore(
        _source: &mut dyn std::io::Read,
        _dir: &Path,
        _options: Options,
        _by: Actor,
        _progress: &mut dyn FnMut(u64),
    ) -> Result<BackupSummary> {
        todo!()
    }

    /// Reads everything and checks it: every checksum and hash, and every invariant of the
    /// layout. Returns what is wrong, each as a sentence; `progress` is told the rows read so far.
    ///
    /// # Errors
    ///
    /// `Unavailable`, or `Corrupt` where reading cannot go on.
    pub fn verify(&self, _progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
        todo!()
    }
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
