//! A real store on a simulated disk and clock, with everything that is true of it.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use asof_env::Clock as _;
use asof_env::storage::{DiskFile as _, OsFile, WhenMissing};
use asof_env::testing::{ManualClock, SeededRandom, SimDisk};
use asof_store::{
    Actor, AsOf, Backfill, ClearCap, CommitRequest, Confirm, Conflicts, DryRun, Effective, Erase,
    Erased, ErrorKind, IdempotencyKey, Key, Known, Op, Operator, Options, Precondition, Receipt,
    ReleaseRequest, Retention, Revert, RevertTarget, ScanRange, SetCap, SpaceName, SpaceState,
    Store, StoreTime, Value, WithValues, Write,
};
use asof_time::{Epoch, Sequence, Timestamp, Validity};

use crate::program::{Held, KEYS, Read, SPACES, key, number};
use crate::seed::Seed;
use crate::truth::{Place, Timeline};

const SECOND: Duration = Duration::from_secs(1);

/// A store, its world, and what is true of it.
pub(crate) struct Source {
    clock: Arc<ManualClock>,
    disk: Arc<SimDisk>,
    store: Option<Store>,
    /// The spaces in it.
    pub(crate) spaces: Vec<usize>,
    /// Whether nobody reaches it.
    pub(crate) away: bool,
    timeline: Timeline,
    /// The timelines that ended.
    past: BTreeMap<Epoch, Timeline>,
    backup: Option<(Vec<u8>, Timeline)>,
    pending: Vec<Place>,
    releases: Vec<(String, Place)>,
    commits: Vec<Sequence>,
    /// The last write for now, as its writer's token says it.
    pub(crate) written: Option<(Epoch, Timestamp)>,
    closed: (Epoch, Timestamp),
    numbers: u64,
}

/// What a store answers to a read.
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) validity: Validity,
    pub(crate) epoch: Epoch,
}

fn options(clock: &Arc<ManualClock>) -> Options {
    let boot = clock.boot().since(asof_env::BootTime::new(Duration::ZERO));
    Options {
        clock: clock.clone(),
        // Another timeline at each restore, the same ones in each run.
        random: Arc::new(SeededRandom::new(u64::try_from(boot.as_micros()).unwrap_or_default())),
        // Ticks come by hand, so that a run repeats exactly.
        idle_tick: Duration::from_hours(1_000_000),
        retention_interval: 3 * SECOND,
        cache_bytes: 1 << 20,
        ..Options::default()
    }
}

fn actor() -> Actor {
    Actor { name: "sim".into(), reason: "it happens".into() }
}

fn space(number: usize) -> SpaceName {
    SpaceName::new(SPACES.get(number).copied().unwrap_or_default()).expect("a name")
}

fn key_of(number: u64) -> Key {
    Key::new(&key(number)).expect("a key")
}

fn value(bytes: &[u8]) -> u64 {
    core::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).expect("we wrote it")
}

/// What happens in a run, besides writes. All of it happens, but not in all runs: most of life is
/// calm.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a coin of its own")]
pub(crate) struct Weather {
    /// Much happens while a request is under way.
    pub(crate) busy: bool,
    pub(crate) caps: bool,
    pub(crate) erases: bool,
    pub(crate) restores: bool,
}

impl Source {
    /// A store at `start` in which the spaces are, but for one that is made later, if any is.
    pub(crate) fn new(
        start: Timestamp,
        number: u64,
        spaces: Vec<usize>,
        later: Option<usize>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(start));
        // Each store has epochs of its own.
        clock.advance_boot(Duration::from_micros(number + 1));
        let disk = Arc::new(SimDisk::new());
        let store = Store::open_file(disk.clone(), options(&clock)).expect("a new store");
        for number in spaces.iter().filter(|number| Some(**number) != later) {
            store.create_space(&space(*number), actor()).expect("a new space");
        }
        store.tick().expect("it is open");
        let time = store.time();
        Self {
            clock,
            disk,
            store: Some(store),
            spaces,
            away: false,
            timeline: Timeline::default(),
            past: BTreeMap::new(),
            backup: None,
            pending: Vec::new(),
            releases: Vec::new(),
            commits: Vec::new(),
            written: None,
            closed: (time.epoch, time.closed),
            numbers: number * 1_000_000,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open between events")
    }

