//! Amending and cancelling.

use asof_store::{Amendment, Precondition};
use std::time::Duration;

use super::{Run, assert_kind, assert_one_of, effects};
use crate::oracle::{OracleCommit, Place};
use crate::world::actor;

impl Run {
    pub(super) fn some_commit(&mut self) -> Option<(Place, OracleCommit)> {
        let closed = self.world.closed();
        let any = self.dice.one_in(4);
        let places: Vec<Place> = self
            .oracle
            .commits
            .iter()
            .filter(|(place, commit)| !commit.backfilled && (any || place.0 > closed))
            .map(|(place, _)| *place)
            .collect();
        let place = *self.dice.pick(&places)?;
        Some((place, self.oracle.commits.get(&place)?.clone()))
    }

    pub(super) fn cancel(&mut self) {
        let Some((place, commit)) = self.some_commit() else {
            return;
        };
        let closed = self.world.closed();
        let outcome = self.world.store.cancel(place.1, actor("changed our mind"));
        if place.0 <= closed {
            // Its row may be gone with the history that it belonged to.
            return assert_one_of(outcome, &["InThePast", "NotFound", "BelowFloor"]);
        }
        assert_eq!(outcome.expect("pending").message, commit.message);
        self.oracle.remove(place);
        assert_kind(self.world.store.cancel(place.1, actor("twice")), "NotFound");
    }

    pub(super) fn amend(&mut self) {
        let Some((place, old)) = self.some_commit() else {
            return;
        };
        let mut amendment = Amendment::default();
        if self.dice.one_in(2) {
            let ahead = Duration::from_millis(self.dice.below(9_000));
            amendment.effective = Some(self.world.wall().saturating_add(ahead));
        }
        if self.dice.one_in(2) {
            amendment.message = Some(format!("amended {}", self.numbers));
        }
        if self.dice.one_in(2) {
            let mut writes = self.writes();
            writes.retain(|write| {
                self.oracle.spaces.get(&write.space).is_some_and(|space| !space.importing)
            });
            if !writes.is_empty() {
                for write in &mut writes {
                    write.precondition = Precondition::None;
                }
                amendment.writes = Some(writes);
            }
        }
        let closed = self.world.closed();
        let outcome = self.world.store.amend(place.1, amendment.clone(), actor("a better idea"));
        let effective = amendment.effective.unwrap_or(place.0);
        if place.0 <= closed {
            return assert_one_of(outcome, &["InThePast", "NotFound", "BelowFloor"]);
        }
        if effective <= closed {
            return assert_kind(outcome, "InThePast");
        }
        if amendment.writes.as_deref().is_some_and(|writes| self.writes_erased(writes)) {
            return assert_kind(outcome, "Erased");
        }
        let receipt = outcome.expect("pending");
        assert_eq!((receipt.effective, receipt.id), (effective, place.1));
        self.oracle.remove(place);
        let commit = OracleCommit {
            message: amendment.message.unwrap_or(old.message),
            writes: amendment.writes.as_deref().map_or(old.writes, effects),
            ..old
        };
        self.oracle.insert((effective, place.1), commit);
    }
}
