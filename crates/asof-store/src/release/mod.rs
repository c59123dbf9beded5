//! Timed releases: named sets of writes with a future time, from plan to roll-back.
//!
//! Each state is a type that holds what is known in it, and each transition is a method that
//! consumes one state and gives the next, so that one that is not allowed cannot be written down:
//!
//! ```text
//!              amend, approve                amend
//!                 +----+                    +-----+
//!                 |    v      schedule      |     v     its time comes        roll back
//!   plan ------> Draft ------------------> Scheduled ------------------> Live --------> RolledBack
//!                 |  ^                       |    |
//!                 |  +-----------------------+    |
//!                 |    amend of what was approved |
//!                 |                               |
//!                 +---- cancel ----> Cancelled <--+
//! ```
//!
//! A scheduled release *is* a pending commit: it takes effect at its timestamp whether or not the
//! store runs then, and who reads needs to know nothing of releases.

mod state;

use asof_time::{Sequence, Timestamp};

use crate::{Actor, ContentHash, ControlAction, Error, Key, Op, Result, SpaceName};

pub(crate) use state::Amended;
pub use state::{Approval, Cancelled, Draft, Live, ReleaseState, RolledBack, Scheduled};

/// Who does something to a release: what the audit record says, and by what two people are told
/// apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Operator {
    /// For the audit record.
    pub actor: Actor,
    /// The name of the token, or where there are none the name that is claimed. Whoever planned a
    /// release cannot approve it.
    pub principal: String,
}

/// Whether a second operator must approve a release before it is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Approving {
    /// No.
    #[default]
    NotNeeded,
    /// Yes, after each amendment anew.
    Needed,
}

/// Whether other commits may be scheduled on the keys of a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Keys {
    /// They may, before and after it.
    #[default]
    Shared,
    /// Nothing else is scheduled on them when it is, nor while it is.
    Alone,
}

/// What a release shall be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseRequest {
    /// Its name, 1 to 128 bytes; never used again.
    pub name: String,
    /// When it shall take effect.
    pub at: Timestamp,
    /// What it is, in words; the message of its commit.
    pub message: String,
    /// Whether a second operator must approve it.
    pub approving: Approving,
    /// Whether it wants its keys for itself.
    pub keys: Keys,
    /// The writes. A key may be written once.
    pub writes: Vec<(SpaceName, Key, Op)>,
}

/// What shall be different about a release; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReleaseAmendment {
    /// When it shall take effect.
    pub at: Option<Timestamp>,
    /// What it is.
    pub message: Option<String>,
    /// The writes, in place of all the old ones.
    pub writes: Option<Vec<(SpaceName, Key, Op)>>,
}

/// What happens on roll-back to keys that were written after the release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Later {
    /// Nothing is rolled back while there is one.
    #[default]
    Refuse,
    /// They keep what was written later; the others are rolled back.
    Keep,
}

/// A release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// When it was planned.
    pub created: Timestamp,
    /// What is planned, or was.
    pub plan: Plan,
    /// Where it is in its life.
    pub state: ReleaseState,
    /// What happened to it, oldest first.
    pub events: Vec<ReleaseEvent>,
}

/// What a release is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// When it takes effect.
    pub at: Timestamp,
    /// What it is.
    pub message: String,
    /// Whether it wants its keys for itself.
    pub keys: Keys,
    /// Keys that it writes.
    pub writes: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Who planned or amended it.
    pub planners: Vec<String>,
}

/// A write of a release, without its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedWrite {
    /// Where.
    pub space: SpaceName,
    /// Which key.
    pub key: Key,
    /// Hash and size of the value; `None` where the key is deleted.
    pub content: Option<(ContentHash, u64)>,
}

/// Something that happened to a release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseEvent {
    /// The wall time.
    pub at: Timestamp,
    /// Who and why.
    pub by: Actor,
    /// What was done.
    pub action: ControlAction,
    /// For people.
    pub detail: String,
}

impl Release {
    /// The pending commit that it is.
    pub fn scheduled_commit(&self) -> Option<Sequence> {
        match &self.state {
            ReleaseState::Scheduled(scheduled) => Some(scheduled.commit()),
            _ => None,
        }
    }

    /// Whether it is still called scheduled though its time is not after `moment`.
    pub(crate) fn arrives_by(&self, moment: Timestamp) -> bool {
        matches!(self.state, ReleaseState::Scheduled(_)) && self.plan.at <= moment
    }

    /// The release as it is once nothing at or below `moment` can change any more: scheduled
    /// becomes live by time alone, whether or not anybody has noted it yet.
    #[must_use]
    pub(crate) fn seen_at(mut self, moment: Timestamp) -> Self {
        if self.plan.at <= moment {
            self.state = self.state.time_has_come();
        }
        self
    }

    pub(crate) fn refuse(&self, what: &str) -> Error {
        let (name, state) = (&self.name, self.state.as_str());
        let hint = match &self.state {
            ReleaseState::Draft(_) => "schedule it first",
            ReleaseState::Scheduled(_) => "cancel or amend it instead",
            ReleaseState::Live(_) => "roll it back instead",
            ReleaseState::Cancelled(_) | ReleaseState::RolledBack(_) => "plan a new one",
        };
        Error::conflict(format!("release `{name}` is {state} and cannot be {what}: {hint}"))
    }
}

/// Checks the name of a new release.
pub(crate) fn check_name(name: &str) -> Result<()> {
    use asof_time::limits::RELEASE_NAME_BYTES_MAX;
    if name.len() > RELEASE_NAME_BYTES_MAX {
        return Err(Error::too_large(
            "the release's name",
            name.len(),
            RELEASE_NAME_BYTES_MAX,
            "bytes",
        ));
    }
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '/') {
        return Err(Error::invalid(
            "a release's name has 1 to 128 bytes, without `/` and control characters",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
