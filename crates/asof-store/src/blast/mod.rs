//! What answers differently once latest moves: the blast radius of a cap.
//!
//! The log between the two moments is scanned once, newest first, so that a key is met at the
//! write that answers at the later moment; what it held at the earlier one is one seek. Keys that
//! were met are remembered by their hash, up to a bound. Past the bound a seek tells whether a
//! write is the newest of its key, so the numbers stay exact whatever memory there is.

use core::ops::{Bound, ControlFlow};
use std::collections::{BTreeMap, HashSet};

use asof_time::limits::BAD_COMMITS_MAX;
use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{self, SpaceId, VersionRow, VersionsAt, VersionsOf};
use crate::codec::rows::{LogRecord, LogWrite, Place, VersionValue, stored_content_type};
use crate::engine::{Direction, Snapshot};
use crate::publish::Scene;
use crate::state::{State, scan};
use crate::{
    BadCommit, Content, ContentHash, Error, ErrorKind, Key, Result, SpaceName, SpaceState, Written,
};

/// Keys remembered at most, 16 bytes each and as much again for the table around them.
const REMEMBERED_MAX: usize = 1 << 20;

/// Writes looked at, at most: some ten seconds of work. What is left is said to be left.
const WRITES_MAX: u64 = 4_000_000;

/// Keys shown at most, and of one space.
const SAMPLE_MAX: usize = 20;
const SAMPLE_OF_SPACE_MAX: usize = 5;

/// Characters of a value that are shown at most.
const EXCERPT_CHARS_MAX: usize = 100;

/// What answers differently at latest once that has moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blast {
    /// Latest before.
    pub from: Timestamp,
    /// Latest after.
    pub to: Timestamp,
    /// Keys that answer differently.
    pub keys: u64,
    /// Bytes of the values they hold at `from`.
    pub bytes_before: u64,
    /// Bytes of the values they hold at `to`.
    pub bytes_after: u64,
    /// The same for each space that has such keys, by name.
    pub spaces: Vec<SpaceBlast>,
    /// Whether the numbers are all there is.
    pub extent: Extent,
    /// Some of the keys, those written last first, a few of each space.
    pub sample: Vec<Change>,
}

/// Whether everything was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it.
    Whole,
    /// It would have taken too long: there are at least so many.
    AtLeast,
}

/// The part of a [`Blast`] in one space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpaceBlast {
    /// The space.
    pub space: SpaceName,
    /// Keys that answer differently.
    pub keys: u64,
    /// Bytes of the values they hold before.
    pub bytes_before: u64,
    /// Bytes of the values they hold after.
    pub bytes_after: u64,
}

/// A key that answers differently.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The space.
    pub space: SpaceName,
    /// The key.
    pub key: Key,
    /// What it holds before; `None` where it is absent.
    pub before: Option<Glance>,
    /// What it holds after.
    pub after: Option<Glance>,
}

/// A value as a person recognises it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glance {
    /// Hash, type and size.
    pub content: Content,
    /// Its beginning, where it is text.
    pub excerpt: Option<String>,
}

/// What a count may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) remembered: usize,
    pub(crate) writes: u64,
}

impl Bounds {
    pub(crate) const DEFAULT: Self = Self { remembered: REMEMBERED_MAX, writes: WRITES_MAX };
}

/// What answers differently at `to` than at `from`, both at or below what the scene has closed.
pub(crate) fn between(
    scene: &Scene,
    from: Timestamp,
    to: Timestamp,
    bounds: Bounds,
) -> Result<Blast> {
    let (low, high) = (from.min(to), from.max(to));
    let floor = scene.state.floor().max(scene.state.log_floor);
    if low < floor {
        return Err(Error::new(
            ErrorKind::BelowFloor { floor },
            format!("{low} is below the floor, {floor}"),
        ));
    }
    let mut count = Count {
        scene,
        low,
        high,
        bounds,
        met: HashSet::new(),
        looked_at: 0,
        spaces: BTreeMap::new(),
        sample: Vec::new(),
        extent: Extent::Whole,
    };
    let (start, end) = (keys::log(low, Sequence::MAX), keys::log(high, Sequence::MAX));
    let range = (Bound::Excluded(start.as_slice()), Bound::Included(end.as_slice()));
    scan(scene.rows.as_ref(), range, Direction::Backward, |key, row| count.commit(key, row))?;
    count.finish(from, to)
}

/// Keys of one space that differ, and their bytes at the earlier and the later moment.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    keys: u64,
    bytes_low: u64,
    bytes_high: u64,
    sampled: usize,
}

