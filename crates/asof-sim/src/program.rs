//! Services: small programs over what they read and whom they call, each a pure function of that.

use crate::seed::Seed;
use crate::tasks::Local;

/// The spaces; the last one is in a store of its own, where there are two.
pub(crate) const SPACES: [&str; 3] = ["goods", "names", "rates"];
pub(crate) const KEYS: u64 = 3;
pub(crate) const SERVICES: u64 = 4;
pub(crate) const ARGUMENTS: u64 = 2;

pub(crate) fn key(number: u64) -> String {
    format!("key-{number}")
}

/// What is read of a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Read {
    Key { space: usize, key: u64 },
    Space { space: usize },
}

impl Read {
    pub(crate) fn space(self) -> usize {
        match self {
            Self::Key { space, .. } | Self::Space { space } => space,
        }
    }
}

/// What a key is at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    Absent,
    Value(u64),
    Erased,
}

/// What a read comes to, as a number: of one key, or of all of a space in order.
pub(crate) fn number(read: Read, held: impl IntoIterator<Item = (u64, Held)>) -> u64 {
    let of = |held| match held {
        Held::Absent => 1,
        Held::Erased => 2,
        Held::Value(value) => 100 + value,
    };
    let mut held = held.into_iter();
    match read {
        Read::Key { .. } => held.next().map_or(1, |(_, held)| of(held)),
        Read::Space { .. } => {
            let there = held.filter(|(_, held)| *held != Held::Absent);
            there.fold(3, |all, (key, held)| fold(fold(all, key), of(held)))
        }
    }
}

/// No answer: whoever was asked said plainly that there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

pub(crate) type Answered = Result<u64, Refused>;

/// Whom a service asks.
pub(crate) trait Inputs {
    fn read(&self, read: Read) -> Local<'_, Answered>;
    fn call(&self, service: u64, argument: u64) -> Local<'_, Answered>;
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Read(Read),
    /// A key that depends on what was read so far.
    ReadWhatWasFound,
    Call {
        service: u64,
        argument: u64,
    },
    CallWhatWasFound {
        service: u64,
    },
    /// The rest only if what was read so far is odd.
    OnlyIfOdd,
    /// Only the parity goes on: equal answers from unequal inputs.
    Forget,
}

/// The services: each calls only those of a higher number.
#[derive(Debug)]
pub(crate) struct Services(Vec<Vec<Step>>);

impl Services {
    pub(crate) fn new(seed: &Seed) -> Self {
        let programs = (0..SERVICES).flat_map(|service| (0..ARGUMENTS).map(move |_| service));
        Self(programs.map(|service| program(seed, service)).collect())
    }

    /// What a service does for an argument.
    pub(crate) async fn run(&self, service: u64, argument: u64, inputs: &impl Inputs) -> Answered {
        let place = usize::try_from(service * ARGUMENTS + argument).unwrap_or_default();
        let mut so_far = fold(service, argument);
        for step in self.0.get(place).into_iter().flatten() {
            so_far = match *step {
                Step::Read(read) => fold(so_far, inputs.read(read).await?),
                Step::ReadWhatWasFound => {
                    let space = usize::try_from(so_far / KEYS % SPACES.len() as u64);
                    let space = space.unwrap_or_default();
                    fold(so_far, inputs.read(Read::Key { space, key: so_far % KEYS }).await?)
                }
                Step::Call { service, argument } => {
                    fold(so_far, inputs.call(service, argument).await?)
                }
                Step::CallWhatWasFound { service } => {
                    fold(so_far, inputs.call(service, so_far % ARGUMENTS).await?)
                }
                Step::OnlyIfOdd if so_far.is_multiple_of(2) => break,
                Step::OnlyIfOdd => so_far,
                Step::Forget => so_far % 2,
            };
        }
        Ok(so_far)
    }
}

fn program(seed: &Seed, service: u64) -> Vec<Step> {
    let lower = SERVICES - 1 - service;
    // What reads nothing is stored by nobody.
    let mut steps = vec![Step::Read(read(seed))];
    for _ in 0..=seed.below(4) {
        steps.push(match seed.below(8) {
            2 => Step::ReadWhatWasFound,
            3 => Step::OnlyIfOdd,
            4 => Step::Forget,
            5 | 6 if lower > 0 => {
                let service = service + 1 + seed.below(lower);
                Step::Call { service, argument: seed.below(ARGUMENTS) }
            }
            7 if lower > 0 => Step::CallWhatWasFound { service: service + 1 + seed.below(lower) },
            _ => Step::Read(read(seed)),
        });
    }
    steps
}

fn read(seed: &Seed) -> Read {
    let space = seed.index(SPACES.len());
    if seed.once_in(4) { Read::Space { space } } else { Read::Key { space, key: seed.below(KEYS) } }
}

/// Mixes two numbers into one.
pub(crate) fn fold(one: u64, other: u64) -> u64 {
    let mixed = (one ^ other.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
