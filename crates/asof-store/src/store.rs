//! The store: one writer thread over a synchronous core, and readers that need no lock.

use core::time::Duration;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use asof_env::BootTime;
use asof_time::limits::{GROUP_BYTES_MAX, GROUP_COMMITS_MAX, WRITE_QUEUE_MAX};
use asof_time::{Epoch, Sequence, Timestamp};

use crate::codec::keys;
use crate::codec::rows::Place;
use crate::engine::{Engine, EngineError, MemoryEngine};
use crate::prepare::{self, Prepared, prepare_backfill, prepare_writes};
use crate::publish::{Published, Scene};
use crate::stage::{Importing, PreparedAmendment, Stage};
use crate::view::{diff, log};
use crate::writer::{Done, Job, Opener, Writer};
use crate::{
    Actor, Amendment, AsOf, Backfill, Cap, Commit, CommitRequest, ControlRecord, Cursor, DiffPage,
    Error, ErrorKind, FeedPage, Key, LogPage, LogRange, Options, Pin, PinRequest, Receipt, Result,
    Retention, SpaceInfo, SpaceName, SpaceUsage, Token, View, backup, disk, feed, restore, usage,
    verify,
};

/// A timestamped store. Cheap to clone; the last clone to go closes it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    published: Arc<Published>,
    options: Options,
    queue: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer thread is asked to do.
