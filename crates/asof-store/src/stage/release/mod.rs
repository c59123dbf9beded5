//! What is done to releases, each in one batch with the commit that it makes, changes or undoes.

mod keys;
mod undo;

use asof_time::limits::{RELEASE_EVENTS_MAX, RELEASES_MAX};
use asof_time::{Sequence, Timestamp};

use super::{PreparedAmendment, Stage};
use crate::codec::keys as row_keys;
use crate::codec::releases;
use crate::prepare::{Prepared, PreparedPut, PreparedWrite};
use crate::release::{
    Amended, Approving, Draft, Keys, Later, Operator, Plan, PlannedWrite, Release, ReleaseEvent,
    ReleaseState, check_name,
};
use crate::{
    Actor, ControlAction, Effective, Error, ErrorKind, Precondition, Receipt, Result, SpaceState,
    Written,
};

/// A release, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedRelease {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
    pub(crate) message: String,
    pub(crate) approving: Approving,
    pub(crate) keys: Keys,
    pub(crate) writes: Vec<PreparedWrite>,
}

/// An amendment of a release, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedReleaseAmendment {
    pub(crate) at: Option<Timestamp>,
    pub(crate) message: Option<String>,
    pub(crate) writes: Option<Vec<PreparedWrite>>,
}

impl Stage<'_> {
    /// Plans a release: a draft, of which nothing is scheduled.
    pub(crate) fn plan_release(
        &mut self,
        request: PreparedRelease,
        by: Operator,
    ) -> Result<Release> {
        let PreparedRelease { name, at, message, approving, keys, writes } = request;
        check_name(&name)?;
        if self.state.releases.contains_key(&name) {
            return Err(Error::conflict(format!(
                "there is a release `{name}`, or was; what happened to it is kept, so choose \
                 another name"
            )));
        }
        let count = self.state.releases.len() + 1;
        if count > RELEASES_MAX {
            return Err(Error::too_large("the store", count, RELEASES_MAX, "releases"));
        }
        self.check_future(at)?;
        self.check_may_be_written(&writes)?;
        let planners = vec![by.principal];
        let plan = Plan { at, message, keys, planners, ..sized(&writes) };
        let state = ReleaseState::Draft(Draft::new(approving));
        let detail = format!("{} at {at}", counted(plan.writes));
        let created = self.clock;
        let release = Release { name, created, plan, state, events: Vec::new() };
        self.put(row_keys::planned(&release.name), releases::encode_draft(&writes));
        Ok(self.put_release(release, ControlAction::ReleasePlanned, by.actor, detail))
    }

    /// Changes what is planned. A scheduled release stays scheduled, unless it was approved: then
    /// it is a draft again.
    pub(crate) fn amend_release(
        &mut self,
        name: &str,
        amendment: PreparedReleaseAmendment,
        by: Operator,
    ) -> Result<Release> {
        let mut release = self.known_release(name)?;
        check_room(&release)?;
        if let Some(at) = amendment.at {
            self.check_future(at)?;
        }
        if let Some(writes) = &amendment.writes {
            self.check_may_be_written(writes)?;
        }
        let detail = describe(&amendment, &release.plan);
        let refusal = release.refuse("amended");
        let mut plan = release.plan.clone();
        plan.at = amendment.at.unwrap_or(plan.at);
        if let Some(message) = &amendment.message {
            plan.message.clone_from(message);
        }
        if let Some(writes) = &amendment.writes {
            let sizes = sized(writes);
            (plan.writes, plan.value_bytes) = (sizes.writes, sizes.value_bytes);
        }
        if !plan.planners.contains(&by.principal) {
            plan.planners.push(by.principal);
        }
        release.state = match release.state {
            ReleaseState::Draft(draft) => {
                if let Some(writes) = amendment.writes {
                    self.put(row_keys::planned(name), releases::encode_draft(&writes));
                }
                ReleaseState::Draft(draft.amended())
            }
            ReleaseState::Scheduled(scheduled) => {
                let commit = scheduled.commit();
                match scheduled.amended() {
                    Amended::Scheduled(scheduled) => {
                        self.amend_scheduled(name, commit, &plan, amendment, by.actor.clone())?;
                        ReleaseState::Scheduled(scheduled)
                    }
                    Amended::Recalled(draft) => {
                        let writes = match amendment.writes {
                            Some(writes) => writes,
                            None => self.writes_of_commit(commit)?,
                        };
                        self.cancel(commit, by.actor.clone())?;
                        self.put(row_keys::planned(name), releases::encode_draft(&writes));
                        ReleaseState::Draft(draft)
                    }
                }
            }
            ReleaseState::Live(_) | ReleaseState::Cancelled(_) | ReleaseState::RolledBack(_) => {
                return Err(refusal);
            }
        };
        release.plan = plan;
        Ok(self.put_release(release, ControlAction::ReleaseAmended, by.actor, detail))
    }

    fn amend_scheduled(
        &mut self,
        name: &str,
        commit: Sequence,
        plan: &Plan,
        amendment: PreparedReleaseAmendment,
        by: Actor,
    ) -> Result<()> {
        let planned = amendment.writes.as_deref().map(planned);
        if let Some(writes) = amendment.writes.as_ref().filter(|_| plan.keys == Keys::Alone) {
            self.check_nothing_is_scheduled(writes, Some(commit))?;
        }
        let amendment = PreparedAmendment {
            effective: amendment.at,
            message: amendment.message.map(|message| message_of(name, &message)),
            writes: amendment.writes,
        };
        self.amend(commit, amendment, by)?;
        if let Some(planned) = planned {
            self.put(row_keys::planned(name), releases::encode_planned(&planned));
        }
        Ok(())
    }

    /// Approves a draft, as somebody who did not plan it.
    pub(crate) fn approve_release(&mut self, name: &str, by: Operator) -> Result<Release> {
        let mut release = self.known_release(name)?;
        check_room(&release)?;
        let refusal = release.refuse("approved");
        let ReleaseState::Draft(draft) = release.state else {
            return Err(refusal);
        };
        let draft = draft.approved(&by.principal, &release.plan.planners, self.clock)?;
        release.state = ReleaseState::Draft(draft);
        let detail = format!("{} at {}", counted(release.plan.writes), release.plan.at);
        Ok(self.put_release(release, ControlAction::ReleaseApproved, by.actor, detail))
    }

    /// Makes a pending commit of a draft.
    pub(crate) fn schedule_release(&mut self, name: &str, by: Actor) -> Result<Release> {
        let mut release = self.known_release(name)?;
        check_room(&release)?;
        let refusal = release.refuse("scheduled");
        let ReleaseState::Draft(draft) = release.state else {
            return Err(refusal);
        };
        let ready = draft.ready()?;
        let writes = releases::decode_draft(&self.planned_row(name)?)?;
        if release.plan.keys == Keys::Alone {
            self.check_nothing_is_scheduled(&writes, None)?;
        }
        let planned = planned(&writes);
        let receipt = self.commit(Prepared {
            effective: Effective::At(release.plan.at),
            author: cut_author(&by.name),
            message: message_of(name, &release.plan.message),
            writes,
            idempotency: None,
            source: None,
            fault: None,
        })?;
        // The values are in the commit from here on.
        self.put(row_keys::planned(name), releases::encode_planned(&planned));
        release.state = ReleaseState::Scheduled(ready.scheduled(receipt.id));
        let detail = format!("commit {} at {}", receipt.id, receipt.effective);
        Ok(self.put_release(release, ControlAction::ReleaseScheduled, by, detail))
    }

    /// Cancels a release that has not taken effect.
    pub(crate) fn cancel_release(&mut self, name: &str, by: Actor) -> Result<Release> {
        let mut release = self.known_release(name)?;
        let refusal = release.refuse("cancelled");
        release.state = match release.state {
            ReleaseState::Draft(draft) => {
                let planned = releases::decode_planned(&self.planned_row(name)?)?;
                self.put(row_keys::planned(name), releases::encode_planned(&planned));
                ReleaseState::Cancelled(draft.cancelled())
            }
            ReleaseState::Scheduled(scheduled) => {
                self.cancel(scheduled.commit(), by.clone())?;
                ReleaseState::Cancelled(scheduled.cancelled())
            }
            ReleaseState::Live(_) | ReleaseState::Cancelled(_) | ReleaseState::RolledBack(_) => {
                return Err(refusal);
            }
        };
        let detail = format!("was for {}", release.plan.at);
        Ok(self.put_release(release, ControlAction::ReleaseCancelled, by, detail))
    }

    /// Commits now what the keys of a live release held just before it.
    pub(crate) fn roll_back_release(
        &mut self,
        name: &str,
        later: Later,
        by: Actor,
    ) -> Result<(Release, Receipt)> {
        let mut release = self.known_release(name)?;
        let refusal = release.refuse("rolled back");
        let ReleaseState::Live(live) = release.state else {
            return Err(refusal);
        };
        let planned = releases::decode_planned(&self.planned_row(name)?)?;
        let place = (release.plan.at, live.commit());
        let (writes, kept) = self.undoing(&planned, place, later)?;
        let count = writes.len();
        if count == 0 {
            return Err(Error::conflict(format!(
                "every key of release `{name}` was written again since: there is nothing to roll \
                 back"
            )));
        }
        let receipt = self.commit(Prepared {
            effective: Effective::Now,
            author: cut_author(&by.name),
            message: message_of(name, "rolled back"),
            writes,
            idempotency: None,
            source: None,
            fault: None,
        })?;
        let back = live.rolled_back(receipt.id, receipt.effective);
        release.state = ReleaseState::RolledBack(back);
        let undone = format!("commit {} undoes {}", receipt.id, counted(count as u64));
        let detail = match kept {
            0 => undone,
            _ => format!("{undone}, {kept} keys keep what was written since"),
        };
        let action = ControlAction::ReleaseRolledBack;
        Ok((self.put_release(release, action, by, detail), receipt))
    }

    /// Notes releases whose time has come. They took effect at their timestamps; this only says so.
    pub(crate) fn note_live_releases(&mut self) {
        let closed = self.sequencer.closed();
        let arrived: Vec<Release> = self
            .state
            .releases
            .values()
            .filter(|release| release.arrives_by(closed))
            .map(|release| release.as_ref().clone())
            .collect();
        for mut release in arrived {
            release.state = release.state.time_has_come();
            let at = release.plan.at;
            let late = self.clock.since(at).as_secs();
            let detail = match late {
                0 => format!("since {at}"),
                _ => format!("since {at}, noted {late} s later: the store did not run then"),
            };
            let by = Actor { name: "asof".to_owned(), reason: "its time has come".to_owned() };
            self.put_release(release, ControlAction::ReleaseLive, by, detail);
        }
    }

    /// The writes of a pending commit, with their values.
    fn writes_of_commit(&self, id: Sequence) -> Result<Vec<PreparedWrite>> {
        let (place, record) = self.pending_commit(id)?;
        let there = record.writes.into_iter().filter(|write| write.content != Written::Erased);
        let writes = there.map(|write| {
            let space = self.state.name_of(write.space)?.clone();
            let row = self.version_row(place, &write)?;
            let put = PreparedPut { key: write.key, row, content: write.content.put() };
            Ok(PreparedWrite { space, put, precondition: Precondition::None })
        });
        writes.collect()
    }

    /// The release as it is now.
    fn known_release(&self, name: &str) -> Result<Release> {
        let release = self.state.releases.get(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no release `{name}`"))
        })?;
        Ok(release.as_ref().clone().seen_at(self.sequencer.last()))
    }

    fn planned_row(&self, name: &str) -> Result<Vec<u8>> {
        let row = self.get(&row_keys::planned(name))?;
        row.ok_or_else(|| Error::corrupt(format!("release `{name}` lacks its planned writes")))
    }

    /// Spaces that are still importing take no writes, and neither do keys that were erased.
    fn check_may_be_written(&self, writes: &[PreparedWrite]) -> Result<()> {
        self.check_not_erased(writes.iter().map(|write| (&write.space, &write.put.key)))?;
        for write in writes {
            if let Some((_, record)) = self.state.space(&write.space)
                && matches!(record.state, SpaceState::Importing(_))
            {
                self.state.live_space(&write.space)?;
            }
        }
        Ok(())
    }

    fn put_release(
        &mut self,
        mut release: Release,
        action: ControlAction,
        by: Actor,
        detail: String,
    ) -> Release {
        let event = ReleaseEvent { at: self.clock, by: by.clone(), action, detail: detail.clone() };
        release.events.push(event);
        self.put(row_keys::release(&release.name), releases::encode(&release));
        let name = release.name.clone();
        self.state_mut().releases.insert(name.clone(), release.clone().into());
        self.record(action, by, name, detail);
        release
    }
}

