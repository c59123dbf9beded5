//! Erasing keys.

use std::collections::BTreeSet;

use asof_store::{CommitRequest, DryRun, Erase, Known, Receipt, Write};
use asof_time::{Sequence, Timestamp};

use super::{Run, WithRetention, assert_kind};
use crate::world::actor;

impl Run {
    pub(super) fn erase(&mut self) {
        let (space, key) = (self.space(), self.key());
        let mut request = Erase { space, key, versions: None, known: Known::Must };
        let (space, key) = (request.space.clone(), request.key.clone());
        let dry = self.world.store.erase(&request, actor("asked to"), DryRun::Yes);
        if !self.oracle.spaces.contains_key(&space) {
            return assert_kind(dry, "UnknownSpace");
        }
        if self.oracle.is_erased(&space, &key) {
            return assert_kind(dry, "Erased");
        }
        let (oracle, pins) = (&self.oracle, &self.pins);
        let wrote = |commit: &crate::oracle::OracleCommit| {
            commit.writes.iter().any(|(of, name, _)| (of, name) == (&space, &key))
        };
        let known = oracle.commits.values().any(wrote);
        let Ok(dry) = dry else {
            assert!(!known || self.retention == WithRetention::Yes, "{space}/{key} is known");
            return assert_kind(dry, "NotFound");
        };
        assert!(known, "{space}/{key} was never written");
        if self.retention == WithRetention::No {
            let holds = |at| oracle.at(&space, &key, at).value().is_some();
            let pinned = pins.iter().filter(|(_, at)| holds(**at)).map(|(name, _)| name.clone());
            let named: Vec<_> = dry.pins.iter().map(|pin| pin.name.clone()).collect();
            assert_eq!(named, pinned.collect::<Vec<_>>());
        }
        request.versions = Some(dry.versions);
        let done = self.world.store.erase(&request, actor("asked to"), DryRun::No);
        let done = done.expect("it was looked at just before");
        assert_eq!((done.versions, done.bytes), (dry.versions, dry.bytes));
        // What was amended, or cancelled, did not write it any more.
        let wrote: BTreeSet<Sequence> = self
            .oracle
            .commits
            .iter()
            .filter(|(_, c)| wrote(c))
            .map(|(place, _)| place.1)
            .collect();
        let (forgotten, kept) =
            self.repeatable.drain(..).partition(|(_, receipt)| wrote.contains(&receipt.id));
        self.repeatable = kept;
        // Where nothing is left of what it wrote, nobody knows that it did.
        if self.retention == WithRetention::No {
            let forgotten: Vec<(CommitRequest, Receipt)> = forgotten;
            self.forgotten.extend(forgotten.into_iter().map(|(request, _)| request));
        }
        let versions = self.oracle.erase(&space, &key);
        // A deletion at the beginning of time is nothing that has to be kept.
        let kept = versions.iter().filter(|(place, value)| {
            self.retention == WithRetention::No && (place.0 > Timestamp::MIN || value.is_some())
        });
        assert!(
            (kept.count()..=versions.len()).contains(&usize::try_from(done.versions).expect("few"))
        );
        self.recorder.erase(&space, &key);
    }

    /// Whether one of the writes is refused, since its key was erased.
    pub(super) fn writes_erased(&self, writes: &[Write]) -> bool {
        writes.iter().any(|write| self.oracle.is_erased(&write.space, &write.key))
    }
}