enum Message {
    Run(Job),
    AcceptClock(Actor, SyncSender<Result<()>>),
    DiskBytes(SyncSender<Result<u64>>),
    Close,
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
        self.inner.close();
    }

    /// Where the store is in time. Lock-free.
    pub fn time(&self) -> StoreTime {
        self.inner.published.time()
    }

    /// Whether it can do its work.
    pub fn health(&self) -> Health {
        self.inner.published.health()
    }

    /// Calls `hook` from the writer thread whenever closed or the control state has moved. It
    /// must not block.
    pub fn on_publish(&self, hook: Box<dyn Fn(StoreTime) + Send + Sync>) {
        self.inner.published.add_hook(hook);
    }

    /// Waits until closed is at least `at`, or `timeout` is over; returns closed.
    pub fn wait_closed(&self, at: Timestamp, timeout: Duration) -> Timestamp {
        self.inner.published.wait_closed(at, timeout)
    }

    /// The store at one moment.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `AboveCap`, `BelowFloor` (where no space can be read there).
    pub fn view(&self, as_of: AsOf) -> Result<View> {
        View::open(&self.inner.published, as_of)
    }

    /// The keys of `space` that hold something else at `to` than at `from`, in order, a page at a
    /// time.
    ///
    /// # Errors
    ///
    /// As reading at either moment; `Invalid` where `to` is before `from`.
    pub fn diff(
        &self,
        space: &SpaceName,
        from: Timestamp,
        to: Timestamp,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<DiffPage> {
        diff::diff(&self.inner.published, space, from, to, after, limit)
    }

    /// Commits that took effect, oldest first, up to latest.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where `after` lies below what is kept of the log.
    pub fn log(&self, range: &LogRange) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        log::log(&scene, scene.state.latest(closed), range)
    }

    /// Commits that are still to take effect, soonest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn pending(&self, after: Cursor, limit: usize) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        log::pending(&self.scene(), closed, after, limit)
    }

    /// One commit by its id, pending or not.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub fn commit_by_id(&self, id: Sequence) -> Result<Commit> {
        log::by_id(&self.scene(), id)
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
        after: Cursor,
        spaces: Option<&[SpaceName]>,
        limit: usize,
    ) -> Result<FeedPage> {
        let closed = self.inner.published.closed();
        feed::page(&self.scene(), closed, after, spaces, limit)
    }

    /// The sequence of the last control record: the third part of a snapshot's cursor.
    pub fn control_sequence(&self) -> u64 {
        self.scene().state.control_sequence
    }

    /// The control history after `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn control_log(&self, after: u64, limit: usize) -> Result<Vec<ControlRecord>> {
        feed::control_records(&self.scene(), after, limit)
    }

    /// Commits, and returns once the commit is durable and, where it is for now, closed.
    ///
    /// # Errors
    ///
    /// `Invalid`, `TooLarge`, `Conflict`, `InThePast`, `StillImporting`, `Unavailable`.
    pub fn commit(&self, request: CommitRequest) -> Result<Receipt> {
        let prepared = Prepared::new(request, self.inner.options.value_bytes_max);
        let weight = prepared.weight();
        self.run_weighing(weight, |stage| stage.commit(prepared))
    }

    /// As [`commit`](Self::commit), without waiting: `done` is called from the writer thread.
    pub fn submit(&self, request: CommitRequest, done: Box<dyn FnOnce(Result<Receipt>) + Send>) {
        let prepared = Prepared::new(request, self.inner.options.value_bytes_max);
        let weight = prepared.weight();
        self.enqueue(job(weight, |stage| stage.commit(prepared), done));
    }

    /// Changes a pending commit. It keeps its id.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its old or new time is no longer above `last`; as
    /// [`commit`](Self::commit).
    pub fn amend(&self, id: Sequence, amendment: Amendment, by: Actor) -> Result<Receipt> {
        let Amendment {
            effective,
            message,
            writes,
        } = amendment;
        prepare::check_texts("", message.as_deref().unwrap_or_default())?;
        if let Some(writes) = &writes {
            if writes.is_empty() {
                return Err(Error::invalid(
                    "the amended commit has no writes; cancel it instead",
                ));
            }
            prepare::check_writes(writes, self.inner.options.value_bytes_max)?;
        }
        let writes = writes.map(prepare_writes);
        let amendment = PreparedAmendment {
            effective,
            message,
            writes,
        };
        self.run(move |stage| stage.amend(id, amendment, by))
    }

    /// Cancels a pending commit, as if it had never been asked for.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its time is no longer above `last`.
    pub fn cancel(&self, id: Sequence, by: Actor) -> Result<Commit> {
        let (Place { effective, .. }, record) = self.run(move |stage| stage.cancel(id, by))?;
        log::commit(&self.scene().state, effective, id, record)
    }

    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<SpaceInfo> {
        let scene = self.scene();
        let mut spaces: Vec<SpaceInfo> = scene
            .state
            .spaces()
            .map(|(_, record)| record.into())
            .collect();
        spaces.sort_by(|a, b| a.name.cmp(&b.name));
        spaces
    }

    /// One space.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn space(&self, name: &SpaceName) -> Result<SpaceInfo> {
        self.scene()
            .state
            .known_space(name)
            .map(|(_, record)| record.as_ref().into())
    }

    /// Creates a space that is live at once.
    ///
    /// # Errors
    ///
    /// `Conflict` where it exists, `TooLarge` where there are too many.
    pub fn create_space(&self, name: &SpaceName, by: Actor) -> Result<SpaceInfo> {
        let name = name.clone();
        self.run(move |stage| stage.create_space(&name, Importing::No, by))
    }

    /// Creates a space that is importing.
    ///
    /// # Errors
    ///
    /// As [`create_space`](Self::create_space).
    pub fn create_importing_space(&self, name: &SpaceName, by: Actor) -> Result<SpaceInfo> {
        let name = name.clone();
        self.run(move |stage| stage.create_space(&name, Importing::Yes, by))
    }

    /// Writes history into an importing space, in order. All of `commits` is durable on return,
    /// or nothing of it is there. Those whose source id the space already has are skipped.
    ///
    /// # Errors
    ///
    /// `Conflict` where the space is live; `Invalid` (naming the index in `commits`) where a time
    /// is not above the one before it; `UnknownSpace`; `TooLarge`.
    pub fn import(&self, space: &SpaceName, commits: Vec<Backfill>) -> Result<ImportReceipt> {
        let commits = prepare_backfill(commits, self.inner.options.value_bytes_max)?;
        let space = space.clone();
        self.run(move |stage| stage.import(&space, commits))
    }

    /// The commit that brought source id `id` into `space`: its id and effective timestamp.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn source(&self, space: &SpaceName, id: &str) -> Result<Option<(Sequence, Timestamp)>> {
        let scene = self.scene();
        let (space, _) = scene.state.known_space(space)?;
        let row = crate::state::get(scene.rows.as_ref(), &keys::source(space, id))?;
        row.map(|row| Place::decode(&row, "source").map(|place| (place.sequence, place.effective)))
            .transpose()
    }

    /// Takes an importing space live: one event in the log, at now.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is live already.
    pub fn go_live(&self, name: &SpaceName, by: Actor) -> Result<Receipt> {
        let name = name.clone();
        self.run(move |stage| stage.go_live(&name, by))
    }

    /// Counts what a space holds, by walking it.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn space_usage(&self, name: &SpaceName) -> Result<SpaceUsage> {
        let latest = self.time().latest;
        usage::usage(&self.scene(), latest, name)
    }

    /// Changes what is kept of a space. Returns the floor that the policy leads to at present;
    /// with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Invalid` where the policy makes no sense.
    pub fn set_retention(
        &self,
        name: &SpaceName,
        retention: Retention,
        by: Actor,
        dry_run: DryRun,
    ) -> Result<Timestamp> {
        let name = name.clone();
        self.run_or_try(dry_run, move |stage| {
            stage.set_retention(&name, retention, by)
        })
    }

    /// The cap, where there is one.
    pub fn cap(&self) -> Option<Cap> {
        self.scene().state.cap.clone()
    }

    /// Sets the cap; nothing above `at` is read until it is cleared.
    ///
    /// # Errors
    ///
    /// `NotYetClosed` where `at` is above closed, `BelowFloor` where it is below the floor,
    /// `Invalid` where no reason is given.
    pub fn set_cap(&self, at: Timestamp, by: Actor, dry_run: DryRun) -> Result<StoreTime> {
        self.run_or_try(dry_run, move |stage| {
            stage.set_cap(at, by)?;
            Ok(stage.time())
        })
    }

    /// Clears the cap.
    ///
    /// # Errors
    ///
    /// `Conflict` where there is none.
    pub fn clear_cap(&self, by: Actor, dry_run: DryRun) -> Result<StoreTime> {
        self.run_or_try(dry_run, move |stage| {
            stage.clear_cap(by)?;
            Ok(stage.time())
        })
    }

    /// The live pins, by name.
    pub fn pins(&self) -> Vec<Pin> {
        self.scene().state.pins.values().cloned().collect()
    }

    /// Creates or renews a pin.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `BelowFloor`, `AboveCap`, `Conflict` (the name is another owner's),
    /// `Invalid`, `TooLarge`.
    pub fn create_pin(&self, request: PinRequest) -> Result<Pin> {
        self.run(move |stage| stage.create_pin(request))
    }

    /// Releases a pin.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn release_pin(&self, name: &str, by: Actor, dry_run: DryRun) -> Result<Pin> {
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.release_pin(&name, by))
    }

    /// The bearer tokens, by name.
    pub fn tokens(&self) -> Vec<Token> {
        self.scene().state.tokens.values().cloned().collect()
    }

    /// Remembers a token.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is taken, `Invalid`.
    pub fn create_token(&self, token: Token, by: Actor) -> Result<()> {
        self.run(move |stage| stage.create_token(token, by))
    }

    /// Forgets a token; it stops working at once.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn revoke_token(&self, name: &str, by: Actor) -> Result<()> {
        let name = name.to_owned();
        self.run(move |stage| stage.revoke_token(&name, by))
    }

    /// Accepts the wall clock as it is now, after it had jumped, and takes writes again.
    ///
    /// # Errors
    ///
    /// `Conflict` where the clock is not in doubt.
    pub fn accept_clock(&self, by: Actor) -> Result<StoreTime> {
        self.ask(|answer| Message::AcceptClock(by, answer))?;
        Ok(self.time())
    }

    /// Bytes on disk.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub fn disk_bytes(&self) -> Result<u64> {
        self.ask(Message::DiskBytes)
    }

    /// Writes a consistent copy of the whole store as of now into `sink`, while it goes on
    /// working; returns what it holds. `progress` is told the bytes written so far.
    ///
    /// # Errors
    ///
    /// `Unavailable` (also where `sink` fails), `Corrupt`.
    pub fn backup(
        &self,
        sink: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BackupSummary> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        backup::write(
            scene.rows.as_ref(),
            scene.state.epoch,
            closed,
            sink,
            progress,
        )
    }

    /// Makes the store in the empty or absent folder `dir` out of a backup, in a new epoch that
    /// begins above the wall clock. A failed restore leaves no store behind.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the backup is damaged or incomplete, `Conflict` where `dir` holds a store.
    pub fn restore(
        source: &mut dyn Read,
        dir: &Path,
        options: &Options,
        by: Actor,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BackupSummary> {
        restore::restore(source, dir, options, by, progress)
    }

    /// Reads everything and checks it: every checksum and hash, and every invariant of the
    /// layout. Returns what is wrong, each as a sentence; `progress` is told the rows read so far.
    ///
    /// # Errors
    ///
    /// `Unavailable`, or `Corrupt` where reading cannot go on.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
        verify::verify(&self.scene(), progress)
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
        let (queue, requests) = sync_channel(WRITE_QUEUE_MAX);
        let (on_end, settings) = (Closing(published.clone()), options.clone());
        let run = move || {
            let _on_end = on_end;
            serve(&mut writer, &requests, &settings);
        };
        let thread = std::thread::Builder::new()
            .name("asof-writer".to_owned())
            .spawn(run)
            .map_err(|error| Error::unavailable(format!("no thread for the writer: {error}")))?;
        let thread = Mutex::new(Some(thread));
        Ok(Self {
            inner: Arc::new(Inner {
                published,
                options,
                queue,
                thread,
            }),
        })
    }

    fn scene(&self) -> Arc<Scene> {
        self.inner.published.scene()
    }

    fn run<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run_weighing(0, request)
    }

    fn run_weighing<T: Send + 'static>(
        &self,
        weight: usize,
        request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        let done = Box::new(move |outcome| {
            // Nobody waiting for it any more is no reason to stop.
            let _ = answer.send(outcome);
        });
        self.enqueue(job(weight, request, done));
        answered.recv().map_err(|_| {
            Error::unavailable(
                "the store closed while the write was under way: it is unknown whether it took \
                 effect",
            )
        })?
    }

    /// Runs the request, or only finds out what it would answer.
    fn run_or_try<T: Send + 'static>(
        &self,
        dry_run: DryRun,
        request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match dry_run {
            DryRun::No => self.run(request),
            DryRun::Yes => self.run(move |stage| stage.attempt(request)),
        }
    }

    fn ask<T>(&self, message: impl FnOnce(SyncSender<Result<T>>) -> Message) -> Result<T> {
        let (answer, answered) = sync_channel(1);
        self.inner
            .queue
            .send(message(answer))
            .map_err(|_| writer_gone())?;
        answered.recv().map_err(|_| writer_gone())?
    }

    fn enqueue(&self, job: Job) {
        match self.inner.queue.try_send(Message::Run(job)) {
            Err(TrySendError::Full(Message::Run(job))) => {
                (job.act)(Err(Error::unavailable(format!(
                    "{WRITE_QUEUE_MAX} writes are waiting already (the write did not take effect)"
                ))));
            }
            Err(TrySendError::Disconnected(Message::Run(job))) => {
                (job.act)(Err(writer_gone()));
            }
            Ok(()) | Err(_) => {}
        }
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

impl Inner {
    fn close(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // Fails only where the thread is gone already.
            let _ = self.queue.send(Message::Close);
            if thread.join().is_err() {
                tracing::error!("the writer thread panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

fn writer_gone() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the store is closed (the write did not take effect)",
    )
}

/// A request with its answer: whoever asks gets exactly one, whatever happens.
fn job<T: Send + 'static>(
    weight: usize,
    request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    done: Box<dyn FnOnce(Result<T>) + Send>,
) -> Job {
    let act = move |stage: Result<&mut Stage<'_>>| match stage {
        Err(error) => {
            done(Err(error));
            None
        }
        Ok(stage) => {
            let outcome = stage.run(request);
            // A refusal may rest on what is staged but not durable, so it waits like the rest.
            let told: Done = Box::new(move |fate| done(fate.and(outcome)));
            Some(told)
        }
    };
    Job {
        weight,
        act: Box::new(act),
    }
}

/// Says that the store is closed when the writer thread ends, by a panic too.
struct Closing(Arc<Published>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0
            .set_health(Health::ReadOnly("the store is closed".to_owned()));
    }
}

