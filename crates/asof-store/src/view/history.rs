//! The versions of one key, newest first.

use core::ops::{Bound, ControlFlow};

use asof_time::Timestamp;

use super::point::{self, first_after};
use super::{Content, Ground, HistoryPage, HistoryRange, HistoryVersion, View};
use crate::codec::keys::{VersionRow, VersionsOf};
use crate::codec::rows::{VersionValue, stored_content_type};
use crate::engine::Direction;
use crate::state::scan;
use crate::{Key, Result};

pub(super) fn history(
    view: &View,
    ground: &Ground,
    key: &Key,
    range: &HistoryRange,
) -> Result<HistoryPage> {
    let versions = VersionsOf::new(ground.id, key);
    let mut page = HistoryPage { versions: Vec::new(), next: None };
    let upto = match range.before {
        None => view.as_of,
        Some(before) => match before.prev() {
            Some(upto) => upto.min(view.as_of),
            None => return Ok(page),
        },
    };
    if upto < view.as_of && upto < ground.readable.floor() {
        // What is kept down there is whole states at some instants, not what lies between them.
        return Ok(page);
    }
    let rows = view.scene.rows.as_ref();
    // Below the floor only some versions are kept, so they are no history.
    let lowest = range.from.max(ground.readable.floor());
    let mut until = first_after(rows, &versions, upto, view.known_through())?;
    let (from, end) = (versions.at(upto), versions.end());
    let bounds = (Bound::Included(from.as_slice()), Bound::Excluded(end.as_slice()));
    scan(rows, bounds, Direction::Forward, |row, value| {
        let version = version(view, ground, row, value, until)?;
        // Of commits with one timestamp the last one wins; the others were never seen.
        if until == Some(version.effective) {
            return Ok(ControlFlow::Continue(()));
        }
        if page.versions.len() == range.limit {
            page.next = page.versions.last().map(|last| last.effective);
            return Ok(ControlFlow::Break(()));
        }
        until = Some(version.effective);
        let covers_lowest = version.effective <= lowest;
        page.versions.push(version);
        Ok(if covers_lowest { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(page)
}

fn version(
    view: &View,
    ground: &Ground,
    row: &[u8],
    value: &[u8],
    until: Option<Timestamp>,
) -> Result<HistoryVersion> {
    let VersionRow { effective, sequence, .. } = VersionRow::parse(row)?;
    let content = match VersionValue::decode(value)? {
        VersionValue::Deleted => None,
        VersionValue::Erased { sequence, at } => return Err(point::erased(row, sequence, at)),
        VersionValue::Put { hash, content_type, bytes } => Some(Content {
            hash,
            content_type: stored_content_type(content_type)?,
            bytes: bytes.len() as u64,
        }),
    };
    let validity = view.validity(ground, effective, until);
    Ok(HistoryVersion { validity, effective, commit: sequence, content })
}
