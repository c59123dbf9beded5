//! The one writer: takes groups of requests, makes them durable, publishes.
//!
//! Synchronous and without a thread of its own, so that a test can drive it step by step; the
//! thread around it is in `store`.

use core::time::Duration;
use std::sync::Arc;

use asof_env::BootTime;
use asof_time::limits::CEILING_AHEAD;
use asof_time::{Epoch, Timestamp};

use crate::blast::refuse_bad;
use crate::clock_guard::{ClockGuard, Reading};
use crate::codec::LAYOUT_VERSION;
use crate::codec::keys;
use crate::codec::rows::{Identity, encode_moment};
use crate::engine::{Batch, Durability, Engine};
use crate::publish::Published;
use crate::sequencer::Sequencer;
use crate::stage::{Collector, Stage};
use crate::state::{CEILING, Found, IDENTITY, State};
use crate::{Actor, BadCommit, Error, Health, Options, Result};

/// Opens the engine, at the start and again after it failed.
pub(crate) type Opener = Box<dyn Fn() -> Result<Box<dyn Engine>> + Send>;

/// A request on its way to the stage.
pub(crate) struct Job {
    /// About how many bytes it adds to the group.
    pub(crate) weight: usize,
    /// Runs on the stage and returns who is to be told once the fate of the group is known; or,
    /// where there is no stage, tells of the refusal at once.
    pub(crate) act: Act,
}

/// See [`Job::act`].
pub(crate) type Act = Box<dyn FnOnce(Result<&mut Stage<'_>>) -> Option<Done> + Send>;

/// Answers one request once the fate of its group is known.
pub(crate) type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// How long a cap that may not be cleared yet is left alone.
const CAP_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long to wait before a failed engine is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Whether the writer may write.
#[derive(Debug)]
enum Mode {
    Writable,
    /// The clock cannot be trusted; only an operator can say otherwise.
    ClockInDoubt(String),
    /// The engine failed. It is opened again after a while.
    EngineFailed {
        reason: String,
        since: BootTime,
    },
    /// Nothing more is written.
    Closed,
}

/// The writing side of a store.
pub(crate) struct Writer {
    open: Opener,
    /// `None` between a failure and the next successful opening.
    engine: Option<Box<dyn Engine>>,
    options: Arc<Options>,
    published: Arc<Published>,
    state: Arc<State>,
    sequencer: Sequencer,
    guard: ClockGuard,
    mode: Mode,
    /// What an operator should know although writes go on: of the clock, and of retention.
    clock_alarm: Option<String>,
    house_alarm: Option<String>,
    cap_alarm: Option<String>,
    /// When the cap whose time is over is looked at again.
    cap_next: BootTime,
    /// Nothing is published before the clock has passed this inherited ceiling.
    wait_for: Option<Timestamp>,
    collector: Option<Collector>,
    collect_next: BootTime,
}

impl core::fmt::Debug for Writer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Writer").field("sequencer", &self.sequencer).finish_non_exhaustive()
    }
}

impl Writer {
    /// Opens the store, making it where it is empty.
    pub(crate) fn open(open: Opener, options: Options) -> Result<(Self, Arc<Published>)> {
        let engine = open()?;
        let clock = options.clock.clone();
        let found = match State::load(engine.snapshot()?.as_ref())? {
            Some(found) => found,
            None => create(engine.as_ref(), &options)?,
        };
        upgrade(engine.as_ref(), found.identity)?;
        let Found { state, ceiling, sequence, .. } = found;
        let state = Arc::new(state);
        let sequencer = Sequencer::resume(ceiling, sequence);
        let published = Arc::new(Published::new(engine.snapshot()?, state.clone(), ceiling));
        let mut writer = Self {
            open,
            engine: Some(engine),
            published: published.clone(),
            state,
            sequencer,
            guard: ClockGuard::new(clock.as_ref(), options.clock_jump_limit),
            mode: Mode::Writable,
            clock_alarm: None,
            house_alarm: None,
            cap_alarm: None,
            cap_next: clock.boot(),
            wait_for: None,
            collector: None,
            collect_next: clock.boot(),
            options: Arc::new(options),
        };
        writer.judge_inherited(ceiling);
        writer.tell_health();
        Ok((writer, published))
    }

