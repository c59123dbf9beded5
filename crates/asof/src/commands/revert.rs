//! `asof revert`

use core::str::FromStr;

use asof_api::body::{KeyBody, RevertOutcome, RevertRequest};
use asof_client::{Care, DryRun};
use asof_time::{Sequence, Timestamp};
use clap::Args;

use super::amend::sequence;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{Align, Table};
use crate::{blast, human, show};

/// Take commits back: write one commit that puts back what was before
///
/// History stays as it is; for each key that was touched, the value before is written again. A
/// key that a later commit wrote too is a conflict: all of them are listed, and nothing is done
/// until each is decided with --keep or --restore, or all the others with --skip-conflicts.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof revert 4711 --reason 'wrong prices' --dry-run
  asof revert 4711 --reason 'wrong prices'
  asof revert 4711 --reason 'wrong prices' --keep prices/usd --restore prices/eur
  asof revert 4711 --reason 'wrong prices' --skip-conflicts
  asof revert 2026-11-23T03:00:00Z..2026-11-23T03:20:00Z --space prices --reason 'wrong prices'
  asof revert 4711 --reason 'the campaign ends' --at 2027-01-01T00:00:00Z

Under a cap it is written all the same, and is read once the cap is cleared. Repeated, it finds
nothing left to do.")]
pub(crate) struct Revert {
    /// A commit's id, or T1..T2 for all that took effect after T1 up to and including T2
    #[arg(value_name = "COMMIT|T1..T2")]
    target: Target,
    /// Why, for the log and the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only what was changed in this space
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,
    /// Take effect at this future moment, not now
    #[arg(long, value_name = "T")]
    at: Option<Timestamp>,
    /// Leave this key as it is; may be given several times
    #[arg(long, value_name = "SPACE/KEY", value_parser = place)]
    keep: Vec<KeyBody>,
    /// Put this key back whatever was written since; may be given several times
    #[arg(long, value_name = "SPACE/KEY", value_parser = place)]
    restore: Vec<KeyBody>,
    /// Leave the other keys that were written since as they are
    #[arg(long)]
    skip_conflicts: bool,
    /// Only say what it would write
    #[arg(long)]
    dry_run: bool,
    /// The second word where many keys are touched, as the refusal says it
    #[arg(long, value_name = "N-keys")]
    confirm: Option<String>,
}

/// What is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Commit(Sequence),
    Range(Timestamp, Timestamp),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((after, through)) = text.split_once("..") else {
            return sequence(text).map(Self::Commit);
        };
        let moment = |text: &str| text.parse::<Timestamp>().map_err(|error| error.to_string());
        Ok(Self::Range(moment(after)?, moment(through)?))
    }
}

/// A key of a space: names of spaces have no slash, keys may.
fn place(text: &str) -> Result<KeyBody, String> {
    let (space, key) = text.split_once('/').ok_or("expected SPACE/KEY, such as prices/usd")?;
    Ok(KeyBody { space: space.to_owned(), key: key.to_owned() })
}

impl Revert {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let when = show::When::of(self.at);
        let (dry_run, confirm) = (self.dry_run, self.confirm.clone());
        let request = self.request();
        // Conflicts are listed before anything is done; the store refuses them in any case.
        let look = Care { dry_run: DryRun::Yes, confirm: confirm.clone(), ..Care::default() };
        let plan = client.revert(&request, &look)?;
        if dry_run {
            show_plan(out, &plan)?;
            return Ok(Exit::Done);
        }
        if plan.conflicts > 0 {
            return refuse(out, &plan);
        }
        let care = Care { confirm, ..Care::default() };
        let outcome = client.revert(&request, &care)?;
        if out.is_json() {
            out.json(&outcome)?;
            return Ok(Exit::Done);
        }
        match &outcome.receipt {
            Some(receipt) => {
                show::receipt(out, receipt, when)?;
                out.line(&summary(&outcome))?;
            }
            None => out.line(&format!(
                "nothing to put back: {} held that already, {} kept",
                blast::keys(outcome.unchanged),
                human::count(outcome.kept)
            ))?,
        }
        Ok(Exit::Done)
    }

    fn request(self) -> RevertRequest {
        let (commit, after, through) = match self.target {
            Target::Commit(id) => (Some(id.into()), None, None),
            Target::Range(after, through) => (None, Some(after.into()), Some(through.into())),
        };
        RevertRequest {
            commit,
            after,
            through,
            space: self.space,
            effective_at: self.at.map(Into::into),
            skip_conflicts: self.skip_conflicts,
            keep: self.keep,
            restore: self.restore,
            author: String::new(),
            reason: self.reason,
        }
    }
}

fn refuse(out: &mut Output, plan: &RevertOutcome) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(plan)?;
        return Ok(Exit::Refused);
    }
    show_conflicts(out, plan)?;
    out.note(
        "error: nothing was done\nhint: decide on each with --keep SPACE/KEY or --restore \
         SPACE/KEY, or leave them all as they are with --skip-conflicts",
    );
    Ok(Exit::Refused)
}

fn show_conflicts(out: &mut Output, plan: &RevertOutcome) -> Result<(), Failure> {
    let verb = if plan.conflicts == 1 { "was" } else { "were" };
    out.line(&format!("{} {verb} written again since:", blast::keys(plan.conflicts)))?;
    let mut table = Table::new([
        ("SPACE/KEY", Align::Left),
        ("BY", Align::Right),
        ("AT", Align::Left),
        ("HOLDS", Align::Left),
        ("HELD BEFORE", Align::Left),
    ]);
    for conflict in &plan.in_conflict {
        let change = &conflict.change;
        table.row([
            human::one_line(&format!("{}/{}", change.space, change.key)),
            conflict.commit.0.to_string(),
            conflict.effective.0.to_string(),
            blast::value(change.before.as_ref()),
            blast::value(change.after.as_ref()),
        ]);
    }
    out.page(&mut table)?;
    if (plan.in_conflict.len() as u64) < plan.conflicts {
        out.line("...")?;
    }
    Ok(())
}

fn summary(outcome: &RevertOutcome) -> String {
    format!(
        "{} put back, {}; {} held that already, {} kept",
        blast::keys(outcome.keys),
        human::size(outcome.bytes),
        human::count(outcome.unchanged),
        human::count(outcome.kept)
    )
}

fn show_plan(out: &mut Output, plan: &RevertOutcome) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(plan);
    }
    out.line(&format!("dry run, nothing is done: {}", summary(plan)))?;
    blast::changes(out, &plan.sample)?;
    if (plan.sample.len() as u64) < plan.keys {
        out.line("...")?;
    }
    if plan.conflicts > 0 {
        out.line("")?;
        show_conflicts(out, plan)?;
    }
    blast::note_confirm(out, plan.confirm.as_deref());
    Ok(())
}
