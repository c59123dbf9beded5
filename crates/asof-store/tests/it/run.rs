//! A random run: operations on a store, and the same ones on the oracle.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use asof_env::testing::ManualClock;
use asof_store::{
    Amendment, Backfill, CommitRequest, ContentHash, DryRun, Effective, Error, ErrorKind,
    IdempotencyKey, Key, Op, PinRequest, Precondition, Receipt, Result, Retention, Source,
    SpaceName, SpaceState, Write,
};
use asof_time::{Sequence, Timestamp};

use crate::dice::Dice;
use crate::oracle::{Oracle, OracleCommit, Place};
use crate::record::Recorder;
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, put, space};

const SPACES: [&str; 4] = ["a", "b", "c", "d"];
const KEYS: [&str; 8] = [
    "k",
    "k/1",
    "k/2",
    "k\0",
    "k\0\u{1}",
    "l",
    "m/n",
    "\u{10ffff}",
];
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A store with everything that is known of it.
pub(crate) struct Run {
    pub(crate) dice: Dice,
    pub(crate) world: Stepped,
    pub(crate) oracle: Oracle,
    pub(crate) recorder: Recorder,
    pub(crate) pins: BTreeMap<String, Timestamp>,
    repeatable: Vec<(CommitRequest, Receipt)>,
    sources: Vec<(SpaceName, String, Place)>,
    pub(crate) retention: WithRetention,
    numbers: u64,
}

/// Whether a run drops history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WithRetention {
    Yes,
    No,
}

/// Near the end of time as often as near its beginning or the present.
pub(crate) fn start(dice: &mut Dice) -> Timestamp {
    match dice.below(4) {
        0 => at(dice.below(3)),
        1 => at(START),
        _ => Timestamp::MAX.saturating_sub(Duration::from_hours(1 + dice.below(20))),
    }
}

impl Run {
    pub(crate) fn new(mut dice: Dice, retention: WithRetention) -> Self {
        let world = Stepped::new(start(&mut dice));
        Self {
            dice,
            world,
            oracle: Oracle::default(),
            recorder: Recorder::default(),
            pins: BTreeMap::new(),
            repeatable: Vec::new(),
            sources: Vec::new(),
            retention,
            numbers: 0,
        }
    }

    pub(crate) fn clock(&self) -> &Arc<ManualClock> {
        &self.world.clock
    }

    /// One random operation.
    pub(crate) fn step(&mut self) {
        match self.dice.below(40) {
            0..=13 => self.commit(),
            14..=16 => self.repeat(),
            17..=18 => self.amend(),
            19..=20 => self.cancel(),
            21..=23 => self.import(),
            24 => self.create_space(),
            25..=26 => self.go_live(),
            27 => self.cap(),
            28..=29 => self.pin(),
            30..=31 => self.retain(),
            32 => self.step_clock_back(),
            _ => {
                let span = match self.dice.below(3) {
                    0 => Duration::from_micros(self.dice.below(3)),
                    1 => Duration::from_millis(self.dice.below(900)),
                    _ => self.seconds(4),
                };
                self.pass(span);
            }
        }
        self.after();
    }

    fn seconds(&mut self, most: u64) -> Duration {
        Duration::from_secs(1 + self.dice.below(most))
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        let before = self.world.closed();
        let closed = self.world.pass(span);
        assert!(
            closed >= before && closed >= self.world.wall(),
            "closed follows the clock"
        );
        self.after();
    }

