//! What of a commit, or of the control history, a caller may see.

use asof_store::{Commit, ControlAction, ControlRecord, SpaceName};

use crate::access::Caller;

/// Leaves of `commit` what concerns the caller's spaces.
pub(crate) fn narrow(caller: &Caller, commit: &mut Commit) {
    if caller.covers_all() {
        return;
    }
    commit.writes.retain(|write| caller.covers(&write.space));
    commit.opened.retain(|space| caller.covers(space));
    commit.source = commit.source.take().filter(|source| caller.covers(&source.space));
}

/// Whether the caller may see `record`: what concerns its spaces, and what moves time for all.
pub(crate) fn shows(caller: &Caller, record: &ControlRecord) -> bool {
    use ControlAction as Action;
    if caller.covers_all() {
        return true;
    }
    match record.action {
        Action::StoreRestored
        | Action::CapSet
        | Action::CapCleared
        | Action::CapExpired
        | Action::ClockAccepted => true,
        Action::SpaceCreated
        | Action::SpaceLive
        | Action::SpaceErasable
        | Action::RetentionSet
        | Action::FloorRaised => {
            SpaceName::new(&record.subject).is_ok_and(|space| caller.covers(&space))
        }
        // Whoever holds what was read in the space must hear of it.
        Action::KeyErased => {
            let space = record.subject.split_once('/').map(|(space, _)| SpaceName::new(space));
            space.is_some_and(|space| space.is_ok_and(|space| caller.covers(&space)))
        }
        Action::PinCreated
        | Action::PinReleased
        | Action::PinExpired
        | Action::TokenCreated
        | Action::TokenRevoked
        | Action::CommitAmended
        | Action::CommitCancelled
        | Action::CommitMarkedBad
        | Action::CommitUnmarkedBad
        | Action::CommitReverted
        | Action::ReleasePlanned
        | Action::ReleaseAmended
        | Action::ReleaseApproved
        | Action::ReleaseScheduled
        | Action::ReleaseLive
        | Action::ReleaseCancelled
        | Action::ReleaseRolledBack => false,
    }
}
