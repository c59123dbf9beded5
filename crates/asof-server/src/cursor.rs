//! Cursors as clients hold them: with the epoch of the timeline they belong to.
//!
//! A cursor of another timeline could stand at a moment that this one has too, with another
//! history before it; so what the feed and the log hand out names its epoch, and one of another
//! epoch is refused. Without an epoch a cursor is one that a client made itself, from a snapshot
//! whose epoch it knows.

use core::str::FromStr;

use asof_api::Cursor as Text;
use asof_store::{Cursor, Error};
use asof_time::Epoch;

use crate::dispatch::Call;
use crate::moment::check_epoch;
use crate::query::parse;
use crate::refusal::Refusal;

/// A cursor, and the epoch where it names one.
#[derive(Clone, Copy, Debug)]
struct Placed {
    epoch: Option<Epoch>,
    cursor: Cursor,
}

impl FromStr for Placed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (epoch, rest) = match text.split_once('.') {
            Some((first, rest)) if rest.matches('.').count() == 2 => (first.parse().ok(), rest),
            _ => (None, text),
        };
        // With an epoch that is none, all of the text is taken for the cursor, and refused.
        let cursor = if epoch.is_some() { rest } else { text }.parse()?;
        Ok(Self { epoch, cursor })
    }
}

/// The cursor that `text` is, if it is of this timeline; `what` names it in a refusal.
pub(crate) fn read(call: &Call<'_>, what: &str, text: &str) -> Result<Cursor, Refusal> {
    let placed: Placed = parse(&what, text)?;
    if let Some(epoch) = placed.epoch {
        check_epoch(call, epoch)?;
    }
    Ok(placed.cursor)
}

/// `epoch.effective.sequence.control`.
pub(crate) fn write(epoch: Epoch, cursor: Cursor) -> Text {
    Text(format!("{epoch}.{cursor}"))
}