    /// Holds the clock against the ceiling that a predecessor left.
    fn judge_inherited(&mut self, ceiling: Timestamp) {
        let wall = self.options.clock.wall();
        let limit = self.options.clock_start_limit;
        let (ahead, behind) = (wall.since(ceiling), ceiling.since(wall));
        if ahead > limit || behind > limit {
            self.mode = Mode::ClockInDoubt(format!(
                "the clock says {wall}, but this store was last written about {ceiling}: set the \
                 clock right and restart, or accept it with `asof time accept-clock`"
            ));
        } else if behind > 2 * CEILING_AHEAD {
            self.clock_alarm = Some(clock_is_behind(wall, ceiling));
        } else if !behind.is_zero() {
            self.wait_for = Some(ceiling);
        }
    }

    /// Runs a group of requests and makes what they staged durable together.
    pub(crate) fn run_group(&mut self, jobs: Vec<Job>) {
        let clock = match self.ready() {
            Ok(clock) => clock,
            Err(error) => {
                for job in jobs {
                    (job.act)(Err(error.clone()));
                }
                return;
            }
        };
        let (base, options) = (self.published.snapshot(), self.options.clone());
        let mut stage =
            Stage::new(base.as_ref(), self.state.clone(), self.sequencer, clock, &options);
        let size = jobs.len();
        let group: Vec<Done> =
            jobs.into_iter().filter_map(|job| (job.act)(Ok(&mut stage))).collect();
        let outcome = self.settle(stage);
        self.published.note_group(size);
        for done in group {
            done(outcome.clone());
        }
    }

    /// Whether it may write now, and what the clock says.
    fn ready(&mut self) -> Result<Timestamp> {
        self.look_at_clock();
        match &self.mode {
            Mode::Writable => {}
            Mode::Closed => return Err(refusal("the store is closed")),
            Mode::ClockInDoubt(reason) | Mode::EngineFailed { reason, .. } => {
                return Err(refusal(reason));
            }
        }
        if let Some(ceiling) = self.wait_for.take() {
            // The predecessor may have published up to here: at most a second ahead of the clock.
            let wait = ceiling.since(self.options.clock.wall()).min(2 * CEILING_AHEAD);
            self.options.clock.sleep(wait);
        }
        Ok(self.options.clock.wall())
    }

    fn look_at_clock(&mut self) {
        if !matches!(self.mode, Mode::Writable) {
            return;
        }
        if let Reading::Jumped { expected, found } = self.guard.read(self.options.clock.as_ref()) {
            self.mode = Mode::ClockInDoubt(format!(
                "the wall clock jumped from {expected} to {found}: set it right and restart, or \
                 accept it with `asof time accept-clock`"
            ));
            self.tell_health();
        }
    }

    /// Makes a stage durable and publishes it, up to the last timestamp given out in it.
    fn settle(&mut self, mut stage: Stage<'_>) -> Result<()> {
        if stage.is_empty() {
            return Ok(());
        }
        let upto = stage.sequencer().last();
        let ceiling = stage.sequencer().ceiling_wanted(upto);
        if let Some(ceiling) = ceiling {
            stage.set_ceiling(ceiling);
        }
        let (batch, mut sequencer, state) = stage.finish();
        self.make_durable(&batch)?;
        if let Some(ceiling) = ceiling {
            sequencer.ceiling_is_durable(ceiling);
        }
        sequencer.publish(upto);
        (self.sequencer, self.state) = (sequencer, state);
        self.publish()
    }

    fn make_durable(&mut self, batch: &Batch) -> Result<()> {
        let engine = self.engine.as_deref().ok_or_else(|| refusal("the engine is not open"))?;
        let outcome = engine.commit(batch, Durability::Durable);
        outcome.map_err(|error| {
            self.fail(&error.to_string());
            Error::unavailable(format!(
                "{error}; it is unknown whether the write took effect: ask again with the same \
                 idempotency key"
            ))
        })
    }

    /// Lets readers see the present state; closed last, so that whoever sees it sees the rest.
    fn publish(&mut self) -> Result<()> {
        let engine = self.engine.as_deref().ok_or_else(|| refusal("the engine is not open"))?;
        match engine.snapshot() {
            Ok(snapshot) => {
                self.published.set(snapshot, self.state.clone(), self.sequencer.closed());
                Ok(())
            }
            Err(error) => {
                self.fail(&error.to_string());
                Err(error.into())
            }
        }
    }

    /// Does what is due when there is nothing to write: moves closed, expires pins, collects.
    pub(crate) fn tick(&mut self) {
        if let Mode::EngineFailed { since, .. } = self.mode
            && self.options.clock.boot().since(since) >= REOPEN_AFTER
        {
            self.reopen();
        }
        self.look_at_clock();
        if !matches!(self.mode, Mode::Writable) {
            return;
        }
        let clock = self.options.clock.wall();
        if self.wait_for.is_some_and(|ceiling| clock <= ceiling) {
            return;
        }
        self.wait_for = None;
        // An engine that refuses has said so by now; the writer goes on when it is opened again.
        if self.advance(clock).is_ok()
            && let Err(error) = self.keep_house(clock)
            && matches!(self.mode, Mode::Writable)
        {
            // Nothing was staged, and nothing else depends on it: the rest of the store goes on.
            self.house_alarm = Some(format!("old history cannot be dropped: {}", error.message()));
            self.tell_health();
        }
    }