/// The life of the writer thread.
fn serve(writer: &mut Writer, requests: &Receiver<Message>, options: &Options) {
    let clock = options.clock.as_ref();
    let mut next_tick = clock.boot();
    loop {
        let now = clock.boot();
        if now >= next_tick {
            writer.tick();
            next_tick = clock.boot().after(options.idle_tick);
        }
        let wait = wait_until(next_tick, clock.boot());
        match requests.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(first) => {
                if !take_group(writer, requests, first) {
                    break;
                }
            }
        }
    }
    writer.close();
}

fn wait_until(next: BootTime, now: BootTime) -> Duration {
    next.since(now)
}

/// Collects what is waiting into one group and runs it; returns whether to go on.
fn take_group(writer: &mut Writer, requests: &Receiver<Message>, first: Message) -> bool {
    let mut group = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    let mut go_on = true;
    while let Some(message) = next.take() {
        match message {
            Message::Run(job) => {
                bytes += job.weight;
                group.push(job);
                if group.len() < GROUP_COMMITS_MAX && bytes < GROUP_BYTES_MAX {
                    next = requests.try_recv().ok();
                }
            }
            Message::AcceptClock(by, answer) => {
                let _ = answer.send(writer.accept_clock(by));
            }
            Message::DiskBytes(answer) => {
                let _ = answer.send(writer.disk_bytes());
            }
            Message::Close => go_on = false,
        }
    }
    if !group.is_empty() {
        writer.run_group(group);
    }
    go_on
}
