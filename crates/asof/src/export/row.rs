//! What is exported of a key.

use asof_api::body::EntryBody;
use asof_api::{Hash, JSON};
use asof_store::Entry;
use bytes::Bytes;

/// A key that holds a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(super) key: String,
    /// Microseconds.
    pub(super) effective: u64,
    pub(super) commit: u64,
    pub(super) content_type: String,
    pub(super) hash: Hash,
    /// The bytes as they are stored.
    pub(super) value: Bytes,
}

/// A value as text formats hold it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Text<'a> {
    /// JSON, as it is.
    Json(&'a str),
    /// Other text.
    Plain(&'a str),
    /// Bytes that are no text, or hold a zero, which many readers take for its end.
    Bytes,
}

impl Row {
    /// The row of `entry`, whose value was asked for; `None` where it did not come along.
    pub(super) fn new(entry: EntryBody) -> Option<Self> {
        let value = match (entry.value, entry.value_base64) {
            (Some(json), None) => Bytes::from(String::from(Box::<str>::from(json))),
            (None, Some(bytes)) => Bytes::from(bytes.0),
            _ => return None,
        };
        Some(Self {
            key: entry.key,
            effective: entry.effective.0.as_micros(),
            commit: entry.commit.0.as_u64(),
            content_type: entry.content_type,
            hash: entry.hash,
            value,
        })
    }

    /// The row of an entry as the store holds it; `None` where its value was not asked for.
    pub(super) fn stored(entry: Entry) -> Option<Self> {
        Some(Self {
            key: entry.key.to_string(),
            effective: entry.effective.as_micros(),
            commit: entry.commit.as_u64(),
            content_type: entry.content.content_type.as_str().to_owned(),
            hash: Hash(*entry.content.hash.as_bytes()),
            value: entry.value?,
        })
    }

    pub(super) fn text(&self) -> Text<'_> {
        let Some(text) = core::str::from_utf8(&self.value).ok().filter(|text| !text.contains('\0'))
        else {
            return Text::Bytes;
        };
        // What is called JSON need not be any.
        let is_json = self.content_type == JSON
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if is_json { Text::Json(text) } else { Text::Plain(text) }
    }
}
