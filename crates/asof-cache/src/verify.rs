//! Whether a result that was true once is still true at a later moment.
//!
//! The inputs are gone through in the order in which they were read. An input that is the same
//! lets the next one be looked at; the first one that is not ends it: from there on the service
//! may have asked for something else. What is asked again on the way is thus only what the
//! service itself would ask.

use std::collections::BTreeSet;
use std::sync::Arc;

use asof_time::{End, Timestamp, Validity};

use crate::cache::{Cache, Since};
use crate::call::{Call, CallKey};
use crate::changes::{Seen, SpaceId};
use crate::content::ContentHash;
use crate::entry::{Entry, Held};
use crate::fact::{self, Fact, Input, Trace};
use crate::limits;
use crate::outcome::{Outcome, Unstorable};
use crate::rules::Rule;

/// A verification under way.
#[derive(Debug)]
pub(crate) struct Verification {
    key: CallKey,
    at: Timestamp,
    since: Since,
    prior: Fact,
    next: usize,
    /// Where the result is true, as far as the inputs up to `next` say.
    validity: Validity,
    clock: Validity,
    spaces: BTreeSet<SpaceId>,
    /// Whether an input had to be asked again, and came to the same content.
    cutoff: bool,
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// The result is true at the moment as well.
    True(Fact, Outcome),
    /// Nobody knows about this input: serve it at the same moment and come back.
    Settle(Arc<Call>),
    /// The result is not known to be true: the call itself must run.
    Run,
}

/// What can be said of an input without a look at what it says.
enum Own {
    Same,
    Other,
    /// This call is to say this.
    Ask(CallKey, ContentHash),
}

/// What is known of an input at the moment.
enum Known {
    Fact(Fact),
    /// It can be asked again.
    Ask(Arc<Call>),
    /// It cannot: it was evicted, and only its key is left.
    Lost,
}

impl Cache {
    /// What is known of a call at `at`, without asking anybody.
    pub(crate) fn known_at(&self, key: CallKey, at: Timestamp, depth: usize) -> Look {
        let since = self.since();
        let Some(entry) = self.entry(key) else { return Look::Nothing };
        let Some(held) = entry.at_or_before(at) else { return Look::Other(entry) };
        let validity = held.validity();
        if validity.contains(at) {
            return Look::Fact(held.fact(), Outcome::Hit);
        }
        if !validity.is_open() || depth >= limits::DEPTH_MAX {
            return Look::Other(entry);
        }
        if self.is_unchanged(held, validity.last(), at) {
            held.extend(at);
            return Look::Fact(held.fact(), Outcome::Verified);
        }
        let mut verification = Verification::new(key, at, since, held.fact());
        match verification.step(self, None, depth) {
            Step::True(fact, outcome) => Look::Fact(fact, outcome),
            Step::Settle(_) | Step::Run => Look::Other(entry),
        }
    }

    /// The fast paths, under one lock and without a copy of anything: nothing changed in the
    /// spaces below, one comparison each; or nothing but leaves was read, and none changed. What
    /// lies below the result is then what it was, and only its end moves.
    fn is_unchanged(&self, held: &Held, known: Timestamp, at: Timestamp) -> bool {
        let trace = held.trace();
        if !trace.clock().contains(at) {
            return false;
        }
        let index = self.index();
        let unchanged = |input: &Input| match (input, input.place()) {
            (_, Some((space, reach))) => {
                index.first_change(space, &reach, known, at) == Seen::Unchanged
            }
            (Input::Clock(bucket), _) => bucket.contains(at),
            _ => false,
        };
        index.unchanged(trace.spaces(), known, at) || trace.inputs().iter().all(unchanged)
    }

    /// What is known of a call at `at` without asking anybody: a fact that holds the moment, or
    /// one that was just found to hold it.
    pub fn lookup(&self, key: CallKey, at: Timestamp) -> Option<(Fact, Outcome)> {
        match self.known_at(key, at, 0) {
            Look::Fact(fact, outcome) => Some((fact, outcome)),
            Look::Other(_) | Look::Nothing => None,
        }
    }
}

