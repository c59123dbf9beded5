//! Writing: commits, imports and control, each through the one writer.

use asof_time::{Sequence, Timestamp};

use super::thread::{Message, job};
use super::{DryRun, ImportReceipt, Store, StoreTime};
use crate::codec::rows::Place;
use crate::prepare::{self, Prepared, PreparedBackfill, prepare_backfill, prepare_writes};
use crate::stage::{Importing, PreparedAmendment, Stage};
use crate::view::log;
use crate::{
    Actor, Amendment, Backfill, Commit, CommitRequest, Error, Pin, PinRequest, Receipt, Result,
    Retention, SpaceInfo, SpaceName, Token,
};

impl Store {
    /// Commits, and returns once the commit is durable and, where it is for now, closed.
    ///
    /// # Errors
    ///
    /// `Invalid`, `TooLarge`, `Conflict`, `InThePast`, `StillImporting`, `Unavailable`.
    pub fn commit(&self, request: CommitRequest) -> Result<Receipt> {
        let prepared = Prepared::new(request, self.inner.options.value_bytes_max);
        let weight = prepared.weight();
        self.inner.writer.run(weight, |stage| stage.commit(prepared))
    }

    /// As [`commit`](Self::commit), without waiting: `done` is called from the writer thread.
    pub fn submit(&self, request: CommitRequest, done: Box<dyn FnOnce(Result<Receipt>) + Send>) {
        let prepared = Prepared::new(request, self.inner.options.value_bytes_max);
        let weight = prepared.weight();
        self.inner.writer.enqueue(job(weight, |stage| stage.commit(prepared), done));
    }

    /// Changes a pending commit. It keeps its id.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its old or new time is no longer above `last`; as
    /// [`commit`](Self::commit).
    pub fn amend(&self, id: Sequence, amendment: Amendment, by: Actor) -> Result<Receipt> {
        let by = by.checked()?;
        let Amendment { effective, message, writes } = amendment;
        prepare::check_texts("", message.as_deref().unwrap_or_default())?;
        if let Some(writes) = &writes {
            if writes.is_empty() {
                return Err(Error::invalid("the amended commit has no writes; cancel it instead"));
            }
            prepare::check_writes(writes, self.inner.options.value_bytes_max)?;
        }
        let writes = writes.map(prepare_writes);
        let amendment = PreparedAmendment { effective, message, writes };
        self.inner.writer.run(0, move |stage| {
            stage.check_stands_alone(id)?;
            stage.amend(id, amendment, by)
        })
    }

    /// Cancels a pending commit, as if it had never been asked for.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its time is no longer above `last`.
    pub fn cancel(&self, id: Sequence, by: Actor) -> Result<Commit> {
        let by = by.checked()?;
        let (Place { effective, .. }, record) = self.inner.writer.run(0, move |stage| {
            stage.check_stands_alone(id)?;
            stage.cancel(id, by)
        })?;
        log::commit(&self.scene().state, effective, id, record)
    }

    /// Creates a space that is live at once.
    ///
    /// # Errors
    ///
    /// `Conflict` where it exists, `TooLarge` where there are too many.
    pub fn create_space(&self, name: &SpaceName, by: Actor) -> Result<SpaceInfo> {
        let by = by.checked()?;
        let name = name.clone();
        self.inner.writer.run(0, move |stage| stage.create_space(&name, Importing::No, by))
    }

    /// Creates a space that is importing.
    ///
    /// # Errors
    ///
    /// As [`create_space`](Self::create_space).
    pub fn create_importing_space(&self, name: &SpaceName, by: Actor) -> Result<SpaceInfo> {
        let by = by.checked()?;
        let name = name.clone();
        self.inner.writer.run(0, move |stage| stage.create_space(&name, Importing::Yes, by))
    }

    /// Writes history into an importing space, in order. All of `commits` is durable on return,
    /// or nothing of it is there. Those whose source id the space already has are skipped.
    ///
    /// # Errors
    ///
    /// `Conflict` where the space is live; `Invalid` (naming the index in `commits`) where a time
    /// is not above the one before it; `UnknownSpace`; `TooLarge`.
    pub fn import(&self, space: &SpaceName, commits: Vec<Backfill>) -> Result<ImportReceipt> {
        let commits = prepare_backfill(commits, self.inner.options.value_bytes_max)?;
        let weight = commits.iter().map(PreparedBackfill::weight).sum();
        let space = space.clone();
        self.inner.writer.run(weight, move |stage| stage.import(&space, commits))
    }

    /// Takes an importing space live: one event in the log, at now.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is live already.
    pub fn go_live(&self, name: &SpaceName, by: Actor) -> Result<Receipt> {
        let by = by.checked()?;
        let name = name.clone();
        self.inner.writer.run(0, move |stage| stage.go_live(&name, by))
    }

    /// Changes what is kept of a space. Returns the floor that the policy leads to at present;
    /// with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Invalid` where the policy makes no sense.
    pub fn set_retention(
        &self,
        name: &SpaceName,
        retention: Retention,
        by: Actor,
        dry_run: DryRun,
    ) -> Result<Timestamp> {
        let by = by.checked()?;
        let name = name.clone();
        self.run_or_try(dry_run, move |stage| stage.set_retention(&name, retention, by))
    }

    /// Creates or renews a pin; with `DryRun::Yes` nothing changes.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `BelowFloor`, `AboveCap`, `Conflict` (the name is another owner's),
    /// `Invalid`, `TooLarge`.
    pub fn create_pin(&self, request: PinRequest, dry_run: DryRun) -> Result<Pin> {
        self.run_or_try(dry_run, move |stage| stage.create_pin(request))
    }

    /// Releases a pin.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn release_pin(&self, name: &str, by: Actor, dry_run: DryRun) -> Result<Pin> {
        let by = by.checked()?;
        let name = name.to_owned();
        self.run_or_try(dry_run, move |stage| stage.release_pin(&name, by))
    }

    /// Remembers a token.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is taken, `Invalid`.
    pub fn create_token(&self, token: Token, by: Actor) -> Result<()> {
        let by = by.checked()?;
        self.inner.writer.run(0, move |stage| stage.create_token(token, by))
    }

    /// Forgets a token; it stops working at once.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn revoke_token(&self, name: &str, by: Actor) -> Result<()> {
        let by = by.checked()?;
        let name = name.to_owned();
        self.inner.writer.run(0, move |stage| stage.revoke_token(&name, by))
    }

    /// Accepts the wall clock as it is now, after it had jumped, and takes writes again.
    ///
    /// # Errors
    ///
    /// `Conflict` where the clock is not in doubt.
    pub fn accept_clock(&self, by: Actor) -> Result<StoreTime> {
        let by = by.checked()?;
        self.inner.writer.ask(|answer| Message::AcceptClock(by, answer))?;
        Ok(self.time())
    }
}

impl Store {
    /// Runs the request, or only finds out what it would answer.
    pub(super) fn run_or_try<T: Send + 'static>(
        &self,
        dry_run: DryRun,
        request: impl FnOnce(&mut Stage<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match dry_run {
            DryRun::No => self.inner.writer.run(0, request),
            DryRun::Yes => self.inner.writer.run(0, move |stage| stage.attempt(request)),
        }
    }
}
