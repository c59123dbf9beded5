//! Erasing keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PinBody;
use crate::{CommitId, Moment};

/// Erases all that a key ever held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// The key.
    pub key: String,
    /// Who.
    pub author: String,
    /// Why. Kept for ever, as the key is: neither may tell what was erased.
    pub reason: String,
}

/// What an erasure did, or would do. It cannot be undone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EraseOutcome {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// Versions of the key, deletions and pending ones too.
    pub versions: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// When the first of them takes effect; `null` where there is none.
    pub first: Option<Moment>,
    /// When the last of them takes effect; `null` where there is none.
    pub last: Option<Moment>,
    /// Pins at moments at which the key holds a value. They do not hold it back.
    pub pins: Vec<PinBody>,
    /// Pending commits that would write the key, the first hundred: they take effect without it.
    pub pending: Vec<CommitId>,
    /// Releases that name the key, the first hundred: they go on without it.
    pub releases: Vec<String>,
    /// Copies that it does not reach, a sentence each.
    pub out_of_reach: Vec<String>,
    /// The second word that it takes; absent once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The record of it; absent for a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureBody>,
}

/// A page of what was erased.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErasureListBody {
    /// Oldest first.
    pub erasures: Vec<ErasureBody>,
    /// What to pass as `after` for the next page; `null` on the last one.
    pub next: Option<u64>,
}

/// The record of an erasure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ErasureBody {
    /// Which control record tells of it.
    pub sequence: u64,
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// The wall time.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Versions that were erased.
    pub versions: u64,
    /// Bytes of their values.
    pub bytes: u64,
}
