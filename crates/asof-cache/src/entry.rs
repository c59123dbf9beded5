//! All facts about one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asof_time::{End, Timestamp, Validity};

use crate::call::Call;
use crate::content::Content;
use crate::fact::{Fact, Trace};
use crate::limits;
use crate::weight;

/// The facts about one call, by time, no two at one moment.
///
/// An entry is never changed but in one way: the end of an open fact may move on. Whatever else
/// is to change makes a new entry.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) call: Arc<Call>,
    facts: Facts,
}

/// Most calls have one fact, and need no list for it.
#[derive(Debug)]
enum Facts {
    One(Held),
    Many(Box<[Held]>),
}

/// A fact as it is held: its end can move on while others read it.
#[derive(Debug)]
pub(crate) struct Held {
    content: Arc<Content>,
    trace: Arc<Trace>,
    from: Timestamp,
    end: MovingEnd,
}

/// Two answers are said to be true at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contradiction;

impl Entry {
    pub(crate) fn new(call: Arc<Call>, fact: Fact) -> Self {
        Self { call, facts: Facts::One(Held::new(fact)) }
    }

    fn of(call: &Arc<Call>, held: Vec<Held>) -> Self {
        let facts = match <[Held; 1]>::try_from(held) {
            Ok([held]) => Facts::One(held),
            Err(held) => Facts::Many(held.into()),
        };
        Self { call: Arc::clone(call), facts }
    }

    fn held(&self) -> &[Held] {
        match &self.facts {
            Facts::One(held) => std::slice::from_ref(held),
            Facts::Many(held) => held,
        }
    }

    /// The fact that is true at `at`, or the last one that begins before it.
    pub(crate) fn at_or_before(&self, at: Timestamp) -> Option<&Held> {
        let held = self.held();
        let after = held.partition_point(|held| held.from <= at);
        after.checked_sub(1).and_then(|last| held.get(last))
    }

    pub(crate) fn facts(&self) -> impl Iterator<Item = Fact> {
        self.held().iter().map(Held::fact)
    }

    /// What they were made of, without a copy of anything.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.held().iter().map(|held| &*held.trace)
    }

    /// The last moment at which anything here is known to be true.
    pub(crate) fn last(&self) -> Timestamp {
        self.held().last().map_or(Timestamp::MIN, |held| held.validity().last())
    }

    /// The entry with one more fact, joined with those of the same content that it touches.
    ///
    /// Where `agree` is false a fact that contradicts others takes their place.
    pub(crate) fn with(&self, fact: Fact, agree: bool) -> Result<Self, Contradiction> {
        let mut merged = fact;
        let mut held = Vec::with_capacity(self.held().len() + 1);
        for known in self.facts() {
            let same = known.content.hash() == merged.content.hash();
            let joined = known.validity.join(merged.validity).filter(|_| same);
            if let Some(validity) = joined {
                merged = later(known, merged, validity);
            } else if same || known.validity.intersect(merged.validity).is_none() {
                held.push(Held::new(known));
            } else if agree {
                return Err(Contradiction);
            }
        }
        let place = held.partition_point(|held| held.from < merged.validity.from());
        held.insert(place, Held::new(merged));
        let surplus = held.len().saturating_sub(limits::FACTS_MAX);
        held.drain(..surplus);
        Ok(Self::of(&self.call, held))
    }

    /// The entry with this fact, if it is still there, ended where something below it changed
    /// first. Another fact about the same moment may be made of other things, and another moment
    /// may be known by the same trace.
    pub(crate) fn ended(&self, fact: &Fact, until: Timestamp) -> Option<Self> {
        let at = fact.validity.last();
        let ends = |held: &Held| {
            let validity = held.validity();
            let open = validity.is_open() && validity.last() < until;
            open && validity.contains(at) && Arc::ptr_eq(&held.trace, &fact.trace)
        };
        self.held().iter().any(ends).then(|| {
            let end = |held: &Held| {
                let mut fact = held.fact();
                if ends(held) {
                    let ended = Validity::until(held.from, until);
                    fact.validity = ended.unwrap_or(fact.validity);
                }
                Held::new(fact)
            };
            Self::of(&self.call, self.held().iter().map(end).collect())
        })
    }

    /// Bytes that it holds, about. What is shared with other entries is counted in each.
    pub(crate) fn weight(&self) -> u64 {
        let list = match &self.facts {
            Facts::One(_) => 0,
            Facts::Many(held) => weight::allocated(size_of_val(&**held)),
        };
        let each = self.held().iter().map(|held| held.content.weight() + held.trace.weight());
        weight::shared(size_of::<Self>()) + list + self.call.weight() + each.sum::<u64>()
    }
}

/// Of two facts with one content, what is known at the later end, over the joined interval.
fn later(known: Fact, new: Fact, validity: Validity) -> Fact {
    let trace = if known.validity.last() > new.validity.last() { known.trace } else { new.trace };
    Fact { content: known.content, trace, validity }
}

impl Held {
    fn new(fact: Fact) -> Self {
        let (from, end) = (fact.validity.from(), MovingEnd::new(fact.validity.end()));
        Self { content: fact.content, trace: fact.trace, from, end }
    }

    pub(crate) fn validity(&self) -> Validity {
        let validity = match self.end.get() {
            End::Until(until) => Validity::until(self.from, until),
            End::Through(through) => Validity::through(self.from, through),
        };
        validity.expect("an interval held at least one moment, and its end only moves on")
    }

    pub(crate) fn fact(&self) -> Fact {
        Fact {
            content: Arc::clone(&self.content),
            validity: self.validity(),
            trace: Arc::clone(&self.trace),
        }
    }

    pub(crate) fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    pub(crate) fn content(&self) -> &Arc<Content> {
        &self.content
    }

    /// The fact is known to be true through `through` as well, if its end is still open.
    pub(crate) fn extend(&self, through: Timestamp) {
        self.end.extend(through);
    }
}

/// An [`End`] in one word: the moment, and above it a bit that says that it is certain.
#[derive(Debug)]
struct MovingEnd(AtomicU64);

const CERTAIN: u64 = 1 << 63;

impl MovingEnd {
    fn new(end: End) -> Self {
        Self(AtomicU64::new(match end {
            End::Until(until) => until.as_micros() | CERTAIN,
            End::Through(through) => through.as_micros(),
        }))
    }

    fn get(&self) -> End {
        // Relaxed: the number alone is the message, nothing else is published with it.
        let word = self.0.load(Ordering::Relaxed);
        let moment = Timestamp::from_micros(word & !CERTAIN);
        let moment = moment.expect("it was made of a timestamp");
        if word & CERTAIN == 0 { End::Through(moment) } else { End::Until(moment) }
    }

    fn extend(&self, through: Timestamp) {
        // A certain end is above every open one as a number, so the larger of two is right.
        self.0.fetch_max(through.as_micros(), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
