//! What is true: a store with its history, and services that are programs.

use std::collections::BTreeMap;
use std::ops::Bound;

use asof_time::{Epoch, Timestamp, Validity};

use super::seed::{Seed, mix};

/// The last one says which release of each service is in force.
pub(crate) const SPACES: [&str; 5] = ["goods", "names", "stock", "rates", "releases"];
pub(crate) const DATA: u64 = 4;
pub(crate) const RELEASES: usize = 4;
pub(crate) const KEYS: u64 = 3;
pub(crate) const SERVICES: u64 = 5;
pub(crate) const ARGUMENTS: u64 = 2;
pub(crate) const STATES: [&str; 2] = ["theme", "zone"];
/// The clock that services may be shown moves once in so many ticks.
pub(crate) const BUCKET: u64 = 8;

/// One tick of the world's clock. Starts near the end of time as often as near its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(u64);

impl Clock {
    pub(crate) fn starting(seed: &mut Seed) -> Self {
        Self(if seed.once_in(2) { 1 } else { Timestamp::MAX.as_micros() - 100_000 })
    }

    pub(crate) fn at(self, tick: u64) -> Timestamp {
        Timestamp::from_micros(self.0 + tick).unwrap()
    }
}

/// The history of one key: what it was from each tick on.
type History = BTreeMap<u64, Option<u64>>;

/// A store: everything that was ever written, and how far that is closed.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) clock: Clock,
    pub(crate) epoch: u64,
    pub(crate) closed: u64,
    histories: BTreeMap<(usize, u64), History>,
    /// Written, closed, and not yet told to the edge: tick, space, key.
    pub(crate) untold: std::collections::VecDeque<(u64, usize, u64)>,
}

impl Store {
    pub(crate) fn new(clock: Clock) -> Self {
        let (histories, untold) = (BTreeMap::new(), std::collections::VecDeque::new());
        Self { clock, epoch: 1, closed: 1, histories, untold }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::from_random(self.epoch)
    }

    /// Time passes, and some keys are written at the new tick.
    pub(crate) fn tick(&mut self, writes: &[(usize, u64, Option<u64>)]) {
        self.closed += 1;
        for (space, key, value) in writes {
            self.histories.entry((*space, *key)).or_default().insert(self.closed, *value);
            self.untold.push_back((self.closed, *space, *key));
        }
    }

    /// A restore: what came after `kept` is gone, and another epoch begins above it.
    pub(crate) fn restore(&mut self, kept: u64) {
        for history in self.histories.values_mut() {
            history.split_off(&(kept + 1));
        }
        self.epoch += 1;
        self.closed += 1;
        self.untold.clear();
    }

    /// A key's whole history goes.
    pub(crate) fn erase(&mut self, space: usize, key: u64) {
        self.histories.remove(&(space, key));
    }

    pub(crate) fn get(&self, space: usize, key: u64, at: u64) -> Option<u64> {
        let history = self.histories.get(&(space, key))?;
        history.range(..=at).next_back().and_then(|(_, value)| *value)
    }

    /// All keys of a range, with their values.
    pub(crate) fn scan(&self, space: usize, keys: (u64, u64), at: u64) -> Vec<(u64, u64)> {
        let keys = keys.0..=keys.1;
        keys.filter_map(|key| Some((key, self.get(space, key, at)?))).collect()
    }

    /// Over which interval what is at `at` in these keys is true.
    pub(crate) fn validity(&self, space: usize, keys: (u64, u64), at: u64) -> Validity {
        let (mut from, mut until) = (0, None::<u64>);
        for key in keys.0..=keys.1 {
            let Some(history) = self.histories.get(&(space, key)) else { continue };
            if let Some((tick, _)) = history.range(..=at).next_back() {
                from = from.max(*tick);
            }
            let after = (Bound::Excluded(at), Bound::Unbounded);
            if let Some((tick, _)) = history.range(after).next() {
                until = Some(until.map_or(*tick, |until| until.min(*tick)));
            }
        }
        let from = self.clock.at(from);
        match until {
            Some(until) => Validity::until(from, self.clock.at(until)),
            None => Validity::through(from, self.clock.at(self.closed)),
        }
        .unwrap()
    }
}