    pub(crate) fn time(&self) -> StoreTime {
        self.store().time()
    }

    pub(crate) fn timeline(&self, epoch: Epoch) -> Option<&Timeline> {
        if self.time().epoch == epoch { Some(&self.timeline) } else { self.past.get(&epoch) }
    }

    /// What a read answers at a moment; `None` where the store says that it has no answer.
    pub(crate) fn read(&self, read: Read, at: Timestamp) -> Option<Answer> {
        if self.away {
            return None;
        }
        let name = space(read.space());
        let epoch = self.time().epoch;
        let view = self.store().view(AsOf::At(at)).ok()?;
        let (held, validity) = match read {
            Read::Key { key, .. } => match view.get(&name, &key_of(key)) {
                Ok(read) => {
                    let held = read.value.map_or(Held::Absent, |v| Held::Value(value(&v.bytes)));
                    (vec![(key, held)], read.validity?)
                }
                Err(error) if error.kind() == ErrorKind::Erased => {
                    (vec![(key, Held::Erased)], view.erased_over(&name).ok()??)
                }
                Err(_) => return None,
            },
            Read::Space { .. } => {
                let range = ScanRange {
                    prefix: String::new(),
                    after: None,
                    limit: 100,
                    values: WithValues::Include,
                };
                let page = view.scan(&name, &range).ok()?;
                let mut held = BTreeMap::new();
                for entry in page.value.entries {
                    held.insert(entry.key, Held::Value(value(&entry.value.expect("asked for"))));
                }
                held.extend(page.value.erased.into_iter().map(|key| (key, Held::Erased)));
                let numbered = (0..KEYS).filter_map(|n| Some((n, *held.get(&key_of(n))?)));
                (numbered.collect(), page.validity?)
            }
        };
        Some(Answer { number: number(read, held), validity, epoch })
    }

    /// Something happens to the store. Says what, and what is wrong with it if anything is.
    pub(crate) fn event(&mut self, seed: &Seed, weather: Weather) -> Result<String, String> {
        let mut said = String::new();
        if self.away && seed.once_in(3) {
            self.away = false;
            return Ok("can be reached again".into());
        }
        match seed.below(50) {
            0..=9 => self.pass(Duration::from_micros(seed.below(4)), &mut said),
            10..=13 => self.pass(Duration::from_millis(seed.below(3_000)), &mut said),
            14..=24 => self.commit(seed, Effective::Now, &mut said),
            25..=27 => {
                let after = Duration::from_micros(1 + seed.below(4_000_000));
                let at = self.time().closed.saturating_add(after);
                self.commit(seed, Effective::At(at), &mut said);
            }
            28 => self.cancel(seed, &mut said),
            29 => self.plan(seed, &mut said),
            30 => self.cancel_release(seed, &mut said),
            31..=33 if weather.caps => self.cap(seed, &mut said),
            34 => self.revert(seed, &mut said),
            35 => self.erase(seed, &mut said),
            43..=45 if weather.erases => self.erase(seed, &mut said),
            36 => self.retain(seed, &mut said),
            37 => self.crash(seed, &mut said),
            46 => self.lose_power_in_a_commit(seed, &mut said),
            47..=49 => self.import(seed, &mut said),
            38 => {
                let back = Duration::from_millis(seed.below(2_000));
                self.clock.set_wall(self.clock.wall().saturating_sub(back));
                let _ = write!(said, "the clock steps back by {back:?}");
            }
            39 if weather.restores => {
                let mut bytes = Vec::new();
                self.store().backup(&mut bytes, &mut |_| {}).expect("a backup");
                self.backup = Some((bytes, self.timeline.clone()));
                said.push_str("backup");
            }
            40..=41 if weather.restores => self.restore(&mut said),
            42 => {
                self.away = true;
                said.push_str("cannot be reached");
            }
            _ => {}
        }
        self.check_time()?;
        Ok(said)
    }

