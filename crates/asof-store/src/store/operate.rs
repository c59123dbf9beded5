//! Operating on time: actions that look at what they touch before they act.
//!
//! Looking takes longer than acting, so it is done on the caller's thread over what is published,
//! and the writer judges again what may have changed since. Only one such action is in flight:
//! what an operator was shown is then not changed by another one.

use std::sync::{MutexGuard, TryLockError};

use asof_time::Sequence;

use super::{DryRun, Store, StoreTime};
use crate::blast::{self, Bounds};
use crate::prepare::Prepared;
use crate::revert::{self, Plan};
use crate::stage::Stage;
use crate::{
    Actor, BadCommit, BadCommits, Blast, CapMove, ClearCap, Confirm, Effective, Error, Extent,
    Result, Revert, RevertOutcome, SetCap,
};

/// How often a revert is planned anew because a write came in between.
pub(super) const PLANS_MAX: usize = 4;

impl Store {
    /// Sets the cap; nothing above `request.at` is read until it is cleared. Says what answers
    /// differently by that; with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `NotYetClosed` where it is above closed, `BelowFloor` where it is below the floor,
    /// `Invalid` where no reason is given; `Conflict` where the cap is not where the request says
    /// that it is, where bad commits would be seen again, or while another action is in flight;
    /// `Unconfirmed`.
    pub fn set_cap(
        &self,
        request: impl Into<SetCap>,
        by: Actor,
        dry_run: DryRun,
    ) -> Result<CapMove> {
        let request = request.into();
        let (bad, confirm) = (request.bad, request.confirm);
        let act =
            move |stage: &mut Stage<'_>, by, touched: &str| stage.set_cap(&request, by, touched);
        self.move_cap(act, by, bad, confirm, dry_run)
    }

    /// Clears the cap. Says what is seen again by that; with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `Conflict` where there is none or it is elsewhere, where bad commits would be seen again,
    /// or while another action is in flight; `Unconfirmed`.
    pub fn clear_cap(&self, request: ClearCap, by: Actor, dry_run: DryRun) -> Result<CapMove> {
        let act =
            move |stage: &mut Stage<'_>, by, touched: &str| stage.clear_cap(&request, by, touched);
        self.move_cap(act, by, request.bad, request.confirm, dry_run)
    }

