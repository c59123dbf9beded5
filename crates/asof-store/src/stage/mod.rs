//! Work under way: what a group of requests will do, before any of it is durable.
//!
//! A [`Stage`] lies over a snapshot. Requests run on it one after the other, each seeing what the
//! ones before it staged, and each leaving it as it was if it is refused. What is staged becomes
//! one atomic batch.

mod change;
mod commit;
mod control;
mod erase;
mod import;
mod release;
mod retention;
mod walk;

use core::ops::{Bound, ControlFlow};
use std::collections::BTreeMap;
use std::sync::Arc;

use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{self, SpaceId, VersionRow, VersionsOf};
use crate::codec::rows::{self, LogRecord, Place, SpaceRecord, VersionValue};
use crate::engine::{Batch, Direction, Snapshot};
use crate::sequencer::Sequencer;
use crate::state::{State, scan};
use crate::{
    Actor, ContentHash, ControlAction, ControlRecord, Erasable, Error, Options, Receipt, Result,
    SpaceName, SpaceState, StoreTime,
};

pub(crate) use change::PreparedAmendment;
pub(crate) use import::Importing;
pub(crate) use release::{PreparedRelease, PreparedReleaseAmendment, message_of};
pub(crate) use retention::Collector;

/// A group of requests being made into one batch.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    base: &'a dyn Snapshot,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    state: Arc<State>,
    sequencer: Sequencer,
    clock: Timestamp,
    options: &'a Options,
}

