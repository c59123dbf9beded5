//! Releases that want their keys for themselves.

use core::ops::ControlFlow;

use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{VersionRow, VersionsOf};
use crate::prepare::PreparedWrite;
use crate::release::Keys;
use crate::stage::Stage;
use crate::{Error, Result};

impl Stage<'_> {
    /// Refuses writes at a future time on keys that a scheduled release has for itself, unless
    /// they are those of the commit `own`.
    pub(in crate::stage) fn check_keys_are_free(
        &self,
        writes: &[PreparedWrite],
        own: Option<Sequence>,
    ) -> Result<()> {
        let alone: Vec<(&str, Sequence)> = self
            .state
            .releases
            .values()
            .filter(|release| release.plan.keys == Keys::Alone)
            .filter_map(|release| Some((release.name.as_str(), release.scheduled_commit()?)))
            .filter(|(_, commit)| Some(*commit) != own)
            .collect();
        if alone.is_empty() {
            return Ok(());
        }
        for write in writes {
            for (_, sequence) in self.scheduled_on(write)? {
                if let Some((name, _)) = alone.iter().find(|(_, commit)| *commit == sequence) {
                    let (space, key) = (&write.space, &write.put.key);
                    return Err(Error::conflict(format!(
                        "release `{name}` has key `{key}` of space `{space}` for itself until it \
                         is live"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Refuses where something is scheduled on one of the keys, the commit `own` apart.
    pub(super) fn check_nothing_is_scheduled(
        &self,
        writes: &[PreparedWrite],
        own: Option<Sequence>,
    ) -> Result<()> {
        for write in writes {
            let scheduled = self.scheduled_on(write)?;
            if let Some((at, id)) = scheduled.into_iter().find(|(_, id)| Some(*id) != own) {
                let (space, key) = (&write.space, &write.put.key);
                return Err(Error::conflict(format!(
                    "commit {id} is scheduled on key `{key}` of space `{space}` at {at}, and the \
                     release wants its keys for itself"
                )));
            }
        }
        Ok(())
    }

    /// The pending commits that write the key of `write`.
    fn scheduled_on(&self, write: &PreparedWrite) -> Result<Vec<(Timestamp, Sequence)>> {
        let Some((space, _)) = self.state.space(&write.space) else {
            return Ok(Vec::new());
        };
        let versions = VersionsOf::new(space, &write.put.key);
        let first = versions.row(Timestamp::MAX, Sequence::MAX);
        let last = versions.at(self.sequencer.last());
        let mut scheduled = Vec::new();
        self.each_row(&first, &last, &mut |row, _| {
            let row = VersionRow::parse(row)?;
            scheduled.push((row.effective, row.sequence));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(scheduled)
    }
}
