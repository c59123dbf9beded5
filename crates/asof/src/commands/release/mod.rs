//! `asof release`

mod show;
mod source;

use std::path::PathBuf;

use asof_api::body::{ReleaseAmendRequest, ReleaseBody, ReleaseRequest, ReleaseStateName};
use asof_client::{Client, DryRun, Later};
use asof_time::Timestamp;
use clap::{Args, Subcommand, ValueEnum};

use super::cap::dry;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Plan what takes effect at a future moment, and follow it until it is live
#[derive(Subcommand, Debug)]
pub(crate) enum ReleaseCommand {
    Plan(Plan),
    Amend(Amend),
    Approve(Approve),
    Schedule(Schedule),
    Cancel(Cancel),
    RollBack(RollBack),
    /// Show a release: what was planned, and what happened
    Show {
        /// Its name
        name: String,
    },
    List(List),
}

/// Plan a release: a draft, of which nothing is scheduled
///
/// What it writes comes from a file such as `asof commit` takes, or from a folder: a folder for
/// each space in it, and in that a file for each key, whose path is the key. With --space the
/// folder is of that one space.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof release plan spring.json --name spring --at 2027-03-01T00:00:00Z
  asof release plan spring.json --name spring --at 2027-03-01T00:00:00Z --dry-run
  asof release plan ./spring --name spring --at 2027-03-01T00:00:00Z --approval
  asof release plan ./prices --space prices --name eur --at 2027-01-01T00:00:00Z --schedule
  asof get prices usd --as-of 2027-03-01T00:00:00Z --preview     what it will look like

A draft does nothing: `asof release schedule spring` makes it take effect at its time.")]
pub(crate) struct Plan {
    /// The file or folder; `-` for standard input
    source: PathBuf,
    /// Its name; a name is used once
    #[arg(long, value_name = "NAME")]
    name: String,
    /// When it takes effect
    #[arg(long, value_name = "T")]
    at: Timestamp,
    /// What it is; the message of its commit
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// The space that the folder is of
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
    #[command(flatten)]
    guards: Guards,
    /// Schedule it at once
    #[arg(long)]
    schedule: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what it would come to
    #[arg(long, conflicts_with = "schedule")]
    dry_run: bool,
}

/// What stands before a release can be scheduled.
#[derive(Args, Debug)]
struct Guards {
    /// A second operator must approve it before it can be scheduled
    #[arg(long, conflicts_with = "schedule")]
    approval: bool,
    /// Nothing else may be scheduled on its keys, until it is live
    #[arg(long)]
    alone: bool,
}

/// Change a draft or a scheduled release; what was approved is to be approved again
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof release amend spring --at 2027-03-08T00:00:00Z
  asof release amend spring --from ./spring-2 --message 'with the new logo'")]
pub(crate) struct Amend {
    /// Its name
    name: String,
    /// When it takes effect
    #[arg(long, value_name = "T")]
    at: Option<Timestamp>,
    /// What it is
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// The file or folder with what it writes, in place of all that it wrote
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// The space that the folder is of
    #[arg(long, value_name = "SPACE", requires = "from")]
    space: Option<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what it would come to
    #[arg(long)]
    dry_run: bool,
}

/// Approve a draft that somebody else planned
///
/// People are told apart by their tokens; without tokens, by what they say they are called.
#[derive(Args, Debug)]
pub(crate) struct Approve {
    /// Its name
    name: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what it would come to
    #[arg(long)]
    dry_run: bool,
}

/// Let a draft take effect at its time
#[derive(Args, Debug)]
pub(crate) struct Schedule {
    /// Its name
    name: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what it would come to
    #[arg(long)]
    dry_run: bool,
}

/// Cancel a release that has not taken effect
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof release cancel spring --reason 'not agreed'
  asof release cancel spring --dry-run")]
pub(crate) struct Cancel {
    /// Its name
    name: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only show what it would come to
    #[arg(long)]
    dry_run: bool,
}

/// Undo a live release: commit now what its keys held just before it
///
/// Nothing is done where keys were written after it, unless --keep-later leaves those as they
/// are. `asof cap set` is the other way: at once for everything, and without a commit.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof release roll-back spring --dry-run
  asof release roll-back spring --reason 'wrong currency'
  asof release roll-back spring --keep-later")]
pub(crate) struct RollBack {
    /// Its name
    name: String,
    /// Leave keys that were written after the release as they are
    #[arg(long)]
    keep_later: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only show what it would come to
    #[arg(long)]
    dry_run: bool,
}

/// List the releases with the time that is left, soonest first; then those that are over
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof release list
  asof release list --state scheduled
  asof release list --json | jq -r 'select(.state == \"live\") | .name'")]