/// The newest version of a key at some place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Newest {
    effective: Timestamp,
    /// `None` where it is a deletion.
    hash: Option<ContentHash>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(
        base: &'a dyn Snapshot,
        state: Arc<State>,
        sequencer: Sequencer,
        clock: Timestamp,
        options: &'a Options,
    ) -> Self {
        Self { base, rows: BTreeMap::new(), state, sequencer, clock, options }
    }

    /// Runs one request; a refused one leaves nothing behind.
    pub(crate) fn run<T>(&mut self, request: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (sequencer, state, rows) = (self.sequencer, self.state.clone(), self.rows.len());
        let outcome = request(self);
        if outcome.is_err() {
            assert!(rows == self.rows.len(), "a refused request stages no rows");
            (self.sequencer, self.state) = (sequencer, state);
        }
        outcome
    }

    /// Finds out what a request would answer, and leaves everything as it was.
    pub(crate) fn attempt<T>(&self, request: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut trial = Self {
            rows: self.rows.clone(),
            state: self.state.clone(),
            ..Self::new(self.base, self.state.clone(), self.sequencer, self.clock, self.options)
        };
        request(&mut trial)
    }

    /// Where the store will be in time if what is staged becomes durable.
    pub(crate) fn time(&self) -> StoreTime {
        self.state.time(self.sequencer.closed())
    }

    /// Whether anything is staged.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn sequencer(&self) -> &Sequencer {
        &self.sequencer
    }

    /// Stages the promise that closed may be published up to `ceiling`.
    pub(crate) fn set_ceiling(&mut self, ceiling: Timestamp) {
        self.put(keys::meta(crate::state::CEILING), rows::encode_moment(ceiling));
    }

    /// The batch in key order, and the state after it.
    pub(crate) fn finish(self) -> (Batch, Sequencer, Arc<State>) {
        let mut batch = Batch::default();
        for (key, value) in self.rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        (batch, self.sequencer, self.state)
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.rows.insert(key, Some(value));
    }

    fn delete(&mut self, key: Vec<u8>) {
        self.rows.insert(key, None);
    }

    fn state_mut(&mut self) -> &mut State {
        Arc::make_mut(&mut self.state)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.rows.get(key) {
            Some(staged) => Ok(staged.clone()),
            None => crate::state::get(self.base, key),
        }
    }

    /// The newest version of a key in order up to (`effective`, `sequence`), leaving out what the
    /// commit `sequence` itself wrote before it is amended.
    fn newest_before(
        &self,
        versions: &VersionsOf,
        effective: Timestamp,
        sequence: Sequence,
    ) -> Result<Option<Newest>> {
        let (own, end) = (versions.row(effective, sequence), versions.end());
        let from = Bound::Excluded(own.as_slice());
        let to = Bound::Excluded(end.as_slice());
        let is_own = |key: &[u8]| VersionRow::parse(key).is_ok_and(|row| row.sequence == sequence);
        let mut below = None;
        scan(self.base, (from, to), Direction::Forward, |key, value| {
            if self.rows.contains_key(key) || is_own(key) {
                return Ok(ControlFlow::Continue(()));
            }
            below = Some((key.to_vec(), newest(key, value)?));
            Ok(ControlFlow::Break(()))
        })?;
        let staged = self
            .rows
            .range::<[u8], _>((from, to))
            .filter(|(key, _)| !is_own(key))
            .find_map(|(key, value)| value.as_ref().map(|value| (key, value)));
        Ok(match (below, staged) {
            (Some((below, newest)), Some((staged, _))) if below < *staged => Some(newest),
            (_, Some((key, value))) => Some(newest(key, value)?),
            (below, None) => below.map(|(_, newest)| newest),
        })
    }

    /// Stages the log row of a commit and the way to it from its id.
    fn put_log(&mut self, place: Place, record: &LogRecord) {
        self.put(keys::log(place.effective, place.sequence), record.encode());
        self.put(keys::sequence(place.sequence), rows::encode_moment(place.effective));
    }

    /// Stages one entry of the control history.
    fn record(&mut self, action: ControlAction, by: Actor, subject: String, detail: String) {
        let at = self.clock;
        let state = self.state_mut();
        state.control_sequence += 1;
        let sequence = state.control_sequence;
        let record = ControlRecord { sequence, at, by, action, subject, detail };
        self.put(keys::control(sequence), rows::encode_control(&record));
    }

    fn put_space(&mut self, id: SpaceId, record: SpaceRecord) {
        self.put(keys::space(id), record.encode());
        self.state_mut().set_space(id, record);
    }

    /// Stages the opening of spaces that do not exist yet, as one event in the log at now.
    fn open_spaces(&mut self, names: &[SpaceName], by: &Actor) -> Result<Receipt> {
        let effective = self.sequencer.assign_now(self.clock)?;
        let place = Place { effective, sequence: self.sequencer.next_sequence()? };
        let mut opened = Vec::with_capacity(names.len());
        for name in names {
            let id = self.state.next_space_id();
            let state = SpaceState::Live { since: effective };
            self.put_space(id, new_space(name, state));
            self.record(
                ControlAction::SpaceCreated,
                by.clone(),
                name.to_string(),
                "live at once".to_owned(),
            );
            opened.push(id);
        }
        self.put_opening(place, opened, by);
        Ok(self.receipt(place))
    }

    fn put_opening(&mut self, place: Place, opened: Vec<SpaceId>, by: &Actor) {
        let record = LogRecord {
            accepted: self.clock,
            author: by.name.clone(),
            message: by.reason.clone(),
            opened,
            source: None,
            backfilled: false,
            writes: Vec::new(),
        };
        self.put_log(place, &record);
    }

    fn receipt(&self, place: Place) -> Receipt {
        Receipt {
            id: place.sequence,
            effective: place.effective,
            accepted: self.clock,
            epoch: self.state.epoch,
            replayed: false,
        }
    }

    /// Refuses what would make one space too many.
    fn check_room_for_spaces(&self, more: usize) -> Result<()> {
        let limit = asof_time::limits::SPACES_MAX;
        let count = self.state.spaces_count() + more;
        if count > limit {
            return Err(Error::too_large("the store", count, limit, "spaces"));
        }
        Ok(())
    }
}

fn new_space(name: &SpaceName, state: SpaceState) -> SpaceRecord {
    SpaceRecord {
        name: name.clone(),
        state,
        retention: crate::Retention::KeepAll,
        floor: Timestamp::MIN,
        sparse_since: Timestamp::MIN,
        erasable: Erasable::No,
    }
}

fn newest(key: &[u8], value: &[u8]) -> Result<Newest> {
    let effective = VersionRow::parse(key)?.effective;
    let hash = match VersionValue::decode(value)? {
        VersionValue::Deleted | VersionValue::Erased { .. } => None,
        VersionValue::Put { hash, .. } => Some(hash),
    };
    Ok(Newest { effective, hash })
}
