//! One space of the index: which of its keys changed when.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::ops::Bound;

use asof_time::Timestamp;

use crate::changes::{Fingerprint, KeyRange, Reach, Seen, StoreId};
use crate::limits;
use crate::short::Short;

/// The changes of one space that are remembered.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) store: StoreId,
    pub(crate) retired: bool,
    /// Keys of it may be erased.
    pub(crate) erasable: bool,
    /// All changes of it after this are known, as far as its store is covered.
    pub(crate) since: Timestamp,
    /// The last change of anything in it; `since` of its store if there was none.
    pub(crate) last: Timestamp,
    /// Changes of the space as a whole.
    whole: VecDeque<Timestamp>,
    stamps: HashMap<Fingerprint, VecDeque<Timestamp>, BuildHasherDefault<Short>>,
    /// The same keys in order, for ranges. Each counts its changes by its own name: two keys with
    /// one fingerprint must not hide one another.
    ordered: BTreeMap<Box<str>, Changes>,
}

#[derive(Debug)]
struct Changes {
    print: Fingerprint,
    remembered: usize,
}

impl Space {
    pub(crate) fn new(store: StoreId, last: Timestamp) -> Self {
        Self {
            store,
            retired: false,
            erasable: false,
            since: last,
            last,
            whole: VecDeque::new(),
            stamps: HashMap::default(),
            ordered: BTreeMap::new(),
        }
    }

    pub(crate) fn first_change(&self, reach: &Reach, after: Timestamp, to: Timestamp) -> Seen {
        let own = match reach {
            Reach::Key(print) => self.stamps.get(print).and_then(|all| first_in(all, after, to)),
            Reach::Range(range) => match self.first_in_range(range, after, to) {
                Ok(first) => first,
                Err(TooFar) => return Seen::Unknown,
            },
            // The last change is the only one known without a walk.
            Reach::Space => return Seen::Unknown,
        };
        let whole = first_in(&self.whole, after, to);
        own.into_iter().chain(whole).min().map_or(Seen::Unchanged, Seen::ChangedAt)
    }

    fn first_in_range(
        &self,
        range: &KeyRange,
        after: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, TooFar> {
        let upper = match &range.to {
            Bound::Included(key) | Bound::Excluded(key) if **key < *range.from => return Ok(None),
            Bound::Excluded(key) if *key == range.from => return Ok(None),
            Bound::Included(key) => Bound::Included(&**key),
            Bound::Excluded(key) => Bound::Excluded(&**key),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut first: Option<Timestamp> = None;
        let mut steps = 0;
        for (_, key) in self.ordered.range::<str, _>((Bound::Included(&*range.from), upper)) {
            steps += 1;
            if steps > limits::RANGE_STEPS_MAX {
                return Err(TooFar);
            }
            let own = self.stamps.get(&key.print).and_then(|all| first_in(all, after, to));
            first = first.into_iter().chain(own).min();
        }
        Ok(first)
    }

    pub(crate) fn remember(&mut self, key: &str, at: Timestamp) {
        let print = Fingerprint::of(key);
        note(self.stamps.entry(print).or_default(), at);
        if let Some(known) = self.ordered.get_mut(key) {
            known.remembered += 1;
        } else {
            self.ordered.insert(Box::from(key), Changes { print, remembered: 1 });
        }
    }

    pub(crate) fn remember_whole(&mut self, at: Timestamp) {
        note(&mut self.whole, at);
    }

    pub(crate) fn forget(&mut self, key: Option<&str>, at: Timestamp) {
        let Some(key) = key else {
            self.whole.retain(|stamp| *stamp > at);
            return;
        };
        let Some(known) = self.ordered.get_mut(key) else { return };
        known.remembered = known.remembered.saturating_sub(1);
        let (print, last) = (known.print, known.remembered == 0);
        if last {
            self.ordered.remove(key);
        }
        let Some(stamps) = self.stamps.get_mut(&print) else { return };
        while stamps.front().is_some_and(|stamp| *stamp <= at) {
            stamps.pop_front();
        }
        if stamps.is_empty() {
            self.stamps.remove(&print);
        }
    }
}

/// A range with more changed keys than one look walks over.
struct TooFar;

/// The first of ascending moments in `(after, to]`.
fn first_in(all: &VecDeque<Timestamp>, after: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let next = all.partition_point(|stamp| *stamp <= after);
    all.get(next).copied().filter(|stamp| *stamp <= to)
}

/// Notes a moment among ascending ones. What a feed tells again after an interruption is there.
fn note(all: &mut VecDeque<Timestamp>, at: Timestamp) {
    let place = all.partition_point(|stamp| *stamp < at);
    if all.get(place) != Some(&at) {
        all.insert(place, at);
    }
}

#[cfg(test)]
#[path = "space_tests.rs"]
mod tests;
