//! Writing history into a space that is still importing, and taking it live.

use asof_time::Timestamp;

use super::{Stage, new_space};
use crate::codec::keys::{self, SpaceId};
use crate::codec::rows::{LogRecord, LogSource, Place};
use crate::prepare::{PreparedBackfill, at_index};
use crate::store::ImportReceipt;
use crate::{
    Actor, ControlAction, Error, ImportProgress, Receipt, Result, SpaceInfo, SpaceName, SpaceState,
};

impl Stage<'_> {
    /// Creates a space.
    pub(crate) fn create_space(
        &mut self,
        name: &SpaceName,
        importing: Importing,
        by: Actor,
    ) -> Result<SpaceInfo> {
        if self.state.space(name).is_some() {
            return Err(Error::conflict(format!("space `{name}` exists already")));
        }
        self.check_room_for_spaces(1)?;
        match importing {
            Importing::No => {
                self.open_spaces(core::slice::from_ref(name), &by)?;
            }
            Importing::Yes => {
                let state = SpaceState::Importing(ImportProgress::default());
                self.put_space(self.state.next_space_id(), new_space(name, state));
                let detail = "importing".to_owned();
                self.record(ControlAction::SpaceCreated, by, name.to_string(), detail);
            }
        }
        let (_, record) = self.state.known_space(name)?;
        Ok(SpaceInfo::from(record.as_ref()))
    }

    /// Writes history: all of `commits`, or nothing.
    pub(crate) fn import(
        &mut self,
        name: &SpaceName,
        commits: Vec<PreparedBackfill>,
    ) -> Result<ImportReceipt> {
        let (space, record) = self.state.known_space(name)?;
        let SpaceState::Importing(progress) = &record.state else {
            return Err(Error::conflict(format!(
                "space `{name}` is live: its past can no longer be written; commit at now"
            )));
        };
        let (mut progress, mut record) = (progress.clone(), record.as_ref().clone());
        let places = self.place_backfill(name, space, &commits, &progress)?;
        let mut receipt = ImportReceipt::default();
        for (commit, place) in commits.into_iter().zip(places) {
            let Some(place) = place else {
                receipt.known += 1;
                continue;
            };
            receipt.imported += 1;
            progress.commits += 1;
            progress.last_at = Some(place.effective);
            progress.last_source_id.clone_from(&commit.source_id);
            self.stage_backfill(space, commit, place);
        }
        if receipt.imported > 0 {
            record.state = SpaceState::Importing(progress);
            self.put_space(space, record);
        }
        Ok(receipt)
    }

    /// Where each commit goes; `None` for those whose source id is known.
    fn place_backfill(
        &mut self,
        name: &SpaceName,
        space: SpaceId,
        commits: &[PreparedBackfill],
        progress: &ImportProgress,
    ) -> Result<Vec<Option<Place>>> {
        let mut last = progress.last_at;
        let mut ids = std::collections::HashSet::new();
        let mut places = Vec::with_capacity(commits.len());
        for (index, commit) in commits.iter().enumerate() {
            let id = commit.source_id.as_str();
            let known = !id.is_empty()
                && (!ids.insert(id) || self.get(&keys::source(space, id))?.is_some());
            if known {
                places.push(None);
                continue;
            }
            self.check_not_erased(commit.writes.iter().map(|put| (name, &put.key)))
                .map_err(|error| at_index(index, &error))?;
            let effective = backfill_time(commit.at, last, self.clock)
                .map_err(|error| at_index(index, &error))?;
            last = Some(effective);
            places.push(Some(Place { effective, sequence: self.sequencer.next_sequence()? }));
        }
        Ok(places)
    }

    fn stage_backfill(&mut self, space: SpaceId, commit: PreparedBackfill, place: Place) {
        let writes =
            commit.writes.into_iter().map(|put| self.stage_write(space, put, place)).collect();
        let source = (!commit.source_id.is_empty()).then(|| {
            self.put(keys::source(space, &commit.source_id), place.encode());
            LogSource { space, id: commit.source_id, at: commit.at }
        });
        let record = LogRecord {
            accepted: self.clock,
            author: commit.author,
            message: commit.message,
            opened: Vec::new(),
            source,
            backfilled: true,
            writes,
        };
        self.put_log(place, &record);
    }

    /// Takes an importing space live: one event in the log, above all of its history.
    pub(crate) fn go_live(&mut self, name: &SpaceName, by: Actor) -> Result<Receipt> {
        let (space, record) = self.state.known_space(name)?;
        let SpaceState::Importing(progress) = &record.state else {
            return Err(Error::conflict(format!("space `{name}` is live already")));
        };
        let (commits, mut record) = (progress.commits, record.as_ref().clone());
        let above = progress.last_at.and_then(Timestamp::next).unwrap_or(Timestamp::MIN);
        let effective = self.sequencer.assign_now(self.clock.max(above))?;
        let place = Place { effective, sequence: self.sequencer.next_sequence()? };
        record.state = SpaceState::Live { since: effective };
        self.put_space(space, record);
        self.put_opening(place, vec![space], &by);
        let detail = format!("{commits} commits of history became readable");
        self.record(ControlAction::SpaceLive, by, name.to_string(), detail);
        Ok(self.receipt(place))
    }
}

/// Whether a new space begins by importing history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Importing {
    Yes,
    No,
}

/// When a commit of history takes effect: at its own time, which must be above the one before it.
/// Times in the future are clamped to now and so may collide; they are pushed up by a microsecond.
fn backfill_time(at: Timestamp, last: Option<Timestamp>, clock: Timestamp) -> Result<Timestamp> {
    let after_last = match last {
        None => Timestamp::MIN,
        Some(last) => {
            last.next().ok_or_else(|| Error::invalid("the end of time has been reached"))?
        }
    };
    if at > clock {
        return Ok(clock.max(after_last));
    }
    match last {
        Some(last) if at <= last => Err(Error::invalid(format!(
            "its time {at} is not above that of the commit before it, {last}"
        ))),
        _ => Ok(at),
    }
}