    /// What holds after every operation.
    fn after(&mut self) {
        let time = self.world.store.time();
        assert!(time.latest == time.cap.map_or(time.closed, |cap| cap.min(time.closed)));
        let live: BTreeMap<_, _> = self
            .world
            .store
            .pins()
            .into_iter()
            .map(|pin| (pin.name, pin.at))
            .collect();
        self.pins.retain(|name, _| live.contains_key(name));
        assert_eq!(live, self.pins);
        let held = self.pins.values().copied().chain(time.cap).min();
        for info in self.world.store.spaces() {
            let known = self.oracle.spaces.entry(info.name.clone()).or_default();
            let risen = known.floor.is_none_or(|before| info.floor > before);
            assert!(Some(info.floor) >= known.floor, "a floor never steps back");
            if risen && info.floor > Timestamp::MIN {
                assert!(
                    held.is_none_or(|held| info.floor <= held),
                    "a floor never passes a hold"
                );
                assert!(info.floor <= time.closed);
            }
            known.floor = Some(info.floor);
            assert_eq!(
                known.importing,
                matches!(info.state, SpaceState::Importing(_))
            );
        }
    }

    fn space(&mut self) -> SpaceName {
        space(self.dice.pick(&SPACES).copied().unwrap_or("a"))
    }

    pub(crate) fn key(&mut self) -> Key {
        key(self.dice.pick(&KEYS).copied().unwrap_or("k"))
    }

    /// The timestamp that a commit for now gets next.
    fn next_now(&self) -> Timestamp {
        let after = self.world.closed().next().expect("time has not ended");
        self.world.wall().max(after)
    }

    fn write(&mut self) -> Write {
        let (of, key) = (self.space(), self.key());
        self.numbers += 1;
        let mut write = if self.dice.one_in(4) {
            delete(of.as_str(), key.as_str())
        } else {
            // Some values come back, so that equal bytes are not taken for an unchanged key.
            let number = if self.dice.one_in(3) { 0 } else { self.numbers };
            put(of.as_str(), key.as_str(), &format!("value {number}"))
        };
        write.precondition = match self.dice.below(12) {
            0 => Precondition::Absent,
            1 => Precondition::Present,
            2 => Precondition::UnchangedSince(self.world.closed()),
            3 => Precondition::HashIs(ContentHash::of(b"value 0")),
            _ => Precondition::None,
        };
        write
    }

    pub(crate) fn writes(&mut self) -> Vec<Write> {
        let mut writes: Vec<Write> = Vec::new();
        for _ in 0..=self.dice.below(4) {
            let write = self.write();
            if writes
                .iter()
                .all(|w| (&w.space, &w.key) != (&write.space, &write.key))
            {
                writes.push(write);
            }
        }
        writes
    }

    fn commit(&mut self) {
        let mut request = CommitRequest {
            writes: self.writes(),
            author: "model".into(),
            message: format!("commit {}", self.numbers),
            ..CommitRequest::default()
        };
        match self.dice.below(8) {
            0..=2 => {
                let ahead = match self.dice.below(3) {
                    0 => Duration::from_micros(self.dice.below(4)),
                    _ => Duration::from_millis(self.dice.below(9_000)),
                };
                request.effective = Effective::At(self.world.wall().saturating_add(ahead));
            }
            3 => {
                let of = self.space();
                request.writes.retain(|write| write.space == of);
                let id = format!("source {}", self.dice.below(12));
                request.source = Some(Source {
                    space: of,
                    id,
                    at: self.world.wall(),
                });
            }
            _ => {}
        }
        if self.dice.one_in(3) {
            let name = format!("key {}", self.numbers);
            request.idempotency = Some(IdempotencyKey::new(name).expect("a key"));
        }
        self.ask(&request);
    }

    /// Asks for a commit, and holds the outcome against what the oracle expects.
    fn ask(&mut self, request: &CommitRequest) {
        let expected = self.expect(request);
        let outcome = self.world.store.commit(request.clone());
        match (&outcome, expected) {
            (Ok(receipt), Expected::Taken { effective, opened }) => {
                self.take(request, *receipt, effective, opened);
            }
            (Ok(receipt), Expected::Known(place)) => {
                assert!(receipt.replayed);
                assert_eq!((receipt.effective, receipt.id), place);
            }
            (Err(error), Expected::Refused(kind)) => {
                assert_eq!(error.kind().as_str(), kind, "{error}");
            }
            (outcome, expected) => panic!("{expected:?}, not {outcome:?}, for {request:?}"),
        }
    }

