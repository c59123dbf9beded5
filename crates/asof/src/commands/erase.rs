//! `asof erase`, `asof erasures`

use asof_api::body::EraseOutcome;
use clap::Args;

use super::cap::dry;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Erase all that a key ever held, for legal reasons. It cannot be undone
///
/// The one exception to "history stays for ever". Every version goes from the disk, with what the
/// log and the audit know of its values; the key answers `Erased` at every moment from then on and
/// is never written again; every edge drops what it has made of the space. The name of the key, who
/// erased it and why stay. Pins do not hold it back. docs/erasure.md says what it does not reach.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof erase users ada --reason 'request 4711 of the person' --dry-run
  asof erase users ada --reason 'request 4711 of the person' --confirm 3-versions
  asof erasures")]
pub(crate) struct Erase {
    /// The space
    space: String,
    /// The key
    key: String,
    /// Why. It stays, so it should name the request and not the person
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only say what it would erase
    #[arg(long)]
    dry_run: bool,
    /// The second word, as the dry run says it
    #[arg(long, value_name = "N-versions")]
    confirm: Option<String>,
}

impl Erase {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Self { space, key, reason, dry_run, confirm } = self;
        let client = context.client()?;
        let outcome = client.erase(&space, &key, &reason, dry(dry_run), confirm.as_deref())?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&outcome)?;
            return Ok(Exit::Done);
        }
        tell(out, &outcome)?;
        Ok(Exit::Done)
    }
}

fn tell(out: &mut Output, outcome: &EraseOutcome) -> Result<(), Failure> {
    let key = human::one_line(&format!("{}/{}", outcome.space, outcome.key));
    let count = match outcome.versions {
        1 => "1 version".to_owned(),
        many => format!("{} versions", human::count(many)),
    };
    let size = human::size(outcome.bytes);
    out.line(&match &outcome.erasure {
        None => format!("dry run, nothing is done: {key} would be erased, {count}, {size}"),
        Some(_) => format!("{key} is erased: {count}, {size}"),
    })?;
    if let (Some(first), Some(last)) = (outcome.first, outcome.last) {
        out.line(&format!("from     {} to {}", first.0, last.0))?;
    }
    for pin in &outcome.pins {
        let (name, owner) = (human::one_line(&pin.name), human::one_line(&pin.owner));
        out.line(&format!("pin      {name} of {owner} loses it at {}", pin.at.0))?;
    }
    for commit in &outcome.pending {
        out.line(&format!("pending  commit {} takes effect without it", commit.0))?;
    }
    for release in &outcome.releases {
        out.line(&format!("release  {} goes on without it", human::one_line(release)))?;
    }
    out.line("it cannot be undone, and does not reach")?;
    for copy in &outcome.out_of_reach {
        out.line(&format!("  * {copy}"))?;
    }
    if let Some(word) = outcome.confirm.as_ref().filter(|_| outcome.dry_run) {
        out.note(&format!("to do it: --confirm {word}"));
    }
    Ok(())
}

/// List what was erased: what `asof restore` asks for
///
/// Keep the list beside the backups. With it a restored backup loses again what was erased after
/// the backup was taken.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof erasures
  asof erasures --json > erasures.jsonl
  asof restore ./backups/monday --data ./asof-restored --erasures erasures.jsonl")]
pub(crate) struct Erasures {}

impl Erasures {
    pub(crate) fn run(context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        let mut table = Table::new([
            ("#", Align::Right),
            ("AT", Align::Left),
            ("SPACE", Align::Left),
            ("KEY", Align::Left),
            ("VERSIONS", Align::Right),
            ("SIZE", Align::Right),
            ("WHO", Align::Left),
            ("REASON", Align::Left),
        ]);
        let mut after = None;
        loop {
            let page = client.erasures(after, None)?;
            for erasure in &page.erasures {
                if out.is_json() {
                    out.json(erasure)?;
                    continue;
                }
                table.row([
                    erasure.sequence.to_string(),
                    erasure.at.0.to_string(),
                    erasure.space.clone(),
                    human::one_line(&erasure.key),
                    human::count(erasure.versions),
                    human::size(erasure.bytes),
                    human::one_line(&erasure.by),
                    human::first_line(&erasure.reason),
                ]);
            }
            out.page(&mut table)?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Exit::Done),
            }
        }
    }
}
