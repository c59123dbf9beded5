//! Reads: their questions and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ValidityBody, is_false};
use crate::value::{Base64, present};
use crate::{CommitId, EpochId, Hash, Moment};

/// Where the store is in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TimeBody {
    /// The timeline.
    pub epoch: EpochId,
    /// At and above this moment every space can be read.
    pub floor: Moment,
    /// Nothing will ever again take effect at or below this moment.
    pub closed: Moment,
    /// The operator's ceiling; `null` where there is none.
    pub cap: Option<Moment>,
    /// What "now" resolves to: the smaller of closed and cap.
    pub latest: Moment,
    /// The number of the last control record: the third part of a snapshot's cursor.
    pub control_sequence: u64,
}

/// Several keys, over several spaces, at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadRequest {
    /// The moment; latest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Moment>,
    /// The keys, at most 1,000.
    pub keys: Vec<KeyBody>,
}

/// A key of a space.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
}

/// The answer to several keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadBody {
    /// The moment all of it was read at.
    pub as_of: Moment,
    /// The keys in the order asked.
    pub entries: Vec<ReadEntryBody>,
}

/// One of several keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReadEntryBody {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// Whether it holds no value; then only the validity is there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absent: bool,
    /// When this is true; absent for a preview.
    #[serde(flatten)]
    pub validity: Option<ValidityBody>,
    /// When the value was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Moment>,
    /// By which commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// Hash of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// How many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What the bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The value, where it is JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub value: Option<Box<RawValue>>,
    /// The value, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<Base64>,
}

/// One page of the keys of a space.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ScanBody {
    /// The moment it was read at: pass it as `as_of` for the next page.
    pub as_of: Moment,
    /// When the page is true, absent keys included; absent for a preview.
    #[serde(flatten)]
    pub validity: Option<ValidityBody>,
    /// The keys that hold a value, in order.
    pub entries: Vec<EntryBody>,
    /// The keys among them that were erased: what they held at this moment, if anything, nobody
    /// knows. They count towards the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
    /// What to pass as `after` for the next page; `null` on the last one.
    pub next: Option<String>,
}

/// One key of a page.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EntryBody {
    /// The key.
    pub key: String,
    /// When this entry is true; absent for a preview.
    #[serde(flatten)]
    pub validity: Option<ValidityBody>,
    /// When it was written.
    pub effective: Moment,
    /// By which commit.
    pub commit: CommitId,
    /// Hash of the bytes.
    pub hash: Hash,
    /// How many bytes.
    pub bytes: u64,
    /// What the bytes are.
    pub content_type: String,
    /// The value, where asked for and JSON.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub value: Option<Box<RawValue>>,
    /// The value, where asked for and not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_base64: Option<Base64>,
}

/// One page of a key's history, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HistoryBody {
    /// The moment it was read at: pass it as `as_of` for the next page.
    pub as_of: Moment,
    /// The versions.
    pub versions: Vec<HistoryVersionBody>,
    /// What to pass as `before` for the next page; `null` on the last one.
    pub next: Option<Moment>,
}

/// One version of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HistoryVersionBody {
    /// When it was written.
    pub effective: Moment,
    /// When it is true; absent for a preview.
    #[serde(flatten)]
    pub validity: Option<ValidityBody>,
    /// By which commit.
    pub commit: CommitId,
    /// Hash of the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// How many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What the bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether the key was deleted; then there is no hash.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
}

/// One page of the differences of a space between two moments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiffBody {
    /// The keys that differ, in order.
    pub entries: Vec<DiffEntryBody>,
    /// The keys among them that were erased: whether they differ, nobody knows. They count
    /// towards the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erased: Vec<String>,
    /// What to pass as `after` for the next page; `null` on the last one.
    pub next: Option<String>,
}

/// A key that holds something else at two moments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiffEntryBody {
    /// The key.
    pub key: String,
    /// What it held at the first moment; `null` for nothing.
    pub before: Option<ContentBody>,
    /// What it holds at the second; `null` for nothing.
    pub after: Option<ContentBody>,
}

/// What is known of a value without its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContentBody {
    /// Hash of the bytes.
    pub hash: Hash,
    /// How many.
    pub bytes: u64,
    /// What the bytes are.
    pub content_type: String,
}
