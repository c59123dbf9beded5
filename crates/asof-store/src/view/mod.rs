//! Reading at one moment.

pub(crate) mod diff;
mod history;
pub(crate) mod log;
mod point;
mod scan;
mod walk;

use std::sync::Arc;

use asof_time::limits::{MULTI_KEYS_MAX, PAGE_ENTRIES_MAX};
use asof_time::{Epoch, Sequence, Timestamp, Validity};
use bytes::Bytes;

use crate::codec::keys::SpaceId;
use crate::publish::{Published, Scene};
use crate::readable::Readable;
use crate::state::State;
use crate::{
    Commit, ContentHash, ContentType, Cursor, Erasable, Error, ErrorKind, Key, Result, SpaceName,
};

/// Which moment a read asks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AsOf {
    /// The smaller of closed and the cap.
    #[default]
    Latest,
    /// This moment, at or below latest.
    At(Timestamp),
    /// This moment, at or below closed, capped or not: for operators, who look at what a cap holds
    /// back. The answer is a fact like any other.
    Beyond(Timestamp),
    /// This moment, closed or not and capped or not, with the commits that are pending now.
    /// Such answers may still change and carry no validity.
    Preview(Timestamp),
}

impl From<Timestamp> for AsOf {
    fn from(at: Timestamp) -> Self {
        Self::At(at)
    }
}

/// The store at one moment. Everything read through one view is read at the same timestamp.
#[derive(Clone, Debug)]
pub struct View {
    scene: Arc<Scene>,
    closed: Timestamp,
    as_of: Timestamp,
    certainty: Certainty,
}

/// Whether what a view shows can still change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Certainty {
    Closed,
    Preview,
}

impl View {
    /// Opens a view. Closed is captured first: the scene then holds everything at or below it.
    pub(crate) fn open(published: &Published, as_of: AsOf) -> Result<Self> {
        let closed = published.closed();
        let scene = published.scene();
        let (as_of, certainty) = match as_of {
            AsOf::Latest => (scene.state.latest(closed), Certainty::Closed),
            AsOf::At(at) => {
                check_closed(at, closed)?;
                check_cap(at, &scene.state)?;
                (at, Certainty::Closed)
            }
            AsOf::Beyond(at) => {
                check_closed(at, closed)?;
                (at, Certainty::Closed)
            }
            AsOf::Preview(at) => (at, Certainty::Preview),
        };
        Ok(Self { scene, closed, as_of, certainty })
    }

    /// The moment it shows.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The closed timestamp that it captured.
    pub fn closed(&self) -> Timestamp {
        self.closed
    }

    /// The timeline it belongs to.
    pub fn epoch(&self) -> Epoch {
        self.scene.state.epoch
    }

    /// Whether keys of a space may be erased; a space that is not known may be one of those.
    pub fn erasable(&self, space: &SpaceName) -> Erasable {
        self.scene.state.space(space).map_or(Erasable::Yes, |(_, record)| record.erasable)
    }

