//! The log: what took effect, what is pending, and one commit by its id.

use core::ops::{Bound, ControlFlow};

use asof_time::limits::{COMMIT_WRITES_MAX, MESSAGE_BYTES_MAX};
use asof_time::{Sequence, Timestamp};

use super::{LogPage, LogRange, check_limit};
use crate::codec::keys;
use crate::codec::rows::{self, LogRecord};
use crate::engine::{Direction, KeyRange};
use crate::publish::Scene;
use crate::state::{self, State, scan};
use crate::{Commit, CommitWrite, Cursor, Error, ErrorKind, Result, Source, SpaceName, SpaceState};

/// Commits looked at for one page before it ends: a filter that lets little through must not make
/// a page take for ever.
const PAGE_COMMITS_LOOKED_AT: usize = 100_000;

/// Bytes of commits, as they are stored, looked at for one page before it ends.
const PAGE_BYTES_LOOKED_AT: usize = 64 << 20;

/// Most writes of the commits of one page, unless it is one commit: a thousand large ones would
/// fill the memory of whoever makes the page, and of whoever gets it.
pub(crate) const PAGE_WRITES_MAX: usize = 20_000;

/// Most bytes of the commits of one page, as they are stored, unless it is one commit. What a
/// commit says may be as large as what it writes is numerous.
pub(crate) const PAGE_BYTES_MAX: usize = 8 << 20;

const _: () = assert!(PAGE_WRITES_MAX <= COMMIT_WRITES_MAX);
const _: () =
    assert!(MESSAGE_BYTES_MAX <= PAGE_BYTES_MAX && PAGE_BYTES_MAX <= PAGE_BYTES_LOOKED_AT);

/// Which commits a reader of the log wants besides its range.
pub(crate) struct Filter<'a> {
    pub(crate) spaces: Option<&'a [SpaceName]>,
    pub(crate) backfilled: Backfilled,
}

/// Whether imported history is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backfilled {
    /// That of spaces which are live.
    OfLiveSpaces,
    /// None of it: a follower of the feed learns of it as one event, the space going live.
    Never,
}

/// Commits that took effect, up to latest.
pub(crate) fn log(scene: &Scene, latest: Timestamp, range: &LogRange) -> Result<LogPage> {
    let floor = floor(&scene.state, range.spaces.as_deref());
    if range.after.effective < floor {
        return Err(Error::new(
            ErrorKind::BelowFloor { floor },
            format!(
                "the log is whole from {floor} on, and {} is below that",
                range.after.effective
            ),
        ));
    }
    let filter = Filter { spaces: range.spaces.as_deref(), backfilled: Backfilled::OfLiveSpaces };
    page(scene, range.after, latest, range.limit, &filter)
}

/// Commits up to `before`, newest first, as far down as the log is whole.
pub(crate) fn back(scene: &Scene, before: Cursor, range: &LogRange) -> Result<LogPage> {
    check_limit(range.limit)?;
    let filter = Filter { spaces: range.spaces.as_deref(), backfilled: Backfilled::OfLiveSpaces };
    let whole = match floor(&scene.state, range.spaces.as_deref()) {
        Timestamp::MIN => Cursor::START,
        floor => Cursor::after_snapshot(floor, 0),
    };
    let lowest = whole.max(range.after);
    if (before.effective, before.sequence) <= (lowest.effective, lowest.sequence) {
        return Ok(LogPage { commits: Vec::new(), next: None });
    }
    let start = keys::log(lowest.effective, lowest.sequence);
    let end = keys::log(before.effective, before.sequence);
    let bounds = (Bound::Excluded(start.as_slice()), Bound::Excluded(end.as_slice()));
    let from = Cursor { control: 0, ..before };
    collect(scene, bounds, Direction::Backward, from, range.limit, &filter)
}

/// From when on the log is whole: a commit is kept for as long as one of its spaces keeps it.
fn floor(state: &State, spaces: Option<&[SpaceName]>) -> Timestamp {
    let Some(spaces) = spaces else {
        return state.log_floor;
    };
    let known = spaces.iter().filter_map(|space| state.space(space));
    let floors = known.map(|(_, record)| record.floor);
    floors.max().unwrap_or(Timestamp::MIN)
}

/// Commits above closed.
pub(crate) fn pending(
    scene: &Scene,
    closed: Timestamp,
    after: Cursor,
    limit: usize,
) -> Result<LogPage> {
    let after = after.max(Cursor::after_snapshot(closed, 0));
    let filter = Filter { spaces: None, backfilled: Backfilled::Never };
    page(scene, after, Timestamp::MAX, limit, &filter)
}

/// Commits after `after` up to `upto` that the filter lets through.
pub(crate) fn page(
    scene: &Scene,
    after: Cursor,
    upto: Timestamp,
    limit: usize,
    filter: &Filter<'_>,
) -> Result<LogPage> {
    check_limit(limit)?;
    if after.effective > upto {
        return Ok(LogPage { commits: Vec::new(), next: None });
    }
    let start = keys::log(after.effective, after.sequence);
    let end = keys::log(upto, Sequence::MAX);
    let bounds = (Bound::Excluded(start.as_slice()), Bound::Included(end.as_slice()));
    collect(scene, bounds, Direction::Forward, after, limit, filter)
}

