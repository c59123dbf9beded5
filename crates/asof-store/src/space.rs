//! Spaces as callers see them.

use core::time::Duration;

use asof_time::Timestamp;

use crate::SpaceName;

/// A space: a named keyed collection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpaceInfo {
    /// Its name.
    pub name: SpaceName,
    /// Where it is in its life.
    pub state: SpaceState,
    /// What is kept of its history.
    pub retention: Retention,
    /// The earliest moment at which all of it can be read.
    pub floor: Timestamp,
    /// Whether keys of it may be erased.
    pub erasable: Erasable,
}

/// Whether keys of a space may be erased some day. Nobody is told that an answer of such a space
/// stays as it is for ever, so no cache keeps it for longer than it can be reached.
///
/// It only grows: a space in which something was erased is one from then on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Erasable {
    /// Not foreseen. It can be done all the same, but not in caches that were told "for ever".
    #[default]
    No,
    /// Foreseen.
    Yes,
}

/// The life of a space: importing, then live, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpaceState {
    /// History is being written at its own past times; nobody can read it yet.
    Importing(ImportProgress),
    /// Readable; every write takes effect now or later.
    Live {
        /// When it went live.
        since: Timestamp,
    },
}

/// How far an import has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportProgress {
    /// Commits imported.
    pub commits: u64,
    /// Effective time of the last one.
    pub last_at: Option<Timestamp>,
    /// Source id of the last one; empty where it had none.
    pub last_source_id: String,
}

/// What is kept of a space's history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Retention {
    /// All of it.
    #[default]
    KeepAll,
    /// Everything younger than this.
    KeepFor(Duration),
    /// Everything younger than `dense`; of what is older the whole state at each multiple of
    /// `every` since 1970, readable at exactly these instants.
    Sparse {
        /// Everything younger than this is kept.
        dense: Duration,
        /// Distance of the instants kept below that; a whole number of seconds.
        every: Duration,
    },
}

/// What a space holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpaceUsage {
    /// Keys that hold a value at latest.
    pub live_keys: u64,
    /// Keys with any version.
    pub keys: u64,
    /// Keys that were erased.
    pub erased_keys: u64,
    /// Versions, deletions and pending ones included.
    pub versions: u64,
    /// Bytes of all values of all versions.
    pub value_bytes: u64,
}