    /// When it is true that a key of `space` was erased: at every moment that can be read.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn erased_over(&self, space: &SpaceName) -> Result<Option<Validity>> {
        let ground = self.ground(space)?;
        Ok(self.validity(&ground, ground.readable.floor(), None))
    }

    /// The value of one key. Absence is an answer like any other and has its validity.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `StillImporting`, `BelowFloor`, `Corrupt`, `Unavailable`.
    pub fn get(&self, space: &SpaceName, key: &Key) -> Result<Read<Option<Version>>> {
        let ground = self.ground(space)?;
        point::get(self, &ground, key)
    }

    /// Several keys, in the order asked, at most [`MULTI_KEYS_MAX`].
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); one key's error fails them all.
    pub fn get_many(&self, keys: &[(SpaceName, Key)]) -> Result<Vec<Read<Option<Version>>>> {
        if keys.len() > MULTI_KEYS_MAX {
            return Err(Error::too_large("the read", keys.len(), MULTI_KEYS_MAX, "keys"));
        }
        keys.iter().map(|(space, key)| self.get(space, key)).collect()
    }

    /// The keys of a range that hold a value, in order, a page at a time. The page's validity
    /// covers the absent keys too, up to and including the one that proves there is more.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn scan(&self, space: &SpaceName, range: &ScanRange) -> Result<Read<ScanPage>> {
        check_limit(range.limit)?;
        let ground = self.ground(space)?;
        scan::scan(self, &ground, range)
    }

    /// The versions of one key up to the moment of the view, newest first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn history(
        &self,
        space: &SpaceName,
        key: &Key,
        range: &HistoryRange,
    ) -> Result<HistoryPage> {
        check_limit(range.limit)?;
        let ground = self.ground(space)?;
        history::history(self, &ground, key, range)
    }

    /// The space to read in, if it can be read at this moment.
    fn ground(&self, space: &SpaceName) -> Result<Ground> {
        let (id, record) = self.scene.state.live_space(space)?;
        let readable = Readable::new(record);
        // Previews too: what is left below the floor is no state that there ever was.
        readable.check(self.as_of)?;
        Ok(Ground { id, readable })
    }

    /// Validity of something true since `from` that changes at `until`, so far as is closed.
    fn validity(
        &self,
        ground: &Ground,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> Option<Validity> {
        if self.certainty == Certainty::Preview {
            return None;
        }
        if ground.readable.is_instant(self.as_of) {
            return Some(Validity::instant(self.as_of));
        }
        match until {
            Some(until) => Validity::until(from, until),
            None => Validity::through(from, self.closed),
        }
    }

    /// Up to where a later version would end the validity: none looked for in a preview.
    fn known_through(&self) -> Timestamp {
        match self.certainty {
            Certainty::Closed => self.closed,
            Certainty::Preview => self.as_of,
        }
    }
}

/// One space, as far as it can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground {
    id: SpaceId,
    readable: Readable,
}

fn check_closed(at: Timestamp, closed: Timestamp) -> Result<()> {
    if at <= closed {
        return Ok(());
    }
    let message = format!("as_of {at} is above closed, {closed}");
    Err(Error::new(ErrorKind::NotYetClosed { closed }, message))
}

fn check_cap(at: Timestamp, state: &State) -> Result<()> {
    match &state.cap {
        Some(cap) if at > cap.at => Err(Error::new(
            ErrorKind::AboveCap { cap: cap.at },
            format!("as_of {at} is above the cap, {}", cap.at),
        )),
        _ => Ok(()),
    }
}

pub(crate) fn check_limit(limit: usize) -> Result<()> {
    match limit {
        0 => Err(Error::invalid("limit is 0; a page has at least one entry")),
        1..=PAGE_ENTRIES_MAX => Ok(()),
        _ => Err(Error::too_large("the page", limit, PAGE_ENTRIES_MAX, "entries")),
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
    /// Entries a page at most, from 1 to [`PAGE_ENTRIES_MAX`].
    pub limit: usize,
    /// With or without the values. With them a page ends early at about 16 MiB.
    pub values: WithValues,
}

/// One page of a scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanPage {
    /// The keys that hold a value.
    pub entries: Vec<Entry>,
    /// The keys among them that were erased: what they held at this moment, if anything, nobody
    /// knows. They count towards the limit.
    pub erased: Vec<Key>,
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
    /// Versions a page at most, from 1 to [`PAGE_ENTRIES_MAX`].
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
    /// The keys among them that were erased: whether they differ, nobody knows. They count
    /// towards the limit.
    pub erased: Vec<Key>,
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
    /// Commits a page at most, from 1 to [`PAGE_ENTRIES_MAX`]. A page of large commits holds fewer.
    pub limit: usize,
}

/// One page of the log, oldest first; how many commits it holds says nothing of whether there are
/// more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPage {
    /// The commits.
    pub commits: Vec<Commit>,
    /// What to pass as `after` for the next page; `None` on the last one.
    pub next: Option<Cursor>,
}