    fn expect(&self, request: &CommitRequest) -> Expected {
        if request.writes.is_empty() && request.source.is_none() {
            return Expected::Refused("Invalid");
        }
        if let Some(source) = &request.source {
            let known = self
                .sources
                .iter()
                .find(|(s, id, _)| *s == source.space && *id == source.id);
            if let Some((.., place)) = known {
                return Expected::Known(*place);
            }
        }
        let spaces = request.writes.iter().map(|write| &write.space);
        let mut opened = Vec::new();
        for name in spaces.chain(request.source.as_ref().map(|source| &source.space)) {
            match self.oracle.spaces.get(name) {
                Some(known) if known.importing => return Expected::Refused("StillImporting"),
                Some(_) => {}
                None if opened.contains(name) => {}
                None => opened.push(name.clone()),
            }
        }
        opened.sort();
        let mut now = self.next_now();
        let mut last = self.world.closed();
        if !opened.is_empty() {
            (last, now) = (now, now.next().expect("time has not ended"));
        }
        let effective = match request.effective {
            Effective::Now => now,
            Effective::At(at) if at <= last => return Expected::Refused("InThePast"),
            Effective::At(at) => at,
        };
        let holds = |write: &Write| {
            let before =
                self.oracle
                    .just_before(&write.space, &write.key, (effective, Sequence::MAX));
            judge(write.precondition, before)
        };
        if !request.writes.iter().all(holds) {
            return Expected::Refused("Conflict");
        }
        Expected::Taken { effective, opened }
    }

    fn take(
        &mut self,
        request: &CommitRequest,
        receipt: Receipt,
        effective: Timestamp,
        opened: Vec<SpaceName>,
    ) {
        assert!(!receipt.replayed);
        assert_eq!(receipt.effective, effective);
        let place = (receipt.effective, receipt.id);
        if !opened.is_empty() {
            let id = Sequence::new(receipt.id.as_u64() - 1).expect("an id before it");
            let opening = self
                .world
                .store
                .commit_by_id(id)
                .expect("the opening is in the log");
            assert_eq!(opening.opened, opened);
            let commit = OracleCommit {
                backfilled: false,
                opened,
                message: opening.message,
                writes: Vec::new(),
            };
            self.oracle.insert((opening.effective, id), commit);
        }
        if let Some(source) = &request.source {
            self.sources
                .push((source.space.clone(), source.id.clone(), place));
        }
        let commit = OracleCommit {
            backfilled: false,
            opened: Vec::new(),
            message: request.message.clone(),
            writes: effects(&request.writes),
        };
        self.oracle.insert(place, commit);
        if request.idempotency.is_some() {
            self.repeatable.push((request.clone(), receipt));
        }
    }

    /// Makes a request again that was made with an idempotency key.
    fn repeat(&mut self) {
        let index = self.dice.index(self.repeatable.len());
        let Some((request, receipt)) = self.repeatable.get(index).cloned() else {
            return self.commit();
        };
        if self.dice.one_in(4) {
            let message = "another request under the same key".to_owned();
            let other = CommitRequest { message, ..request };
            assert_kind(self.world.store.commit(other), "Conflict");
        } else {
            let again = self
                .world
                .store
                .commit(request)
                .expect("a repeated request");
            // A restored store tells it as a part of its own timeline.
            let epoch = self.world.store.time().epoch;
            let expected = Receipt {
                replayed: true,
                epoch,
                ..receipt
            };
            assert_eq!(again, expected);
        }
    }

    fn some_commit(&mut self) -> Option<(Place, OracleCommit)> {
        let closed = self.world.closed();
        let any = self.dice.one_in(4);
        let places: Vec<Place> = self
            .oracle
            .commits
            .iter()
            .filter(|(place, commit)| !commit.backfilled && (any || place.0 > closed))
            .map(|(place, _)| *place)
            .collect();
        let place = *self.dice.pick(&places)?;
        Some((place, self.oracle.commits.get(&place)?.clone()))
    }

