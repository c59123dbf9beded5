//! What pins hold back, counted by walking the spaces whose retention they keep from going on.

use core::ops::{Bound, ControlFlow};
use std::collections::BTreeMap;

use asof_time::Timestamp;

use crate::codec::keys::{self, SpaceId, VersionRow};
use crate::codec::rows::{SpaceRecord, VersionValue};
use crate::engine::Direction;
use crate::publish::Scene;
use crate::readable::Readable;
use crate::state::scan;
use crate::{Pin, Result, Retention, SpaceState};

/// The live pins by name, each with the bytes of values that would be dropped now if no pin held
/// its moment or an earlier one.
pub(crate) fn pins(scene: &Scene, closed: Timestamp) -> Result<Vec<(Pin, u64)>> {
    let moments = scene.state.pins.values().map(|pin| pin.at).collect();
    let held = needed(scene, closed, moments)?;
    let of_pin = |pin: &Pin| (pin.clone(), held.get(&pin.at).copied().unwrap_or(0));
    Ok(scene.state.pins.values().map(of_pin).collect())
}

/// What a pin at `at` holds back, or would hold back, counted in the same way.
pub(crate) fn at(scene: &Scene, closed: Timestamp, at: Timestamp) -> Result<u64> {
    Ok(needed(scene, closed, vec![at])?.get(&at).copied().unwrap_or(0))
}

/// For each of `moments` the bytes of values that would be dropped now if neither it nor an
/// earlier one of them were held.
fn needed(
    scene: &Scene,
    closed: Timestamp,
    mut moments: Vec<Timestamp>,
) -> Result<BTreeMap<Timestamp, u64>> {
    moments.sort_unstable();
    moments.dedup();
    // At its moment's place: the bytes that this moment needs and the one after it does not.
    let mut held = vec![0_u64; moments.len()];
    let cap = scene.state.cap.as_ref().map_or(Timestamp::MAX, |cap| cap.at);
    for (id, space) in scene.state.spaces() {
        let floor = floor_without_pins(space, closed, cap);
        // Every space that no pin holds is passed by.
        if moments.first().is_some_and(|first| *first < floor) {
            let floor = SpaceRecord { floor, ..space.clone() };
            count(scene, id, Readable::new(&floor), &moments, &mut held)?;
        }
    }
    // An earlier moment needs what a later one needs, too.
    let mut sum = 0;
    for bytes in held.iter_mut().rev() {
        sum += *bytes;
        *bytes = sum;
    }
    Ok(moments.into_iter().zip(held).collect())
}

fn floor_without_pins(space: &SpaceRecord, closed: Timestamp, cap: Timestamp) -> Timestamp {
    let age = match (space.retention, &space.state) {
        (Retention::KeepAll, _) | (_, SpaceState::Importing(_)) => return space.floor,
        (Retention::KeepFor(age) | Retention::Sparse { dense: age, .. }, _) => age,
    };
    closed.saturating_sub(age).min(cap).max(space.floor)
}

fn count(
    scene: &Scene,
    space: SpaceId,
    unpinned: Readable,
    moments: &[Timestamp],
    held: &mut [u64],
) -> Result<()> {
    let (start, end) = (keys::versions_from(space, ""), keys::versions_end(space));
    let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
    let (mut key, mut newer) = (Vec::new(), None);
    scan(scene.rows.as_ref(), range, Direction::Forward, |row, value| {
        let version = VersionRow::parse(row)?;
        if key != version.escaped {
            key = version.escaped.to_vec();
            newer = None;
        }
        let until = newer.replace(version.effective);
        // The moments before its end need it: it is the last of them that lets go of it last.
        let Some(until) = until.filter(|_| !unpinned.reads(version.effective, until)) else {
            return Ok(ControlFlow::Continue(()));
        };
        let before_end = moments.partition_point(|moment| *moment < until);
        let Some(place) = before_end.checked_sub(1).and_then(|last| held.get_mut(last)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if let VersionValue::Put { bytes, .. } = VersionValue::decode(value)? {
            *place += bytes.len() as u64;
        }
        Ok(ControlFlow::Continue(()))
    })
}