/// One step of a service's program.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Read {
        space: usize,
        key: u64,
    },
    Scan {
        space: usize,
        keys: (u64, u64),
    },
    /// A key, and a space, that depend on what was read so far.
    ReadWhatWasFound,
    Call {
        service: u64,
        argument: u64,
    },
    /// A call with an argument that depends on what was read so far.
    CallWhatWasFound {
        service: u64,
    },
    /// The rest only if what was read so far is odd.
    OnlyIfOdd,
    /// Two calls at once.
    Both {
        left: (u64, u64),
        right: (u64, u64),
    },
    State {
        name: usize,
    },
    Clock,
    /// One key says in which of two spaces the other lies, and only the other's parity goes on.
    Hop {
        key: u64,
    },
    /// Only the parity goes on: equal answers from unequal inputs.
    Forget,
    /// Service 1 asks service 2 while a value is 1, and the other way round while it is not.
    Turn,
}

/// What a service does that it should not do, now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Vice {
    None,
    /// It fails now and then, for no reason that is in its inputs.
    Fails,
    /// It answers before its last call is answered.
    DoesNotWait,
    /// It answers from memory, and reads what it should have read afterwards.
    ReadsAfterwards,
    /// It loses the context of a call.
    LosesContext,
    /// It reads nothing and makes something up.
    MakesUp,
    /// It writes.
    Writes,
    /// It says one thing now and another thing then.
    Wavers,
}

/// A service for one argument.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) declares: Vec<usize>,
    pub(crate) sees_clock: bool,
    pub(crate) vice: Vice,
}

/// The services: each calls only those of a higher number.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    seed: u64,
    vices: bool,
    /// Whether services 1 and 2 ask each other in turns.
    turns: bool,
}

impl Services {
    pub(crate) fn new(seed: &mut Seed, vices: bool) -> Self {
        Self { seed: seed.next(), vices, turns: seed.once_in(3) }
    }

    /// What a service's release does for an argument.
    pub(crate) fn program(&self, service: u64, argument: u64, release: u64) -> Program {
        // What is declared is the route's and the same for all releases and arguments.
        let mut route = Seed(mix(self.seed ^ mix(service)));
        // Callers declare at least what a well-behaved callee declares, but for a few.
        let mut declares: Vec<usize> = Vec::new();
        for name in 0..STATES.len() {
            if route.below(SERVICES + 2) >= service {
                declares.push(name);
            }
        }
        let sees_clock = route.once_in(3);
        let vice = match route.below(16) {
            _ if !self.vices || service == 0 => Vice::None,
            0 => Vice::Fails,
            1 => Vice::DoesNotWait,
            2 => Vice::ReadsAfterwards,
            3 => Vice::LosesContext,
            4 => Vice::MakesUp,
            5 => Vice::Writes,
            6 => Vice::Wavers,
            _ => Vice::None,
        };
        // With a clock as its input nobody could tell that the rest is made up.
        let sees_clock = sees_clock && vice != Vice::MakesUp;
        let mut seed = Seed(mix(self.seed ^ mix(service * 31 + argument * 7 + release)));
        let length = if vice == Vice::MakesUp { 0 } else { 1 + seed.below(4) };
        if self.turns && (1..=2).contains(&service) && argument == 0 {
            let key = seed.below(KEYS);
            let steps = vec![Step::Turn, Step::Read { space: 1, key }];
            return Program { steps, declares, sees_clock, vice: Vice::None };
        }
        let steps = (0..length).map(|_| step(&mut seed, service, &declares, sees_clock)).collect();
        Program { steps, declares, sees_clock, vice }
    }
}

fn step(seed: &mut Seed, service: u64, declares: &[usize], sees_clock: bool) -> Step {
    let deeper = SERVICES - service - 1;
    let space = usize::try_from(seed.below(DATA)).unwrap();
    let key = seed.below(KEYS);
    let argument = seed.below(ARGUMENTS);
    let below = |seed: &mut Seed| service + 1 + seed.below(deeper);
    match seed.below(15) {
        2 => Step::Scan { space, keys: (key, key + seed.below(KEYS - key)) },
        3 => Step::ReadWhatWasFound,
        4 | 5 if deeper > 0 => Step::Call { service: below(seed), argument },
        6 if deeper > 0 => Step::CallWhatWasFound { service: below(seed) },
        7 if deeper > 0 => Step::Both {
            left: (below(seed), argument),
            right: (below(seed), seed.below(ARGUMENTS)),
        },
        8 => Step::OnlyIfOdd,
        9 if !declares.is_empty() => {
            let which = usize::try_from(seed.below(declares.len() as u64)).unwrap();
            Step::State { name: declares[which] }
        }
        10 if sees_clock => Step::Clock,
        11 | 12 => Step::Forget,
        13 | 14 => Step::Hop { key },
        _ => Step::Read { space, key },
    }
}

