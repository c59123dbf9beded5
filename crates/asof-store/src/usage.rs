//! What a space holds, counted by walking it.

use core::ops::{Bound, ControlFlow};

use asof_time::Timestamp;

use crate::codec::keys::{self, VersionRow};
use crate::codec::rows::VersionValue;
use crate::engine::Direction;
use crate::publish::Scene;
use crate::state::scan;
use crate::{Result, SpaceName, SpaceUsage};

pub(crate) fn usage(scene: &Scene, latest: Timestamp, space: &SpaceName) -> Result<SpaceUsage> {
    let (space, _) = scene.state.known_space(space)?;
    let (start, end) = (keys::versions_from(space, ""), keys::versions_end(space));
    let range = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
    let mut count = Count { latest, usage: SpaceUsage::default(), key: Vec::new(), decided: false };
    scan(scene.rows.as_ref(), range, Direction::Forward, |row, value| {
        count.version(row, value).map(ControlFlow::Continue)
    })?;
    Ok(count.usage)
}

struct Count {
    latest: Timestamp,
    usage: SpaceUsage,
    key: Vec<u8>,
    /// Whether the version of the present key at latest was seen.
    decided: bool,
}

impl Count {
    fn version(&mut self, row: &[u8], value: &[u8]) -> Result<()> {
        let version = VersionRow::parse(row)?;
        let held = VersionValue::decode(value)?;
        if matches!(held, VersionValue::Erased { .. }) {
            self.usage.erased_keys += 1;
            return Ok(());
        }
        if self.key != version.escaped {
            self.usage.keys += 1;
            self.key = version.escaped.to_vec();
            self.decided = false;
        }
        self.usage.versions += 1;
        let is_at_latest = !self.decided && version.effective <= self.latest;
        self.decided |= is_at_latest;
        if let VersionValue::Put { bytes, .. } = held {
            self.usage.value_bytes += bytes.len() as u64;
            self.usage.live_keys += u64::from(is_at_latest);
        }
        Ok(())
    }
}
