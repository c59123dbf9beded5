//! `asof time`

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::show;

/// Show where the store is in time
///
/// epoch   the timeline; a restore starts a new one
/// floor   the earliest moment at which every space can be read
/// closed  nothing will ever again take effect at or below it
/// cap     the operator's ceiling, where there is one
/// latest  what "now" resolves to: the smaller of closed and cap
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_long_help = "\
Examples:
  asof time
  asof time --json | jq .latest
  asof time accept-clock --reason 'NTP had been off, the clock is right now'"
)]
pub(crate) struct Time {
    #[command(subcommand)]
    command: Option<TimeCommand>,
}

#[derive(Subcommand, Debug)]
enum TimeCommand {
    AcceptClock(AcceptClock),
}

/// Accept the server's clock as it is, after it jumped and the store turned read-only
///
/// Make sure first that the clock is right: commits are stamped with it for ever.
#[derive(Args, Debug)]
struct AcceptClock {
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Time {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let time = match self.command {
            None => client.time()?,
            Some(TimeCommand::AcceptClock(accept)) => client.accept_clock(&accept.reason)?,
        };
        show::time(&mut context.out, &time)?;
        Ok(Exit::Done)
    }
}
