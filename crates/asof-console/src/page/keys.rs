//! Keys and what they hold.

use super::{Acts, CommitRow, Frame, Sequence, Template, Timestamp, filters};
use crate::diff::Line;

/// The keys of a space at a moment.
#[derive(Clone, Debug, Template)]
#[template(path = "space.html")]
pub struct Space {
    /// What surrounds it.
    pub frame: Frame,
    /// Its name.
    pub space: String,
    /// What the keys begin with.
    pub prefix: String,
    /// The keys, in order.
    pub rows: Vec<KeyRow>,
    /// Those among them that were erased.
    pub erased: Vec<String>,
    /// Where the next page is.
    pub next: Option<String>,
    /// Where the first page is, unless this is it.
    pub first: Option<String>,
}

/// A key and what it holds.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// The key.
    pub key: String,
    /// The beginning of its value, where it is text.
    pub excerpt: Option<String>,
    /// The bytes of its value.
    pub bytes: u64,
    /// When it was written.
    pub effective: Timestamp,
}

/// When something is true.
#[derive(Clone, Debug)]
pub struct Truth {
    /// From this moment on.
    pub from: Timestamp,
    /// Until that one, where it is known.
    pub until: Option<Timestamp>,
}

/// A key at a moment.
#[derive(Clone, Debug, Template)]
#[template(path = "key.html")]
pub struct Key {
    /// What surrounds it.
    pub frame: Frame,
    /// Its space.
    pub space: String,
    /// The key.
    pub key: String,
    /// What it holds.
    pub held: Held,
    /// When that is true.
    pub truth: Option<Truth>,
    /// The commit that wrote it.
    pub commit: Option<CommitRow>,
    /// What changed since another version.
    pub compared: Option<Compared>,
    /// Its versions up to the moment, newest first.
    pub versions: Vec<VersionRow>,
    /// Where older versions are.
    pub older: Option<String>,
}

/// What a key holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// Nothing.
    Absent,
    /// A text.
    Text {
        /// Its beginning, laid out where it is JSON.
        text: String,
        /// How many bytes of it are not shown.
        cut: u64,
        /// What it is.
        content_type: String,
        /// How long it is.
        bytes: u64,
        /// A short form of its hash.
        hash: String,
    },
    /// What people cannot read.
    Bytes {
        /// What it is.
        content_type: String,
        /// How long it is.
        bytes: u64,
        /// A short form of its hash.
        hash: String,
    },
}

impl Held {
    /// Whether it is nothing.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// What changed between two versions.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The earlier one.
    pub from: Timestamp,
    /// The later one.
    pub to: Timestamp,
    /// The diff; `None` where one of them is no text, or too long.
    pub lines: Option<Vec<Line>>,
}

/// A version of a key.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// When it was written.
    pub effective: Timestamp,
    /// By which commit.
    pub commit: Sequence,
    /// How long its value is; `None` where the key was deleted.
    pub bytes: Option<u64>,
    /// A short form of the hash of it.
    pub hash: String,
    /// Whether it is the one shown.
    pub current: bool,
    /// Where it is compared with the one shown.
    pub compare: Option<String>,
}

/// What differs between two moments.
#[derive(Clone, Debug, Template)]
#[template(path = "diff.html")]
pub struct Diff {
    /// What surrounds it.
    pub frame: Frame,
    /// The earlier moment.
    pub from: Timestamp,
    /// All spaces, with where their changes are.
    pub spaces: Vec<(String, String)>,
    /// The one shown.
    pub space: Option<String>,
    /// The keys that differ, in order.
    pub rows: Vec<DiffRow>,
    /// Where the next page is.
    pub next: Option<String>,
    /// Whether the viewer may act.
    pub acts: Acts,
}

/// A key that differs.
#[derive(Clone, Debug)]
pub struct DiffRow {
    /// The key.
    pub key: String,
    /// `new`, `gone`, `changed`, or `erased`: then nobody knows.
    pub kind: &'static str,
    /// What it held.
    pub before: Option<String>,
    /// What it holds.
    pub after: Option<String>,
    /// Where both are laid out.
    pub url: String,
}
