//! Erasing all that a key ever held: the one exception to "for ever".
//!
//! What takes long is found out on the caller's thread over what is published: the log rows that
//! name the key although its versions are long dropped, and the releases that would write it. The
//! writer finds the rest and does all of it in one batch; where the control state has moved in
//! between, it is found out anew.

use core::ops::{Bound, ControlFlow};
use std::collections::BTreeSet;

use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{self, SpaceId, VersionRow, VersionsOf};
use crate::codec::releases;
use crate::codec::rows::{ErasureRecord, LogRecord, Outcome, VersionValue};
use crate::engine::{Direction, Snapshot};
use crate::publish::Scene;
use crate::state::{State, each, get, scan};
use crate::{Actor, Erasable, Error, ErrorKind, Key, Pin, Result, SpaceName, Touched};

/// Versions of one key that one batch takes at most: some seconds of the writer's time, and a
/// gigabyte of memory.
const VERSIONS_MAX: u64 = 4_000_000;

/// Commits and releases that an outcome names at most.
const NAMED_MAX: usize = 100;

/// What shall be erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erase {
    /// The space.
    pub space: SpaceName,
    /// The key, all of whose history goes.
    pub key: Key,
    /// How many versions the caller expects to erase: the second word, without which nothing is
    /// done. It holds while the true number is at most a tenth above it, since writers go on.
    pub versions: Option<u64>,
    /// What happens where the store knows nothing of the key.
    pub known: Known,
}

/// Whether a key must have a history to be erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Known {
    /// One that was never written is `NotFound`: its name may be misspelt.
    #[default]
    Must,
    /// It may be unknown. It is never written from then on.
    May,
}

/// What an erasure does, or would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EraseOutcome {
    /// Versions of the key, deletions and pending ones too.
    pub versions: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// When the first of them takes effect.
    pub first: Option<Timestamp>,
    /// When the last of them takes effect.
    pub last: Option<Timestamp>,
    /// Pins at moments at which the key holds a value. They do not hold an erasure back.
    pub pins: Vec<Pin>,
    /// Pending commits that would write the key, the first hundred: they take effect without it.
    pub pending: Vec<Sequence>,
    /// Releases that name the key, the first hundred: they go on without it.
    pub releases: Vec<String>,
    /// Whether nobody was told that answers of the space stay as they are. `No` means that caches
    /// which nobody can reach may hold values for up to a year.
    pub erasable: Erasable,
    /// The record of it; `None` after a dry run.
    pub erasure: Option<Erasure>,
}

/// The record of an erasure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Erasure {
    /// Which control record tells of it.
    pub sequence: u64,
    /// The space.
    pub space: SpaceName,
    /// The key.
    pub key: Key,
    /// The wall time.
    pub at: Timestamp,
    /// Who and why.
    pub by: Actor,
    /// Versions that were erased.
    pub versions: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl Erasure {
    pub(crate) fn new(sequence: u64, space: SpaceName, record: ErasureRecord) -> Self {
        let ErasureRecord { key, at, by, versions, bytes, .. } = record;
        Self { sequence, space, key, at, by, versions, bytes }
    }
}

/// What was found out about a key.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) space: SpaceId,
    pub(crate) key: Key,
    /// The control state that it rests on.
    pub(crate) control_sequence: u64,
    /// Commits that wrote the key at or below the floor, where versions may be dropped.
    pub(crate) mentioned: BTreeSet<Sequence>,
    /// Commits whose place in the log is gone, though something of them is left.
    pub(crate) lost: BTreeSet<Sequence>,
    /// Idempotency keys, hashed, of requests that made those.
    pub(crate) requests: Vec<[u8; 16]>,
    /// Releases that name the key.
    pub(crate) releases: Vec<String>,
    pub(crate) outcome: EraseOutcome,
}