    /// Closed never steps back within an epoch.
    fn check_time(&mut self) -> Result<(), String> {
        let time = self.time();
        let (epoch, closed) = self.closed;
        self.closed = (time.epoch, time.closed);
        if epoch == time.epoch && time.closed < closed {
            return Err(format!("closed stepped back from {closed} to {}", time.closed));
        }
        Ok(())
    }

    fn pass(&self, span: Duration, said: &mut String) {
        self.clock.advance(span);
        self.store().tick().expect("it is open");
        let _ = write!(said, "closed {}", self.time().closed.as_micros());
    }

    fn commit(&mut self, seed: &Seed, effective: Effective, said: &mut String) {
        let mut writes: Vec<(usize, u64, Option<u64>)> = Vec::new();
        for _ in 0..=seed.below(2) {
            let place = (self.spaces.get(seed.index(self.spaces.len())), seed.below(KEYS));
            let (Some(space), key) = place else { continue };
            // Few values, so that they go and come back.
            let value = if seed.once_in(5) { None } else { Some(seed.below(2)) };
            if writes.iter().all(|(s, k, _)| (s, *k) != (space, key)) {
                writes.push((*space, key, value));
            }
        }
        self.numbers += 1;
        let idempotency = IdempotencyKey::new(self.numbers.to_string()).expect("a short text");
        let request = CommitRequest {
            effective,
            idempotency: Some(idempotency),
            writes: writes.iter().map(|(s, k, value)| write(*s, *k, *value)).collect(),
            author: "sim".into(),
            ..CommitRequest::default()
        };
        let mut outcome = self.store().commit(request.clone());
        if self.disk.is_down() {
            // Its writer does not know what became of it, and asks again.
            self.restart(seed);
            outcome = self.store().commit(request);
        }
        match outcome {
            Ok(receipt) => {
                let _ = write!(said, "{writes:?} at {}", receipt.effective.as_micros());
                self.note(receipt, &writes);
                if effective == Effective::Now {
                    self.written = Some((receipt.epoch, receipt.effective));
                } else {
                    self.pending.push((receipt.effective, receipt.id));
                }
            }
            Err(error) => {
                let _ = write!(said, "{writes:?} refused: {error}");
            }
        }
    }

    fn note(&mut self, receipt: Receipt, writes: &[(usize, u64, Option<u64>)]) {
        let place = (receipt.effective, receipt.id);
        for (space, key, value) in writes {
            self.timeline.write(place, *space, *key, *value);
        }
        self.commits.push(receipt.id);
    }

    fn cancel(&mut self, seed: &Seed, said: &mut String) {
        let Some(place) = seed.pick(&self.pending).copied() else { return };
        if self.store().cancel(place.1, actor()).is_ok() {
            self.timeline.remove(place);
            let _ = write!(said, "cancelled what was to come at {}", place.0.as_micros());
        }
    }

    /// A release is planned and scheduled.
    fn plan(&mut self, seed: &Seed, said: &mut String) {
        let Some(number) = seed.pick(&self.spaces).copied() else { return };
        let (key, value) = (seed.below(KEYS), seed.below(2));
        self.numbers += 1;
        let name = format!("release {}", self.numbers);
        let at = self.time().closed.saturating_add(Duration::from_millis(1 + seed.below(3_000)));
        let write = write(number, key, Some(value));
        let request = ReleaseRequest {
            name: name.clone(),
            at,
            message: String::new(),
            approving: asof_store::Approving::NotNeeded,
            keys: asof_store::Keys::Shared,
            writes: vec![(write.space, write.key, write.op)],
        };
        let by = Operator { actor: actor(), principal: "sim".into() };
        let planned = self.store().plan_release(request, by, DryRun::No);
        let scheduled =
            planned.and_then(|_| self.store().schedule_release(&name, actor(), DryRun::No));
        if let Some(id) = scheduled.ok().and_then(|release| release.scheduled_commit()) {
            let _ = write!(said, "{name} of {number}/{key}={value} at {}", at.as_micros());
            self.timeline.write((at, id), number, key, Some(value));
            self.releases.push((name, (at, id)));
        }
    }

