//! Operating on time: what a cap touches, commits marked bad, reverts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CapEdgeBody, KeyBody, ReceiptBody, TimeBody, is_false};
use crate::{CommitId, Hash, Moment};

/// What setting or clearing the cap led to, or would lead to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CapOutcome {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Where the store was in time.
    pub before: TimeBody,
    /// Where it is then.
    pub after: TimeBody,
    /// What answers differently at latest.
    pub blast: BlastBody,
    /// The second word that it takes, where so many keys are touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The edges that told this store how they stand: a cap holds for whom an edge that has
    /// confirmed it answers. Of one that is not among them nothing is known.
    #[serde(default)]
    pub edges: Vec<CapEdgeBody>,
}

/// What answers differently at latest once that has moved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BlastBody {
    /// Latest before.
    pub from: Moment,
    /// Latest after.
    pub to: Moment,
    /// Keys that answer differently.
    pub keys: u64,
    /// Whether there may be more: counting all of them would have taken too long.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_least: bool,
    /// Bytes of the values they hold at `from`.
    pub bytes_before: u64,
    /// Bytes of the values they hold at `to`.
    pub bytes_after: u64,
    /// The same for each space that has such keys, by name.
    pub spaces: Vec<SpaceBlastBody>,
    /// Some of the keys, those written last first, a few of each space.
    pub sample: Vec<ChangeBody>,
}

/// The part of one space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SpaceBlastBody {
    /// The space.
    pub space: String,
    /// Keys that answer differently.
    pub keys: u64,
    /// Bytes of the values they hold before.
    pub bytes_before: u64,
    /// Bytes of the values they hold after.
    pub bytes_after: u64,
}

/// A key that holds something else after than before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChangeBody {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// What it holds before; `null` where it is absent.
    pub before: Option<GlanceBody>,
    /// What it holds after; `null` where it is absent.
    pub after: Option<GlanceBody>,
}

/// A value as a person recognises it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GlanceBody {
    /// Hash of the bytes.
    pub hash: Hash,
    /// How many.
    pub bytes: u64,
    /// What they are.
    pub content_type: String,
    /// Their beginning, where they are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

/// The commits that are marked bad.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BadCommitListBody {
    /// By id.
    pub bad: Vec<BadCommitBody>,
}

/// A commit that an operator has marked as bad.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct BadCommitBody {
    /// Its id.
    pub commit: CommitId,
    /// When it took effect.
    pub effective: Moment,
    /// Who marked it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The wall time at which it was marked.
    pub marked: Moment,
}

/// Takes commits back: either `commit`, or all `after` one moment `through` another.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertRequest {
    /// This commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// Things shall be as they were at this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Moment>,
    /// The last moment that is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Moment>,
    /// Only what was changed in this space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The future moment at which it shall take effect; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Moment>,
    /// Whether keys that were written again since, and that neither `keep` nor `restore` names,
    /// stay as they are. Otherwise they keep the whole from being done.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_conflicts: bool,
    /// Keys that stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<KeyBody>,
    /// Keys that are put back whatever was written since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restore: Vec<KeyBody>,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// What a revert did, or would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevertOutcome {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Keys that are put back.
    pub keys: u64,
    /// Bytes of what they hold then.
    pub bytes: u64,
    /// Keys that hold already what they held before.
    pub unchanged: u64,
    /// Keys that stay as they are because it was decided so.
    pub kept: u64,
    /// Some of the keys that are put back.
    pub sample: Vec<ChangeBody>,
    /// Keys written again since that are not decided on.
    pub conflicts: u64,
    /// Some of them.
    pub in_conflict: Vec<RevertConflictBody>,
    /// The second word that it takes, where so many keys are touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The commit; absent for a dry run, or where there is nothing to put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptBody>,
}

/// A key that a later commit wrote again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevertConflictBody {
    /// The last commit that wrote it.
    pub commit: CommitId,
    /// When that took effect.
    pub effective: Moment,
    /// What it holds, and what it would be put back to.
    #[serde(flatten)]
    pub change: ChangeBody,
}