/// A page of the commits within `bounds` that the filter lets through; `from` is where it begins.
/// It ends early where more would be too much to hold or to look at; no single commit is.
fn collect(
    scene: &Scene,
    bounds: KeyRange<'_>,
    direction: Direction,
    from: Cursor,
    limit: usize,
    filter: &Filter<'_>,
) -> Result<LogPage> {
    let mut page = LogPage { commits: Vec::new(), next: None };
    let (mut looked_at, mut bytes_looked_at, mut last) = (0, 0, from);
    let (mut writes, mut bytes) = (0, 0);
    scan(scene.rows.as_ref(), bounds, direction, |key, row| {
        if page.commits.len() == limit
            || looked_at == PAGE_COMMITS_LOOKED_AT
            || bytes_looked_at >= PAGE_BYTES_LOOKED_AT
        {
            page.next = Some(last);
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        bytes_looked_at += row.len();
        let (place, commit) = taken(&scene.state, key, row, filter)?;
        if let Some(commit) = commit {
            writes += commit.writes.len();
            bytes += row.len();
            if !page.commits.is_empty() && (writes > PAGE_WRITES_MAX || bytes > PAGE_BYTES_MAX) {
                page.next = Some(last);
                return Ok(ControlFlow::Break(()));
            }
            page.commits.push(commit);
        }
        last = Cursor { control: from.control, ..place };
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

fn taken(
    state: &State,
    key: &[u8],
    row: &[u8],
    filter: &Filter<'_>,
) -> Result<(Cursor, Option<Commit>)> {
    let (effective, sequence) = keys::parse_log(key)?;
    let place = Cursor { effective, sequence, control: 0 };
    let record = LogRecord::decode(row)?;
    if record.backfilled && filter.backfilled == Backfilled::Never {
        return Ok((place, None));
    }
    let commit = commit(state, effective, sequence, record)?;
    let hidden = commit.backfilled && !is_live(state, &commit);
    let wanted = filter.spaces.is_none_or(|spaces| touches(&commit, spaces));
    Ok((place, (wanted && !hidden).then_some(commit)))
}

/// Whether the space that a backfilled commit belongs to is live. One without writes and source
/// shows nothing of any space.
fn is_live(state: &State, commit: &Commit) -> bool {
    let written = commit.writes.first().map(|write| &write.space);
    let space = written.or(commit.source.as_ref().map(|source| &source.space));
    let record = space.and_then(|space| state.space(space));
    record.is_none_or(|(_, record)| matches!(record.state, SpaceState::Live { .. }))
}

fn touches(commit: &Commit, spaces: &[SpaceName]) -> bool {
    let source = commit.source.iter().map(|source| &source.space);
    let written = commit.writes.iter().map(|write| &write.space);
    written.chain(&commit.opened).chain(source).any(|space| spaces.contains(space))
}

/// One commit by its id.
pub(crate) fn by_id(scene: &Scene, id: Sequence) -> Result<Commit> {
    let (effective, record) = find(&scene.state, |key| state::get(scene.rows.as_ref(), key), id)?;
    let commit = commit(&scene.state, effective, id, record)?;
    if commit.backfilled && !is_live(&scene.state, &commit) {
        let message = format!("commit {id} is in a space that is still importing");
        return Err(Error::new(ErrorKind::StillImporting, message));
    }
    Ok(commit)
}

/// The log's record of a commit and when it takes effect, from whatever rows `get` reads.
pub(crate) fn find(
    state: &State,
    get: impl Fn(&[u8]) -> Result<Option<Vec<u8>>>,
    id: Sequence,
) -> Result<(Timestamp, LogRecord)> {
    let not_found = |what: String| Error::new(ErrorKind::NotFound, what);
    let place =
        get(&keys::sequence(id))?.ok_or_else(|| not_found(format!("there is no commit {id}")))?;
    if place.is_empty() {
        return Err(not_found(format!("commit {id} was cancelled")));
    }
    let effective = rows::decode_moment(&place, "commit id")?;
    let row = get(&keys::log(effective, id))?.ok_or_else(|| missing(state, effective, id))?;
    Ok((effective, LogRecord::decode(&row)?))
}

/// Why a commit is not in the log where its id says. The highest id is kept when its commit is
/// dropped, since new ones are counted from it.
fn missing(state: &State, effective: Timestamp, id: Sequence) -> Error {
    if effective < state.log_floor {
        let message = format!("commit {id} took effect at {effective} and is no longer kept");
        return Error::new(ErrorKind::NotFound, message);
    }
    Error::corrupt(format!("commit {id} is not in the log where its id says"))
}

/// A commit as callers see it.
pub(crate) fn commit(
    state: &State,
    effective: Timestamp,
    id: Sequence,
    record: LogRecord,
) -> Result<Commit> {
    let writes = record
        .writes
        .into_iter()
        .map(|write| {
            let space = state.name_of(write.space)?.clone();
            Ok(CommitWrite { space, key: write.key, content: write.content })
        })
        .collect::<Result<_>>()?;
    let opened =
        record.opened.iter().map(|id| state.name_of(*id).cloned()).collect::<Result<_>>()?;
    let source = record
        .source
        .map(|source| {
            let space = state.name_of(source.space)?.clone();
            Ok::<_, Error>(Source { space, id: source.id, at: source.at })
        })
        .transpose()?;
    Ok(Commit {
        id,
        effective,
        accepted: record.accepted,
        author: record.author,
        message: record.message,
        opened,
        source,
        backfilled: record.backfilled,
        writes,
    })
}
