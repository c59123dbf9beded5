//! Dropping history that is no longer kept, a little at a time.
//!
//! First the floor rises, durably; then rows that no readable moment needs are deleted, in steps,
//! key by key. A reader holds a snapshot and a floor that were published together, so it never
//! sees a floor without the rows above it.

use core::ops::{Bound, ControlFlow};
use core::time::Duration;

use asof_time::{Sequence, Timestamp};

use super::Stage;
use crate::codec::keys::{self, SpaceId, VersionRow};
use crate::codec::rows::{self, LogRecord, SpaceRecord, VersionValue};
use crate::engine::Direction;
use crate::readable::Readable;
use crate::state::{LOG_FLOOR, scan};
use crate::{Actor, ControlAction, Error, Result, Retention, SpaceName, SpaceState};

/// Rows looked at in one step: small enough that no commit waits long behind it.
const STEP_ROWS: usize = 2_000;

/// Where the collection of one pass has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Collector {
    /// Deleting versions of this space, or of the next one there is.
    Space(SpaceId),
    /// Within a space: from this row on.
    Versions(Vec<u8>, Sweep),
    /// Trimming the log, from this row on.
    Log(Vec<u8>),
    /// Forgetting the outcomes of old idempotency keys.
    Outcomes,
}

impl Stage<'_> {
    /// Changes what is kept of a space; returns the floor that leads to.
    pub(crate) fn set_retention(
        &mut self,
        name: &SpaceName,
        retention: Retention,
        by: Actor,
    ) -> Result<Timestamp> {
        check_policy(retention)?;
        let (id, old) = self.state.known_space(name)?;
        let mut record = old.as_ref().clone();
        record.sparse_since = sparse_since(old, retention);
        record.retention = retention;
        let floor = self.wanted_floor(&record);
        let detail = format!("{:?} -> {retention:?}; the floor goes to {floor}", old.retention);
        self.put_space(id, record);
        self.record(ControlAction::RetentionSet, by, name.to_string(), detail);
        Ok(floor)
    }

    /// The floor that a space's policy leads to now; never past a pin or the cap, never down.
    fn wanted_floor(&self, space: &SpaceRecord) -> Timestamp {
        let age = match (space.retention, &space.state) {
            (Retention::KeepAll, _) | (_, SpaceState::Importing(_)) => return space.floor,
            (Retention::KeepFor(age) | Retention::Sparse { dense: age, .. }, _) => age,
        };
        let closed = self.sequencer.closed();
        closed.saturating_sub(age).min(self.state.held()).max(space.floor)
    }

    /// Raises the floors that policies have moved; returns whether there is anything to collect.
    pub(crate) fn raise_floors(&mut self) -> bool {
        let moved: Vec<(SpaceId, SpaceRecord)> = self
            .state
            .spaces()
            .map(|(id, space)| {
                (id, SpaceRecord { floor: self.wanted_floor(space), ..space.clone() })
            })
            .filter(|(_, raised)| {
                self.state.space(&raised.name).is_some_and(|(_, old)| raised.floor > old.floor)
            })
            .collect();
        for (id, raised) in &moved {
            let by = Actor { name: "asof".to_owned(), reason: "retention".to_owned() };
            let (subject, detail) = (raised.name.to_string(), raised.floor.to_string());
            self.put_space(*id, raised.clone());
            self.record(ControlAction::FloorRaised, by, subject, detail);
        }
        let log_floor = self.state.spaces().map(|(_, space)| space.floor).max();
        if let Some(floor) =
            log_floor.filter(|floor| !moved.is_empty() && *floor > self.state.log_floor)
        {
            self.put(keys::meta(LOG_FLOOR), rows::encode_moment(floor));
            self.state_mut().log_floor = floor;
        }
        !moved.is_empty()
    }

    /// Does one step of a pass; returns where the next one goes on, `None` at the end.
    pub(crate) fn collect(&mut self, at: Collector) -> Result<Option<Collector>> {
        match at {
            Collector::Space(space) => {
                let found = self.state.spaces().find(|(id, _)| *id >= space);
                Ok(Some(match found {
                    None => Collector::Log(vec![keys::LOG]),
                    Some((id, record)) => {
                        Collector::Versions(keys::versions_from(id, ""), Sweep::new(id, record))
                    }
                }))
            }
            Collector::Versions(from, sweep) => self.collect_versions(&from, sweep).map(Some),
            Collector::Log(from) => self.collect_log(&from).map(Some),
            Collector::Outcomes => {
                let more = self.collect_outcomes()?;
                Ok(more.then_some(Collector::Outcomes))
            }
        }
    }

    fn collect_versions(&mut self, from: &[u8], mut sweep: Sweep) -> Result<Collector> {
        let end = keys::versions_end(sweep.space);
        let range = (Bound::Included(from), Bound::Excluded(end.as_slice()));
        let (mut seen, mut stopped) = (0, None);
        scan(self.base, range, Direction::Forward, |key, value| {
            seen += 1;
            if seen > STEP_ROWS {
                stopped = Some(key.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            sweep.visit(key, value).map(ControlFlow::Continue)
        })?;
        if stopped.is_none() {
            sweep.end_key();
        }
        for row in sweep.unneeded.drain(..) {
            self.delete(row);
        }
        Ok(match stopped {
            Some(row) => Collector::Versions(row, sweep),
            None => Collector::Space(SpaceId(sweep.space.0 + 1)),
        })
    }

    /// Drops commits all of whose spaces have their floor above them.
    fn collect_log(&mut self, from: &[u8]) -> Result<Collector> {
        let end = keys::log(self.state.log_floor, Sequence::ZERO);
        let range = (Bound::Included(from), Bound::Excluded(end.as_slice()));
        let (mut dropped, mut seen, mut stopped) = (Vec::new(), 0, None);
        scan(self.base, range, Direction::Forward, |key, value| {
            seen += 1;
            if seen > STEP_ROWS {
                stopped = Some(key.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            if self.is_forgotten(key, value)? {
                dropped.push(key.to_vec());
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for row in dropped {
            let (_, sequence) = keys::parse_log(&row)?;
            self.delete(row);
            self.forget_bad(sequence);
            // The highest id stays: new ones are counted from it.
            if sequence != self.sequencer.sequence() {
                self.delete(keys::sequence(sequence));
            }
        }
        Ok(stopped.map_or(Collector::Outcomes, Collector::Log))
    }

    fn is_forgotten(&self, key: &[u8], value: &[u8]) -> Result<bool> {
        let (effective, _) = keys::parse_log(key)?;
        let record = LogRecord::decode(value)?;
        let mut spaces = record
            .writes
            .iter()
            .map(|write| write.space)
            .chain(record.opened.iter().copied())
            .chain(record.source.iter().map(|source| source.space));
        spaces.try_fold(true, |all, space| {
            let (_, record) = self.state.known_space(self.state.name_of(space)?)?;
            Ok(all && effective < record.floor)
        })
    }

    fn collect_outcomes(&mut self) -> Result<bool> {
        let horizon = self.clock.saturating_sub(asof_time::limits::IDEMPOTENCY_KEPT);
        let end = keys::idempotency_order(horizon, &[0; 16]);
        let start = [keys::IDEMPOTENCY_ORDER];
        let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
        let mut old = Vec::new();
        self.base.scan(range, Direction::Forward, &mut |key, _| {
            old.push(key.to_vec());
            if old.len() < STEP_ROWS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let more = old.len() == STEP_ROWS;
        for row in old {
            let (_, hash) = keys::parse_idempotency_order(&row)?;
            self.delete(row);
            self.delete(keys::idempotency(&hash));
        }
        Ok(more)
    }
}

impl Collector {
    /// The beginning of a pass.
    pub(crate) fn start() -> Self {
        Self::Space(SpaceId(0))
    }
}

fn check_policy(retention: Retention) -> Result<()> {
    let whole = |span: Duration| span.subsec_nanos() == 0 && !span.is_zero();
    match retention {
        Retention::KeepAll => Ok(()),
        Retention::KeepFor(age) if whole(age) => Ok(()),
        Retention::Sparse { dense, every } if whole(dense) && whole(every) => Ok(()),
        Retention::KeepFor(_) | Retention::Sparse { .. } => {
            Err(Error::invalid("retention is given in whole seconds, at least one"))
        }
    }
}

/// From when on the instants of the new policy are whole: as long as the old one kept them all.
fn sparse_since(old: &SpaceRecord, new: Retention) -> Timestamp {
    match (old.retention, new) {
        (Retention::Sparse { every: old_every, .. }, Retention::Sparse { every, .. })
            if every.as_secs().is_multiple_of(old_every.as_secs()) =>
        {
            old.sparse_since
        }
        _ => old.floor,
    }
}

/// Goes through the versions of one key after the other and finds those that nobody needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sweep {
    space: SpaceId,
    readable: Readable,
    /// The part of the row key that the versions of the present key share.
    key: Vec<u8>,
    /// The next newer version's effective timestamp.
    newer: Option<Timestamp>,
    /// Deletions that matter only if something older is still needed behind them.
    deletions: Vec<Vec<u8>>,
    unneeded: Vec<Vec<u8>>,
}

impl Sweep {
    fn new(space: SpaceId, record: &SpaceRecord) -> Self {
        let (readable, key, newer) = (Readable::new(record), Vec::new(), None);
        Self { space, readable, key, newer, deletions: Vec::new(), unneeded: Vec::new() }
    }

    fn visit(&mut self, row: &[u8], value: &[u8]) -> Result<()> {
        let VersionRow { escaped, effective, .. } = VersionRow::parse(row)?;
        if self.key != escaped {
            self.end_key();
            self.key = escaped.to_vec();
        }
        let until = self.newer.replace(effective);
        if !self.readable.reads(effective, until) {
            self.unneeded.push(row.to_vec());
        } else if effective > self.readable.floor() {
            // Dense history keeps its deletions.
        } else if VersionValue::decode(value)? == VersionValue::Deleted {
            self.deletions.push(row.to_vec());
        } else {
            self.deletions.clear();
        }
        Ok(())
    }

    fn end_key(&mut self) {
        self.unneeded.append(&mut self.deletions);
        self.newer = None;
    }
}