    fn cancel_release(&mut self, seed: &Seed, said: &mut String) {
        let Some((name, place)) = seed.pick(&self.releases).cloned() else { return };
        if self.store().cancel_release(&name, actor(), DryRun::No).is_ok() {
            self.timeline.remove(place);
            let _ = write!(said, "{name} is cancelled");
        }
    }

    fn cap(&self, seed: &Seed, said: &mut String) {
        let time = self.time();
        if time.cap.is_some() && !seed.once_in(4) {
            let cleared = self.store().clear_cap(ClearCap::default(), actor(), DryRun::No);
            let _ = write!(said, "cap cleared: {}", cleared.is_ok());
            return;
        }
        let at = time.closed.saturating_sub(Duration::from_millis(seed.below(4_000)));
        let request = SetCap { replaces: time.cap, ..at.into() };
        let set = self.store().set_cap(request, actor(), DryRun::No);
        let _ = write!(said, "cap at {}: {}", at.as_micros(), set.is_ok());
    }

    fn revert(&mut self, seed: &Seed, said: &mut String) {
        let Some(id) = seed.pick(&self.commits).copied() else { return };
        let request = Revert {
            target: RevertTarget::Commit(id),
            space: None,
            effective: Effective::Now,
            conflicts: Conflicts::Keep,
            keep: Vec::new(),
            restore: Vec::new(),
            confirm: Confirm::default(),
        };
        let done = self.store().revert(&request, actor(), DryRun::No);
        let Some(receipt) = done.ok().and_then(|outcome| outcome.receipt) else { return };
        let commit = self.store().commit_by_id(receipt.id).expect("it was made");
        // What it puts back is held against a model by the tests of the store.
        let view = self.store().view(AsOf::Beyond(receipt.effective)).expect("it is closed");
        let mut writes = Vec::new();
        for write in &commit.writes {
            let space_of = self.spaces.iter().copied().find(|s| space(*s) == write.space);
            let key = (0..KEYS).find(|n| key_of(*n) == write.key);
            let held = view.get(&write.space, &write.key).expect("it was written");
            let held = held.value.map(|version| value(&version.bytes));
            writes.extend(space_of.zip(key).map(|(space, key)| (space, key, held)));
        }
        let _ = write!(said, "reverted by {writes:?} at {}", receipt.effective.as_micros());
        self.note(receipt, &writes);
    }

    fn erase(&mut self, seed: &Seed, said: &mut String) {
        let Some(number) = seed.pick(&self.spaces).copied() else { return };
        let key = seed.below(KEYS);
        let mut request =
            Erase { space: space(number), key: key_of(key), versions: None, known: Known::Must };
        let Ok(dry) = self.store().erase(&request, actor(), DryRun::Yes) else { return };
        request.versions = Some(dry.versions);
        self.store().erase(&request, actor(), DryRun::No).expect("it was looked at just before");
        let time = self.time();
        self.timeline.erased.insert((number, key), (time.epoch, time.closed));
        let _ = write!(said, "{number}/{key} is erased");
    }

    fn retain(&self, seed: &Seed, said: &mut String) {
        let Some(number) = seed.pick(&self.spaces).copied() else { return };
        let policy = match seed.below(3) {
            0 => Retention::KeepAll,
            _ => Retention::KeepFor(SECOND * (1 + u32::try_from(seed.below(6)).unwrap_or(0))),
        };
        let done = self.store().set_retention(&space(number), policy, actor(), DryRun::No);
        let _ = write!(said, "{number} keeps {policy:?}: {}", done.is_ok());
    }

    /// The power fails; what the disk kept is opened.
    fn crash(&mut self, seed: &Seed, said: &mut String) {
        self.restart(seed);
        said.push_str("the power fails");
    }

    fn restart(&mut self, seed: &Seed) {
        let image = Arc::new(self.disk.after_crash(seed.below(1 << 32)));
        self.disk.lose_power_at(self.disk.operations());
        self.open(image);
    }

