//! The change feed: everything that takes effect, once, in order.

use core::fmt;
use core::str::FromStr;

use asof_time::{Epoch, Sequence, Timestamp};

use crate::{Commit, ControlRecord, Error, Result};

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
    pub const START: Self = Self {
        effective: Timestamp::MIN,
        sequence: Sequence::ZERO,
        control: 0,
    };

    /// After everything that took effect at or below `at`: the way to follow on from a snapshot
    /// at `at`. `control` is the control sequence that came with the snapshot.
    pub const fn after_snapshot(at: Timestamp, control: u64) -> Self {
        Self {
            effective: at,
            sequence: Sequence::MAX,
            control,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.effective.as_micros(),
            self.sequence,
            self.control
        )
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split('.').map(str::parse::<u64>);
        let parsed = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(effective)), Some(Ok(sequence)), Some(Ok(control)), None) => {
                Timestamp::from_micros(effective)
                    .zip(Sequence::new(sequence))
                    .map(|(effective, sequence)| Self {
                        effective,
                        sequence,
                        control,
                    })
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
