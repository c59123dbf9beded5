//! The change feed: everything that takes effect, once, in order.

use core::fmt;
use core::ops::{Bound, ControlFlow};
use core::str::FromStr;

use asof_time::{Epoch, Sequence, Timestamp};

use crate::codec::{keys, rows};
use crate::engine::Direction;
use crate::publish::Scene;
use crate::state::scan;
use crate::view::check_limit;
use crate::view::log::{self, Backfilled, Filter};
use crate::{Commit, ControlRecord, Error, ErrorKind, Result, SpaceName};

/// How far a follower has come: the last commit it saw, and the last control record.
///
/// Written `effective.sequence.control`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cursor {
    /// Effective timestamp of the last commit seen, or the moment of a snapshot.
    pub effective: Timestamp,
    /// Sequence of the last commit seen; [`Sequence::MAX`] where all of `effective` was.
    pub sequence: Sequence,
    /// Sequence of the last control record seen.
    pub control: u64,
}

impl Cursor {
    /// Before everything.
    pub const START: Self =
        Self { effective: Timestamp::MIN, sequence: Sequence::ZERO, control: 0 };

    /// After everything that took effect at or below `at`: the way to follow on from a snapshot
    /// at `at`. `control` is the control sequence that came with the snapshot.
    pub const fn after_snapshot(at: Timestamp, control: u64) -> Self {
        Self { effective: at, sequence: Sequence::MAX, control }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.effective.as_micros(), self.sequence, self.control)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let number = |part: &str| {
            if digits(part) { part.parse().ok() } else { None }
        };
        let mut parts = text.split('.').map(number);
        let parsed = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(effective)), Some(Some(sequence)), Some(Some(control)), None) => {
                Timestamp::from_micros(effective)
                    .zip(Sequence::new(sequence))
                    .map(|(effective, sequence)| Self { effective, sequence, control })
            }
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::invalid(format!(
                "cursor `{}` is not effective.sequence.control; take one from the feed",
                text.escape_debug()
            ))
        })
    }
}

/// One message of the feed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FeedItem {
    /// A commit took effect.
    Commit(Commit),
    /// The control state changed.
    Control(ControlRecord),
}

/// A piece of the feed. One without items is a heartbeat: it still moves `through`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedPage {
    /// Each item with the cursor to resume after it.
    pub items: Vec<(Cursor, FeedItem)>,
    /// Where to go on after the whole page.
    pub cursor: Cursor,
    /// The stream is complete up to and including this moment once the page was seen.
    pub through: Timestamp,
    /// Whether there is more at once.
    pub more: bool,
    /// The timeline.
    pub epoch: Epoch,
    /// The store's floor.
    pub floor: Timestamp,
    /// The cap, where there is one.
    pub cap: Option<Timestamp>,
}

/// One page of the feed, up to `closed`; see [`Store::feed`](crate::Store::feed).
pub(crate) fn page(
    scene: &Scene,
    closed: Timestamp,
    after: Cursor,
    spaces: Option<&[SpaceName]>,
    limit: usize,
) -> Result<FeedPage> {
    check_limit(limit)?;
    let state = &scene.state;
    if after.effective < state.log_floor {
        let floor = state.log_floor;
        return Err(Error::new(
            ErrorKind::BelowFloor { floor },
            format!(
                "the cursor stands at {}, but the log is kept from {floor} on: take a snapshot \
                 and follow on from it",
                after.effective
            ),
        ));
    }
    if after.effective > closed {
        // What takes effect in between would never be seen by whoever goes on from there.
        return Err(Error::new(
            ErrorKind::NotYetClosed { closed },
            format!(
                "the cursor stands at {}, above closed, {closed}: it is not from this timeline",
                after.effective
            ),
        ));
    }
    // Control first: a space is announced before its commits, and a floor before it bites.
    let mut cursor = after;
    let mut items = Vec::new();
    for record in control_records(scene, after.control, limit)? {
        cursor.control = record.sequence;
        items.push((cursor, FeedItem::Control(record)));
    }
    let room = limit - items.len();
    let mut more = room == 0;
    if room > 0 {
        let filter = Filter { spaces, backfilled: Backfilled::Never };
        let page = log::page(scene, cursor, closed, room, &filter)?;
        for commit in page.commits {
            (cursor.effective, cursor.sequence) = (commit.effective, commit.id);
            items.push((cursor, FeedItem::Commit(commit)));
        }
        match page.next {
            Some(next) => (cursor, more) = (next, true),
            // All of it was seen: go on from closed, past what the filter held back.
            None => cursor = cursor.max(Cursor::after_snapshot(closed, cursor.control)),
        }
    }
    let through = match (more, cursor.sequence) {
        (false, _) => closed,
        (true, Sequence::MAX) => cursor.effective,
        // More commits may follow within the same timestamp.
        (true, _) => cursor.effective.prev().unwrap_or(Timestamp::MIN),
    };
    let (floor, cap) = (state.floor(), state.cap.as_ref().map(|cap| cap.at));
    Ok(FeedPage { items, cursor, through, more, epoch: state.epoch, floor, cap })
}

/// The control history after `after`, oldest first.
pub(crate) fn control_records(
    scene: &Scene,
    after: u64,
    limit: usize,
) -> Result<Vec<ControlRecord>> {
    let (start, end) = (keys::control(after), [keys::CONTROL + 1]);
    let range = (Bound::Excluded(start.as_slice()), Bound::Excluded(end.as_slice()));
    let mut records = Vec::new();
    scan(scene.rows.as_ref(), range, Direction::Forward, |key, row| {
        records.push(rows::decode_control(key, row)?);
        Ok(if records.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(records)
}