struct Count<'a> {
    scene: &'a Scene,
    low: Timestamp,
    high: Timestamp,
    bounds: Bounds,
    met: HashSet<[u8; 16]>,
    looked_at: u64,
    spaces: BTreeMap<SpaceId, Option<Tally>>,
    /// Space, key and what they hold at the earlier and the later moment.
    sample: Vec<(SpaceId, Key, Option<Glance>, Option<Glance>)>,
    extent: Extent,
}

impl Count<'_> {
    fn commit(&mut self, key: &[u8], row: &[u8]) -> Result<ControlFlow<()>> {
        let (effective, sequence) = keys::parse_log(key)?;
        let place = Place { effective, sequence };
        let writes = LogRecord::decode(row)?.writes.into_iter();
        for write in writes.filter(|write| write.content != Written::Erased) {
            if self.looked_at == self.bounds.writes {
                self.extent = Extent::AtLeast;
                return Ok(ControlFlow::Break(()));
            }
            self.looked_at += 1;
            self.write(place, write)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn write(&mut self, place: Place, write: LogWrite) -> Result<()> {
        if !self.is_readable(write.space)? || !self.is_newest(place, &write)? {
            return Ok(());
        }
        let rows = self.scene.rows.as_ref();
        let versions = || VersionsOf::new(write.space, &write.key);
        let low = held(rows, &versions().into_at(self.low))?;
        let high = write.content.put();
        if low == high {
            // The same bytes may be of another type.
            let low = at(rows, &versions().into_at(self.low))?;
            let high = at(rows, &versions().into_at(self.high))?;
            if low.map(|low| low.content) == high.map(|high| high.content) {
                return Ok(());
            }
        }
        let tally = self.spaces.entry(write.space).or_default().get_or_insert_default();
        tally.keys += 1;
        tally.bytes_low += low.map_or(0, |(_, bytes)| bytes);
        tally.bytes_high += high.map_or(0, |(_, bytes)| bytes);
        if self.sample.len() < SAMPLE_MAX && tally.sampled < SAMPLE_OF_SPACE_MAX {
            tally.sampled += 1;
            let low = at(rows, &versions().into_at(self.low))?;
            let high = at(rows, &versions().into_at(self.high))?;
            self.sample.push((write.space, write.key, low, high));
        }
        Ok(())
    }

    /// Whether the space can be read: what is still being imported answers nobody.
    fn is_readable(&mut self, space: SpaceId) -> Result<bool> {
        if let Some(tally) = self.spaces.get(&space) {
            return Ok(tally.is_some());
        }
        let readable = is_live(&self.scene.state, space)?;
        self.spaces.insert(space, readable.then(Tally::default));
        Ok(readable)
    }

    /// Whether this write is what its key holds at the later moment.
    fn is_newest(&mut self, place: Place, write: &LogWrite) -> Result<bool> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&write.space.0.to_be_bytes());
        hasher.update(write.key.as_str().as_bytes());
        let hash: [u8; 16] =
            hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
        if self.met.len() < self.bounds.remembered {
            // All that is newer was remembered too.
            return Ok(self.met.insert(hash));
        }
        if self.met.contains(&hash) {
            return Ok(false);
        }
        let versions = VersionsOf::new(write.space, &write.key);
        Ok(newest(self.scene.rows.as_ref(), &versions, self.high)? == Some(place))
    }

    fn finish(self, from: Timestamp, to: Timestamp) -> Result<Blast> {
        let state = &self.scene.state;
        let turned = to < from;
        let turn = |low, high| if turned { (high, low) } else { (low, high) };
        let mut spaces = Vec::new();
        for (id, tally) in self.spaces {
            let Some(tally) = tally.filter(|tally| tally.keys > 0) else {
                continue;
            };
            let (bytes_before, bytes_after) = turn(tally.bytes_low, tally.bytes_high);
            let space = state.name_of(id)?.clone();
            spaces.push(SpaceBlast { space, keys: tally.keys, bytes_before, bytes_after });
        }
        spaces.sort_by(|a, b| a.space.cmp(&b.space));
        let mut sample = Vec::with_capacity(self.sample.len());
        for (id, key, low, high) in self.sample {
            let space = state.name_of(id)?.clone();
            let (before, after) = if turned { (high, low) } else { (low, high) };
            sample.push(Change { space, key, before, after });
        }
        Ok(Blast {
            from,
            to,
            keys: spaces.iter().map(|space| space.keys).sum(),
            bytes_before: spaces.iter().map(|space| space.bytes_before).sum(),
            bytes_after: spaces.iter().map(|space| space.bytes_after).sum(),
            spaces,
            extent: self.extent,
            sample,
        })
    }
}

