//! Reading: everything here looks at what was published, and waits for nobody.

use std::io::Write;

use asof_time::{Sequence, Timestamp};

use super::{BackupSummary, Store, VerifyReport};
use crate::blast::{self, Bounds};
use crate::codec::keys;
use crate::codec::rows::Place;
use crate::view::{diff, log};
use crate::{
    AsOf, BadCommit, Blast, Cap, Commit, ControlRecord, Cursor, DiffPage, Error, ErrorKind,
    FeedPage, Key, LogPage, LogRange, Pin, Result, SpaceInfo, SpaceName, SpaceUsage, Token, View,
    backup, feed, held, usage, verify,
};

impl Store {
    /// The store at one moment.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `AboveCap`, `BelowFloor` (where no space can be read there).
    pub fn view(&self, as_of: AsOf) -> Result<View> {
        View::open(&self.inner.published, as_of)
    }

    /// The keys of `space` that hold something else at `to` than at `from`, in order, a page at a
    /// time.
    ///
    /// # Errors
    ///
    /// As reading at either moment; `Invalid` where `to` is before `from`.
    pub fn diff(
        &self,
        space: &SpaceName,
        from: impl Into<AsOf>,
        to: impl Into<AsOf>,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<DiffPage> {
        diff::diff(&self.inner.published, space, from.into(), to.into(), after, limit)
    }

    /// Commits that took effect, oldest first, up to latest.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where `after` lies below what is kept of the log.
    pub fn log(&self, range: &LogRange) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        log::log(&scene, scene.state.latest(closed), range)
    }

    /// As [`log`](Self::log), up to closed: for operators, who look at what a cap holds back.
    ///
    /// # Errors
    ///
    /// As [`log`](Self::log).
    pub fn log_beyond_cap(&self, range: &LogRange) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        log::log(&self.scene(), closed, range)
    }

    /// Commits that took effect before `before`, newest first, up to closed, no further back than
    /// `range.after` and as far as the log is whole: what a person looks at first. What a cap holds
    /// back is the caller's to ask for or not.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn log_back(&self, before: Cursor, range: &LogRange) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        log::back(&self.scene(), before.min(Cursor::after_snapshot(closed, u64::MAX)), range)
    }

    /// Commits that are still to take effect, soonest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn pending(&self, after: Cursor, limit: usize) -> Result<LogPage> {
        let closed = self.inner.published.closed();
        log::pending(&self.scene(), closed, after, limit)
    }

    /// One commit by its id, pending or not.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub fn commit_by_id(&self, id: Sequence) -> Result<Commit> {
        log::by_id(&self.scene(), id)
    }

    /// What took effect after `after`, up to closed, at most `limit` items, only of `spaces` where
    /// given. Never waits: an empty page is a heartbeat.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where `after` lies below what is kept of the log: take a snapshot and follow
    /// on from it. `NotYetClosed` where it lies above closed: it is not of this timeline.
    pub fn feed(
        &self,
        after: Cursor,
        spaces: Option<&[SpaceName]>,
        limit: usize,
    ) -> Result<FeedPage> {
        let closed = self.inner.published.closed();
        feed::page(&self.scene(), closed, after, spaces, limit)
    }

    /// The sequence of the last control record: the third part of a snapshot's cursor.
    pub fn control_sequence(&self) -> u64 {
        self.inner.published.control_sequence()
    }

    /// The control history after `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn control_log(&self, after: u64, limit: usize) -> Result<Vec<ControlRecord>> {
        feed::control_records(&self.scene(), after, limit)
    }

    /// All spaces, by name.
    pub fn spaces(&self) -> Vec<SpaceInfo> {
        let scene = self.scene();
        let mut spaces: Vec<SpaceInfo> =
            scene.state.spaces().map(|(_, record)| record.into()).collect();
        spaces.sort_by(|a, b| a.name.cmp(&b.name));
        spaces
    }

    /// One space.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn space(&self, name: &SpaceName) -> Result<SpaceInfo> {
        self.scene().state.known_space(name).map(|(_, record)| record.as_ref().into())
    }

    /// The commit that brought source id `id` into `space`: its id and effective timestamp.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn source(&self, space: &SpaceName, id: &str) -> Result<Option<(Sequence, Timestamp)>> {
        let scene = self.scene();
        let (space, _) = scene.state.known_space(space)?;
        let row = crate::state::get(scene.rows.as_ref(), &keys::source(space, id))?;
        row.map(|row| Place::decode(&row, "source").map(|place| (place.sequence, place.effective)))
            .transpose()
    }

    /// Counts what a space holds, by walking it.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `Corrupt`, `Unavailable`.
    pub fn space_usage(&self, name: &SpaceName) -> Result<SpaceUsage> {
        let latest = self.time().latest;
        usage::usage(&self.scene(), latest, name)
    }

    /// The cap, where there is one.
    pub fn cap(&self) -> Option<Cap> {
        self.scene().state.cap.clone()
    }

    /// What answers differently at `to` than at `from`, whichever is the later one.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`; `BelowFloor` where the log between them is no longer whole.
    pub fn blast(&self, from: Timestamp, to: Timestamp) -> Result<Blast> {
        self.blast_within(from, to, Bounds::DEFAULT)
    }

    /// As [`blast`](Self::blast), with bounds of the caller's own.
    pub(crate) fn blast_within(
        &self,
        from: Timestamp,
        to: Timestamp,
        bounds: Bounds,
    ) -> Result<Blast> {
        let closed = self.inner.published.closed();
        let (scene, later) = (self.scene(), from.max(to));
        if later > closed {
            return Err(Error::new(
                ErrorKind::NotYetClosed { closed },
                format!("{later} is above closed, {closed}"),
            ));
        }
        blast::between(&scene, from, to, bounds)
    }

    /// The commits that are marked bad, by id.
    pub fn bad_commits(&self) -> Vec<BadCommit> {
        self.scene().state.bad.values().cloned().collect()
    }

    /// The live pins, by name.
    pub fn pins(&self) -> Vec<Pin> {
        self.scene().state.pins.values().cloned().collect()
    }

    /// The live pins, by name, each with the bytes of values that retention would drop now if no
    /// pin held its moment or an earlier one. Walks the spaces whose retention a pin holds up.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn pins_held(&self) -> Result<Vec<(Pin, u64)>> {
        let closed = self.inner.published.closed();
        held::pins(&self.scene(), closed)
    }

    /// The bytes of values that retention would drop now if neither a pin at `at` nor one at an
    /// earlier moment held them. Walks as [`pins_held`](Self::pins_held) does.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`.
    pub fn held_at(&self, at: Timestamp) -> Result<u64> {
        let closed = self.inner.published.closed();
        held::at(&self.scene(), closed, at)
    }

    /// The bearer tokens, by name.
    pub fn tokens(&self) -> Vec<Token> {
        self.scene().state.tokens.values().cloned().collect()
    }

    /// Writes a consistent copy of the whole store as of now into `sink`, while it goes on
    /// working; returns what it holds. `progress` is told the bytes written so far.
    ///
    /// # Errors
    ///
    /// `Unavailable` (also where `sink` fails), `Corrupt`.
    pub fn backup(
        &self,
        sink: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<BackupSummary> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        backup::write(scene.rows.as_ref(), scene.state.epoch, closed, sink, progress)
    }

    /// Reads everything and checks it: every checksum and hash, and every invariant of the
    /// layout. Returns what is wrong, each as a sentence; `progress` is told the rows read so far.
    ///
    /// # Errors
    ///
    /// `Unavailable`, or `Corrupt` where reading cannot go on.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
        verify::verify(&self.scene(), progress)
    }
}
