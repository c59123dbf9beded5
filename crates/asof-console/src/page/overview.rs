//! Where the store is, and what it holds.

use super::{CapLine, CommitRow, Frame, Template, Timestamp, filters};
use crate::page::Entry;

/// The first page.
#[derive(Clone, Debug, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// What surrounds it.
    pub frame: Frame,
    /// Where the store is in time.
    pub times: Times,
    /// What an operator should know.
    pub alarm: Option<String>,
    /// The cap.
    pub cap: Option<CapLine>,
    /// Spaces, by name.
    pub spaces: Vec<SpaceRow>,
    /// The commits last before the moment shown, newest first.
    pub recent: Vec<CommitRow>,
    /// What is to come next, soonest first.
    pub pending: Vec<Entry>,
    /// Live pins.
    pub pins: u64,
}

/// Where the store is in time.
#[derive(Clone, Debug)]
pub struct Times {
    /// What "now" resolves to.
    pub latest: Timestamp,
    /// Nothing will change at or below it.
    pub closed: Timestamp,
    /// How far closed is behind the wall, in words.
    pub lag: String,
    /// The earliest moment that can be read in every space, where that is not the first of all.
    pub floor: Option<Timestamp>,
}

/// A space.
#[derive(Clone, Debug)]
pub struct SpaceRow {
    /// Its name.
    pub name: String,
    /// Where it is in its life, in words.
    pub state: String,
    /// What is kept of it, in words.
    pub retention: String,
    /// The earliest moment at which all of it can be read, where that is not all there is.
    pub floor: Option<Timestamp>,
    /// What it holds, once that has been counted.
    pub counted: Option<Counted>,
}

/// What a space holds, counted in the background.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Keys that hold a value.
    pub keys: u64,
    /// Versions of all keys.
    pub versions: u64,
    /// Bytes of all values of all versions.
    pub bytes: u64,
    /// How long ago it was counted, in words, where that is long.
    pub ago: Option<String>,
}
