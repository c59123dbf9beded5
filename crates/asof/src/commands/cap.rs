//! `asof cap`

use asof_api::body::CapOutcome;
use asof_client::DryRun;
use asof_time::Timestamp;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::show;

/// Hold all readers at a moment: the way to roll back in an instant
///
/// Nothing above the cap is read until it is cleared; writes go on. Caches need no purge: they
/// still hold what was true at that moment.
#[derive(Subcommand, Debug)]
#[command(after_long_help = "\
Examples:
  asof cap set 2026-11-23T03:00:00Z --reason 'prices of 03:05 are wrong' --dry-run
  asof cap set 2026-11-23T03:00:00Z --reason 'prices of 03:05 are wrong'
  asof cap show
  asof cap clear --reason 'prices are corrected'")]
pub(crate) enum CapCommand {
    Set(Set),
    Clear(Clear),
    /// Show the cap, who set it and why
    Show,
}

/// Set the cap
#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The moment, at or below closed
    at: Timestamp,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only say what it would lead to
    #[arg(long)]
    dry_run: bool,
}

/// Clear the cap
#[derive(Args, Debug)]
pub(crate) struct Clear {
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only say what it would lead to
    #[arg(long)]
    dry_run: bool,
}

impl CapCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        match self {
            Self::Set(set) => {
                let outcome = client.set_cap(set.at, &set.reason, dry(set.dry_run))?;
                show_outcome(out, &outcome)?;
            }
            Self::Clear(clear) => {
                let outcome = client.clear_cap(&clear.reason, dry(clear.dry_run))?;
                show_outcome(out, &outcome)?;
            }
            Self::Show => {
                let state = client.cap()?;
                if out.is_json() {
                    out.json(&state)?;
                } else if let Some(cap) = state.cap {
                    out.line(&format!(
                        "cap {}, set {} by {}: {}",
                        cap.at.0, cap.set.0, cap.author, cap.reason
                    ))?;
                } else {
                    out.line("no cap")?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// As the client takes it.
pub(super) fn dry(dry_run: bool) -> DryRun {
    if dry_run { DryRun::Yes } else { DryRun::No }
}

fn show_outcome(out: &mut Output, outcome: &CapOutcome) -> Result<(), Failure> {
    match outcome {
        CapOutcome::Done(time) => show::time(out, time),
        CapOutcome::DryRun(_) if out.is_json() => out.json(outcome),
        CapOutcome::DryRun(would) => out.line(&format!(
            "dry run: latest would go from {} to {}",
            would.before.latest.0, would.after.latest.0
        )),
    }
}
