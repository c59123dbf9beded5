//! `asof run`

mod child;

use core::time::Duration;
use std::ffi::OsString;

use asof_api::Moment;
use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use clap::Args;
use serde::Serialize;

use self::child::{Ended, Environment};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::hold::{Hold, IfThere, Release, Request};
use crate::human;

/// The exit code for a failure of `asof run` itself, as `env` and `timeout` have it.
pub(crate) const OWN_FAILURE: u8 = 125;

/// How long the pin lives on where nobody renews it, unless told otherwise.
const HOLD_DEFAULT: &str = "1h";

/// Run a command that sees one moment while writers go on
///
/// Latest is pinned and handed to the command as `ASOF_AS_OF`, which `asof get`, `ls`, `history`
/// and `export` take as the default of --as-of; `ASOF_SERVER` says where the store is, and
/// `ASOF_EDGE` where the edge is, if that is known. The pin is renewed while the command lives and released
/// after it. SIGINT, SIGTERM and SIGHUP are passed on to the command.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof run --freeze -- ./nightly-report.sh
  asof run --freeze --for 2h --reason 'nightly report' -- python3 report.py
  asof run --freeze --at 2026-11-01T00:00:00Z -- asof ls prices
  asof run --freeze --edge http://127.0.0.1:7480 -- sh -c \\
    'curl -H \"As-Of: $ASOF_AS_OF\" \"$ASOF_EDGE/report\"'

Exits with the code of the command (128 and the number of the signal where one ended it), with
  125 where asof run itself failed: the moment could not be pinned, or the pin was lost
  126 where the command cannot be executed
  127 where there is no such command")]
pub(crate) struct Run {
    /// Hold one moment for as long as the command runs
    #[arg(long, required = true)]
    freeze: bool,
    /// How long the moment stays held should this process die or lose the server
    #[arg(long = "for", value_name = "DURATION", default_value = HOLD_DEFAULT,
        value_parser = human::parse_duration)]
    ttl: Duration,
    /// The moment; latest where left out. Within a frozen batch it is that of the batch
    #[arg(long, env = "ASOF_AS_OF", value_name = "T")]
    at: Option<Timestamp>,
    /// Where the edge is, for the command
    #[arg(long, env = "ASOF_EDGE", value_name = "URL")]
    edge: Option<String>,
    /// The name of the pin [default: a new one, `run-...`]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Why, for the list of pins and the audit [default: the command]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How it went, as JSON on standard error.
#[derive(Serialize)]
struct Report<'a> {
    pin: &'a str,
    as_of: Moment,
    seconds: f64,
    code: u8,
    held: bool,
}

impl Run {
    pub(crate) fn run(self, context: &mut Context) -> Exit {
        self.held(context).unwrap_or_else(|failure| {
            // Told apart from what the command says.
            failure.report(&mut context.out);
            Exit::Of(OWN_FAILURE)
        })
    }

    fn held(self, context: &mut Context) -> Result<Exit, Failure> {
        let Some(server) = context.server() else {
            return Err(Failure::usage(
                "asof run needs a server: the command could not open the folder while this \
                 process has it open. Start `asof serve --data DIR` and pass --server URL",
            ));
        };
        let clock = SystemClock;
        let name = self
            .name
            .unwrap_or_else(|| format!("run-{}-{}", std::process::id(), clock.wall().as_micros()));
        let shown = human::one_line(&self.command.join(" ".as_ref()).to_string_lossy());
        let reason = self.reason.unwrap_or_else(|| format!("asof run: {shown}"));
        let (owner, if_there) = (context.author(), IfThere::Refuse);
        let request = Request { name, owner, reason, at: self.at, ttl: self.ttl, if_there };
        let hold = Hold::take(context.client()?, request)?;
        let (name, at) = (hold.name().to_owned(), hold.at());
        if !context.out.is_json() {
            context.out.note(&format!("frozen at {at} by pin {name}"));
        }
        context.out.flush()?;

        let began = clock.boot();
        let environment = Environment { as_of: at, server, edge: self.edge };
        let ended = child::run(&self.command, &environment);
        let took = clock.boot().since(began);
        let released = hold.release();
        let ended = ended?;
        report(context, &Outcome { name: &name, at, shown: &shown, took, ended, released })
    }
}

/// All that there is to say at the end.
struct Outcome<'a> {
    name: &'a str,
    at: Timestamp,
    shown: &'a str,
    took: Duration,
    ended: Ended,
    released: Release,
}

fn report(context: &mut Context, outcome: &Outcome<'_>) -> Result<Exit, Failure> {
    let Outcome { name, at, shown, took, ended, released } = outcome;
    let held = !matches!(released, Release::Lost(_));
    let code = if held { ended.code() } else { OWN_FAILURE };
    let out = &mut context.out;
    if out.is_json() {
        let (pin, as_of) = (*name, Moment::from(*at));
        out.problem(&Report { pin, as_of, seconds: took.as_secs_f64(), code, held });
    } else {
        let seconds = took.as_secs_f64();
        let pin = match released {
            Release::Done => "its pin is released".to_owned(),
            Release::Lapses(why) => format!("its pin could not be released and lapses: {why}"),
            Release::Lost(_) => "its pin was lost".to_owned(),
        };
        let how = ended.describe(shown);
        out.note(&format!("{how} after {seconds:.1} s at {at}; {pin}"));
    }
    if let Release::Lost(why) = released {
        return Err(Failure::unavailable(format!(
            "pin {name} was lost while the command ran, so not all that it read need be of {at}: \
             {why}. Run it again, with a longer --for"
        )));
    }
    Ok(Exit::Of(code))
}
