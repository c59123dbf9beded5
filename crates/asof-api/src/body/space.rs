//! Spaces, their import and what is kept of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{is_false, is_zero};
use crate::value::present;
use crate::{CommitId, Moment, ValueInput};

/// All spaces.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SpaceListBody {
    /// By name.
    pub spaces: Vec<SpaceBody>,
}

/// A space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SpaceBody {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: SpaceStateName,
    /// When it went live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// How far its import has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportProgressBody>,
    /// What is kept of its history.
    pub retention: RetentionBody,
    /// The earliest moment at which all of it can be read.
    pub floor: Moment,
    /// Whether keys of it may be erased: no answer of it is `immutable` then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erasable: bool,
}

/// The life of a space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpaceStateName {
    /// History is being written; nobody can read it yet.
    Importing,
    /// Readable; every write takes effect now or later.
    Live,
}

/// How far an import has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ImportProgressBody {
    /// Commits imported.
    pub commits: u64,
    /// Effective time of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Moment>,
    /// Source id of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_source: Option<String>,
}

/// A new space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpaceRequest {
    /// The state it begins in.
    pub state: SpaceStateName,
}

/// What is kept of a space's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "retention is \"all\", {\"keep_seconds\": n} or {\"dense_seconds\": n, \
                 \"every_seconds\": n}"
)]
#[schemars(inline)]
pub enum RetentionBody {
    /// All of it.
    All(
        /// The word.
        All,
    ),
    /// Everything younger than this.
    KeepFor {
        /// In seconds.
        keep_seconds: u64,
    },
    /// Everything younger than `dense_seconds`; of what is older the whole state at each
    /// multiple of `every_seconds` since 1970.
    Sparse {
        /// In seconds.
        dense_seconds: u64,
        /// In seconds.
        every_seconds: u64,
    },
}

/// The word `"all"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum All {
    /// The word.
    #[serde(rename = "all")]
    All,
}

impl RetentionBody {
    /// All of it.
    pub const ALL: Self = Self::All(All::All);
}

/// What a retention leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RetentionOutcome {
    /// The floor of the space under it, at present.
    pub floor: Moment,
}

/// What a space holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UsageBody {
    /// Keys that hold a value at latest.
    pub live_keys: u64,
    /// Keys with any version.
    pub keys: u64,
    /// Keys that were erased; absent where none were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub erased_keys: u64,
    /// Versions, deletions and pending ones included.
    pub versions: u64,
    /// Bytes of all values of all versions.
    pub value_bytes: u64,
}

/// One line of an import: a commit of history.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportLine {
    /// Its own (past) time, above that of the line before it.
    pub at: Moment,
    /// Its id at the source; a line whose id the space already has is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Who, at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Why, at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The space, where the line says it: the same as in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The writes. A key may be written once.
    pub writes: Vec<ImportWriteBody>,
}

/// One write of history: exactly one of `value`, `value_text`, `value_base64` and
/// `"delete": true`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportWriteBody {
    /// The key.
    pub key: String,
    /// Any JSON; its exact text is stored, as `application/json`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub value: Option<Box<RawValue>>,
    /// Text; stored as `text/plain; charset=utf-8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_text: Option<String>,
    /// Any bytes as base64; stored as `application/octet-stream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<String>,
    /// The content type, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Deletes the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<bool>,
}

impl ImportWriteBody {
    /// The members that say what is written.
    pub fn input(&self) -> ValueInput<'_> {
        ValueInput {
            value: self.value.as_deref(),
            value_text: self.value_text.as_deref(),
            value_base64: self.value_base64.as_deref(),
            content_type: self.content_type.as_deref(),
            delete: self.delete,
        }
    }
}

/// What an import brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImportBody {
    /// Commits that are new.
    pub imported: u64,
    /// Commits whose source id the space already had.
    pub known: u64,
}

/// The commit that brought a source id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SourceAnswerBody {
    /// Its id.
    pub commit: CommitId,
    /// When it took effect.
    pub effective: Moment,
}
