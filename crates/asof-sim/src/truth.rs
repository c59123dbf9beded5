//! What is true: every write of a timeline, kept in maps for ever.

use std::collections::{BTreeMap, BTreeSet};

use asof_time::{Epoch, Sequence, Timestamp};

use crate::program::{Answered, Held, Inputs, KEYS, Read, Refused, Services, number};
use crate::tasks::Local;

/// Where a commit is in the order of all.
pub(crate) type Place = (Timestamp, Sequence);

/// All that was written in one timeline, what is still to take effect too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    versions: BTreeMap<(usize, u64), BTreeMap<Place, Option<u64>>>,
    /// The keys that are erased: in which timeline, and up to where that was closed by then.
    pub(crate) erased: BTreeMap<(usize, u64), (Epoch, Timestamp)>,
}

impl Timeline {
    pub(crate) fn write(&mut self, place: Place, space: usize, key: u64, value: Option<u64>) {
        self.versions.entry((space, key)).or_default().insert(place, value);
    }

    /// A pending commit is cancelled.
    pub(crate) fn remove(&mut self, place: Place) {
        for versions in self.versions.values_mut() {
            versions.remove(&place);
        }
    }

    fn held(&self, space: usize, key: u64, at: Timestamp) -> Held {
        if self.erased.contains_key(&(space, key)) {
            return Held::Erased;
        }
        let versions = self.versions.get(&(space, key));
        let newest = versions.and_then(|all| all.range(..=(at, Sequence::MAX)).next_back());
        newest.and_then(|(_, value)| *value).map_or(Held::Absent, Held::Value)
    }

    /// What a read comes to.
    pub(crate) fn read(&self, read: Read, at: Timestamp) -> u64 {
        let held = |space, key| (key, self.held(space, key, at));
        match read {
            Read::Key { space, key } => number(read, [held(space, key)]),
            Read::Space { space } => number(read, (0..KEYS).map(|key| held(space, key))),
        }
    }

    /// The moments at which anything is written.
    pub(crate) fn moments(&self) -> BTreeSet<Timestamp> {
        self.versions.values().flat_map(BTreeMap::keys).map(|(at, _)| *at).collect()
    }
}

/// A run without any cache: at one moment, over the timeline of the store that each space is in.
pub(crate) struct Plain<'a> {
    pub(crate) services: &'a Services,
    pub(crate) timelines: &'a dyn Fn(usize) -> Option<&'a Timeline>,
    pub(crate) at: Timestamp,
}

impl Inputs for Plain<'_> {
    fn read(&self, read: Read) -> Local<'_, Answered> {
        let timeline = (self.timelines)(read.space());
        let answered = timeline.map(|timeline| timeline.read(read, self.at)).ok_or(Refused);
        Box::pin(core::future::ready(answered))
    }

    fn call(&self, service: u64, argument: u64) -> Local<'_, Answered> {
        Box::pin(self.services.run(service, argument, self))
    }
}
