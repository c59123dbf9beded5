//! Taking commits back.

use asof_store::{
    Confirm, Conflicts, DryRun, Effective, ErrorKind, Key, Revert, RevertOutcome, RevertTarget,
    SpaceName,
};
use asof_time::{Sequence, Timestamp};

use super::{Run, assert_kind};
use crate::oracle::{Bytes, OracleCommit, Place};
use crate::world::actor;

/// What a revert writes, and how many keys it leaves alone for which reason.
#[derive(Default)]
struct Expected {
    writes: Vec<(SpaceName, Key, Option<Bytes>)>,
    unchanged: u64,
    conflicts: u64,
}

impl Run {
    pub(super) fn revert(&mut self) {
        let places: Vec<Place> = self.oracle.commits.keys().copied().collect();
        let Some(place) = self.dice.pick(&places).copied() else {
            return;
        };
        let only = self.dice.one_in(3).then(|| self.space());
        let keep_all = self.dice.one_in(2);
        let request = Revert {
            target: RevertTarget::Commit(place.1),
            space: only.clone(),
            effective: Effective::Now,
            conflicts: if keep_all { Conflicts::Keep } else { Conflicts::Refuse },
            keep: Vec::new(),
            restore: Vec::new(),
            confirm: Confirm::default(),
        };
        let closed = self.world.closed();
        let (now, expected) = (self.next_now(), self.expect_revert(place, only.as_ref()));
        let outcome = self.world.store.revert(&request, actor("not so"), DryRun::No);
        if place.0 > closed {
            return assert_kind(outcome, "Conflict");
        }
        let error = outcome.as_ref().err().map(asof_store::Error::kind);
        match error {
            // What was before the commit may be forgotten, and the commit itself.
            Some(ErrorKind::BelowFloor { .. } | ErrorKind::NotFound) => {
                let floors = self.world.store.spaces().into_iter().map(|info| info.floor);
                assert!(floors.max().is_some_and(|floor| place.0 <= floor));
            }
            _ if expected.conflicts > 0 && !keep_all => assert_kind(outcome, "Conflict"),
            _ => self.note_revert(place, &outcome.expect("it is decided on"), now, expected),
        }
    }

    fn expect_revert(&self, place: Place, only: Option<&SpaceName>) -> Expected {
        let mut expected = Expected::default();
        let now = (self.next_now(), Sequence::MAX);
        let writes = self.oracle.commits.get(&place).map(|commit| &commit.writes);
        for (space, key, _) in writes.into_iter().flatten() {
            let importing = self.oracle.spaces.get(space).is_some_and(|space| space.importing);
            let passed_by = importing || self.oracle.is_erased(space, key);
            if passed_by || only.is_some_and(|only| only != space) {
                continue;
            }
            let held = |found: Option<(Place, Option<Bytes>)>| found.and_then(|(_, value)| value);
            let present = self.oracle.just_before(space, key, now);
            let by = present.as_ref().map(|(place, _)| *place);
            let before = held(self.oracle.just_before(space, key, place));
            if held(present) == before {
                expected.unchanged += 1;
            } else if by == Some(place) {
                expected.writes.push((space.clone(), key.clone(), before));
            } else {
                expected.conflicts += 1;
            }
        }
        expected
    }

    fn note_revert(
        &mut self,
        place: Place,
        outcome: &RevertOutcome,
        now: Timestamp,
        expected: Expected,
    ) {
        assert_eq!(outcome.keys, expected.writes.len() as u64);
        assert_eq!((outcome.unchanged, outcome.kept), (expected.unchanged, expected.conflicts));
        let Some(receipt) = outcome.receipt else {
            return assert_eq!(outcome.keys, 0);
        };
        assert_eq!(receipt.effective, now);
        let commit = self.world.store.commit_by_id(receipt.id).expect("it is in the log");
        assert!(commit.message.starts_with(&format!("Revert of commit {}", place.1)));
        // It is written in the order of the spaces' numbers.
        let order = |space: &SpaceName, key: &Key| {
            commit.writes.iter().position(|write| (&write.space, &write.key) == (space, key))
        };
        let mut expected = expected;
        expected.writes.sort_by_key(|(space, key, _)| order(space, key));
        let commit = OracleCommit {
            backfilled: false,
            opened: Vec::new(),
            message: commit.message,
            writes: expected.writes,
        };
        self.oracle.insert((receipt.effective, receipt.id), commit);
    }
}