/// What a look at the cache found.
#[derive(Debug)]
pub(crate) enum Look {
    /// True at the moment.
    Fact(Fact, Outcome),
    /// Something is known, but not of this moment.
    Other(Arc<Entry>),
    /// Nothing is known.
    Nothing,
}

impl Verification {
    /// Of a result that is open and was last known true before `at`.
    pub(crate) fn new(key: CallKey, at: Timestamp, since: Since, prior: Fact) -> Self {
        let from = prior.validity.from();
        let validity = Validity::through(from, at).expect("the result began before the moment");
        let (clock, spaces) = (fact::always(), BTreeSet::new());
        Self { key, at, since, prior, next: 0, validity, clock, spaces, cutoff: false }
    }

    /// Goes on, with what came of the input that was to be settled.
    pub(crate) fn step(
        &mut self,
        cache: &Cache,
        settled: Option<Result<Fact, Unstorable>>,
        depth: usize,
    ) -> Step {
        let mut settled = settled;
        let trace = Arc::clone(&self.prior.trace);
        let ordered = cache.rules().hold(Rule::RecordedOrder);
        while let Some(input) = nth(&trace, self.next, ordered) {
            let same = match self.own_view(cache, input, settled.is_some()) {
                Own::Same => true,
                Own::Other => false,
                Own::Ask(call, hash) => match self.look(cache, call, &mut settled, depth) {
                    Known::Fact(fact) => self.accept(cache, &fact, hash),
                    Known::Ask(nested) => return Step::Settle(nested),
                    Known::Lost => !cache.rules().hold(Rule::UnissuableMeansRun),
                },
            };
            if !same {
                self.end_prior(cache);
                return Step::Run;
            }
            self.next += 1;
        }
        self.extended(cache)
    }

    /// What clocks and the index say of an input.
    fn own_view(&mut self, cache: &Cache, input: &Input, settled: bool) -> Own {
        let (call, hash) = match (input, input.call(), input.hash()) {
            (Input::Clock(bucket), ..) => {
                return if self.accept_clock(*bucket) { Own::Same } else { Own::Other };
            }
            (_, Some(call), Some(hash)) => (call, hash),
            _ => return Own::Other,
        };
        let Some((space, reach)) = input.place() else { return Own::Ask(call, hash) };
        let last = self.prior.validity.last();
        let seen = cache.index().first_change(space, &reach, last, self.at);
        if !settled && seen == Seen::Unchanged {
            self.spaces.insert(space);
            return Own::Same;
        }
        // The origin's own answer: only the origin knows more.
        if call == self.key { Own::Other } else { Own::Ask(call, hash) }
    }

    fn look(
        &mut self,
        cache: &Cache,
        key: CallKey,
        settled: &mut Option<Result<Fact, Unstorable>>,
        depth: usize,
    ) -> Known {
        match settled.take() {
            Some(Ok(fact)) => {
                self.cutoff = true;
                return Known::Fact(fact);
            }
            Some(Err(_)) => return Known::Lost,
            None => {}
        }
        match cache.known_at(key, self.at, depth + 1) {
            Look::Fact(fact, _) => Known::Fact(fact),
            Look::Other(entry) => Known::Ask(Arc::clone(&entry.call)),
            Look::Nothing => Known::Lost,
        }
    }

    fn accept_clock(&mut self, bucket: Validity) -> bool {
        let Some(both) = self.validity.intersect(bucket).filter(|both| both.contains(self.at))
        else {
            return false;
        };
        self.validity = both;
        self.clock = self.clock.intersect(bucket).unwrap_or(bucket);
        true
    }

