//! Putting back what commits have changed, by one more commit.
//!
//! History is never taken away: a revert writes, for each key that the commits touched, what it
//! held before them. A key that was written again since is a conflict, because a later commit may
//! rest on it; nothing is written until each conflict is decided.

use core::ops::{Bound, ControlFlow};
use std::collections::{BTreeMap, BTreeSet};

use asof_time::limits::{COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, MESSAGE_BYTES_MAX};
use asof_time::{Sequence, Timestamp};
use bytes::Bytes;

use crate::blast::{Change, glance, newest};
use crate::codec::keys::{self, SpaceId, VersionsOf};
use crate::codec::rows::{LogRecord, Place, VersionValue, stored_content_type};
use crate::engine::{Direction, Snapshot};
use crate::publish::Scene;
use crate::state::scan;
use crate::view::log;
use crate::{
    CommitRequest, Confirm, ContentHash, Effective, Error, ErrorKind, Key, Op, Precondition,
    Receipt, Result, SpaceName, SpaceState, Value, Write, Written,
};

/// Keys shown at most of those written.
const SAMPLE_MAX: usize = 20;

/// Keys shown at most of those in conflict, on which somebody has to decide.
const CONFLICTS_SHOWN_MAX: usize = 100;

/// What to put back, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revert {
    /// What to take back.
    pub target: RevertTarget,
    /// Only what it changed in this space.
    pub space: Option<SpaceName>,
    /// When it shall be as it was.
    pub effective: Effective,
    /// What becomes of conflicts that are not decided one by one.
    pub conflicts: Conflicts,
    /// Keys that stay as they are, in conflict or not.
    pub keep: Vec<(SpaceName, Key)>,
    /// Keys that are put back whatever was written since.
    pub restore: Vec<(SpaceName, Key)>,
    /// The second word, where many keys are touched.
    pub confirm: Confirm,
}

/// Which commits a revert takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RevertTarget {
    /// This one.
    Commit(Sequence),
    /// All that took effect after one moment, up to and including the other.
    Range {
        /// Things shall be as they were at this moment.
        after: Timestamp,
        /// The last moment that is taken back.
        through: Timestamp,
    },
}

/// What becomes of conflicts that are not decided one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Conflicts {
    /// Nothing is written.
    #[default]
    Refuse,
    /// Those keys stay as they are.
    Keep,
}

/// What a revert did, or would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevertOutcome {
    /// Keys that are put back.
    pub keys: u64,
    /// Bytes of what they hold then.
    pub bytes: u64,
    /// Keys that hold already what they held before.
    pub unchanged: u64,
    /// Keys that stay as they are because it was decided so.
    pub kept: u64,
    /// Some of the keys that are put back.
    pub sample: Vec<Change>,
    /// Keys written again since that are not decided on.
    pub conflicts: u64,
    /// Some of them.
    pub in_conflict: Vec<RevertConflict>,
    /// The commit; `None` for a dry run, or where there is nothing to put back.
    pub receipt: Option<Receipt>,
}

/// A key that a later commit wrote again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevertConflict {
    /// Space and key; what it holds, and what it would be put back to.
    pub change: Change,
    /// The last commit that wrote it.
    pub by: Sequence,
    /// When that took effect.
    pub effective: Timestamp,
}

/// A revert, ready to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) outcome: RevertOutcome,
    pub(crate) commit: Draft,
    /// What is taken back, for the audit.
    pub(crate) subject: String,
}

/// The commit of a revert, but for who makes it and why.
#[derive(Debug)]
pub(crate) struct Draft {
    title: String,
    writes: Vec<Write>,
}

impl Draft {
    pub(crate) fn called(self, author: &str, reason: &str, effective: Effective) -> CommitRequest {
        CommitRequest {
            effective,
            author: author.to_owned(),
            message: format!("{}\n\n{reason}", self.title),
            writes: self.writes,
            idempotency: None,
            source: None,
        }
    }
}