/// What a plan of `writes` says of their number and size.
fn sized(writes: &[PreparedWrite]) -> Plan {
    let bytes = writes.iter().filter_map(|write| write.put.content).map(|(_, len)| len);
    Plan {
        at: Timestamp::MIN,
        message: String::new(),
        keys: Keys::default(),
        writes: writes.len() as u64,
        value_bytes: bytes.sum(),
        planners: Vec::new(),
    }
}

fn planned(writes: &[PreparedWrite]) -> Vec<PlannedWrite> {
    let writes = writes.iter().map(|write| PlannedWrite {
        space: write.space.clone(),
        key: write.put.key.clone(),
        content: write.put.content,
    });
    writes.collect()
}

/// Cancelling and rolling back are always possible; what goes on for ever is not.
fn check_room(release: &Release) -> Result<()> {
    let count = release.events.len() + 1;
    if count > RELEASE_EVENTS_MAX {
        return Err(Error::too_large("the release", count, RELEASE_EVENTS_MAX, "events"));
    }
    Ok(())
}

/// The message of a release's commit.
pub(crate) fn message_of(name: &str, message: &str) -> String {
    if message.is_empty() {
        format!("release {name}")
    } else {
        format!("release {name}: {message}")
    }
}

/// The author of a commit is shorter than who acts may be.
fn cut_author(name: &str) -> String {
    let end = name.floor_char_boundary(asof_time::limits::AUTHOR_BYTES_MAX);
    name.get(..end).unwrap_or_default().to_owned()
}

fn counted(writes: u64) -> String {
    if writes == 1 { "1 write".to_owned() } else { format!("{writes} writes") }
}

fn describe(amendment: &PreparedReleaseAmendment, plan: &Plan) -> String {
    let mut parts = Vec::new();
    if let Some(at) = amendment.at.filter(|at| *at != plan.at) {
        parts.push(format!("{} -> {at}", plan.at));
    }
    if amendment.message.is_some() {
        parts.push("another message".to_owned());
    }
    if let Some(writes) = &amendment.writes {
        parts.push(format!("{} in place of {}", counted(writes.len() as u64), plan.writes));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}