    fn cancel(&mut self) {
        let Some((place, commit)) = self.some_commit() else {
            return;
        };
        let closed = self.world.closed();
        let outcome = self.world.store.cancel(place.1, actor("changed our mind"));
        if place.0 <= closed {
            // Its row may be gone with the history that it belonged to.
            return assert_one_of(outcome, &["InThePast", "NotFound", "BelowFloor"]);
        }
        assert_eq!(outcome.expect("pending").message, commit.message);
        self.oracle.remove(place);
        assert_kind(self.world.store.cancel(place.1, actor("twice")), "NotFound");
    }

    fn amend(&mut self) {
        let Some((place, old)) = self.some_commit() else {
            return;
        };
        let mut amendment = Amendment::default();
        if self.dice.one_in(2) {
            let ahead = Duration::from_millis(self.dice.below(9_000));
            amendment.effective = Some(self.world.wall().saturating_add(ahead));
        }
        if self.dice.one_in(2) {
            amendment.message = Some(format!("amended {}", self.numbers));
        }
        if self.dice.one_in(2) {
            let mut writes = self.writes();
            writes.retain(|write| {
                self.oracle
                    .spaces
                    .get(&write.space)
                    .is_some_and(|space| !space.importing)
            });
            if !writes.is_empty() {
                for write in &mut writes {
                    write.precondition = Precondition::None;
                }
                amendment.writes = Some(writes);
            }
        }
        let closed = self.world.closed();
        let outcome = self
            .world
            .store
            .amend(place.1, amendment.clone(), actor("a better idea"));
        let effective = amendment.effective.unwrap_or(place.0);
        if place.0 <= closed {
            return assert_one_of(outcome, &["InThePast", "NotFound", "BelowFloor"]);
        }
        if effective <= closed {
            return assert_kind(outcome, "InThePast");
        }
        let receipt = outcome.expect("pending");
        assert_eq!((receipt.effective, receipt.id), (effective, place.1));
        self.oracle.remove(place);
        let commit = OracleCommit {
            message: amendment.message.unwrap_or(old.message),
            writes: amendment.writes.as_deref().map_or(old.writes, effects),
            ..old
        };
        self.oracle.insert((effective, place.1), commit);
    }

    fn create_space(&mut self) {
        let name = self.space();
        let outcome = self
            .world
            .store
            .create_importing_space(&name, actor("an import"));
        if self.oracle.spaces.contains_key(&name) {
            return assert_kind(outcome, "Conflict");
        }
        outcome.expect("a new space");
        self.oracle.spaces.entry(name).or_default().importing = true;
    }