impl Plan {
    /// Refuses while a conflict is not decided on.
    pub(crate) fn check_decided(&self) -> Result<()> {
        let Some(first) = self.outcome.in_conflict.first() else {
            return Ok(());
        };
        Err(Error::conflict(format!(
            "keys in conflict: {}, written again since, the first is `{}/{}` by commit {}: decide \
             for each whether to keep or to restore it, or keep them all; a dry run lists them",
            self.outcome.conflicts, first.change.space, first.change.key, first.by
        )))
    }
}

/// The first and the last of the commits that wrote a key.
#[derive(Clone, Copy, Debug)]
struct Touched {
    first: Place,
    last: Place,
}

/// Works out what a revert would write, from what is published up to `closed`, and from what is
/// pending up to the moment at which it takes effect: `now` or later.
pub(crate) fn plan(
    scene: &Scene,
    closed: Timestamp,
    now: Timestamp,
    request: &Revert,
) -> Result<Plan> {
    let mut touched = Targets { scene, request, keys: BTreeMap::new() };
    let (title, subject) = match request.target {
        RevertTarget::Commit(id) => touched.commit(closed, id)?,
        RevertTarget::Range { after, through } => touched.range(closed, after, through)?,
    };
    let keys = touched.keys;
    let decided = Decided::new(request, scene, &keys)?;
    let until = match request.effective {
        // What is pending up to then is there by then.
        Effective::Now => now.max(closed.next().unwrap_or(closed)),
        Effective::At(at) => at.max(closed),
    };
    let mut planner = Planner {
        scene,
        until,
        decided,
        bytes: 0,
        writes: Vec::new(),
        outcome: RevertOutcome {
            keys: 0,
            bytes: 0,
            unchanged: 0,
            kept: 0,
            sample: Vec::new(),
            conflicts: 0,
            in_conflict: Vec::new(),
            receipt: None,
        },
    };
    for ((space, key), touched) in keys {
        planner.key(space, key, touched)?;
    }
    let Planner { writes, outcome, .. } = planner;
    Ok(Plan { outcome, commit: Draft { title, writes }, subject })
}

/// The keys that the commits have written.
struct Targets<'a> {
    scene: &'a Scene,
    request: &'a Revert,
    keys: BTreeMap<(SpaceId, Key), Touched>,
}

