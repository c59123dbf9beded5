//! What a store has to say, kept in maps: every commit and every version, for ever.
//!
//! It knows nothing of rows, snapshots or retention, and finds every answer by looking through
//! all there is.

use std::collections::{BTreeMap, BTreeSet};

use asof_store::{Key, SpaceName};
use asof_time::{Sequence, Timestamp, Validity};

/// Where a commit is in the order of all.
pub(crate) type Place = (Timestamp, Sequence);
pub(crate) type Bytes = Vec<u8>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OracleCommit {
    pub(crate) backfilled: bool,
    pub(crate) opened: Vec<SpaceName>,
    pub(crate) message: String,
    pub(crate) writes: Vec<(SpaceName, Key, Option<Bytes>)>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OracleSpace {
    pub(crate) importing: bool,
    pub(crate) last_at: Option<Timestamp>,
    /// Instants kept below the floor: their distance in microseconds, and from when on.
    pub(crate) instants: Option<(u64, Timestamp)>,
    /// The floor as the store last told it.
    pub(crate) floor: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) commits: BTreeMap<Place, OracleCommit>,
    versions: BTreeMap<(SpaceName, Key), BTreeMap<Place, Option<Bytes>>>,
    pub(crate) spaces: BTreeMap<SpaceName, OracleSpace>,
    erased: BTreeSet<(SpaceName, Key)>,
}

/// What one key is at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct At {
    /// The place and value of the version, where there is one; a deletion has no value.
    pub(crate) version: Option<(Place, Option<Bytes>)>,
    /// When it changes next, pending commits included.
    pub(crate) next: Option<Timestamp>,
}

impl At {
    pub(crate) fn value(&self) -> Option<(Place, &Bytes)> {
        let (place, value) = self.version.as_ref()?;
        value.as_ref().map(|value| (*place, value))
    }
}

impl Oracle {
    pub(crate) fn insert(&mut self, place: Place, commit: OracleCommit) {
        for space in &commit.opened {
            self.spaces.entry(space.clone()).or_default().importing = false;
        }
        for (space, key, value) in &commit.writes {
            if self.is_erased(space, key) {
                continue;
            }
            let versions = self.versions.entry((space.clone(), key.clone()));
            versions.or_default().insert(place, value.clone());
        }
        assert!(self.commits.insert(place, commit).is_none(), "two commits at one place");
    }

    /// Forgets all that a key ever held; returns what that was.
    pub(crate) fn erase(&mut self, space: &SpaceName, key: &Key) -> BTreeMap<Place, Option<Bytes>> {
        let place = (space.clone(), key.clone());
        let versions = self.versions.remove(&place).unwrap_or_default();
        self.erased.insert(place);
        versions
    }

    pub(crate) fn is_erased(&self, space: &SpaceName, key: &Key) -> bool {
        self.erased.contains(&(space.clone(), key.clone()))
    }

    pub(crate) fn erased(&self, space: &SpaceName) -> Vec<Key> {
        let of_space = self.erased.iter().filter(|(of, _)| of == space);
        of_space.map(|(_, key)| key.clone()).collect()
    }

    pub(crate) fn remove(&mut self, place: Place) -> Option<OracleCommit> {
        let commit = self.commits.remove(&place)?;
        for (space, key, _) in &commit.writes {
            if let Some(versions) = self.versions.get_mut(&(space.clone(), key.clone())) {
                versions.remove(&place);
            }
        }
        Some(commit)
    }

    pub(crate) fn at(&self, space: &SpaceName, key: &Key, at: Timestamp) -> At {
        let Some(versions) = self.versions.get(&(space.clone(), key.clone())) else {
            return At::default();
        };
        At {
            version: before(versions, (at, Sequence::MAX)),
            next: versions.keys().map(|(t, _)| *t).find(|t| *t > at),
        }
    }

    /// The version just before a place: what a precondition is judged against.
    pub(crate) fn just_before(
        &self,
        space: &SpaceName,
        key: &Key,
        place: Place,
    ) -> Option<(Place, Option<Bytes>)> {
        let versions = self.versions.get(&(space.clone(), key.clone()))?;
        let found = versions.range(..place).next_back();
        found.map(|(place, value)| (*place, value.clone()))
    }

    /// Keys that ever had a version, in order.
    pub(crate) fn keys(&self, space: &SpaceName) -> BTreeSet<Key> {
        let of_space = self.versions.keys().chain(&self.erased).filter(|(of, _)| of == space);
        of_space.map(|(_, key)| key.clone()).collect()
    }

    /// The moments at which a key changed up to `upto`, with what it was then, newest first.
    pub(crate) fn history(
        &self,
        space: &SpaceName,
        key: &Key,
        upto: Timestamp,
    ) -> Vec<(Place, Option<Bytes>)> {
        let mut newest = BTreeMap::new();
        if let Some(versions) = self.versions.get(&(space.clone(), key.clone())) {
            for (place, value) in versions.range(..=(upto, Sequence::MAX)) {
                newest.insert(place.0, (*place, value.clone()));
            }
        }
        newest.into_values().rev().collect()
    }

    /// Panics where the value of `key` is not the same all over `validity`.
    #[track_caller]
    pub(crate) fn assert_unchanged(&self, space: &SpaceName, key: &Key, validity: Validity) {
        let (first, last) = (validity.from(), validity.last());
        let there = self.at(space, key, first);
        let here = self.at(space, key, last);
        let same = |a: &At, b: &At| a.value() == b.value();
        assert!(same(&there, &here), "{space}/{key} is {there:?} and {here:?} within {validity:?}");
        if let Some(versions) = self.versions.get(&(space.clone(), key.clone())) {
            for (place, _) in versions.range((first, Sequence::ZERO)..=(last, Sequence::MAX)) {
                let at = self.at(space, key, place.0);
                assert!(
                    same(&at, &there),
                    "{space}/{key} changes at {place:?} within {validity:?}"
                );
            }
        }
    }

    /// Whether `at` is an instant that sparse retention has to keep below the floor.
    pub(crate) fn is_kept_instant(&self, space: &SpaceName, at: Timestamp) -> bool {
        let instants = self.spaces.get(space).and_then(|space| space.instants);
        instants.is_some_and(|(every, since)| {
            at >= since && at.as_micros().checked_rem(every) == Some(0)
        })
    }

    /// The commits that a reader of the log sees up to `upto`.
    pub(crate) fn log(&self, upto: Timestamp) -> impl Iterator<Item = (Place, &OracleCommit)> {
        let hidden = |commit: &OracleCommit| {
            let mut spaces = commit.writes.iter().filter_map(|(space, ..)| self.spaces.get(space));
            commit.backfilled && spaces.any(|space| space.importing)
        };
        self.commits
            .range(..=(upto, Sequence::MAX))
            .filter(move |(_, commit)| !hidden(commit))
            .map(|(place, commit)| (*place, commit))
    }
}

fn before(
    versions: &BTreeMap<Place, Option<Bytes>>,
    place: Place,
) -> Option<(Place, Option<Bytes>)> {
    let found = versions.range(..=place).next_back();
    found.map(|(place, value)| (*place, value.clone()))
}
