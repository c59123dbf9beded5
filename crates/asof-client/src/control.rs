//! Operating a store: spaces, clock, cap, pins, tokens, audit, backup.

use core::time::Duration;
use std::io::Read;

use asof_api::ErrorName;
use asof_api::body::{
    AcceptClockRequest, BadCommitBody, BadCommitListBody, CapOutcome, CapRequest, CapState,
    ControlListBody, EdgeHeardBody, EdgeListBody, EdgeReport, EraseOutcome, EraseRequest,
    ErasureListBody, ImportBody, PinBody, PinListBody, PinOutcome, PinRequest, ReceiptBody,
    RetentionBody, RetentionOutcome, RevertOutcome, RevertRequest, SourceAnswerBody, SpaceBody,
    SpaceListBody, SpaceRequest, SpaceStateName, TimeBody, TokenListBody, TokenRequest,
    TokenSecretBody, UsageBody,
};
use asof_time::{Sequence, Timestamp};
use http::{HeaderValue, Method, header};

use crate::client::set_json;
use crate::path::Target;
use crate::reads::space_target;
use crate::writes::commit_target;
use crate::{Body, Client, Request, Result};

/// Whether an action is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DryRun {
    /// Only say what it would do.
    Yes,
    /// Do it.
    #[default]
    No,
}

impl DryRun {
    pub(crate) fn on(self, target: Target) -> Target {
        target.flag("dry_run", self == Self::Yes)
    }
}

/// What a new cap shall be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetCap {
    /// Nothing above it is read.
    pub at: Timestamp,
    /// How long until it is cleared by itself; only by hand where `None`.
    pub ttl: Option<Duration>,
    /// Where the cap is that it takes the place of; `None` where there is none.
    pub replaces: Option<Timestamp>,
}

/// How carefully an action is done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Care {
    /// Whether it is carried out.
    pub dry_run: DryRun,
    /// Whether it is done even where readers would see bad commits again.
    pub bad: BadCommits,
    /// The second word, where many keys are touched: `48213-keys`.
    pub confirm: Option<String>,
}

/// What becomes of an action that would let readers see a commit that is marked bad.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BadCommits {
    /// It is refused.
    #[default]
    Refuse,
    /// It is done all the same.
    Show,
}

impl Care {
    fn on(&self, target: Target) -> Target {
        let target = self.dry_run.on(target).flag("even_bad", self.bad == BadCommits::Show);
        target.maybe("confirm", self.confirm.as_ref())
    }
}

/// Spaces, and their import.
impl Client {
    /// All spaces, by name.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`.
    pub fn spaces(&self) -> Result<SpaceListBody> {
        self.get_json(Target::new("/v1/spaces"))
    }

