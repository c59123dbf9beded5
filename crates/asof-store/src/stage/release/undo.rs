//! What undoes a release: what its keys held just before it.

use core::ops::ControlFlow;

use asof_time::limits::COMMIT_BYTES_MAX;
use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{VersionRow, VersionsOf};
use crate::codec::rows::VersionValue;
use crate::prepare::{PreparedPut, PreparedWrite};
use crate::release::{Later, PlannedWrite};
use crate::stage::Stage;
use crate::{Error, ErrorKind, Precondition, Result};

/// Conflicts that a refusal names one by one.
const CONFLICTS_TOLD_MAX: usize = 10;

/// A version of a key, as it is stored.
struct Stored {
    row: Vec<u8>,
    value: Vec<u8>,
}

impl Stage<'_> {
    /// The writes that undo `planned`, which took effect at `place`; and how many keys were
    /// written again since and are left alone.
    pub(super) fn undoing(
        &self,
        planned: &[PlannedWrite],
        (effective, sequence): (Timestamp, Sequence),
        later: Later,
    ) -> Result<(Vec<PreparedWrite>, usize)> {
        let (mut writes, mut conflicts) = (Vec::with_capacity(planned.len()), Vec::new());
        let (mut kept, mut bytes) = (0, 0);
        // What is pending up to then takes effect before what is written now.
        let mut trial = self.sequencer;
        let now = trial.assign_now(self.clock)?;
        for PlannedWrite { space: name, key, .. } in planned {
            let (space, record) = self.state.known_space(name)?;
            if record.floor >= effective {
                let floor = record.floor;
                return Err(Error::new(
                    ErrorKind::BelowFloor { floor },
                    format!(
                        "what space `{name}` held before {effective} is no longer kept, its floor \
                         is {floor}: write what it shall hold"
                    ),
                ));
            }
            let versions = VersionsOf::new(space, key);
            let own = versions.row(effective, sequence);
            let newest = self.first_version(&versions, &versions.at(now))?;
            if newest.as_ref().is_none_or(|newest| newest.row != own) {
                kept += 1;
                if conflicts.len() < CONFLICTS_TOLD_MAX {
                    let by =
                        newest.map(|newest| VersionRow::parse(&newest.row).map(|v| v.sequence));
                    let by = by.transpose()?.map_or_else(String::new, |id| format!(" by {id}"));
                    conflicts.push(format!("`{key}` of `{name}`{by}"));
                }
                continue;
            }
            let put = self.before(key, &versions, &own)?;
            bytes += put.row.len();
            writes.push(PreparedWrite {
                space: name.clone(),
                put,
                precondition: Precondition::None,
            });
        }
        if kept > 0 && later == Later::Refuse {
            return Err(Error::conflict(format!(
                "{kept} keys were written after the release: {}; write what they shall hold, and \
                 roll back the others with `keep_later`",
                conflicts.join(", ")
            )));
        }
        if bytes > COMMIT_BYTES_MAX {
            return Err(Error::too_large("the roll-back", bytes, COMMIT_BYTES_MAX, "bytes"));
        }
        Ok((writes, kept))
    }

    /// What the key held just before the version `own`.
    fn before(&self, key: &crate::Key, versions: &VersionsOf, own: &[u8]) -> Result<PreparedPut> {
        let mut after_own = own.to_vec();
        after_own.push(0);
        let key = key.clone();
        match self.first_version(versions, &after_own)? {
            None => Ok(PreparedPut { key, row: VersionValue::encode_deleted(), content: None }),
            Some(stored) => {
                let content = VersionValue::decode(&stored.value)?.content().put();
                Ok(PreparedPut { key, row: stored.value, content })
            }
        }
    }

    /// The first version of a key from the row `from` on: the newest one there.
    fn first_version(&self, versions: &VersionsOf, from: &[u8]) -> Result<Option<Stored>> {
        let mut found = None;
        self.each_row(from, &versions.end(), &mut |row, value| {
            found = Some(Stored { row: row.to_vec(), value: value.to_vec() });
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }
}
