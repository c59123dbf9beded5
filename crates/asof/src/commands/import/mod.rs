//! `asof import`

mod git;
mod jsonl;

use asof_client::Client;
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::import::meter::Meter;
use crate::import::sink::{Ending, Leave, Naming, Sink};
use crate::import::summary::Summary;

/// Fill a space with a history that exists elsewhere
///
/// The space is created, importing: nobody reads it until all is there. Then it goes live. An
/// import may be interrupted at any moment and run again: it goes on where it was. Run again
/// later, it commits what is new since; where that would leave a live space empty, or take more than
/// half of its keys (10 or more), it is held: nothing is written without a second word.
#[derive(Subcommand, Debug)]
pub(crate) enum ImportCommand {
    Git(git::ImportGit),
    Jsonl(jsonl::ImportJsonl),
}

/// What all sources take.
#[derive(Args, Clone, Debug)]
struct SinkArgs {
    /// Leave the space importing, for more to come; `asof space live` ends it
    #[arg(long)]
    keep_importing: bool,
    /// Only say what it would write, and what live spaces would lose by it
    #[arg(long)]
    dry_run: bool,
    /// The second word where a live space would lose most of its keys, as the refusal says it
    #[arg(long, value_name = "N-keys", value_parser = keys_of_word)]
    confirm: Option<u64>,
}

impl SinkArgs {
    fn sink<'a>(&self, client: &'a Client, naming: Naming) -> Sink<'a> {
        let ending = if self.keep_importing { Ending::KeepImporting } else { Ending::GoLive };
        let leave = match (self.dry_run, self.confirm) {
            (true, _) => Leave::DryRun,
            (false, Some(keys)) => Leave::Confirmed(keys),
            (false, None) => Leave::Write,
        };
        Sink::new(client, ending, naming).with_leave(leave)
    }

    /// The store that is written. A dry run makes none.
    fn client(&self, context: &mut Context) -> Result<Client, Failure> {
        if self.dry_run { context.client() } else { context.client_of_new() }
    }
}

/// The number in `48213-keys`.
fn keys_of_word(word: &str) -> Result<u64, String> {
    let number = word.strip_suffix("-keys").and_then(|number| number.parse().ok());
    number.ok_or_else(|| "not a word such as `48213-keys`: the refusal says which one".to_owned())
}

impl ImportCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Git(command) => command.run(context),
            Self::Jsonl(command) => command.run(context),
        }
    }
}

/// Ends what went well, and says what was done.
fn conclude(
    sink: &mut Sink<'_>,
    args: &SinkArgs,
    meter: &Meter,
    skipped: u64,
    context: &mut Context,
) -> Result<Exit, Failure> {
    sink.finish()?;
    let summary = Summary::of(sink.summaries(), meter.elapsed(), skipped);
    if args.dry_run {
        summary.print_dry_run(sink.confirm(), &mut context.out)?;
        return Ok(Exit::Done);
    }
    let target = match context.data() {
        Some(dir) => format!(" --data {}", dir.display()),
        None => String::new(),
    };
    summary.print(&target, &mut context.out)?;
    Ok(Exit::Done)
}