    /// One space.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn space(&self, space: &str) -> Result<SpaceBody> {
        self.get_json(space_target(space))
    }

    /// Creates a space.
    ///
    /// # Errors
    ///
    /// `Conflict` where it exists, `Invalid` where the name is none.
    pub fn create_space(
        &self,
        space: &str,
        state: SpaceStateName,
        reason: &str,
    ) -> Result<SpaceBody> {
        let mut request = Request::new(Method::PUT, space_target(space).into_string());
        set_json(&mut request, &SpaceRequest { state })?;
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Takes an importing space live.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is live already.
    pub fn go_live(&self, space: &str, reason: &str) -> Result<ReceiptBody> {
        self.act(Method::POST, space_target(space).segment("live"), reason)
    }

    /// Counts what a space holds.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn usage(&self, space: &str) -> Result<UsageBody> {
        self.get_json(space_target(space).segment("usage"))
    }

    /// Changes what is kept of a space; says which floor that leads to.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Invalid` where the policy makes no sense.
    pub fn set_retention(
        &self,
        space: &str,
        retention: &RetentionBody,
        reason: &str,
        dry_run: DryRun,
    ) -> Result<RetentionOutcome> {
        let target = dry_run.on(space_target(space).segment("retention"));
        let mut request = Request::new(Method::PUT, target.into_string());
        set_json(&mut request, retention)?;
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Writes history into an importing space: `lines` is NDJSON, a commit a line, at most
    /// 32 MiB.
    ///
    /// # Errors
    ///
    /// `Conflict` where the space is live; `Invalid` with the line at fault, and how many commits
    /// before it were imported all the same.
    pub fn import(&self, space: &str, lines: Body) -> Result<ImportBody> {
        let target = space_target(space).segment("import");
        let mut request = Request::new(Method::POST, target.into_string());
        let ndjson = HeaderValue::from_static("application/x-ndjson");
        request.headers.insert(header::CONTENT_TYPE, ndjson);
        self.sign(&mut request, "")?;
        request.body = lines;
        self.json(request)
    }

    /// The commit that brought source id `id` into `space`; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`.
    pub fn source(&self, space: &str, id: &str) -> Result<Option<SourceAnswerBody>> {
        let target = space_target(space).segment("sources").segment(id);
        match self.get_json(target) {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.name() == ErrorName::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Erasing keys.
impl Client {
    /// Erases all that a key ever held, for ever. `confirm` is the word that a dry run says:
    /// `12-versions`.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `NotFound`; `Erased` where it was done already; `Unconfirmed`; `Conflict`
    /// while another action is in flight; `Invalid` where no reason is given; `TooLarge`.
    pub fn erase(
        &self,
        space: &str,
        key: &str,
        reason: &str,
        dry_run: DryRun,
        confirm: Option<&str>,
    ) -> Result<EraseOutcome> {
        let request = EraseRequest {
            key: key.to_owned(),
            author: self.author().to_owned(),
            reason: reason.to_owned(),
        };
        let target = dry_run.on(space_target(space).segment("erasures")).maybe("confirm", confirm);
        self.send_json(Method::POST, target, &request)
    }

    /// A page of what was erased after the control record `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Forbidden`, `Unauthorized`.
    pub fn erasures(&self, after: Option<u64>, limit: Option<usize>) -> Result<ErasureListBody> {
        self.get_json(Target::new("/v1/erasures").maybe("after", after).maybe("limit", limit))
    }

    /// Foresees that keys of a space are erased: no answer of it is `immutable` from then on.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`; `Conflict` where it is foreseen already.
    pub fn set_erasable(&self, space: &str, reason: &str) -> Result<SpaceBody> {
        self.act(Method::PUT, space_target(space).segment("erasable"), reason)
    }
}

/// Time, cap and pins.
impl Client {
    /// Accepts the wall clock of the server as it is, after it had jumped.
    ///
    /// # Errors
    ///
    /// `Conflict` where the clock is not in doubt.
    pub fn accept_clock(&self, reason: &str) -> Result<TimeBody> {
        let request =
            AcceptClockRequest { author: self.author().to_owned(), reason: reason.to_owned() };
        self.send_json(Method::POST, Target::new("/v1/time/accept-clock"), &request)
    }

    /// The cap, where there is one.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`.
    pub fn cap(&self) -> Result<CapState> {
        self.get_json(Target::new("/v1/cap"))
    }

    /// Sets the cap: nothing above `cap.at` is read until it is cleared.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `BelowFloor`, `Invalid` where no reason is given; `Conflict` where the cap
    /// is not where `cap` says, or bad commits would be seen again; `Unconfirmed`.
    pub fn set_cap(&self, cap: &SetCap, reason: &str, care: &Care) -> Result<CapOutcome> {
        let request = CapRequest {
            at: cap.at.into(),
            author: self.author().to_owned(),
            reason: reason.to_owned(),
            ttl_seconds: cap.ttl.map(|ttl| ttl.as_secs()),
            replaces: cap.replaces.map(Into::into),
        };
        self.send_json(Method::PUT, care.on(Target::new("/v1/cap")), &request)
    }

    /// Clears the cap, where it is at `at` if that is given.
    ///
    /// # Errors
    ///
    /// `Conflict` where there is none, it is elsewhere, or bad commits would be seen again;
    /// `Unconfirmed`.
    pub fn clear_cap(
        &self,
        at: Option<Timestamp>,
        reason: &str,
        care: &Care,
    ) -> Result<CapOutcome> {
        let target = Target::new("/v1/cap").maybe("at", at.map(Timestamp::as_micros));
        self.act(Method::DELETE, care.on(target), reason)
    }

    /// The commits that are marked bad, by id.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`.
    pub fn bad_commits(&self) -> Result<BadCommitListBody> {
        self.get_json(Target::new("/v1/bad"))
    }

    /// Marks a commit as bad.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` where it is marked already, or pending.
    pub fn mark_bad(&self, id: Sequence, reason: &str) -> Result<BadCommitBody> {
        self.act(Method::PUT, commit_target(id).segment("bad"), reason)
    }

    /// Takes the mark from a commit.
    ///
    /// # Errors
    ///
    /// `NotFound` where it is not marked.
    pub fn unmark_bad(&self, id: Sequence, reason: &str) -> Result<BadCommitBody> {
        self.act(Method::DELETE, commit_target(id).segment("bad"), reason)
    }

    /// Takes commits back by one that puts back what was before. The author of the client stands
    /// in where `revert` names none.
    ///
    /// # Errors
    ///
    /// `Conflict` where keys were written again since and are not decided on: a dry run lists
    /// them. `NotFound`, `BelowFloor`, `NotYetClosed`, `InThePast`, `TooLarge`, `Unconfirmed`.
    pub fn revert(&self, revert: &RevertRequest, care: &Care) -> Result<RevertOutcome> {
        let mut signed = revert.clone();
        if signed.author.is_empty() {
            self.author().clone_into(&mut signed.author);
        }
        self.send_json(Method::POST, care.on(Target::new("/v1/revert")), &signed)
    }

    /// The live pins, by name.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`.
    pub fn pins(&self) -> Result<PinListBody> {
        self.get_json(Target::new("/v1/pins"))
    }

    /// The live pins, by name, each with the bytes that it holds back. The store walks what
    /// retention would drop.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`, `Corrupt`.
    pub fn pins_held(&self) -> Result<PinListBody> {
        self.get_json(Target::new("/v1/pins").flag("held", true))
    }

    /// Creates or renews a pin. A dry run says what it would be, and what it would hold back.
    ///
    /// # Errors
    ///
    /// `NotYetClosed`, `BelowFloor`, `AboveCap`, `Conflict` where the name is another owner's.
    pub fn create_pin(&self, name: &str, pin: &PinRequest, dry_run: DryRun) -> Result<PinBody> {
        self.send_json(Method::PUT, dry_run.on(Target::new("/v1/pins").segment(name)), pin)
    }

    /// Releases a pin.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn release_pin(&self, name: &str, reason: &str, dry_run: DryRun) -> Result<PinOutcome> {
        let target = dry_run.on(Target::new("/v1/pins").segment(name));
        self.act(Method::DELETE, target, reason)
    }
}

/// Edges.
impl Client {
    /// Tells the store how the edge `name` stands.
    ///
    /// # Errors
    ///
    /// `TooLarge` where it tells too much, or too many edges do.
    pub fn report_edge(&self, name: &str, report: &EdgeReport) -> Result<EdgeHeardBody> {
        self.send_json(Method::PUT, Target::new("/v1/edges").segment(name), report)
    }

    /// The edges that told the store how they stand.
    ///
    /// # Errors
    ///
    /// `Forbidden` without an operator's token.
    pub fn edges(&self) -> Result<EdgeListBody> {
        self.get_json(Target::new("/v1/edges"))
    }
}

/// Tokens, audit and backup.
impl Client {
    /// The bearer tokens, without their secrets.
    ///
    /// # Errors
    ///
    /// `Forbidden`, `Unauthorized`.
    pub fn tokens(&self) -> Result<TokenListBody> {
        self.get_json(Target::new("/v1/tokens"))
    }

    /// Makes a token. Its secret is in the answer, and nowhere else ever after.
    ///
    /// # Errors
    ///
    /// `Conflict` where the name is taken.
    pub fn create_token(
        &self,
        name: &str,
        token: &TokenRequest,
        reason: &str,
    ) -> Result<TokenSecretBody> {
        let target = Target::new("/v1/tokens").segment(name);
        let mut request = Request::new(Method::PUT, target.into_string());
        set_json(&mut request, token)?;
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Forgets a token; it stops working at once.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn revoke_token(&self, name: &str, reason: &str) -> Result<()> {
        let target = Target::new("/v1/tokens").segment(name);
        let mut request = Request::new(Method::DELETE, target.into_string());
        self.sign(&mut request, reason)?;
        self.done(request)
    }

    /// A page of the control history after the record `after`, oldest first.
    ///
    /// # Errors
    ///
    /// `Forbidden`, `Unauthorized`.
    pub fn control(&self, after: Option<u64>, limit: Option<usize>) -> Result<ControlListBody> {
        let target = Target::new("/v1/control").maybe("after", after).maybe("limit", limit);
        self.get_json(target)
    }

    /// A consistent copy of the whole store as of now, as a stream. One that ends early fails
    /// its own checks when it is restored.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Corrupt`, `Forbidden`.
    pub fn backup(&self) -> Result<Box<dyn Read + Send>> {
        let mut request = Request::new(Method::POST, "/v1/backup");
        self.sign(&mut request, "")?;
        Ok(self.ok(request)?.body)
    }
}