    fn import(&mut self) {
        let Some((name, last)) = self
            .oracle
            .spaces
            .iter()
            .find(|(_, space)| space.importing)
            .map(|(name, space)| (name.clone(), space.last_at))
        else {
            return self.create_space();
        };
        // A store that was opened ahead of its clock lets the clock catch up before it writes.
        self.pass(self.world.closed().since(self.world.wall()));
        let wall = self.world.wall();
        let (mut batch, mut times, mut last) = (Vec::new(), Vec::new(), last);
        for _ in 0..=self.dice.below(3) {
            // Sometimes ahead of the clock, where it is clamped.
            let after = last
                .map_or(Some(Timestamp::MIN), Timestamp::next)
                .expect("time goes on");
            let asked = match self.dice.below(4) {
                0 => wall.saturating_add(self.seconds(1_000)),
                1 => after,
                _ => after.saturating_add(Duration::from_micros(self.dice.below(100))),
            };
            let taken = if asked > wall { wall.max(after) } else { asked };
            last = Some(taken);
            times.push(taken);
            self.numbers += 1;
            let mut writes = self.writes();
            let mut seen = Vec::new();
            writes.retain(|write| {
                let new = !seen.contains(&write.key);
                seen.push(write.key.clone());
                new
            });
            batch.push(Backfill {
                source_id: format!("history {}", self.numbers),
                at: asked,
                author: "history".into(),
                message: format!("history {}", self.numbers),
                writes: writes
                    .into_iter()
                    .map(|write| (write.key, write.op))
                    .collect(),
            });
        }
        let receipt = self
            .world
            .store
            .import(&name, batch.clone())
            .expect("imports");
        assert_eq!((receipt.imported, receipt.known), (batch.len() as u64, 0));
        let again = self
            .world
            .store
            .import(&name, batch.clone())
            .expect("imports");
        assert_eq!((again.imported, again.known), (0, batch.len() as u64));
        for (commit, effective) in batch.into_iter().zip(times) {
            let found = self
                .world
                .store
                .source(&name, &commit.source_id)
                .expect("readable");
            let (id, found) = found.expect("its source id is kept");
            assert_eq!(found, effective);
            let writes = commit
                .writes
                .into_iter()
                .map(|(key, op)| (name.clone(), key, bytes(&op)));
            let imported = OracleCommit {
                backfilled: true,
                opened: Vec::new(),
                message: commit.message,
                writes: writes.collect(),
            };
            self.sources
                .push((name.clone(), commit.source_id, (effective, id)));
            self.oracle.insert((effective, id), imported);
        }
        self.oracle.spaces.entry(name).or_default().last_at = last;
    }

    fn go_live(&mut self) {
        let name = self.space();
        let before = self.world.closed();
        let outcome = self.world.store.go_live(&name, actor("the import is done"));
        match self.oracle.spaces.get(&name).cloned() {
            None => assert_kind(outcome, "UnknownSpace"),
            Some(known) if !known.importing => assert_kind(outcome, "Conflict"),
            Some(known) => {
                let receipt = outcome.expect("it goes live");
                assert!(receipt.effective > before, "going live is above closed");
                assert!(known.last_at.is_none_or(|last| receipt.effective > last));
                let commit = OracleCommit {
                    backfilled: false,
                    opened: vec![name],
                    message: "the import is done".into(),
                    writes: Vec::new(),
                };
                self.oracle.insert((receipt.effective, receipt.id), commit);
            }
        }
    }

    fn cap(&mut self) {
        let time = self.world.store.time();
        if time.cap.is_some() || self.dice.one_in(3) {
            let outcome = self.world.store.clear_cap(actor("over"), DryRun::No);
            match time.cap {
                None => assert_kind(outcome, "Conflict"),
                Some(_) => assert_eq!(outcome.expect("cleared").cap, None),
            }
            return;
        }
        let at = self.moment();
        let outcome = self.world.store.set_cap(at, actor("roll back"), DryRun::No);
        if at > time.closed {
            assert_kind(outcome, "NotYetClosed");
        } else if at < time.floor {
            assert_kind(outcome, "BelowFloor");
        } else {
            assert_eq!(outcome.expect("set").cap, Some(at));
        }
    }

    fn pin(&mut self) {
        let name = format!("pin {}", self.dice.below(3));
        if self.pins.contains_key(&name) && self.dice.one_in(2) {
            self.world
                .store
                .release_pin(&name, actor("done"), DryRun::No)
                .expect("a live pin");
            self.pins.remove(&name);
            return;
        }
        let time = self.world.store.time();
        let at = self.moment();
        let request = PinRequest {
            name: name.clone(),
            owner: "model".into(),
            reason: String::new(),
            at: Some(at),
            ttl: self.seconds(20),
        };
        let outcome = self.world.store.create_pin(request);
        if let Some(held) = self.pins.get(&name) {
            assert_eq!(outcome.expect("renewed").at, *held);
        } else if at > time.closed {
            assert_kind(outcome, "NotYetClosed");
        } else if at < time.floor {
            assert_kind(outcome, "BelowFloor");
        } else if time.cap.is_some_and(|cap| at > cap) {
            assert_kind(outcome, "AboveCap");
        } else {
            self.pins.insert(name, outcome.expect("pinned").at);
        }
    }

