//! Erasing keys.

use super::operate::PLANS_MAX;
use super::{DryRun, Store};
use crate::erase::{self, Erase, EraseOutcome, Erasure};
use crate::{Actor, Error, Result, SpaceName};

impl Store {
    /// Erases all that a key ever held, and refuses it from then on: reads, writes and what names
    /// its values are `Erased`. It cannot be undone. Says what goes with it; with `DryRun::Yes`
    /// nothing changes.
    ///
    /// # Errors
    ///
    /// `Invalid` where no reason is given; `UnknownSpace`, `NotFound`; `Erased` where it was done
    /// already; `Unconfirmed`; `Conflict` while another action is in flight; `TooLarge`.
    pub fn erase(&self, request: &Erase, by: Actor, dry_run: DryRun) -> Result<EraseOutcome> {
        let by = by.checked()?;
        if by.reason.is_empty() {
            return Err(Error::invalid("an erasure needs a reason"));
        }
        let _turn = match dry_run {
            DryRun::Yes => None,
            DryRun::No => Some(self.turn()?),
        };
        for _ in 0..PLANS_MAX {
            let closed = self.inner.published.closed();
            let mut plan = erase::plan(&self.scene(), closed, request)?;
            if dry_run == DryRun::Yes {
                return Ok(plan.outcome);
            }
            plan.check_confirmed(request.versions)?;
            let by = by.clone();
            let (outcome, erasure) = self.inner.writer.run(0, move |stage| {
                let erasure = stage.erase(&plan, by)?;
                let outcome = &mut plan.outcome;
                if let Some(erasure) = &erasure {
                    (outcome.versions, outcome.bytes) = (erasure.versions, erasure.bytes);
                }
                Ok((plan.outcome, erasure))
            })?;
            if erasure.is_some() {
                return Ok(EraseOutcome { erasure, ..outcome });
            }
        }
        Err(Error::conflict("the store is being operated on all the time: try again"))
    }

    /// The keys that were erased after the control record `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Corrupt`, `Unavailable`; `TooLarge` or `Invalid` for a `limit` that is none.
    pub fn erasures(&self, after: u64, limit: usize) -> Result<Vec<Erasure>> {
        erase::list(&self.scene(), after, limit)
    }

    /// Foresees that keys of a space are erased some day: from here on nobody is told that an
    /// answer of it stays as it is for ever.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is foreseen already.
    pub fn set_erasable(&self, space: &SpaceName, by: Actor) -> Result<()> {
        let by = by.checked()?;
        let space = space.clone();
        self.inner.writer.run(0, move |stage| stage.set_erasable(&space, &by))
    }
}