impl Targets<'_> {
    fn commit(&mut self, closed: Timestamp, id: Sequence) -> Result<(String, String)> {
        let rows = self.scene.rows.as_ref();
        let state = &self.scene.state;
        let (effective, record) = log::find(state, |key| crate::state::get(rows, key), id)?;
        if effective > closed {
            return Err(Error::conflict(format!("commit {id} is pending: cancel it instead")));
        }
        let message: String = record.message.lines().next().unwrap_or_default().into();
        self.take(Place { effective, sequence: id }, record)?;
        let mut title = format!("Revert of commit {id}");
        if !message.is_empty() && title.len() + message.len() < MESSAGE_BYTES_MAX / 2 {
            title = format!("{title}: {message}");
        }
        Ok((title, format!("commit {id}")))
    }

    fn range(
        &mut self,
        closed: Timestamp,
        after: Timestamp,
        through: Timestamp,
    ) -> Result<(String, String)> {
        if through <= after {
            return Err(Error::invalid(format!(
                "the range {after}..{through} is empty: the later moment comes second"
            )));
        }
        if through > closed {
            return Err(Error::new(
                ErrorKind::NotYetClosed { closed },
                format!("{through} is above closed, {closed}"),
            ));
        }
        let floor = self.scene.state.floor().max(self.scene.state.log_floor);
        if after < floor {
            return Err(below_floor(after, floor));
        }
        let (start, end) = (keys::log(after, Sequence::MAX), keys::log(through, Sequence::MAX));
        let range = (Bound::Excluded(start.as_slice()), Bound::Included(end.as_slice()));
        let rows = self.scene.rows.clone();
        scan(rows.as_ref(), range, Direction::Forward, |key, row| {
            let (effective, sequence) = keys::parse_log(key)?;
            self.take(Place { effective, sequence }, LogRecord::decode(row)?)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((format!("Revert of {after}..{through}"), format!("{after}..{through}")))
    }

    fn take(&mut self, place: Place, record: LogRecord) -> Result<()> {
        let state = &self.scene.state;
        // What was erased is not put back.
        for write in record.writes.into_iter().filter(|write| write.content != Written::Erased) {
            let name = state.name_of(write.space)?;
            let (_, space) = state.known_space(name)?;
            let wanted = self.request.space.as_ref().is_none_or(|wanted| wanted == name);
            if !wanted || !matches!(space.state, SpaceState::Live { .. }) {
                continue;
            }
            if place.effective <= space.floor && space.floor > Timestamp::MIN {
                return Err(below_floor(place.effective, space.floor));
            }
            let touched = Touched { first: place, last: place };
            self.keys
                .entry((write.space, write.key))
                .and_modify(|known| known.last = place)
                .or_insert(touched);
            if self.keys.len() > COMMIT_WRITES_MAX {
                return Err(Error::too_large(
                    "the revert, which is one commit,",
                    self.keys.len(),
                    COMMIT_WRITES_MAX,
                    "writes; take back one space or a shorter range at a time",
                ));
            }
        }
        Ok(())
    }
}

fn below_floor(at: Timestamp, floor: Timestamp) -> Error {
    Error::new(
        ErrorKind::BelowFloor { floor },
        format!("what was before {at} is no longer kept: the floor is {floor}"),
    )
}

/// What was decided on single keys, and on all others.
struct Decided {
    others: Conflicts,
    keep: BTreeSet<(SpaceId, Key)>,
    restore: BTreeSet<(SpaceId, Key)>,
}

impl Decided {
    fn new(
        request: &Revert,
        scene: &Scene,
        touched: &BTreeMap<(SpaceId, Key), Touched>,
    ) -> Result<Self> {
        let known = |keys: &[(SpaceName, Key)]| {
            let keys = keys.iter().map(|(space, key)| {
                let (id, _) = scene.state.known_space(space)?;
                let place = (id, key.clone());
                if touched.contains_key(&place) {
                    return Ok(place);
                }
                Err(Error::invalid(format!(
                    "there is nothing to decide on `{space}/{key}`: it was not changed by what is \
                     taken back"
                )))
            });
            keys.collect::<Result<BTreeSet<_>>>()
        };
        let (keep, restore) = (known(&request.keep)?, known(&request.restore)?);
        if let Some((_, key)) = keep.intersection(&restore).next() {
            return Err(Error::invalid(format!("`{key}` cannot be both kept and restored")));
        }
        Ok(Self { others: request.conflicts, keep, restore })
    }
}

struct Planner<'a> {
    scene: &'a Scene,
    until: Timestamp,
    decided: Decided,
    bytes: usize,
    writes: Vec<Write>,
    outcome: RevertOutcome,
}

/// What a key holds now and what it held before; `None` where it had not been written yet.
struct Held {
    present: Place,
    now: Option<Vec<u8>>,
    before: Option<Vec<u8>>,
}

