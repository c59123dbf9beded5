//! Reading at one moment.

use asof_time::{Epoch, Sequence, Timestamp, Validity};
use bytes::Bytes;

use crate::{Commit, ContentHash, ContentType, Cursor, Key, Result, SpaceName};

/// Which moment a read asks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AsOf {
    /// The smaller of closed and the cap.
    #[default]
    Latest,
    /// This moment, at or below latest.
    At(Timestamp),
    /// This moment, closed or not and capped or not, with the commits that are pending now.
    /// Such answers may still change and carry no validity.
    Preview(Timestamp),
}

/// The store at one moment. Everything read through one view is read at the same timestamp.
#[derive(Clone, Debug)]
pub struct View {}

impl View {
    /// The moment it shows.
    pub fn as_of(&self) -> Timestamp {
        todo!()
    }

    /// The closed timestamp that it captured.
    pub fn closed(&self) -> Timestamp {
        todo!()
    }

    /// The timeline it belongs to.
    pub fn epoch(&self) -> Epoch {
        todo!()
    }

    /// The value of one key. Absence is an answer like any other and has its validity.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `StillImporting`, `BelowFloor`, `Corrupt`, `Unavailable`.
    pub fn get(&self, _space: &SpaceName, _key: &Key) -> Result<Read<Option<Version>>> {
        todo!()
    }

    /// Several keys, in the order asked, at most [`MULTI_KEYS_MAX`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); one key's error fails them all.
    ///
    /// [`MULTI_KEYS_MAX`]: asof_time::limits::MULTI_KEYS_MAX
    pub fn get_many(&self, _keys: &[(SpaceName, Key)]) -> Result<Vec<Read<Option<Version>>>> {
        todo!()
    }

    /// The keys of a range that hold a value, in order, a page at a time. The page's validity
    /// covers the absent keys too, up to and including the one that proves there is more.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn scan(&self, _space: &SpaceName, _range: &ScanRange) -> Result<Read<ScanPage>> {
        todo!()
    }

    /// The versions of one key up to the moment of the view, newest first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn history(
        &self,
        _space: &SpaceName,
        _key: &Key,
        _range: &HistoryRange,
    ) -> Result<HistoryPage> {
        todo!()
    }
}

/// An answer and when it is true.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read<T> {
    /// The answer.
    pub value: T,
    /// When it is true; `None` for a preview, of which nothing can be said.
    pub validity: Option<Validity>,
}

/// A value as of some moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// When it was written.
    pub effective: Timestamp,
    /// By which commit.
    pub commit: Sequence,
    /// Hash of the bytes.
    pub hash: ContentHash,
    /// What the bytes are.
    pub content_type: ContentType,
    /// The bytes.
    pub bytes: Bytes,
}

/// Whether a listing carries the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WithValues {
    /// Hash and size only.
    #[default]
    Omit,
    /// The bytes as well.
    Include,
}

/// Which keys a scan covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRange {
    /// Keys that begin with this; empty for all.
    pub prefix: String,
    /// Keys after this one: the way to the next page.
    pub after: Option<Key>,
    /// Entries a page at most, from 1 to [`PAGE_ENTRIES_MAX`](asof_time::limits::PAGE_ENTRIES_MAX).
    pub limit: usize,
    /// With or without the values. With them a page ends early at about 16 MiB.
    pub values: WithValues,
}

/// One page of a scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanPage {
    /// The keys that hold a value.
    pub entries: Vec<Entry>,
    /// What to pass as `after` for the next page; `None` on the last one.
    pub next: Option<Key>,
}

/// One key of a scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// When this entry is true; `None` for a preview.
    pub validity: Option<Validity>,
    /// When it was written.
    pub effective: Timestamp,
    /// By which commit.
    pub commit: Sequence,
    /// What it holds.
    pub content: Content,
    /// The bytes, where asked for.
    pub value: Option<Bytes>,
}

/// What is known of a value without its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// Hash of the bytes.
    pub hash: ContentHash,
    /// What the bytes are.
    pub content_type: ContentType,
    /// How many.
    pub bytes: u64,
}

/// Which versions a history covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistoryRange {
    /// Versions that are still true at this moment or later.
    pub from: Timestamp,
    /// Versions written before this moment: the way to the next page.
    pub before: Option<Timestamp>,
    /// Versions a page at most, from 1 to [`PAGE_ENTRIES_MAX`](asof_time::limits::PAGE_ENTRIES_MAX).
    pub limit: usize,
}

/// One page of a key's history, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPage {
    /// The versions.
    pub versions: Vec<HistoryVersion>,
    /// What to pass as `before` for the next page; `None` on the last one.
    pub next: Option<Timestamp>,
}

/// One version of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryVersion {
    /// When it is true; `None` for a preview.
    pub validity: Option<Validity>,
    /// When it was written.
    pub effective: Timestamp,
    /// By which commit.
    pub commit: Sequence,
    /// What it holds; `None` where the key was deleted.
    pub content: Option<Content>,
}

/// One page of the differences of a space between two moments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiffPage {
    /// The keys that differ, in order.
    pub entries: Vec<DiffEntry>,
    /// What to pass as `after` for the next page; `None` on the last one.
    pub next: Option<Key>,
}

/// A key that holds something else at two moments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiffEntry {
    /// The key.
    pub key: Key,
    /// What it held at the first moment.
    pub before: Option<Content>,
    /// What it holds at the second.
    pub after: Option<Content>,
}

/// Which commits a log covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRange {
    /// Commits after this place; its control part is not looked at.
    pub after: Cursor,
    /// Commits that write into (or open) one of these spaces; all where `None`.
    pub spaces: Option<Vec<SpaceName>>,
    /// Commits a page at most, from 1 to [`PAGE_ENTRIES_MAX`](asof_time::limits::PAGE_ENTRIES_MAX).
    pub limit: usize,
}

/// One page of the log, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPage {
    /// The commits.
    pub commits: Vec<Commit>,
    /// What to pass as `after` for the next page; `None` on the last one.
    pub next: Option<Cursor>,
}