/// What has been read so far, as one number.
pub(crate) fn fold(so_far: u64, read: u64) -> u64 {
    mix(so_far.rotate_left(7) ^ read)
}

/// What a read of one key folds in.
pub(crate) fn folded_value(value: Option<u64>) -> u64 {
    value.map_or(17, |value| value + 100)
}

/// What a scan folds in.
pub(crate) fn folded_scan(found: &[(u64, u64)]) -> u64 {
    found.iter().fold(5, |so_far, (key, value)| fold(so_far, key * 64 + value))
}

/// The answer of a call without any cache: the truth.
pub(crate) struct Truth<'a> {
    pub(crate) store: &'a Store,
    pub(crate) services: &'a Services,
    pub(crate) at: u64,
    pub(crate) state: [u64; 2],
    /// Every call that was made on the way.
    pub(crate) calls: std::collections::BTreeSet<(u64, u64)>,
}

impl Truth<'_> {
    pub(crate) fn of(&mut self, service: u64, argument: u64) -> u64 {
        self.calls.insert((service, argument));
        let release = self.store.get(RELEASES, service, self.at).unwrap_or(0);
        let program = self.services.program(service, argument, release);
        let mut so_far = fold(service, argument);
        for step in &program.steps {
            so_far = match step {
                Step::Read { space, key } => self.read(so_far, *space, *key),
                Step::ReadWhatWasFound => {
                    let (space, key) = found(so_far);
                    self.read(so_far, space, key)
                }
                Step::Scan { space, keys } => {
                    fold(so_far, folded_scan(&self.store.scan(*space, *keys, self.at)))
                }
                Step::Call { service, argument } => fold(so_far, self.of(*service, *argument)),
                Step::CallWhatWasFound { service } => {
                    fold(so_far, self.of(*service, so_far % ARGUMENTS))
                }
                Step::Both { left, right } => {
                    let left = self.of(left.0, left.1);
                    fold(fold(so_far, left), self.of(right.0, right.1))
                }
                Step::OnlyIfOdd if so_far.is_multiple_of(2) => break,
                Step::OnlyIfOdd => so_far,
                Step::State { name } => fold(so_far, self.state[*name]),
                Step::Clock => fold(so_far, bucket(self.store.clock.at(self.at))),
                Step::Forget => so_far % 2,
                Step::Hop { key } => {
                    let pointer = folded_value(self.store.get(0, *key, self.at));
                    folded_value(self.store.get(hopped(pointer), *key, self.at)) % 2
                }
                Step::Turn => {
                    let read = folded_value(self.store.get(0, 0, self.at));
                    match asked_in_turn(service, read) {
                        Some(other) => fold(fold(so_far, read), self.of(other, 0)),
                        None => fold(so_far, read),
                    }
                }
            };
        }
        so_far
    }

    fn read(&self, so_far: u64, space: usize, key: u64) -> u64 {
        fold(so_far, folded_value(self.store.get(space, key, self.at)))
    }
}

/// Which key is read because of what was read so far.
pub(crate) fn found(so_far: u64) -> (usize, u64) {
    (usize::try_from(so_far % DATA).unwrap(), so_far / DATA % KEYS)
}

/// Where a hop ends.
pub(crate) fn hopped(pointer: u64) -> usize {
    if pointer.is_multiple_of(2) { 2 } else { 3 }
}

/// Which service is asked at a turn.
pub(crate) fn asked_in_turn(service: u64, read: u64) -> Option<u64> {
    match (service, read == folded_value(Some(1))) {
        (1, true) => Some(2),
        (2, false) => Some(1),
        _ => None,
    }
}

/// What the clock shows.
pub(crate) fn bucket(at: Timestamp) -> u64 {
    at.as_micros() / BUCKET
}

/// Over which stretch it shows that.
pub(crate) fn bucket_validity(at: Timestamp) -> Validity {
    let from = bucket(at) * BUCKET;
    let (from, until) = (Timestamp::from_micros(from), Timestamp::from_micros(from + BUCKET));
    Validity::until(from.unwrap(), until.unwrap()).unwrap()
}