    /// Whether the input says what it said; if so, where that holds narrows the result.
    fn accept(&mut self, cache: &Cache, fact: &Fact, hash: ContentHash) -> bool {
        let rules = cache.rules();
        if fact.content.hash() != hash {
            return false;
        }
        self.cutoff |= !fact.validity.contains(self.prior.validity.last());
        self.spaces.extend(fact.trace.spaces().iter().copied());
        let clock = fact.trace.clock();
        self.clock = self.clock.intersect(clock).unwrap_or(clock);
        if rules.hold(Rule::EqualHashesBridgeNothing) {
            let Some(both) = self.validity.intersect(fact.validity) else { return false };
            self.validity = both;
        }
        self.validity.contains(self.at)
    }

    /// All inputs are the same: the result is true where all of them are.
    fn extended(&mut self, cache: &Cache) -> Step {
        let prior = &self.prior;
        let known = &prior.trace;
        let rebuild = cache.rules().hold(Rule::RebuildOnExtension);
        let same = self.clock == known.clock() && self.spaces.iter().eq(known.spaces().iter());
        let trace = if same || !rebuild {
            Arc::clone(known)
        } else {
            cache.retrace(known.above(&self.spaces, self.clock))
        };
        let fact = Fact { content: Arc::clone(&prior.content), validity: self.validity, trace };
        let outcome = if self.cutoff { Outcome::EarlyCutoff } else { Outcome::Verified };
        let Some(call) = cache.call(self.key) else { return Step::Run };
        match cache.insert(&call, fact, self.since) {
            Ok(kept) => Step::True(kept, outcome),
            Err(_) => Step::Run,
        }
    }

    /// Writes down where the old result ends, if the index has seen all of it.
    fn end_prior(&self, cache: &Cache) {
        let (last, mut steps) = (self.prior.validity.last(), 0);
        if let Seen::ChangedAt(until) =
            first_change(cache, &self.prior, (last, self.at), 0, &mut steps)
        {
            cache.end(self.key, &self.prior, until);
        }
    }
}

fn nth(trace: &Trace, place: usize, ordered: bool) -> Option<&Input> {
    let inputs = trace.inputs();
    if ordered {
        return inputs.get(place);
    }
    inputs.len().checked_sub(place + 1).and_then(|place| inputs.get(place))
}

/// The smallest first change over all that lies below a fact, in `(after, to]`.
fn first_change(
    cache: &Cache,
    fact: &Fact,
    (after, to): (Timestamp, Timestamp),
    depth: usize,
    steps: &mut usize,
) -> Seen {
    if depth >= limits::DEPTH_MAX {
        return Seen::Unknown;
    }
    let smallest = cache.rules().hold(Rule::SmallestFirstChange);
    let mut first = Seen::Unchanged;
    for input in fact.trace.inputs() {
        *steps += 1;
        if *steps > limits::END_STEPS_MAX {
            return Seen::Unknown;
        }
        let change = match input {
            Input::Clock(bucket) => end_within(*bucket, to),
            Input::Key { .. } | Input::Range { .. } | Input::Space { .. } => {
                input.place().map_or(Seen::Unknown, |(space, reach)| {
                    cache.index().first_change(space, &reach, after, to)
                })
            }
            Input::Nested { call, hash } => match cache.fact_at(*call, after) {
                Some(nested) if nested.content.hash() == *hash => {
                    match end_within(nested.validity, to) {
                        Seen::Unknown => {
                            let last = nested.validity.last();
                            first_change(cache, &nested, (last, to), depth + 1, steps)
                        }
                        known => known,
                    }
                }
                _ => Seen::Unknown,
            },
        };
        first = match (first, change) {
            (_, Seen::Unknown) => return Seen::Unknown,
            (Seen::ChangedAt(first), Seen::ChangedAt(at)) if smallest => {
                Seen::ChangedAt(first.min(at))
            }
            (first, Seen::Unchanged) => first,
            (_, change) => change,
        };
    }
    first
}

/// Where an interval ends in the stretch up to `to`.
fn end_within(validity: Validity, to: Timestamp) -> Seen {
    match validity.end() {
        End::Until(until) if until <= to => Seen::ChangedAt(until),
        End::Through(through) if through < to => Seen::Unknown,
        End::Until(_) | End::Through(_) => Seen::Unchanged,
    }
}