pub(crate) struct List {
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
}

/// Where a release is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum State {
    Draft,
    Scheduled,
    Live,
    Cancelled,
    RolledBack,
}

impl ReleaseCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Plan(plan) => plan.run(context),
            Self::Amend(amend) => amend.run(context),
            Self::Approve(Approve { name, reason, dry_run }) => {
                let dry_run = dry(dry_run);
                let release = context.client()?.approve_release(&name, &reason, dry_run)?;
                let next = "approved: `asof release schedule` is next";
                told(&mut context.out, &release, next, dry_run)
            }
            Self::Schedule(Schedule { name, reason, dry_run }) => {
                let dry_run = dry(dry_run);
                let release = context.client()?.schedule_release(&name, &reason, dry_run)?;
                told(&mut context.out, &release, "it takes effect by itself", dry_run)
            }
            Self::Cancel(Cancel { name, reason, dry_run }) => {
                let outcome = context.client()?.cancel_release(&name, &reason, dry(dry_run))?;
                show::outcome(&mut context.out, &outcome, "cancelled")
            }
            Self::RollBack(RollBack { name, keep_later, reason, dry_run }) => {
                let later = if keep_later { Later::Keep } else { Later::Refuse };
                let client = context.client()?;
                let outcome = client.roll_back_release(&name, later, &reason, dry(dry_run))?;
                show::outcome(&mut context.out, &outcome, "rolled back")
            }
            Self::Show { name } => {
                let client = context.client()?;
                let (detail, now) = (client.release(&name)?, client.time()?.closed.0);
                show::detail(&mut context.out, &detail, now)
            }
            Self::List(list) => list.run(context),
        }
    }
}

impl Plan {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let source = source::read(&self.source, self.space.as_deref())?;
        let request = ReleaseRequest {
            at: self.at.into(),
            message: self.message.or(source.message).unwrap_or_default(),
            needs_approval: self.guards.approval,
            alone: self.guards.alone,
            writes: source.writes,
        };
        let client = context.client()?;
        let dry_run = dry(self.dry_run);
        let release = client.plan_release(&self.name, &request, &self.reason, dry_run)?;
        if self.schedule {
            let release = client.schedule_release(&self.name, &self.reason, DryRun::No)?;
            return told(&mut context.out, &release, "it takes effect by itself", DryRun::No);
        }
        let next = if self.guards.approval {
            "to be approved by somebody else: `asof release approve`"
        } else {
            "nothing is scheduled yet: `asof release schedule` is next"
        };
        told(&mut context.out, &release, next, dry_run)
    }
}

impl Amend {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let source =
            self.from.map(|from| source::read(&from, self.space.as_deref())).transpose()?;
        let (writes, message) = match source {
            Some(source) => (Some(source.writes), self.message.or(source.message)),
            None => (None, self.message),
        };
        if self.at.is_none() && message.is_none() && writes.is_none() {
            return Err(Failure::usage("say what to change: --at, --message or --from"));
        }
        let request = ReleaseAmendRequest { at: self.at.map(Into::into), message, writes };
        let client: Client = context.client()?;
        let dry_run = dry(self.dry_run);
        let release = client.amend_release(&self.name, &request, &self.reason, dry_run)?;
        let next = match (release.state, release.needs_approval) {
            (ReleaseStateName::Scheduled, _) => "amended",
            (_, true) => "amended: to be approved again, then scheduled",
            (_, false) => "amended: nothing is scheduled yet",
        };
        told(&mut context.out, &release, next, dry_run)
    }
}

impl List {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut releases = client.releases()?.releases;
        releases.retain(|release| self.state.is_none_or(|state| state.is(release.state)));
        let now = client.time()?.closed.0;
        show::list(&mut context.out, releases, now)
    }
}

impl State {
    fn is(self, name: ReleaseStateName) -> bool {
        let own = match self {
            Self::Draft => ReleaseStateName::Draft,
            Self::Scheduled => ReleaseStateName::Scheduled,
            Self::Live => ReleaseStateName::Live,
            Self::Cancelled => ReleaseStateName::Cancelled,
            Self::RolledBack => ReleaseStateName::RolledBack,
        };
        own == name
    }
}

/// What became of a release, or would become of it, and what is next.
fn told(
    out: &mut Output,
    release: &ReleaseBody,
    next: &str,
    dry_run: DryRun,
) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(release)?;
    } else {
        let (before, next) = match dry_run {
            DryRun::Yes => ("dry run: ", "nothing is done"),
            DryRun::No => ("", next),
        };
        out.line(&format!("{before}{}", show::sentence(release)))?;
        out.flush()?;
        out.note(next);
    }
    Ok(Exit::Done)
}