    /// Moves closed to the clock, with a ceiling above it.
    fn advance(&mut self, clock: Timestamp) -> Result<()> {
        if clock <= self.sequencer.closed() {
            return Ok(());
        }
        if self.clock_alarm.take().is_some() {
            self.tell_health();
        }
        if let Some(ceiling) = self.sequencer.ceiling_wanted(clock) {
            let mut batch = Batch::default();
            batch.put(keys::meta(CEILING), encode_moment(ceiling));
            self.make_durable(&batch)?;
            self.sequencer.ceiling_is_durable(ceiling);
        }
        self.sequencer.publish(clock.min(self.sequencer.ceiling()));
        self.published.set_closed(self.sequencer.closed());
        Ok(())
    }

    /// Lets pins lapse, raises floors, and drops a little of what is no longer kept.
    fn keep_house(&mut self, clock: Timestamp) -> Result<()> {
        let now = self.options.clock.boot();
        let due = self.collector.is_none() && now >= self.collect_next;
        let lapsed = self.state.pins.values().any(|pin| pin.expires <= clock);
        let cap_ends = self.state.cap.as_ref().and_then(|cap| cap.expires);
        let cap_is_over = cap_ends.is_some_and(|ends| ends <= clock);
        let cap_lapsed = cap_is_over && now >= self.cap_next;
        if !cap_is_over && self.cap_alarm.take().is_some() {
            self.tell_health();
        }
        let closed = self.sequencer.closed();
        let arrived = self.state.releases.values().any(|release| release.arrives_by(closed));
        if !due && !lapsed && !cap_lapsed && !arrived && self.collector.is_none() {
            return Ok(());
        }
        let (base, options) = (self.published.snapshot(), self.options.clone());
        let mut stage =
            Stage::new(base.as_ref(), self.state.clone(), self.sequencer, clock, &options);
        if lapsed {
            stage.expire_pins();
        }
        if arrived {
            stage.note_live_releases();
        }
        let mut held_by = Vec::new();
        if cap_lapsed {
            held_by = stage.expire_cap()?;
        }
        let mut pass_ends = false;
        let next = match self.collector.take() {
            Some(at) => {
                let next = stage.collect(at)?;
                pass_ends = next.is_none();
                next
            }
            None if due => {
                self.collect_next = now.after(self.options.retention_interval);
                stage.raise_floors();
                Some(Collector::start())
            }
            None => None,
        };
        self.settle(stage)?;
        if cap_lapsed {
            self.cap_next = now.after(CAP_AGAIN_AFTER);
            self.say_what_holds_cap(&held_by);
        }
        self.collector = next;
        if pass_ends && self.house_alarm.take().is_some() {
            self.tell_health();
        }
        Ok(())
    }

    /// A cap whose time is over stays while clearing it would show bad commits: that is for an
    /// operator to decide.
    fn say_what_holds_cap(&mut self, bad: &[BadCommit]) {
        let alarm = refuse_bad(bad)
            .err()
            .map(|error| format!("the time of the cap is over, but it stays: {}", error.message()));
        if alarm != self.cap_alarm {
            self.cap_alarm = alarm;
            self.tell_health();
        }
    }

    /// Takes the clock as it is, because an operator says so.
    pub(crate) fn accept_clock(&mut self, by: Actor) -> Result<()> {
        let reason = match &self.mode {
            Mode::ClockInDoubt(reason) => reason.clone(),
            _ => return Err(Error::conflict("the clock is not in doubt")),
        };
        let clock = self.options.clock.wall();
        let (base, options) = (self.published.snapshot(), self.options.clone());
        let mut stage =
            Stage::new(base.as_ref(), self.state.clone(), self.sequencer, clock, &options);
        stage.run(|stage| stage.accept_clock(by, reason))?;
        self.settle(stage)?;
        self.guard = ClockGuard::new(self.options.clock.as_ref(), self.options.clock_jump_limit);
        self.mode = Mode::Writable;
        let last = self.sequencer.last();
        if last.since(clock) > 2 * CEILING_AHEAD {
            self.clock_alarm = Some(clock_is_behind(clock, last));
        }
        self.tell_health();
        Ok(())
    }

