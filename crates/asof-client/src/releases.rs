//! Timed releases.

use asof_api::body::{
    ReleaseAmendRequest, ReleaseBody, ReleaseDetailBody, ReleaseListBody, ReleaseOutcome,
    ReleaseRequest,
};
use http::Method;

use crate::client::set_json;
use crate::path::Target;
use crate::{Client, DryRun, Request, Result};

/// What happens on roll-back to keys that were written after the release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Later {
    /// Nothing is rolled back while there is one.
    #[default]
    Refuse,
    /// They keep what was written later; the others are rolled back.
    Keep,
}

impl Client {
    /// The releases by name, past ones too.
    ///
    /// # Errors
    ///
    /// `Forbidden`, `Unauthorized`.
    pub fn releases(&self) -> Result<ReleaseListBody> {
        self.get_json(Target::new("/v1/releases"))
    }

    /// A release and what it writes.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn release(&self, name: &str) -> Result<ReleaseDetailBody> {
        self.get_json(release_target(name))
    }

    /// Plans a release: a draft, of which nothing is scheduled.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is or was taken; `InThePast`.
    pub fn plan_release(
        &self,
        name: &str,
        release: &ReleaseRequest,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseBody> {
        let target = dry_run.on(release_target(name));
        let mut request = Request::new(Method::PUT, target.into_string());
        set_json(&mut request, release)?;
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Changes a draft or a scheduled release.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict`, `InThePast`.
    pub fn amend_release(
        &self,
        name: &str,
        amendment: &ReleaseAmendRequest,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseBody> {
        let target = dry_run.on(release_target(name));
        let mut request = Request::new(Method::PATCH, target.into_string());
        set_json(&mut request, amendment)?;
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Approves a draft that somebody else planned.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict`.
    pub fn approve_release(
        &self,
        name: &str,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseBody> {
        let target = dry_run.on(release_target(name).segment("approve"));
        self.act(Method::POST, target, reason)
    }

    /// Makes a pending commit of a draft.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict`, `InThePast`.
    pub fn schedule_release(
        &self,
        name: &str,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseBody> {
        let target = dry_run.on(release_target(name).segment("schedule"));
        self.act(Method::POST, target, reason)
    }

    /// Cancels a release that has not taken effect.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict`.
    pub fn cancel_release(
        &self,
        name: &str,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseOutcome> {
        let target = dry_run.on(release_target(name).segment("cancel"));
        self.act(Method::POST, target, reason)
    }

    /// Commits now what the keys of a live release held just before it.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Conflict`, `BelowFloor`.
    pub fn roll_back_release(
        &self,
        name: &str,
        later: Later,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<ReleaseOutcome> {
        let target = dry_run.on(release_target(name).segment("roll-back"));
        self.act(Method::POST, target.flag("keep_later", later == Later::Keep), reason)
    }
}

fn release_target(name: &str) -> Target {
    Target::new("/v1/releases").segment(name)
}