/// Finds out what erasing a key takes.
pub(crate) fn plan(scene: &Scene, closed: Timestamp, request: &Erase) -> Result<Plan> {
    let (state, rows) = (&scene.state, scene.rows.as_ref());
    let (space, record) = state.known_space(&request.space)?;
    let key = request.key.clone();
    check_not_erased(state, rows, space, &key)?;
    let mentioned = mentioned(rows, record.floor, space, &key)?;
    let mut outcome = EraseOutcome {
        versions: 0,
        bytes: 0,
        first: None,
        last: None,
        pins: Vec::new(),
        pending: Vec::new(),
        releases: Vec::new(),
        erasable: record.erasable,
        erasure: None,
    };
    count(rows, closed, &VersionsOf::new(space, &key), &mut outcome)?;
    for pin in state.pins.values() {
        if holds_value(rows, VersionsOf::new(space, &key), pin.at)? {
            outcome.pins.push(pin.clone());
        }
    }
    let releases = naming(state, rows, &request.space, &key)?;
    outcome.releases = releases.iter().take(NAMED_MAX).cloned().collect();
    let is_known = outcome.versions > 0 || !mentioned.is_empty() || !releases.is_empty();
    if !is_known && request.known == Known::Must {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("nothing is known of key `{key}` in space `{}`", request.space),
        ));
    }
    let lost = lost(state, rows, &VersionsOf::new(space, &key))?;
    let requests = if lost.is_empty() { Vec::new() } else { requests_of(rows, &lost)? };
    let control_sequence = state.control_sequence;
    Ok(Plan { space, key, control_sequence, mentioned, lost, requests, releases, outcome })
}

/// Commits of which a version is left, but not their place in the log.
fn lost(state: &State, rows: &dyn Snapshot, versions: &VersionsOf) -> Result<BTreeSet<Sequence>> {
    let (start, end) = (versions.at(state.log_floor), versions.end());
    let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
    let mut places = Vec::new();
    scan(rows, range, Direction::Forward, |row, _| {
        let version = VersionRow::parse(row)?;
        places.push((version.effective, version.sequence));
        Ok(ControlFlow::Continue(()))
    })?;
    let mut lost = BTreeSet::new();
    for (effective, sequence) in places {
        if !rows.get(&keys::log(effective, sequence), &mut |_| {})? {
            lost.insert(sequence);
        }
    }
    Ok(lost)
}

/// The hashed idempotency keys under which commits were asked for.
fn requests_of(rows: &dyn Snapshot, commits: &BTreeSet<Sequence>) -> Result<Vec<[u8; 16]>> {
    let mut found = Vec::new();
    each(rows, keys::IDEMPOTENCY, &mut |key, row| {
        let hash = key.get(1..).and_then(|hash| hash.first_chunk::<16>());
        if let Some(hash) = hash
            && commits.contains(&Outcome::decode(row)?.place.sequence)
        {
            found.push(*hash);
        }
        Ok(())
    })?;
    Ok(found)
}

impl Plan {
    /// Refuses to erase without the second word, or more than it says.
    pub(crate) fn check_confirmed(&self, word: Option<u64>) -> Result<()> {
        let versions = self.outcome.versions;
        if word.is_some_and(|word| versions <= word.saturating_add(word / 10)) {
            return Ok(());
        }
        let touched = Touched::Versions(versions);
        Err(Error::new(
            ErrorKind::Unconfirmed { touched },
            format!(
                "it erases {versions} versions of `{}` for ever, which takes a second word: \
                 `{touched}`",
                self.key
            ),
        ))
    }
}

/// Refuses what was erased already.
pub(crate) fn check_not_erased(
    state: &State,
    rows: &dyn Snapshot,
    space: SpaceId,
    key: &Key,
) -> Result<()> {
    if !state.erased.contains_key(&space) {
        return Ok(());
    }
    match get(rows, &VersionsOf::new(space, key).mark())? {
        None => Ok(()),
        Some(row) => Err(was_erased(key, &row)?),
    }
}

/// The refusal to touch a key with this mark.
pub(crate) fn was_erased(key: &Key, mark: &[u8]) -> Result<Error> {
    let VersionValue::Erased { sequence, at } = VersionValue::decode(mark)? else {
        return Err(Error::corrupt(format!("the mark of `{key}` is none")));
    };
    Ok(Error::erased(format!(
        "key `{key}` was erased at {at} (control record {sequence}) and is never written again: \
         use another key"
    )))
}