    fn retain(&mut self) {
        if self.retention == WithRetention::No {
            return;
        }
        let name = self.space();
        let every = self.seconds(3);
        let policy = match self.dice.below(4) {
            0 => Retention::KeepAll,
            1 => Retention::KeepFor(self.seconds(12)),
            _ => Retention::Sparse {
                dense: self.seconds(8),
                every,
            },
        };
        let outcome = self
            .world
            .store
            .set_retention(&name, policy, actor("space"), DryRun::No);
        let Some(known) = self.oracle.spaces.get_mut(&name) else {
            return assert_kind(outcome, "UnknownSpace");
        };
        outcome.expect("a policy");
        let floor = known.floor.unwrap_or(Timestamp::MIN);
        known.instants = match (policy, known.instants) {
            (Retention::Sparse { every, .. }, before) => {
                let every = every.as_secs() * 1_000_000;
                let kept = before.filter(|(old, _)| every.checked_rem(*old) == Some(0));
                Some((every, kept.map_or(floor, |(_, since)| since)))
            }
            _ => None,
        };
    }

    fn step_clock_back(&mut self) {
        let back = Duration::from_millis(self.dice.below(3_000));
        self.clock()
            .set_wall(self.world.wall().saturating_sub(back));
        self.world.store.tick().expect("open");
    }

    /// A moment worth asking about: around what happened, or anywhere up to a little above closed.
    pub(crate) fn moment(&mut self) -> Timestamp {
        let closed = self.world.closed();
        let places: Vec<Timestamp> = self.oracle.commits.keys().map(|(t, _)| *t).collect();
        let near = self.dice.pick(&places).copied().unwrap_or(closed);
        match self.dice.below(8) {
            0 => closed,
            1 => closed.next().unwrap_or(closed),
            2 => near.prev().unwrap_or(near),
            3 => near.next().unwrap_or(near),
            4 => at(near.as_micros() / 1_000_000 * 1_000_000),
            5 => closed.saturating_sub(Duration::from_millis(self.dice.below(20_000))),
            _ => near,
        }
    }
}

/// What the oracle makes of a request.
#[derive(Debug)]
enum Expected {
    Taken {
        effective: Timestamp,
        opened: Vec<SpaceName>,
    },
    Known(Place),
    Refused(&'static str),
}

fn judge(precondition: Precondition, before: Option<(Place, Option<Vec<u8>>)>) -> bool {
    let written = before.as_ref().map(|(place, _)| place.0);
    let value = before.and_then(|(_, value)| value);
    match precondition {
        Precondition::None => true,
        Precondition::Absent => value.is_none(),
        Precondition::Present => value.is_some(),
        Precondition::HashIs(hash) => value.is_some_and(|value| ContentHash::of(&value) == hash),
        Precondition::UnchangedSince(since) => written.is_none_or(|written| written <= since),
    }
}

fn bytes(op: &Op) -> Option<Vec<u8>> {
    match op {
        Op::Put(value) => Some(value.bytes.to_vec()),
        Op::Delete => None,
    }
}

fn effects(writes: &[Write]) -> Vec<(SpaceName, Key, Option<Vec<u8>>)> {
    let effect = |write: &Write| (write.space.clone(), write.key.clone(), bytes(&write.op));
    writes.iter().map(effect).collect()
}

#[track_caller]
pub(crate) fn assert_kind<T: Debug>(outcome: Result<T>, kind: &str) {
    assert_one_of(outcome, &[kind]);
}

#[track_caller]
pub(crate) fn assert_one_of<T: Debug>(outcome: Result<T>, kinds: &[&str]) {
    let error: Error = outcome.expect_err("it is refused");
    let kind: ErrorKind = error.kind();
    assert!(
        kinds.contains(&kind.as_str()),
        "{error}, not one of {kinds:?}"
    );
}