    /// The power fails at some operation of a commit, or just after it.
    fn lose_power_in_a_commit(&mut self, seed: &Seed, said: &mut String) {
        self.disk.lose_power_at(self.disk.operations() + seed.below(8));
        self.commit(seed, Effective::Now, said);
        self.restart(seed);
        said.push_str(", and the power fails in it");
    }

    /// A space is imported: made, filled with its past, taken live.
    fn import(&mut self, seed: &Seed, said: &mut String) {
        let known = self.store().spaces();
        let found = |number: &usize| known.iter().find(|info| info.name == space(*number));
        let is_live = |number: &&usize| {
            found(number).is_some_and(|info| matches!(info.state, SpaceState::Live { .. }))
        };
        let Some(number) = self.spaces.iter().find(|number| !is_live(number)).copied() else {
            return;
        };
        let name = space(number);
        let Some(info) = found(&number) else {
            self.store().create_importing_space(&name, actor()).expect("there is none yet");
            let _ = write!(said, "{number} is imported");
            return;
        };
        if seed.once_in(3) {
            let live = self.store().go_live(&name, actor());
            let _ = write!(said, "{number} goes live: {}", live.is_ok());
            return;
        }
        let last = match &info.state {
            SpaceState::Importing(last) => last.last_at,
            SpaceState::Live { .. } => return,
        };
        let at = last.map_or(Timestamp::MIN, |last| last.saturating_add(Duration::from_micros(1)));
        let at = at.saturating_add(Duration::from_millis(seed.below(1_000)));
        if at > self.time().closed.min(self.clock.wall()) {
            return;
        }
        self.numbers += 1;
        let (key, value) = (seed.below(KEYS), seed.below(2));
        let backfill = Backfill {
            source_id: self.numbers.to_string(),
            at,
            author: String::new(),
            message: String::new(),
            writes: vec![(key_of(key), write(number, key, Some(value)).op)],
        };
        if self.store().import(&name, vec![backfill]).is_ok() {
            let (id, at) = self
                .store()
                .source(&name, &self.numbers.to_string())
                .expect("readable")
                .expect("it was imported");
            self.timeline.write((at, id), number, key, Some(value));
            let _ = write!(said, "{number}/{key}={value} was so from {}", at.as_micros());
        }
    }

    fn open(&mut self, disk: Arc<SimDisk>) {
        drop(self.store.take());
        let store = Store::open_file(disk.clone(), options(&self.clock)).expect("it opens");
        store.tick().expect("it is open");
        (self.store, self.disk) = (Some(store), disk);
    }

    /// The backup is restored, in a new timeline, with what was erased since.
    fn restore(&mut self, said: &mut String) {
        let Some((bytes, mut timeline)) = self.backup.clone() else { return };
        // Another clock reading gives another epoch.
        self.clock.advance(Duration::from_millis(1));
        let dir = tempfile::tempdir().expect("a folder");
        let erasures = self.store().erasures(0, 1_000).expect("they are listed");
        let (options, erased) = (options(&self.clock), Erased::These(&erasures));
        let mut source = bytes.as_slice();
        Store::restore(&mut source, dir.path(), &options, erased, actor(), &mut |_| {})
            .expect("a good backup");
        let file = OsFile::open(&dir.path().join("store.asof"), WhenMissing::Refuse);
        let file = file.expect("the store's file");
        let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
        file.read_at(0, &mut bytes).expect("readable");
        let before = self.time();
        timeline.erased.clone_from(&self.timeline.erased);
        self.past.insert(before.epoch, core::mem::replace(&mut self.timeline, timeline));
        self.open(Arc::new(SimDisk::with_bytes(bytes)));
        self.pending.clear();
        self.releases.clear();
        self.commits.clear();
        let time = self.time();
        assert!(time.epoch != before.epoch, "a restore is another timeline");
        let _ = write!(said, "restored: {} -> {}", before.epoch, time.epoch);
    }
}

fn write(number: usize, key: u64, value: Option<u64>) -> Write {
    let op =
        value.map_or(Op::Delete, |value| Op::Put(Value::binary(value.to_string().into_bytes())));
    Write { space: space(number), key: key_of(key), op, precondition: Precondition::None }
}
