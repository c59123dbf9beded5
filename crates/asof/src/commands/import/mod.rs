//! `asof import`

mod git;
mod jsonl;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::import::meter::Meter;
use crate::import::sink::{Ending, Sink};
use crate::import::summary::Summary;

/// Fill a space with a history that exists elsewhere
///
/// The space is created, importing: nobody reads it until all is there. Then it goes live. An
/// import may be interrupted at any moment and run again: it goes on where it was. Run again
/// later, it commits what is new since.
#[derive(Subcommand, Debug)]
pub(crate) enum ImportCommand {
    Git(git::ImportGit),
    Jsonl(jsonl::ImportJsonl),
}

/// What all sources take.
#[derive(Args, Clone, Copy, Debug)]
struct EndingArgs {
    /// Leave the space importing, for more to come; `asof space live` ends it
    #[arg(long)]
    keep_importing: bool,
}

impl EndingArgs {
    fn ending(self) -> Ending {
        if self.keep_importing { Ending::KeepImporting } else { Ending::GoLive }
    }
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
    meter: &Meter,
    skipped: u64,
    context: &mut Context,
) -> Result<Exit, Failure> {
    sink.finish()?;
    let summary = Summary::of(sink.summaries(), meter.elapsed(), skipped);
    let target = match context.data() {
        Some(dir) => format!(" --data {}", dir.display()),
        None => String::new(),
    };
    summary.print(&target, &mut context.out)?;
    Ok(Exit::Done)
}
