//! What a change means for a store, as far as it can be told without looking at objects.

use core::fmt;

use asof_time::limits::KEY_BYTES_MAX;

use super::changes::{Change, Entry, EntryKind};
use super::oid::ObjectId;

/// Why an entry cannot be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// It is a commit of another repository, which has no bytes of its own.
    Submodule,
    /// Its path is not UTF-8, as a key is.
    PathNotUtf8,
    /// Its path is longer than a key can be.
    PathTooLong {
        /// The length of the path.
        bytes: usize,
    },
    /// It is larger than the largest value.
    ValueTooLarge {
        /// The size of the file.
        bytes: u64,
        /// The size of the largest value.
        bytes_max: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submodule => f.write_str("is a submodule"),
            Self::PathNotUtf8 => f.write_str("has a path that is not UTF-8"),
            Self::PathTooLong { bytes } => {
                write!(f, "has a path of {bytes} bytes, above the {KEY_BYTES_MAX} of a key")
            }
            Self::ValueTooLarge { bytes, bytes_max } => {
                write!(f, "has {bytes} bytes, above the {bytes_max} of a value")
            }
        }
    }
}

/// What to do about one change. A blob named here may still prove too large: then a new one counts
/// as unsupported, and an old one was never written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The bytes are the same, or were not and will not be imported.
    Nothing,
    /// Write the blob `new` where `old` was.
    Put { key: String, kind: EntryKind, new: ObjectId, old: Option<ObjectId> },
    /// Delete the key, which held the blob `old`.
    Delete { key: String, old: ObjectId },
    /// The commit has an entry here that cannot be imported. It may have replaced one that was.
    Unsupported { path: Vec<u8>, reason: Reason, replaced: Option<(String, ObjectId)> },
}

/// Decides about one change.
pub(super) fn plan(change: Change) -> Plan {
    let Change { path, old, new } = change;
    if old == new {
        // Only the executable bit differs.
        return Plan::Nothing;
    }
    let key = match key_of(&path) {
        Ok(key) => key.to_owned(),
        Err(reason) if new.is_some() => {
            return Plan::Unsupported { path, reason, replaced: None };
        }
        Err(_) => return Plan::Nothing,
    };
    let old = old.and_then(blob_of).map(|(_, id)| id);
    match (old, new.map(blob_of)) {
        (old, Some(Some((kind, new)))) => Plan::Put { key, kind, new, old },
        (old, Some(None)) => Plan::Unsupported {
            path,
            reason: Reason::Submodule,
            replaced: old.map(|old| (key, old)),
        },
        (Some(old), None) => Plan::Delete { key, old },
        (None, None) => Plan::Nothing,
    }
}

fn key_of(path: &[u8]) -> Result<&str, Reason> {
    let key = core::str::from_utf8(path).map_err(|_| Reason::PathNotUtf8)?;
    if key.len() > KEY_BYTES_MAX {
        return Err(Reason::PathTooLong { bytes: key.len() });
    }
    Ok(key)
}

/// The bytes behind an entry, unless it is a submodule.
fn blob_of(entry: Entry) -> Option<(EntryKind, ObjectId)> {
    match entry.kind {
        EntryKind::File | EntryKind::Link => Some((entry.kind, entry.id)),
        EntryKind::Submodule => None,
    }
}
