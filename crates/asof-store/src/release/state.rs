//! The states of a release and the ways between them.

use asof_time::{Sequence, Timestamp};

use super::Approving;
use crate::{Error, Result};

/// Where a release is in its life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReleaseState {
    /// It is being planned; nothing is scheduled.
    Draft(Draft),
    /// It is a pending commit.
    Scheduled(Scheduled),
    /// It took effect.
    Live(Live),
    /// It never took effect and never will.
    Cancelled(Cancelled),
    /// It took effect, and a later commit undid it.
    RolledBack(RolledBack),
}

/// How far the approval by a second operator is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Approval {
    /// None is asked for.
    NotNeeded,
    /// It is still to come.
    Needed,
    /// It is there.
    Given {
        /// By whom.
        by: String,
        /// When, by the wall.
        at: Timestamp,
    },
}

/// A release that is being planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    approval: Approval,
}

/// A draft with all the approval that it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ready {
    approval: Approval,
}

/// A release that is a pending commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scheduled {
    approval: Approval,
    commit: Sequence,
}

/// A release that took effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    commit: Sequence,
}

/// A release that never took effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cancelled {
    commit: Option<Sequence>,
}

/// A release that was undone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RolledBack {
    commit: Sequence,
    by: Sequence,
    at: Timestamp,
}

/// What an amendment makes of a scheduled release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Amended {
    /// It stays scheduled.
    Scheduled(Scheduled),
    /// What was approved is another release now: it must be approved and scheduled again.
    Recalled(Draft),
}

impl ReleaseState {
    /// The name under which every surface shows it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Draft(_) => "draft",
            Self::Scheduled(_) => "scheduled",
            Self::Live(_) => "live",
            Self::Cancelled(_) => "cancelled",
            Self::RolledBack(_) => "rolled-back",
        }
    }

    /// How far its approval is; `None` once it does not matter any more.
    pub fn approval(&self) -> Option<&Approval> {
        match self {
            Self::Draft(draft) => Some(&draft.approval),
            Self::Scheduled(scheduled) => Some(&scheduled.approval),
            Self::Live(_) | Self::Cancelled(_) | Self::RolledBack(_) => None,
        }
    }

    /// The commit that it is, or was.
    pub fn commit(&self) -> Option<Sequence> {
        match self {
            Self::Draft(_) => None,
            Self::Scheduled(scheduled) => Some(scheduled.commit),
            Self::Live(live) => Some(live.commit),
            Self::Cancelled(cancelled) => cancelled.commit,
            Self::RolledBack(rolled_back) => Some(rolled_back.commit),
        }
    }

    /// What is scheduled is live; everything else stays as it is.
    #[must_use]
    pub(crate) fn time_has_come(self) -> Self {
        match self {
            Self::Scheduled(scheduled) => Self::Live(scheduled.takes_effect()),
            other => other,
        }
    }
}

impl Approval {
    fn is_asked_for(&self) -> bool {
        !matches!(self, Self::NotNeeded)
    }
}

impl Draft {
    /// A new draft.
    pub(crate) fn new(approving: Approving) -> Self {
        Self {
            approval: match approving {
                Approving::NotNeeded => Approval::NotNeeded,
                Approving::Needed => Approval::Needed,
            },
        }
    }

    /// The draft after a change: what was approved was something else.
    pub(crate) fn amended(self) -> Self {
        let asked_for = self.approval.is_asked_for();
        Self { approval: if asked_for { Approval::Needed } else { Approval::NotNeeded } }
    }

    /// The draft once `by` has approved it, who must not be among `planners`.
    pub(crate) fn approved(self, by: &str, planners: &[String], at: Timestamp) -> Result<Self> {
        match self.approval {
            Approval::NotNeeded => Err(Error::conflict("the release asks for no approval")),
            Approval::Given { by, .. } => {
                Err(Error::conflict(format!("the release is approved already, by `{by}`")))
            }
            Approval::Needed if planners.iter().any(|planner| planner == by) => {
                Err(Error::conflict(format!(
                    "`{by}` planned or amended the release; it is approved by somebody else"
                )))
            }
            Approval::Needed => Ok(Self { approval: Approval::Given { by: by.to_owned(), at } }),
        }
    }

    /// The draft, if it may be scheduled.
    pub(crate) fn ready(self) -> Result<Ready> {
        match self.approval {
            Approval::Needed => {
                Err(Error::conflict("the release is to be approved by a second operator first"))
            }
            approval @ (Approval::NotNeeded | Approval::Given { .. }) => Ok(Ready { approval }),
        }
    }

    #[expect(clippy::unused_self, reason = "consumed: there is no such draft any more")]
    pub(crate) fn cancelled(self) -> Cancelled {
        Cancelled { commit: None }
    }

    pub(crate) fn restore(approval: Approval) -> Self {
        Self { approval }
    }
}

impl Ready {
    /// The release as the pending commit `commit`.
    pub(crate) fn scheduled(self, commit: Sequence) -> Scheduled {
        Scheduled { approval: self.approval, commit }
    }
}

impl Scheduled {
    /// The pending commit.
    pub fn commit(&self) -> Sequence {
        self.commit
    }

    /// What an amendment makes of it. A recalled one needs its commit cancelled.
    pub(crate) fn amended(self) -> Amended {
        if self.approval.is_asked_for() {
            Amended::Recalled(Draft { approval: Approval::Needed })
        } else {
            Amended::Scheduled(self)
        }
    }

    pub(crate) fn cancelled(self) -> Cancelled {
        Cancelled { commit: Some(self.commit) }
    }

    pub(crate) fn takes_effect(self) -> Live {
        Live { commit: self.commit }
    }

    pub(crate) fn restore(approval: Approval, commit: Sequence) -> Self {
        Self { approval, commit }
    }
}

impl Live {
    /// The commit that took effect.
    pub fn commit(&self) -> Sequence {
        self.commit
    }

    /// Undone by the commit `by` at `at`.
    pub(crate) fn rolled_back(self, by: Sequence, at: Timestamp) -> RolledBack {
        RolledBack { commit: self.commit, by, at }
    }

    pub(crate) fn restore(commit: Sequence) -> Self {
        Self { commit }
    }
}

impl Cancelled {
    /// The commit that it was while it was scheduled.
    pub fn commit(&self) -> Option<Sequence> {
        self.commit
    }

    pub(crate) fn restore(commit: Option<Sequence>) -> Self {
        Self { commit }
    }
}

impl RolledBack {
    /// The commit that undid it.
    pub fn by(&self) -> Sequence {
        self.by
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn restore(commit: Sequence, by: Sequence, at: Timestamp) -> Self {
        Self { commit, by, at }
    }
}