impl Planner<'_> {
    fn key(&mut self, space: SpaceId, key: Key, touched: Touched) -> Result<()> {
        let place = (space, key);
        if self.decided.keep.contains(&place) {
            self.outcome.kept += 1;
            return Ok(());
        }
        let restore = self.decided.restore.contains(&place);
        let (space, key) = place;
        // A deletion at the beginning of time, of which retention leaves nothing, changed nothing.
        let Some(held) = self.held(space, &key, touched)? else {
            self.outcome.unchanged += 1;
            return Ok(());
        };
        if is_same(held.now.as_deref(), held.before.as_deref())? {
            self.outcome.unchanged += 1;
            Ok(())
        } else if held.present == touched.last || restore {
            self.write(space, key, &held)
        } else {
            self.conflict(space, key, &held)
        }
    }

    /// `None` where nothing is kept of the key.
    fn held(&self, space: SpaceId, key: &Key, touched: Touched) -> Result<Option<Held>> {
        let rows = self.scene.rows.as_ref();
        let versions = VersionsOf::new(space, key);
        let Some(present) = newest(rows, &versions, self.until)? else {
            return Ok(None);
        };
        let now = crate::state::get(rows, &versions.row(present.effective, present.sequence))?;
        let before = older(rows, &versions, touched.first)?;
        Ok(Some(Held { present, now, before }))
    }

    fn conflict(&mut self, space: SpaceId, key: Key, held: &Held) -> Result<()> {
        if self.decided.others == Conflicts::Keep {
            self.outcome.kept += 1;
            return Ok(());
        }
        self.outcome.conflicts += 1;
        if self.outcome.in_conflict.len() < CONFLICTS_SHOWN_MAX {
            let change = self.change(space, key, held)?;
            let Place { effective, sequence: by } = held.present;
            self.outcome.in_conflict.push(RevertConflict { change, by, effective });
        }
        Ok(())
    }

    fn write(&mut self, space: SpaceId, key: Key, held: &Held) -> Result<()> {
        if self.outcome.sample.len() < SAMPLE_MAX {
            let change = self.change(space, key.clone(), held)?;
            self.outcome.sample.push(change);
        }
        let op = op(held.before.as_deref())?;
        let size = match &op {
            Op::Put(value) => value.bytes.len(),
            Op::Delete => 0,
        };
        self.bytes += size + key.as_str().len();
        if self.bytes > COMMIT_BYTES_MAX {
            return Err(Error::too_large(
                "the revert, which is one commit,",
                self.bytes,
                COMMIT_BYTES_MAX,
                "bytes or more; take back one space or a shorter range at a time",
            ));
        }
        self.outcome.keys += 1;
        self.outcome.bytes += size as u64;
        // Whoever writes the key between the plan and the commit is a conflict of the next plan.
        let precondition = Precondition::UnchangedSince(held.present.effective);
        let space = self.scene.state.name_of(space)?.clone();
        self.writes.push(Write { space, key, op, precondition });
        Ok(())
    }

    fn change(&self, space: SpaceId, key: Key, held: &Held) -> Result<Change> {
        let space = self.scene.state.name_of(space)?.clone();
        let seen = |row: Option<&[u8]>| match row {
            Some(row) => glance(VersionValue::decode(row)?),
            None => Ok(None),
        };
        let (before, after) = (seen(held.now.as_deref())?, seen(held.before.as_deref())?);
        Ok(Change { space, key, before, after })
    }
}

/// The version of a key before the one at `place`.
fn older(rows: &dyn Snapshot, versions: &VersionsOf, place: Place) -> Result<Option<Vec<u8>>> {
    let (from, end) = (versions.row(place.effective, place.sequence), versions.end());
    let range = (Bound::Excluded(from.as_slice()), Bound::Excluded(end.as_slice()));
    let mut found = None;
    rows.scan(range, Direction::Forward, &mut |_, value| {
        found = Some(value.to_vec());
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn is_same(a: Option<&[u8]>, b: Option<&[u8]>) -> Result<bool> {
    Ok(content(a)? == content(b)?)
}

fn content(row: Option<&[u8]>) -> Result<Option<(ContentHash, &str)>> {
    Ok(match row.map(VersionValue::decode).transpose()? {
        None | Some(VersionValue::Deleted | VersionValue::Erased { .. }) => None,
        Some(VersionValue::Put { hash, content_type, .. }) => Some((hash, content_type)),
    })
}

fn op(row: Option<&[u8]>) -> Result<Op> {
    match row.map(VersionValue::decode).transpose()? {
        None | Some(VersionValue::Deleted | VersionValue::Erased { .. }) => Ok(Op::Delete),
        Some(VersionValue::Put { content_type, bytes, .. }) => Ok(Op::Put(Value {
            content_type: stored_content_type(content_type)?,
            bytes: Bytes::copy_from_slice(bytes),
        })),
    }
}
