//! The value of one key at one moment: one seek, and one more where a later version may be closed.

use core::ops::{Bound, ControlFlow};

use asof_time::Timestamp;
use bytes::Bytes;

use super::{Ground, Read, Version, View};
use crate::codec::keys::{VersionRow, VersionsOf};
use crate::codec::rows::{VersionValue, stored_content_type};
use crate::engine::{Direction, Snapshot};
use crate::{Key, Result};

pub(super) fn get(view: &View, ground: &Ground, key: &Key) -> Result<Read<Option<Version>>> {
    let versions = VersionsOf::new(ground.id, key);
    let (from, value) = match version_at(view.scene.rows.as_ref(), &versions, view.as_of)? {
        Some((effective, value)) => (effective, value),
        None => (ground.readable.floor(), None),
    };
    let until = first_after(
        view.scene.rows.as_ref(),
        &versions,
        view.as_of,
        view.known_through(),
    )?;
    Ok(Read {
        value,
        validity: view.validity(ground, from, until),
    })
}

/// The version at `at` with its effective timestamp; its value is `None` where it is a deletion.
fn version_at(
    rows: &dyn Snapshot,
    versions: &VersionsOf,
    at: Timestamp,
) -> Result<Option<(Timestamp, Option<Version>)>> {
    let (from, end) = (versions.at(at), versions.end());
    let range = (
        Bound::Included(from.as_slice()),
        Bound::Excluded(end.as_slice()),
    );
    let mut found = Ok(None);
    rows.scan(range, Direction::Forward, &mut |row, value| {
        found = version(row, value).map(Some);
        ControlFlow::Break(())
    })?;
    found
}

fn version(row: &[u8], value: &[u8]) -> Result<(Timestamp, Option<Version>)> {
    let VersionRow {
        effective,
        sequence,
        ..
    } = VersionRow::parse(row)?;
    let version = match VersionValue::decode(value)? {
        VersionValue::Deleted => None,
        VersionValue::Put {
            hash,
            content_type,
            bytes,
        } => Some(Version {
            effective,
            commit: sequence,
            hash,
            content_type: stored_content_type(content_type)?,
            bytes: Bytes::copy_from_slice(bytes),
        }),
    };
    Ok((effective, version))
}

/// The effective timestamp of the first version after `at`, looking no further than `through`.
pub(super) fn first_after(
    rows: &dyn Snapshot,
    versions: &VersionsOf,
    at: Timestamp,
    through: Timestamp,
) -> Result<Option<Timestamp>> {
    if at >= through {
        return Ok(None);
    }
    let (newest, oldest) = (versions.at(through), versions.at(at));
    let range = (
        Bound::Included(newest.as_slice()),
        Bound::Excluded(oldest.as_slice()),
    );
    let mut found = Ok(None);
    rows.scan(range, Direction::Backward, &mut |row, _| {
        found = VersionRow::parse(row).map(|row| Some(row.effective));
        ControlFlow::Break(())
    })?;
    found
}