    /// Stops writing: what is durable is unknown until the engine was opened anew.
    fn fail(&mut self, reason: &str) {
        if matches!(self.mode, Mode::EngineFailed { .. }) {
            return;
        }
        self.mode =
            Mode::EngineFailed { reason: reason.to_owned(), since: self.options.clock.boot() };
        self.collector = None;
        self.tell_health();
    }

    /// Opens the engine again and goes on from what is there.
    fn reopen(&mut self) {
        // The old engine must be gone before the new one reads, and its snapshots with it.
        self.published.withdraw();
        self.engine = None;
        if let Err(error) = self.take_up() {
            self.mode = Mode::EngineFailed {
                reason: error.message().to_owned(),
                since: self.options.clock.boot(),
            };
            self.tell_health();
        }
    }

    fn take_up(&mut self) -> Result<()> {
        let engine = (self.open)()?;
        let found = State::load(engine.snapshot()?.as_ref())?
            .ok_or_else(|| Error::corrupt("the store is empty after it was opened again"))?;
        if found.ceiling < self.sequencer.closed() {
            return Err(Error::corrupt(format!(
                "closed was {}, but only {} is durable",
                self.sequencer.closed(),
                found.ceiling
            )));
        }
        self.engine = Some(engine);
        self.state = Arc::new(found.state);
        self.sequencer = Sequencer::resume(found.ceiling, found.sequence);
        self.mode = Mode::Writable;
        self.judge_inherited(found.ceiling);
        self.publish()?;
        self.tell_health();
        Ok(())
    }

    /// Makes exactly closed durable as the ceiling, so that a successor need not wait for the
    /// clock, and stops.
    pub(crate) fn close(&mut self) {
        if matches!(self.mode, Mode::Writable) {
            let mut batch = Batch::default();
            batch.put(keys::meta(CEILING), encode_moment(self.sequencer.last()));
            // If this fails the old ceiling stands, which is as safe.
            if let Err(error) = self.make_durable(&batch) {
                tracing::warn!(%error, "the store could not note its clean end");
            }
        }
        self.mode = Mode::Closed;
        self.tell_health();
        // Readers keep their snapshot, and with it the engine, for as long as they need it.
        self.engine = None;
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        let engine = self.engine.as_deref().ok_or_else(|| refusal("the engine is not open"))?;
        Ok(engine.disk_bytes()?)
    }

    fn tell_health(&self) {
        let alarms: Vec<&str> = [&self.clock_alarm, &self.house_alarm, &self.cap_alarm]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let health = match &self.mode {
            Mode::Writable if alarms.is_empty() => Health::Writable,
            Mode::Writable => {
                let alarm = alarms.join("; ");
                tracing::warn!(alarm, "the store takes writes, but");
                Health::Alarmed(alarm)
            }
            Mode::Closed => Health::ReadOnly("the store is closed".to_owned()),
            Mode::ClockInDoubt(reason) | Mode::EngineFailed { reason, .. } => {
                tracing::error!(reason, "the store is read-only");
                Health::ReadOnly(reason.clone())
            }
        };
        self.published.set_health(health);
    }
}

fn clock_is_behind(wall: Timestamp, store: Timestamp) -> String {
    format!(
        "the clock says {wall}, behind the store's own {store}: timestamps go on from there, one \
         microsecond at a time, until the clock has caught up"
    )
}

/// A refusal before anything was written.
fn refusal(reason: &str) -> Error {
    Error::unavailable(format!("{reason} (the write did not take effect)"))
}

/// Says of an older store that it is of the present layout: what that adds, older programs would
/// not understand.
fn upgrade(engine: &dyn Engine, identity: Identity) -> Result<()> {
    if identity.layout < LAYOUT_VERSION {
        let mut batch = Batch::default();
        let upgraded = Identity { layout: LAYOUT_VERSION, ..identity };
        batch.put(keys::meta(IDENTITY), upgraded.encode());
        engine.commit(&batch, Durability::Durable)?;
    }
    Ok(())
}

/// Makes an empty store: its identity, and a ceiling at the present.
fn create(engine: &dyn Engine, options: &Options) -> Result<Found> {
    let created = options.clock.wall();
    let epoch = Epoch::from_random(options.random.number());
    let identity = Identity { layout: LAYOUT_VERSION, epoch, created };
    let mut batch = Batch::default();
    batch.put(keys::meta(IDENTITY), identity.encode());
    batch.put(keys::meta(CEILING), encode_moment(created));
    engine.commit(&batch, Durability::Durable)?;
    State::load(engine.snapshot()?.as_ref())?
        .ok_or_else(|| Error::corrupt("the store is empty after it was made"))
}
