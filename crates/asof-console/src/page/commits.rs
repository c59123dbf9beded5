//! Commits.

use super::{Acts, Frame, Sequence, Template, Timestamp, filters};

/// Commits up to a moment, newest first.
#[derive(Clone, Debug, Template)]
#[template(path = "log.html")]
pub struct Log {
    /// What surrounds it.
    pub frame: Frame,
    /// The commits.
    pub rows: Vec<CommitRow>,
    /// Where older ones are.
    pub older: Option<String>,
    /// Where what comes after them can be listened to.
    pub live: Option<String>,
}

/// A commit in a list.
#[derive(Clone, Debug)]
pub struct CommitRow {
    /// Its id.
    pub id: Sequence,
    /// When it takes effect.
    pub effective: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub message: String,
    /// How many keys it writes.
    pub writes: u64,
    /// The spaces that it writes in, a few of them.
    pub spaces: Vec<String>,
    /// Whether it is marked bad.
    pub bad: bool,
}

/// A commit.
#[derive(Clone, Debug, Template)]
#[template(path = "commit.html")]
pub struct Commit {
    /// What surrounds it.
    pub frame: Frame,
    /// The commit.
    pub row: CommitRow,
    /// When it was accepted, by the wall.
    pub accepted: Timestamp,
    /// The last moment at which it had not taken effect.
    pub before: Timestamp,
    /// Whether it is still to take effect.
    pub pending: bool,
    /// Who marked it bad, and why.
    pub bad: Option<BadLine>,
    /// The cap, where that is below it.
    pub held_below: Option<Timestamp>,
    /// The spaces that it writes in.
    pub spaces: Vec<String>,
    /// The first of its writes.
    pub writes: Vec<WriteRow>,
    /// How many more there are.
    pub more: u64,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// Who marked a commit bad.
#[derive(Clone, Debug)]
pub struct BadLine {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub marked: Timestamp,
}

/// What is left of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrote {
    /// A value of this many bytes.
    Value(u64),
    /// A deletion.
    Deleted,
    /// Nobody knows: the key was erased since.
    Erased,
}

/// A write.
#[derive(Clone, Debug)]
pub struct WriteRow {
    /// In which space.
    pub space: String,
    /// Which key.
    pub key: String,
    /// What it wrote.
    pub wrote: Wrote,
    /// Where the key can be looked at, as that write left it.
    pub url: Option<String>,
}
