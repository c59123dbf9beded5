//! Commits: asked for and remembered.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::is_false;
use crate::value::present;
use crate::{CommitId, Cursor, EpochId, Hash, Moment, ValueInput};

/// An atomic set of writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRequest {
    /// The writes. A key may be written once.
    pub writes: Vec<WriteBody>,
    /// The future moment at which they shall take effect; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Moment>,
    /// Who, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Why, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where it was imported from. A source id that its space already has is answered with the
    /// receipt of the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceBody>,
}

/// One write: exactly one of `value`, `value_text`, `value_base64` and `"delete": true`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteBody {
    /// The space; created where it does not exist.
    pub space: String,
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
    /// What must hold just before.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub precondition: Option<IfBody>,
}

impl WriteBody {
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

/// What must hold of a key just before the commit takes effect: exactly one member.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfBody {
    /// It holds no value.
    Absent(True),
    /// It holds a value.
    Present(True),
    /// It holds the value with this hash.
    Hash(Hash),
    /// It was not written after this moment.
    UnchangedSince(Moment),
}

/// The JSON value `true`, and no other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, JsonSchema)]
#[schemars(inline, with = "bool", extend("const" = true))]
pub struct True;

impl Serialize for True {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for True {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            Ok(Self)
        } else {
            Err(de::Error::custom("must be `true` where it is given"))
        }
    }
}

/// Where a commit came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct SourceBody {
    /// The space that keeps the map from source id to commit; all writes go there.
    pub space: String,
    /// The id at the source, 1 to 128 bytes, unique within the space.
    pub id: String,
    /// The time at the source.
    pub at: Moment,
}

/// Says that a commit was accepted and is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptBody {
    /// The commit's id.
    pub id: CommitId,
    /// When it takes (or took) effect.
    pub effective: Moment,
    /// The wall time at which it was accepted.
    pub accepted: Moment,
    /// The timeline.
    pub epoch: EpochId,
    /// Whether it is the outcome of an earlier, identical request.
    pub replayed: bool,
}

/// Changes to a pending commit. What is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendRequest {
    /// A new future moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Moment>,
    /// A new message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// New writes in place of all the old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<WriteBody>>,
}

/// A commit as the log remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommitBody {
    /// Its id, and its place among commits with the same effective timestamp.
    pub id: CommitId,
    /// When it takes effect.
    pub effective: Moment,
    /// The wall time at which it was accepted.
    pub accepted: Moment,
    /// Who.
    pub author: String,
    /// Why.
    pub message: String,
    /// Spaces that went live with it.
    pub opened: Vec<String>,
    /// Where it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceBody>,
    /// Whether it was written into an importing space, at its own past time.
    pub backfilled: bool,
    /// The writes.
    pub writes: Vec<CommitWriteBody>,
}

/// One write of a commit: hash and size of the value, or that the key was deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommitWriteBody {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// Hash of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// Size of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether the key was deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Whether the key was erased since: what was written is no longer known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erased: bool,
}

/// A page of commits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CommitListBody {
    /// The commits, oldest first; pending ones soonest first. Of large commits a page holds fewer
    /// than were asked for.
    pub commits: Vec<CommitBody>,
    /// What to pass as `after` for the next page; `null` on the last one.
    pub next: Option<Cursor>,
}
