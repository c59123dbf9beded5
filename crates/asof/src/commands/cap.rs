//! `asof cap`

use core::time::Duration;

use asof_api::body::{CapEdgeBody, CapOutcome, ControlBody};
use asof_client::{BadCommits, Cap, Care, Client, DryRun, SetCap};
use asof_time::Timestamp;
use clap::{Args, Subcommand};

use super::confirmed;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{Align, Table};
use crate::{blast, human};

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
  asof bad mark 4711 --reason 'wrong prices'
  asof revert 4711 --reason 'wrong prices'
  asof cap clear --reason 'prices are corrected'
  asof cap history

The way out of an incident is: cap, revert or fix, clear. docs/incident.md tells one.")]
pub(crate) enum CapCommand {
    Set(Set),
    Clear(Clear),
    /// Show the cap, who set it and why, and which edges go by it
    Show,
    /// Show who set and cleared the cap, when and why, oldest first
    History,
}

/// Set the cap
///
/// Says how many keys answer differently by that, in which spaces, and shows some of them; which
/// edges go by it; and the software in force at that moment that an edge could not ask any more.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof cap set 2026-11-23T03:00:00Z --reason 'wrong prices' --dry-run
  asof cap set 2026-11-23T03:00:00Z --reason 'wrong prices' --confirm 48213-keys
  asof cap set 2026-11-23T03:00:00Z --reason 'looking into it' --expires 30m
  asof cap set 2026-11-23T02:50:00Z --reason 'it began earlier' --replace 2026-11-23T03:00:00Z")]
pub(crate) struct Set {
    /// The moment, at or below closed
    at: Timestamp,
    /// Clear it by itself after this time; the store may be down meanwhile
    #[arg(long, value_name = "DURATION", value_parser = human::parse_duration)]
    expires: Option<Duration>,
    /// Take the place of the cap at this moment; refused where it is elsewhere
    #[arg(long, value_name = "T")]
    replace: Option<Timestamp>,
    #[command(flatten)]
    careful: Careful,
}

/// Clear the cap
///
/// Says what readers see again by that. Refuses while a commit that is marked bad is among it.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof cap clear --reason 'prices are corrected' --dry-run
  asof cap clear --reason 'prices are corrected'
  asof cap clear --reason 'they were right after all' --even-bad")]
pub(crate) struct Clear {
    /// Only where it is at this moment; left out, where it is now
    #[arg(long, value_name = "T")]
    at: Option<Timestamp>,
    #[command(flatten)]
    careful: Careful,
}

/// What actions that touch many keys take.
#[derive(Args, Debug)]
struct Careful {
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only say what it would lead to
    #[arg(long)]
    dry_run: bool,
    /// Do it even where readers would see commits again that are marked bad
    #[arg(long)]
    even_bad: bool,
    /// The second word where many keys are touched, as the refusal says it
    #[arg(long, value_name = "N-keys")]
    confirm: Option<String>,
    /// How long to wait for the edges that report to this store to confirm
    #[arg(long, value_name = "DURATION", value_parser = human::parse_duration, default_value = "3s")]
    wait: Duration,
}

impl Careful {
    fn care(&self) -> Care {
        Care {
            dry_run: dry(self.dry_run),
            bad: if self.even_bad { BadCommits::Show } else { BadCommits::Refuse },
            confirm: self.confirm.clone(),
        }
    }
}

impl CapCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        match self {
            Self::Set(Set { at, expires, replace, careful }) => {
                let cap = SetCap { at, ttl: expires, replaces: replace };
                let outcome = client.set_cap(&cap, &careful.reason, &careful.care())?;
                show_outcome(out, &client, outcome, careful.wait)?;
            }
            Self::Clear(Clear { at, careful }) => {
                // Another operator may move it in the meantime: then it is not the one meant.
                let at = match at {
                    Some(at) => Some(at),
                    None => client.cap()?.cap.map(|cap| cap.at.0),
                };
                let outcome = client.clear_cap(at, &careful.reason, &careful.care())?;
                show_outcome(out, &client, outcome, careful.wait)?;
            }
            Self::Show => show(out, &client)?,
            Self::History => history(out, &client)?,
        }
        Ok(Exit::Done)
    }
}

