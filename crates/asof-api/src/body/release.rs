//! Timed releases.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_false;
use super::{CommitWriteBody, WriteBody};
use crate::{CommitId, Moment};

/// A named set of writes with a future time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The future moment at which it takes effect.
    pub at: Moment,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether a second operator must approve it before it can be scheduled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_approval: bool,
    /// Whether nothing else may be scheduled on its keys.
    #[serde(default, skip_serializing_if = "is_false")]
    pub alone: bool,
    /// The writes, without conditions. A key may be written once.
    pub writes: Vec<WriteBody>,
}

/// Changes to a draft or a scheduled release. What is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseAmendRequest {
    /// A new future moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// New writes in place of all the old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<WriteBody>>,
}

/// All releases.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseListBody {
    /// By name, past ones too.
    pub releases: Vec<ReleaseBody>,
}

/// Where a release is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseStateName {
    /// It is being planned; nothing is scheduled.
    Draft,
    /// It is a pending commit.
    Scheduled,
    /// It took effect.
    Live,
    /// It never took effect and never will.
    Cancelled,
    /// It took effect, and a later commit undid it.
    RolledBack,
}

impl ReleaseStateName {
    /// The name under which every surface shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Live => "live",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled-back",
        }
    }
}

/// A release: what was planned, and what happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseBody {
    /// Its name, never used again.
    pub name: String,
    /// Where it is in its life.
    pub state: ReleaseStateName,
    /// When it takes effect.
    pub at: Moment,
    /// What it is.
    pub message: String,
    /// Whether a second operator must approve it; only of drafts and scheduled ones.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_approval: bool,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Whether nothing else may be scheduled on its keys.
    pub alone: bool,
    /// Keys that it writes.
    pub writes: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
    /// Who planned or amended it.
    pub planners: Vec<String>,
    /// The wall time at which it was planned.
    pub created: Moment,
    /// The commit that it is, or was while it was scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// The commit that undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<CommitId>,
    /// When it was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_at: Option<Moment>,
    /// What happened to it, oldest first.
    pub events: Vec<ReleaseEventBody>,
}

/// Something that happened to a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseEventBody {
    /// The wall time.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was done, as the audit calls it.
    pub action: String,
    /// For people.
    pub detail: String,
}

/// A release and what it writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseDetailBody {
    /// The release.
    #[serde(flatten)]
    pub release: ReleaseBody,
    /// Hash and size of what it writes to each key.
    pub planned: Vec<CommitWriteBody>,
}

/// What cancelling or rolling back a release led to, or would lead to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseOutcome {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// The release.
    pub release: ReleaseBody,
}
