//! Accepting a commit.

use std::collections::BTreeSet;

use asof_time::{Sequence, Timestamp};

use super::{Newest, Stage};
use crate::codec::keys::{self, SpaceId, VersionsOf};
use crate::codec::rows::{LogRecord, LogSource, LogWrite, Outcome, Place};
use crate::prepare::{Prepared, PreparedPut, PreparedWrite};
use crate::sequencer::Sequencer;
use crate::{
    Actor, ControlAction, Effective, Error, ErrorKind, Key, Precondition, Receipt, Result, Source,
    SpaceName, SpaceState,
};

impl Stage<'_> {
    /// Refuses a moment at which nothing could be made to take effect.
    pub(crate) fn check_future(&self, at: Timestamp) -> Result<()> {
        self.sequencer.check_future(at, self.clock, self.options.schedule_limit)
    }

    /// Accepts a commit or refuses it.
    pub(crate) fn commit(&mut self, request: Prepared) -> Result<Receipt> {
        if let Some(receipt) = self.earlier_outcome(&request)? {
            return Ok(receipt);
        }
        if let Some(fault) = request.fault {
            return Err(fault);
        }
        if let Some(receipt) = self.known_source(request.source.as_ref())? {
            return Ok(receipt);
        }
        self.check_not_erased(request.writes.iter().map(|write| (&write.space, &write.put.key)))?;
        let missing = self.missing_spaces(&request)?;
        // All that may refuse comes before anything is staged, on a copy of the sequencer that
        // goes through the same steps.
        let mut trial = self.sequencer;
        if !missing.is_empty() {
            trial.assign_now(self.clock)?;
            trial.next_sequence()?;
        }
        let place = self.assign(&mut trial, request.effective)?;
        for write in &request.writes {
            self.check_precondition(write, place.effective, place.sequence)?;
        }
        if request.effective != Effective::Now {
            self.check_keys_are_free(&request.writes, None)?;
        }

        if !missing.is_empty() {
            let reason = match request.message.as_str() {
                "" => "first write".to_owned(),
                message => format!("first write: {message}"),
            };
            let by = Actor { name: request.author.clone(), reason };
            self.open_spaces(&missing.into_iter().collect::<Vec<_>>(), &by)?;
        }
        self.sequencer = trial;
        self.stage_commit(request, place)
    }

    /// Accepts the commit of a revert, and notes in the same step who took back what.
    pub(crate) fn revert(
        &mut self,
        request: Prepared,
        by: Actor,
        subject: String,
        detail: &str,
    ) -> Result<Receipt> {
        let receipt = self.commit(request)?;
        let detail = format!("{detail}, by commit {} at {}", receipt.id, receipt.effective);
        self.record(ControlAction::CommitReverted, by, subject, detail);
        Ok(receipt)
    }

    fn assign(&self, sequencer: &mut Sequencer, effective: Effective) -> Result<Place> {
        let effective = match effective {
            Effective::Now => sequencer.assign_now(self.clock)?,
            Effective::At(at) => {
                sequencer.check_future(at, self.clock, self.options.schedule_limit)?;
                at
            }
        };
        Ok(Place { effective, sequence: sequencer.next_sequence()? })
    }

    /// What became of the request when it was made before.
    fn earlier_outcome(&self, request: &Prepared) -> Result<Option<Receipt>> {
        let Some(idempotency) = &request.idempotency else {
            return Ok(None);
        };
        let Some(row) = self.get(&keys::idempotency(&idempotency.key))? else {
            return Ok(None);
        };
        let outcome = Outcome::decode(&row)?;
        let Some(request) = outcome.request else {
            return Err(Error::erased(format!(
                "commit {} of this idempotency key wrote a key that was erased since",
                outcome.place.sequence
            )));
        };
        if request != idempotency.request {
            return Err(Error::conflict(
                "the idempotency key was used for another request; use a new key for a new request",
            ));
        }
        Ok(Some(Receipt {
            accepted: outcome.accepted,
            replayed: true,
            ..self.receipt(outcome.place)
        }))
    }

    /// The commit that already brought this source id.
    fn known_source(&self, source: Option<&Source>) -> Result<Option<Receipt>> {
        let Some((source, (space, _))) =
            source.and_then(|s| Some((s, self.state.space(&s.space)?)))
        else {
            return Ok(None);
        };
        let row = self.get(&keys::source(space, &source.id))?;
        row.map(|row| {
            let place = Place::decode(&row, "source")?;
            Ok(Receipt { replayed: true, ..self.receipt(place) })
        })
        .transpose()
    }

    /// The spaces that the request creates. Those still importing refuse it.
    fn missing_spaces(&self, request: &Prepared) -> Result<BTreeSet<SpaceName>> {
        let mut missing = BTreeSet::new();
        let source = request.source.iter().map(|source| &source.space);
        for name in request.writes.iter().map(|write| &write.space).chain(source) {
            match self.state.space(name) {
                Some((_, record)) if matches!(record.state, SpaceState::Importing(_)) => {
                    return Err(Error::new(
                        ErrorKind::StillImporting,
                        format!(
                            "space `{name}` is still importing; take it live before writing to it"
                        ),
                    ));
                }
                Some(_) => {}
                None => {
                    missing.insert(name.clone());
                }
            }
        }
        self.check_room_for_spaces(missing.len())?;
        Ok(missing)
    }

    /// Judges a precondition against the state just before (`effective`, `sequence`).
    pub(super) fn check_precondition(
        &self,
        write: &PreparedWrite,
        effective: Timestamp,
        sequence: Sequence,
    ) -> Result<()> {
        if write.precondition == Precondition::None {
            return Ok(());
        }
        let newest = match self.state.space(&write.space) {
            None => None,
            Some((space, _)) => {
                let versions = VersionsOf::new(space, &write.put.key);
                self.newest_before(&versions, effective, sequence)?
            }
        };
        judge(write.precondition, newest, &write.put.key)
    }

    fn stage_commit(&mut self, request: Prepared, place: Place) -> Result<Receipt> {
        let mut writes = Vec::with_capacity(request.writes.len());
        for PreparedWrite { space, put, .. } in request.writes {
            let (space, _) = self.state.known_space(&space)?;
            writes.push(self.stage_write(space, put, place));
        }
        let source = request.source.map(|source| {
            let (space, _) = self.state.known_space(&source.space)?;
            self.put(keys::source(space, &source.id), place.encode());
            Ok::<_, Error>(LogSource { space, id: source.id, at: source.at })
        });
        let record = LogRecord {
            accepted: self.clock,
            author: request.author,
            message: request.message,
            opened: Vec::new(),
            source: source.transpose()?,
            backfilled: false,
            writes,
        };
        self.put_log(place, &record);
        if let Some(idempotency) = request.idempotency {
            let outcome =
                Outcome { request: Some(idempotency.request), place, accepted: self.clock };
            self.put(keys::idempotency(&idempotency.key), outcome.encode());
            self.put(keys::idempotency_order(self.clock, &idempotency.key), Vec::new());
        }
        Ok(self.receipt(place))
    }

    /// Stages one version; returns what the log says of it.
    pub(super) fn stage_write(
        &mut self,
        space: SpaceId,
        put: PreparedPut,
        place: Place,
    ) -> LogWrite {
        let row = VersionsOf::new(space, &put.key).row(place.effective, place.sequence);
        self.put(row, put.row);
        LogWrite { space, key: put.key, content: put.content.into() }
    }
}

fn judge(precondition: Precondition, newest: Option<Newest>, key: &Key) -> Result<()> {
    let found = newest.and_then(|newest| newest.hash);
    let refusal = match (precondition, found) {
        (Precondition::None, _)
        | (Precondition::Absent, None)
        | (Precondition::Present, Some(_)) => return Ok(()),
        (Precondition::Absent, Some(hash)) => format!("key `{key}` holds a value, hash {hash}"),
        (Precondition::Present, None) => format!("key `{key}` holds no value"),
        (Precondition::HashIs(wanted), found) => match found {
            Some(hash) if hash == wanted => return Ok(()),
            Some(hash) => format!("key `{key}` holds the value with hash {hash}, not {wanted}"),
            None => format!("key `{key}` holds no value, not the one with hash {wanted}"),
        },
        (Precondition::UnchangedSince(since), _) => match newest {
            Some(newest) if newest.effective > since => {
                format!("key `{key}` was written at {}, after {since}", newest.effective)
            }
            _ => return Ok(()),
        },
    };
    Err(Error::conflict(format!("precondition failed: {refusal}")))
}