    fn move_cap(
        &self,
        act: impl Fn(&mut Stage<'_>, Actor, &str) -> Result<()> + Clone + Send + 'static,
        by: Actor,
        bad: BadCommits,
        confirm: Confirm,
        dry_run: DryRun,
    ) -> Result<CapMove> {
        let by = by.checked()?;
        let _turn = match dry_run {
            DryRun::Yes => None,
            DryRun::No => Some(self.turn()?),
        };
        // What is refused anyway is refused before anything is counted.
        let (before, after) = self.try_cap(act.clone(), by.clone())?;
        if after.latest > before.latest && bad == BadCommits::Refuse {
            let scene = self.scene();
            let (low, high) = (before.latest, after.latest);
            let seen = blast::bad_in_sight(scene.rows.as_ref(), &scene.state, low, high)?;
            blast::refuse_bad(&seen)?;
        }
        let blast = self.count(before, after)?;
        if dry_run == DryRun::Yes {
            return Ok(CapMove { before, after, blast });
        }
        confirm.check(blast.keys)?;
        let touched = describe(&blast);
        self.inner.writer.run(0, move |stage| {
            let before = stage.time();
            act(stage, by, &touched)?;
            Ok(CapMove { before, after: stage.time(), blast })
        })
    }

    fn try_cap(
        &self,
        act: impl FnOnce(&mut Stage<'_>, Actor, &str) -> Result<()> + Send + 'static,
        by: Actor,
    ) -> Result<(StoreTime, StoreTime)> {
        self.run_or_try(DryRun::Yes, move |stage| {
            let before = stage.time();
            act(stage, by, "")?;
            Ok((before, stage.time()))
        })
    }

    fn count(&self, before: StoreTime, after: StoreTime) -> Result<Blast> {
        // The scene is taken after the writer has answered, so it holds all that was closed then.
        blast::between(&self.scene(), before.latest, after.latest, Bounds::DEFAULT)
    }

    /// Marks a commit as bad: nothing that would let readers see it again is done without being
    /// told to.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it is marked already, or pending; `Invalid` where no reason is
    /// given; `TooLarge` where too many are marked.
    pub fn mark_bad(&self, id: Sequence, by: Actor) -> Result<BadCommit> {
        let by = by.checked()?;
        let _turn = self.turn()?;
        self.inner.writer.run(0, move |stage| stage.mark_bad(id, by))
    }

    /// Takes the mark from a commit.
    ///
    /// # Errors
    ///
    /// `NotFound` where it is not marked.
    pub fn unmark_bad(&self, id: Sequence, by: Actor) -> Result<BadCommit> {
        let by = by.checked()?;
        let _turn = self.turn()?;
        self.inner.writer.run(0, move |stage| stage.unmark_bad(id, by))
    }

    /// Writes one commit that puts back what the commits of `request` had changed. Keys that were
    /// written again since are conflicts: where one is not decided on, nothing is done. With
    /// `DryRun::Yes` nothing is done in any case, and conflicts are listed.
    ///
    /// # Errors
    ///
    /// `NotFound`; `BelowFloor` where what was before is no longer kept; `Conflict` where there
    /// are conflicts, the commit is pending, or another action is in flight; `TooLarge` where it
    /// would not be one commit; `InThePast`; `Unconfirmed`.
    pub fn revert(&self, request: &Revert, by: Actor, dry_run: DryRun) -> Result<RevertOutcome> {
        let by = by.checked()?;
        if by.reason.is_empty() {
            return Err(Error::invalid("a revert needs a reason"));
        }
        let _turn = match dry_run {
            DryRun::Yes => None,
            DryRun::No => Some(self.turn()?),
        };
        let mut plans = 0;
        loop {
            plans += 1;
            let plan = self.plan(request)?;
            if dry_run == DryRun::Yes {
                if let Effective::At(at) = request.effective {
                    self.run_or_try(dry_run, move |stage| stage.check_future(at))?;
                }
                return Ok(plan.outcome);
            }
            plan.check_decided()?;
            request.confirm.check(plan.outcome.keys)?;
            if plan.outcome.keys == 0 {
                return Ok(plan.outcome);
            }
            match self.write_revert(request, &by, plan) {
                // A write came between the plan and this; it is a conflict of the next plan.
                Err(error) if error.kind() == crate::ErrorKind::Conflict && plans < PLANS_MAX => {}
                outcome => return outcome,
            }
        }
    }

    fn plan(&self, request: &Revert) -> Result<Plan> {
        let closed = self.inner.published.closed();
        // Closed follows the clock at some distance, and pending commits may lie in between.
        let now = self.inner.options.clock.wall();
        revert::plan(&self.scene(), closed, now, request)
    }

    fn write_revert(&self, request: &Revert, by: &Actor, plan: Plan) -> Result<RevertOutcome> {
        let Plan { outcome, commit, subject } = plan;
        let commit = commit.called(&by.name, &by.reason, request.effective);
        let prepared = Prepared::new(commit, self.inner.options.value_bytes_max);
        let (weight, by) = (prepared.weight(), by.clone());
        let detail = format!("{} keys, {} bytes", outcome.keys, outcome.bytes);
        let receipt = self
            .inner
            .writer
            .run(weight, move |stage| stage.revert(prepared, by, subject, &detail))?;
        Ok(RevertOutcome { receipt: Some(receipt), ..outcome })
    }

    /// The right to act, which one has at a time.
    pub(super) fn turn(&self) -> Result<MutexGuard<'_, ()>> {
        match self.inner.turn.try_lock() {
            Ok(turn) => Ok(turn),
            // Whoever panicked left nothing half done: the writer does all or nothing.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::conflict(
                "another operator's action is in flight; look at what it did, then decide anew",
            )),
        }
    }
}

/// What was touched, for the audit. Without names of spaces: whoever sees some of them only sees
/// the moves of the cap too.
fn describe(blast: &Blast) -> String {
    let least = match blast.extent {
        Extent::Whole => "",
        Extent::AtLeast => "at least ",
    };
    let (from, to, keys) = (blast.from, blast.to, blast.keys);
    format!("latest {from} -> {to}; {least}{keys} keys answer differently")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Options};

    #[test]
    fn one_action_is_in_flight_and_the_other_operator_is_told() {
        let store = Store::in_memory(Options::default()).unwrap();
        let by = || Actor { name: "a".into(), reason: "b".into() };
        let at = store.time().closed;
        let turn = store.turn().unwrap();
        let error = store.set_cap(at, by(), DryRun::No).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("in flight"), "{error}");
        assert_eq!(store.cap(), None);
        // Whoever only looks need not wait.
        store.set_cap(at, by(), DryRun::Yes).unwrap();
        drop(turn);
        store.set_cap(at, by(), DryRun::No).unwrap();
    }
}