fn is_live(state: &State, id: SpaceId) -> Result<bool> {
    let (_, record) = state.known_space(state.name_of(id)?)?;
    Ok(matches!(record.state, SpaceState::Live { .. }))
}

/// Hash and size of what a key holds at a moment.
fn held(rows: &dyn Snapshot, versions: &VersionsAt) -> Result<Option<(ContentHash, u64)>> {
    let mut found = Ok(None);
    let mut at = |row: &[u8], value: &[u8]| {
        if versions.covers(row) {
            found = VersionValue::decode(value).map(|value| value.content().put());
        }
    };
    rows.around(versions.row(), &mut at, None)?;
    found
}

/// What a key holds at a moment.
fn at(rows: &dyn Snapshot, versions: &VersionsAt) -> Result<Option<Glance>> {
    let mut found = Ok(None);
    let mut at = |row: &[u8], value: &[u8]| {
        if versions.covers(row) {
            found = VersionValue::decode(value).and_then(glance);
        }
    };
    rows.around(versions.row(), &mut at, None)?;
    found
}

/// Where the version that a key has at a moment comes from.
pub(crate) fn newest(
    rows: &dyn Snapshot,
    versions: &VersionsOf,
    moment: Timestamp,
) -> Result<Option<Place>> {
    let versions = versions.clone().into_at(moment);
    let mut found = Ok(None);
    rows.around(
        versions.row(),
        &mut |row, _| {
            if versions.covers(row) {
                found = VersionRow::parse(row).map(|VersionRow { effective, sequence, .. }| {
                    Some(Place { effective, sequence })
                });
            }
        },
        None,
    )?;
    found
}

pub(crate) fn glance(value: VersionValue<'_>) -> Result<Option<Glance>> {
    let VersionValue::Put { hash, content_type, bytes } = value else {
        return Ok(None);
    };
    let content_type = stored_content_type(content_type)?;
    let content = Content { hash, content_type, bytes: bytes.len() as u64 };
    Ok(Some(Glance { content, excerpt: excerpt(bytes) }))
}

/// The beginning of what is text.
fn excerpt(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..4 * EXCERPT_CHARS_MAX).unwrap_or(bytes);
    let text = match core::str::from_utf8(head) {
        Ok(text) => text,
        // The cut may lie within a character.
        Err(error) if error.error_len().is_none() && head.len() < bytes.len() => {
            core::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let mut excerpt: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    if excerpt.len() < bytes.len() {
        excerpt.push('…');
    }
    Some(excerpt)
}

/// The commits marked bad that took effect after `low`, at or below `high`, and of which at least
/// one write is what its key holds at `high`. One that was reverted, or written over, is none.
pub(crate) fn bad_in_sight(
    rows: &dyn Snapshot,
    state: &State,
    low: Timestamp,
    high: Timestamp,
) -> Result<Vec<BadCommit>> {
    assert!(state.bad.len() <= BAD_COMMITS_MAX, "so many can be marked");
    let mut seen = Vec::new();
    for bad in state.bad.values() {
        if bad.effective > low && bad.effective <= high && is_in_sight(rows, bad, high)? {
            seen.push(bad.clone());
        }
    }
    Ok(seen)
}

fn is_in_sight(rows: &dyn Snapshot, bad: &BadCommit, high: Timestamp) -> Result<bool> {
    let place = Place { effective: bad.effective, sequence: bad.commit };
    let Some(row) = crate::state::get(rows, &keys::log(bad.effective, bad.commit))? else {
        // Retention has dropped it.
        return Ok(false);
    };
    for write in LogRecord::decode(&row)?.writes {
        let versions = VersionsOf::new(write.space, &write.key);
        if newest(rows, &versions, high)? == Some(place) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses to show commits that are marked bad.
pub(crate) fn refuse_bad(bad: &[BadCommit]) -> Result<()> {
    let Some(first) = bad.first() else {
        return Ok(());
    };
    let more = match bad.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Error::conflict(format!(
        "commit {}{more}, marked bad by {} ({}), would be seen again: revert it, take its mark \
         away, or ask for it all the same",
        first.commit, first.by.name, first.by.reason
    )))
}

#[cfg(test)]
mod tests;
