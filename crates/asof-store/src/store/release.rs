//! Releases: planned, approved, scheduled, cancelled, rolled back.

use super::{DryRun, Store};
use crate::codec::{keys, releases};
use crate::prepare::{self, prepare_writes};
use crate::release::{Later, Operator, PlannedWrite, Release, ReleaseAmendment, ReleaseRequest};
use crate::stage::{PreparedRelease, PreparedReleaseAmendment, message_of};
use crate::{Actor, Error, ErrorKind, Key, Op, Precondition, Receipt, Result, SpaceName, Write};

impl Store {
    /// All releases by name, past ones too, as of now.
    pub fn releases(&self) -> Vec<Release> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        let releases = scene.state.releases.values();
        releases.map(|release| release.as_ref().clone().seen_at(closed)).collect()
    }

    /// One release, and what it writes.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub fn release(&self, name: &str) -> Result<(Release, Vec<PlannedWrite>)> {
        let closed = self.inner.published.closed();
        let scene = self.scene();
        let release = scene.state.releases.get(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no release `{name}`"))
        })?;
        let row = crate::state::get(scene.rows.as_ref(), &keys::planned(name))?
            .ok_or_else(|| Error::corrupt(format!("release `{name}` lacks its planned writes")))?;
        let planned = releases::decode_planned(&row)?;
        Ok((release.as_ref().clone().seen_at(closed), planned))
    }

    /// Plans a release: a draft, of which nothing is scheduled.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is or was taken, `InThePast`, `StillImporting`, `Invalid`,
    /// `TooLarge`.
    pub fn plan_release(
        &self,
        request: ReleaseRequest,
        by: Operator,
        dry_run: DryRun,
    ) -> Result<Release> {
        let by = checked(by)?;
        let ReleaseRequest { name, at, message, approving, keys, writes } = request;
        prepare::check_texts("", &message_of(&name, &message))?;
        let writes = self.checked_writes(writes)?;
        let release = PreparedRelease { name, at, message, approving, keys, writes };
        self.run_or_try(dry_run, move |stage| stage.plan_release(release, by))
    }

    /// Changes what is planned. A scheduled release stays scheduled, unless it was approved: then
    /// it is a draft again, and is to be approved and scheduled anew.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it took effect, was cancelled, or wants keys for itself that
    /// something else is scheduled on; as [`plan_release`](Self::plan_release).
    pub fn amend_release(
        &self,
        name: &str,
        amendment: ReleaseAmendment,
        by: Operator,
        dry_run: DryRun,
    ) -> Result<Release> {
        let by = checked(by)?;
        let name = name.to_owned();
        let ReleaseAmendment { at, message, writes } = amendment;
        prepare::check_texts("", &message_of(&name, message.as_deref().unwrap_or_default()))?;
        let writes = writes.map(|writes| self.checked_writes(writes)).transpose()?;
        let amendment = PreparedReleaseAmendment { at, message, writes };
        self.run_or_try(dry_run, move |stage| stage.amend_release(&name, amendment, by))
    }

    /// Approves a draft, as somebody who neither planned nor amended it.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it asks for no approval, has it, or is no draft, or where it
    /// was planned by whoever approves.
    pub fn approve_release(&self, name: &str, by: Operator, dry_run: DryRun) -> Result<Release> {
        let by = checked(by)?;
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.approve_release(&name, by))
    }

    /// Makes a pending commit of a draft: from here on it takes effect by itself.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it is no draft, lacks its approval, or wants keys for itself
    /// that something else is scheduled on; `InThePast` where its time has come: amend it.
    pub fn schedule_release(&self, name: &str, by: Actor, dry_run: DryRun) -> Result<Release> {
        let by = by.checked()?;
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.schedule_release(&name, by))
    }

    /// Cancels a release that has not taken effect; it never will.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it took effect, or is cancelled already.
    pub fn cancel_release(&self, name: &str, by: Actor, dry_run: DryRun) -> Result<Release> {
        let by = by.checked()?;
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.cancel_release(&name, by))
    }

    /// Commits now, in one commit, what the keys of a live release held just before it.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it is not live, or where keys were written after it and
    /// `later` does not say to keep that; `BelowFloor` where what was before is no longer kept.
    pub fn roll_back_release(
        &self,
        name: &str,
        later: Later,
        by: Actor,
        dry_run: DryRun,
    ) -> Result<(Release, Receipt)> {
        let by = by.checked()?;
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.roll_back_release(&name, later, by))
    }

    fn checked_writes(
        &self,
        writes: Vec<(SpaceName, Key, Op)>,
    ) -> Result<Vec<prepare::PreparedWrite>> {
        if writes.is_empty() {
            return Err(Error::invalid("the release has no writes"));
        }
        let writes = writes.into_iter().map(|(space, key, op)| Write {
            space,
            key,
            op,
            precondition: Precondition::None,
        });
        let writes: Vec<Write> = writes.collect();
        prepare::check_writes(&writes, self.inner.options.value_bytes_max)?;
        Ok(prepare_writes(writes))
    }
}

fn checked(by: Operator) -> Result<Operator> {
    Ok(Operator { actor: by.actor.checked()?, principal: by.principal })
}
