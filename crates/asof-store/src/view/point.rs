//! The value of one key at one moment: one seek, which finds the version and the one after it.

use core::ops::{Bound, ControlFlow};

use asof_time::Timestamp;
use bytes::Bytes;

use super::{Ground, Read, Version, View};
use crate::codec::keys::{VersionRow, VersionsOf};
use crate::codec::rows::{VersionValue, stored_content_type};
use crate::engine::{Direction, RowVisitor, Snapshot};
use crate::{Error, Key, Result};

pub(super) fn get(view: &View, ground: &Ground, key: &Key) -> Result<Read<Option<Version>>> {
    let versions = VersionsOf::new(ground.id, key).into_at(view.as_of);
    let through = view.known_through();
    let mut present = Ok(None);
    let mut until = Ok(None);
    let mut at = |row: &[u8], value: &[u8]| {
        if versions.covers(row) {
            present = version(row, value).map(Some);
        }
    };
    let mut before = |row: &[u8], _: &[u8]| {
        if versions.covers(row) {
            until = VersionRow::parse(row).map(|row| Some(row.effective));
        }
    };
    // Nothing above `through` is looked for, so at latest one row is all there is to it.
    let before: Option<RowVisitor<'_>> = (view.as_of < through).then_some(&mut before);
    view.scene.rows.around(versions.row(), &mut at, before)?;
    let until = until?.filter(|until| *until <= through);
    let (from, value) = present?.unwrap_or((ground.readable.floor(), None));
    Ok(Read { value, validity: view.validity(ground, from, until) })
}

fn version(row: &[u8], value: &[u8]) -> Result<(Timestamp, Option<Version>)> {
    let VersionRow { effective, sequence, .. } = VersionRow::parse(row)?;
    let version = match VersionValue::decode(value)? {
        VersionValue::Deleted => None,
        VersionValue::Erased { sequence, at } => return Err(erased(row, sequence, at)),
        VersionValue::Put { hash, content_type, bytes } => Some(Version {
            effective,
            commit: sequence,
            hash,
            content_type: stored_content_type(content_type)?,
            bytes: Bytes::copy_from_slice(bytes),
        }),
    };
    Ok((effective, version))
}

/// Says that a key was erased.
pub(super) fn erased(row: &[u8], sequence: u64, at: Timestamp) -> Error {
    match VersionRow::parse(row).and_then(|row| row.key()) {
        Ok(key) => Error::erased(format!(
            "key `{key}` was erased at {at} (control record {sequence}), with all that it ever held"
        )),
        Err(error) => error,
    }
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
    let range = (Bound::Included(newest.as_slice()), Bound::Excluded(oldest.as_slice()));
    let mut found = Ok(None);
    rows.scan(range, Direction::Backward, &mut |row, _| {
        found = VersionRow::parse(row).map(|row| Some(row.effective));
        ControlFlow::Break(())
    })?;
    found
}
