//! `asof pin`

use core::time::Duration;

use asof_api::body::{PinBody, PinRequest};
use asof_time::Timestamp;
use clap::{Args, Subcommand};

use super::cap::dry;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Hold a moment readable, as a batch job does while it works
#[derive(Subcommand, Debug)]
pub(crate) enum PinCommand {
    Create(Create),
    /// List the live pins, with the bytes that retention would drop if it were not for them
    ///
    /// What a pin holds back counts as if it were alone: two pins of one moment hold back the
    /// same bytes, and both must go before retention drops them.
    List,
    Release(Release),
}

/// Create a pin, or renew it
///
/// While the pin lives, retention drops nothing that is needed to read its moment. A renewal
/// keeps the moment.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof pin create nightly --ttl 12h --reason 'nightly report'
  asof pin create audit-2026 --at 2026-01-01T00:00:00Z --ttl 30d --dry-run
  asof pin create audit-2026 --at 2026-01-01T00:00:00Z --ttl 30d --json | jq .at")]
pub(crate) struct Create {
    /// Its name
    name: String,
    /// How long until it lapses: 90s, 15m, 12h, 30d, 2w
    #[arg(long, value_name = "DURATION", value_parser = human::parse_duration)]
    ttl: Duration,
    /// The moment; latest where left out
    #[arg(long, value_name = "T")]
    at: Option<Timestamp>,
    /// Who holds it [default: the author]
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only say what it would hold, and the bytes that retention would drop now without it
    #[arg(long)]
    dry_run: bool,
}

/// Release a pin
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof pin release nightly
  asof pin release audit-2026 --reason 'audit is over' --dry-run")]
pub(crate) struct Release {
    /// Its name
    name: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Only show the pin that it would release
    #[arg(long)]
    dry_run: bool,
}

impl PinCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        match self {
            Self::Create(create) => {
                let pin = client.create_pin(
                    &create.name,
                    &PinRequest {
                        owner: create.owner.unwrap_or_else(|| context.author()),
                        reason: create.reason,
                        at: create.at.map(Into::into),
                        ttl_seconds: create.ttl.as_secs(),
                    },
                    dry(create.dry_run),
                )?;
                let out = &mut context.out;
                if out.is_json() {
                    out.json(&pin)?;
                } else {
                    let verb = if create.dry_run { "would hold" } else { "holds" };
                    let held = pin.held_bytes.map(|bytes| {
                        format!("; retention would drop {} without it now", human::size(bytes))
                    });
                    out.line(&format!(
                        "pin {} {verb} {} until {}{}",
                        pin.name,
                        pin.at.0,
                        pin.expires.0,
                        held.unwrap_or_default()
                    ))?;
                }
            }
            Self::List => show_all(&mut context.out, &client.pins_held()?.pins)?,
            Self::Release(release) => {
                let dry_run = dry(release.dry_run);
                let outcome = client.release_pin(&release.name, &release.reason, dry_run)?;
                let out = &mut context.out;
                if out.is_json() {
                    out.json(&outcome)?;
                } else {
                    let verb = if outcome.dry_run { "would let" } else { "lets" };
                    let pin = &outcome.pin;
                    out.line(&format!("pin {} {verb} go of {}", pin.name, pin.at.0))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn show_all(out: &mut Output, pins: &[PinBody]) -> Result<(), Failure> {
    let mut table = Table::new([
        ("PIN", Align::Left),
        ("AT", Align::Left),
        ("EXPIRES", Align::Left),
        ("HOLDS BACK", Align::Right),
        ("OWNER", Align::Left),
        ("REASON", Align::Left),
    ]);
    for pin in pins {
        if out.is_json() {
            out.json(pin)?;
            continue;
        }
        table.row([
            human::one_line(&pin.name),
            pin.at.0.to_string(),
            pin.expires.0.to_string(),
            human::size(pin.held_bytes.unwrap_or(0)),
            human::one_line(&pin.owner),
            human::first_line(&pin.reason),
        ]);
    }
    out.page(&mut table)
}