/// As the client takes it.
pub(super) fn cap(above: bool) -> Cap {
    if above { Cap::Above } else { Cap::Obey }
}

/// As the client takes it.
pub(super) fn dry(dry_run: bool) -> DryRun {
    if dry_run { DryRun::Yes } else { DryRun::No }
}

fn show_outcome(
    out: &mut Output,
    client: &Client,
    mut outcome: CapOutcome,
    patience: Duration,
) -> Result<(), Failure> {
    let told_now = |outcome: &mut CapOutcome| -> Result<(), Failure> {
        if outcome.dry_run || outcome.edges.is_empty() {
            return Ok(());
        }
        for edge in confirmed::wait(client, patience)? {
            if let Some(told) = outcome.edges.iter_mut().find(|told| told.name == edge.name) {
                *told = CapEdgeBody { releases: told.releases.take(), ..edge };
            }
        }
        Ok(())
    };
    if out.is_json() {
        told_now(&mut outcome)?;
        return out.json(&outcome);
    }
    let cap = match outcome.after.cap {
        Some(cap) => format!("cap {}", cap.0),
        None => "no cap".to_owned(),
    };
    let before = match outcome.before.cap {
        Some(cap) => format!("was {}", cap.0),
        None => "there was none".to_owned(),
    };
    let done = if outcome.dry_run { "dry run, nothing is done: " } else { "" };
    out.line(&format!("{done}{cap} ({before})"))?;
    blast::show(out, &outcome.blast)?;
    confirmed::show_releases(out, &outcome.edges)?;
    // It is done, and said to be done, before anybody is waited for.
    told_now(&mut outcome)?;
    confirmed::show(out, &outcome.edges)?;
    if !outcome.dry_run {
        confirmed::note_missing(out, &outcome.edges);
    }
    if outcome.dry_run {
        blast::note_confirm(out, outcome.confirm.as_deref());
    } else if outcome.after.cap.is_some() {
        out.note("undo it with `asof cap clear`");
    } else if let Some(cap) = outcome.before.cap {
        out.note(&format!("undo it with `asof cap set {}`", cap.0));
    }
    Ok(())
}

fn show(out: &mut Output, client: &Client) -> Result<(), Failure> {
    let state = client.cap()?;
    if out.is_json() {
        return out.json(&state);
    }
    let Some(cap) = state.cap else {
        out.line("no cap")?;
        return show_edges(out, state.edges.as_deref());
    };
    let until = match cap.expires {
        Some(expires) => format!(", until {}", expires.0),
        None => String::new(),
    };
    out.line(&format!(
        "cap {}, set {} by {}{until}: {}",
        cap.at.0,
        cap.set.0,
        human::one_line(&cap.author),
        human::one_line(&cap.reason)
    ))?;
    show_edges(out, state.edges.as_deref())
}

/// Only operators are told of edges.
fn show_edges(out: &mut Output, edges: Option<&[CapEdgeBody]>) -> Result<(), Failure> {
    match edges {
        None | Some([]) => Ok(()),
        Some(edges) => confirmed::show(out, edges),
    }
}

fn history(out: &mut Output, client: &Client) -> Result<(), Failure> {
    let mut table = Table::new([
        ("AT", Align::Left),
        ("WHO", Align::Left),
        ("ACTION", Align::Left),
        ("CAP", Align::Left),
        ("DETAIL", Align::Left),
        ("REASON", Align::Left),
    ]);
    let mut after = None;
    loop {
        let page = client.control(after, None)?;
        for record in page.records.iter().filter(|record| is_of_cap(record)) {
            if out.is_json() {
                out.json(record)?;
                continue;
            }
            table.row([
                record.at.0.to_string(),
                human::one_line(&record.by),
                record.action.clone(),
                human::one_line(&record.subject),
                human::one_line(&record.detail),
                human::first_line(&record.reason),
            ]);
        }
        out.page(&mut table)?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn is_of_cap(record: &ControlBody) -> bool {
    matches!(record.action.as_str(), "cap-set" | "cap-cleared" | "cap-expired")
}