/// Counts the versions of a key.
fn count(
    rows: &dyn Snapshot,
    closed: Timestamp,
    versions: &VersionsOf,
    outcome: &mut EraseOutcome,
) -> Result<()> {
    let (start, end) = (versions.row(Timestamp::MAX, Sequence::MAX), versions.end());
    let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
    scan(rows, range, Direction::Forward, |row, value| {
        add(row, value, closed, outcome).map(ControlFlow::Continue)
    })?;
    outcome.pending.reverse();
    outcome.pending.truncate(NAMED_MAX);
    Ok(())
}

fn add(row: &[u8], value: &[u8], closed: Timestamp, outcome: &mut EraseOutcome) -> Result<()> {
    let VersionRow { effective, sequence, .. } = VersionRow::parse(row)?;
    check_count(outcome.versions + 1)?;
    outcome.versions += 1;
    outcome.bytes += bytes_of(value)?;
    // Newest first.
    outcome.last.get_or_insert(effective);
    outcome.first = Some(effective);
    if effective > closed {
        outcome.pending.push(sequence);
    }
    Ok(())
}

/// Refuses what is too much for one batch.
pub(crate) fn check_count(versions: u64) -> Result<()> {
    if versions <= VERSIONS_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge { limit: VERSIONS_MAX },
        format!(
            "the key has more than {VERSIONS_MAX} versions, which is the most that one batch \
             takes: shorten the history of its space first (`asof space retention`)"
        ),
    ))
}

/// Bytes of the value in a version row.
pub(crate) fn bytes_of(value: &[u8]) -> Result<u64> {
    Ok(VersionValue::decode(value)?.content().put().map_or(0, |(_, bytes)| bytes))
}

fn holds_value(rows: &dyn Snapshot, versions: VersionsOf, at: Timestamp) -> Result<bool> {
    let versions = versions.into_at(at);
    let mut found = Ok(false);
    let mut look = |row: &[u8], value: &[u8]| {
        if versions.covers(row) {
            found = VersionValue::decode(value).map(|value| value.content().put().is_some());
        }
    };
    rows.around(versions.row(), &mut look, None)?;
    found
}

/// Commits up to `floor` that wrote the key.
fn mentioned(
    rows: &dyn Snapshot,
    floor: Timestamp,
    space: SpaceId,
    key: &Key,
) -> Result<BTreeSet<Sequence>> {
    let (start, end) = ([keys::LOG], keys::log(floor, Sequence::MAX));
    let range = (Bound::Included(start.as_slice()), Bound::Included(end.as_slice()));
    let mut found = BTreeSet::new();
    scan(rows, range, Direction::Forward, |row, value| {
        let (_, sequence) = keys::parse_log(row)?;
        if names(&LogRecord::decode(value)?, space, key) {
            found.insert(sequence);
            check_count(found.len() as u64)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Whether a commit wrote the key.
pub(crate) fn names(record: &LogRecord, space: SpaceId, key: &Key) -> bool {
    record.writes.iter().any(|write| write.space == space && write.key == *key)
}

/// Releases whose planned writes name the key.
fn naming(state: &State, rows: &dyn Snapshot, space: &SpaceName, key: &Key) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in state.releases.keys() {
        let Some(row) = get(rows, &keys::planned(name))? else {
            continue;
        };
        let planned = releases::decode_planned(&row)?;
        if planned.iter().any(|write| write.space == *space && write.key == *key) {
            found.push(name.clone());
        }
    }
    Ok(found)
}

/// The erasures after the control record `after`, oldest first, at most `limit`.
pub(crate) fn list(scene: &Scene, after: u64, limit: usize) -> Result<Vec<Erasure>> {
    crate::view::check_limit(limit)?;
    let (start, end) = (keys::erasure(after), [keys::ERASURE + 1]);
    let range = (Bound::Excluded(start.as_slice()), Bound::Excluded(end.as_slice()));
    let mut found = Vec::new();
    scan(scene.rows.as_ref(), range, Direction::Forward, |key, row| {
        let record = ErasureRecord::decode(row)?;
        let space = scene.state.name_of(record.space)?.clone();
        found.push(Erasure::new(keys::parse_erasure(key)?, space, record));
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}
