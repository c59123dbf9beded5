//! A random run: operations on a store, and the same ones on the oracle.

mod commit;
mod control;
mod erase;
mod import;
mod pending;
mod revert;

use asof_env::testing::ManualClock;
use asof_store::{
    CommitRequest, ContentHash, Error, ErrorKind, Key, Op, Precondition, Receipt, Result,
    SpaceName, SpaceState, Write,
};
use asof_time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::dice::Dice;
use crate::oracle::{Oracle, Place};
use crate::record::Recorder;
use crate::steps::Stepped;
use crate::world::{START, at, delete, key, put, space};

const SPACES: [&str; 4] = ["a", "b", "c", "d"];
const KEYS: [&str; 8] = ["k", "k/1", "k/2", "k\0", "k\0\u{1}", "l", "m/n", "\u{10ffff}"];
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A store with everything that is known of it.
pub(crate) struct Run {
    pub(crate) dice: Dice,
    pub(crate) world: Stepped,
    pub(crate) oracle: Oracle,
    pub(crate) recorder: Recorder,
    pub(crate) pins: BTreeMap<String, Timestamp>,
    repeatable: Vec<(CommitRequest, Receipt)>,
    /// Requests that wrote a key that was erased since.
    forgotten: Vec<CommitRequest>,
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
            forgotten: Vec::new(),
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
        match self.dice.below(43) {
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
            33..=34 => self.revert(),
            35 => self.erase(),
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
        assert!(closed >= before && closed >= self.world.wall(), "closed follows the clock");
        self.after();
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(mut self) -> Self {
        self.world = self.world.reopen();
        self.after();
        self
    }

    /// The power fails, and the store is opened again.
    pub(crate) fn crash(mut self, seed: u64) -> Self {
        self.world = self.world.crash(seed);
        self.after();
        self
    }

    /// Goes on with a store that was restored to what was known then.
    pub(crate) fn restored(
        mut self,
        world: Stepped,
        oracle: Oracle,
        pins: BTreeMap<String, Timestamp>,
    ) -> Self {
        (self.world, self.oracle, self.pins) = (world, oracle, pins);
        self.after();
        self
    }

    /// What holds after every operation. Pins whose time was over may have lapsed in it.
    fn after(&mut self) {
        let time = self.world.store.time();
        assert!(time.latest == time.cap.map_or(time.closed, |cap| cap.min(time.closed)));
        let live: BTreeMap<_, _> =
            self.world.store.pins().into_iter().map(|pin| (pin.name, pin.at)).collect();
        self.pins.retain(|name, _| live.contains_key(name));
        assert_eq!(live, self.pins);
        let held = self.pins.values().copied().chain(time.cap).min();
        for info in self.world.store.spaces() {
            let known = self.oracle.spaces.entry(info.name.clone()).or_default();
            let risen = known.floor.is_none_or(|before| info.floor > before);
            assert!(Some(info.floor) >= known.floor, "a floor never steps back");
            if risen && info.floor > Timestamp::MIN {
                assert!(held.is_none_or(|held| info.floor <= held), "a floor never passes a hold");
                assert!(info.floor <= time.closed);
            }
            known.floor = Some(info.floor);
            assert_eq!(known.importing, matches!(info.state, SpaceState::Importing(_)));
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
            if writes.iter().all(|w| (&w.space, &w.key) != (&write.space, &write.key)) {
                writes.push(write);
            }
        }
        writes
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
    assert!(kinds.contains(&kind.as_str()), "{error}, not one of {kinds:?}");
}
