//! Amending and cancelling commits that are still pending.

use asof_time::{Sequence, Timestamp};

use super::Stage;
use crate::codec::keys::{self, VersionsOf};
use crate::codec::rows::{LogRecord, LogWrite, Place};
use crate::prepare::PreparedWrite;
use crate::view::log;
use crate::{Actor, ControlAction, Error, Receipt, Result, Written};

/// An amendment, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedAmendment {
    pub(crate) effective: Option<Timestamp>,
    pub(crate) message: Option<String>,
    pub(crate) writes: Option<Vec<PreparedWrite>>,
}

impl Stage<'_> {
    /// Refuses to change on its own a commit that a release is.
    pub(crate) fn check_stands_alone(&self, id: Sequence) -> Result<()> {
        match self.state.release_of(id) {
            None => Ok(()),
            Some(release) => Err(Error::conflict(format!(
                "commit {id} is release `{0}`: amend or cancel that (`asof release cancel {0}`)",
                release.name
            ))),
        }
    }

    /// Changes a pending commit, which keeps its id.
    pub(crate) fn amend(
        &mut self,
        id: Sequence,
        amendment: PreparedAmendment,
        by: Actor,
    ) -> Result<Receipt> {
        let (old, mut record) = self.pending_commit(id)?;
        if let Some(at) = amendment.effective {
            self.check_future(at)?;
        }
        let effective = amendment.effective.unwrap_or(old.effective);
        let new = Place { effective, sequence: id };
        if let Some(writes) = &amendment.writes {
            self.check_not_erased(writes.iter().map(|write| (&write.space, &write.put.key)))?;
            self.check_keys_are_free(writes, Some(id))?;
        }
        let rewritten = amendment.writes.as_ref().map(|writes| self.check_rewrite(writes, new));
        rewritten.transpose()?;
        let moved = match amendment.writes {
            Some(_) => Vec::new(),
            None => self.version_rows(old, &record)?,
        };

        let detail = describe(&amendment, old.effective, effective);
        self.unstage(old, &record);
        if let Some(message) = amendment.message {
            record.message = message;
        }
        match amendment.writes {
            Some(writes) => {
                record.writes = Vec::with_capacity(writes.len());
                for PreparedWrite { space, put, .. } in writes {
                    let (space, _) = self.state.known_space(&space)?;
                    let write = self.stage_write(space, put, new);
                    record.writes.push(write);
                }
            }
            None => {
                for (versions, row) in moved {
                    self.put(versions.row(new.effective, new.sequence), row);
                }
            }
        }
        let accepted = record.accepted;
        self.put_log(new, &record);
        self.record(ControlAction::CommitAmended, by, id.to_string(), detail);
        Ok(Receipt { accepted, ..self.receipt(new) })
    }

    /// Removes a pending commit.
    pub(crate) fn cancel(&mut self, id: Sequence, by: Actor) -> Result<(Place, LogRecord)> {
        let (place, record) = self.pending_commit(id)?;
        self.unstage(place, &record);
        // The id stays taken: an empty row says that its commit is gone.
        self.put(keys::sequence(id), Vec::new());
        if let Some(source) = &record.source {
            self.delete(keys::source(source.space, &source.id));
        }
        let detail = format!(
            "{} writes at {}: {}",
            record.writes.len(),
            place.effective,
            first_line(&record.message)
        );
        self.record(ControlAction::CommitCancelled, by, id.to_string(), detail);
        Ok((place, record))
    }

    pub(super) fn pending_commit(&self, id: Sequence) -> Result<(Place, LogRecord)> {
        let (effective, record) = log::find(&self.state, |key| self.get(key), id)?;
        if record.backfilled {
            return Err(Error::conflict(format!("commit {id} is imported history")));
        }
        self.sequencer.check_pending(effective)?;
        Ok((Place { effective, sequence: id }, record))
    }

    fn check_rewrite(&self, writes: &[PreparedWrite], place: Place) -> Result<()> {
        for write in writes {
            self.state.live_space(&write.space)?;
            self.check_precondition(write, place.effective, place.sequence)?;
        }
        Ok(())
    }

    /// The version rows of a commit's writes, in their order, but for those that were erased.
    fn version_rows(&self, place: Place, record: &LogRecord) -> Result<Vec<(VersionsOf, Vec<u8>)>> {
        let there = record.writes.iter().filter(|write| write.content != Written::Erased);
        let rows = there.map(|write| {
            let versions = VersionsOf::new(write.space, &write.key);
            let row = self.version_row(place, write)?;
            Ok((versions, row))
        });
        rows.collect()
    }

    /// The version row of one write of a commit.
    pub(super) fn version_row(&self, place: Place, write: &LogWrite) -> Result<Vec<u8>> {
        let versions = VersionsOf::new(write.space, &write.key);
        let row = self.get(&versions.row(place.effective, place.sequence))?;
        row.ok_or_else(|| {
            Error::corrupt(format!("commit {} lacks a version of `{}`", place.sequence, write.key))
        })
    }

    fn unstage(&mut self, place: Place, record: &LogRecord) {
        for write in &record.writes {
            let versions = VersionsOf::new(write.space, &write.key);
            self.delete(versions.row(place.effective, place.sequence));
        }
        self.delete(keys::log(place.effective, place.sequence));
    }
}

fn describe(amendment: &PreparedAmendment, old: Timestamp, new: Timestamp) -> String {
    let mut parts = Vec::new();
    if old != new {
        parts.push(format!("effective {old} -> {new}"));
    }
    if let Some(message) = &amendment.message {
        parts.push(format!("message: {}", first_line(message)));
    }
    if let Some(writes) = &amendment.writes {
        parts.push(format!("{} writes in place of the old ones", writes.len()));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
