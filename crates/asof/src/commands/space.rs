//! `asof space`

use core::time::Duration;

use asof_api::body::{RetentionBody, SpaceBody, SpaceStateName};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::cap::dry;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::show;
use crate::table::{Align, Table};

/// Make, list and tend spaces
#[derive(Subcommand, Debug)]
pub(crate) enum SpaceCommand {
    Create(Create),
    /// List the spaces
    List,
    Live(Live),
    Retention(RetentionArgs),
    Usage(Usage),
    Erasable(MarkErasable),
}

/// Create a space
///
/// A space is live at once, unless its history is to be imported first. Writing into a space
/// that does not exist creates it too.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof space create prices
  asof space create archive --importing      then import its history, then `asof space live`")]
pub(crate) struct Create {
    /// Its name: 1 to 64 of a-z 0-9 . _ -
    space: String,
    /// Nobody reads it until its history is imported and it goes live
    #[arg(long)]
    importing: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Take a space live whose history is imported
///
/// From then on it is read, and every write takes effect now or later. There is no way back.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof space live archive --reason 'import complete'")]
pub(crate) struct Live {
    /// The space
    space: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Show or change what is kept of a space's history
///
/// What is dropped cannot be read any more, by anybody: try it with --dry-run first. Pins hold
/// history back.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof space retention prices                           show it
  asof space retention prices --keep 90d --dry-run      which floor it would lead to
  asof space retention prices --keep 90d
  asof space retention prices --dense 90d --every 1d    below 90 days, one state a day
  asof space retention prices --keep-all")]
pub(crate) struct RetentionArgs {
    /// The space
    space: String,
    /// Keep all of it
    #[arg(long, conflicts_with_all = ["keep", "dense"])]
    keep_all: bool,
    /// Keep everything younger than this
    #[arg(long, value_name = "AGE", value_parser = human::parse_duration, conflicts_with = "dense")]
    keep: Option<Duration>,
    /// Keep everything younger than this, and of what is older a state now and then
    #[arg(long, value_name = "AGE", value_parser = human::parse_duration, requires = "every")]
    dense: Option<Duration>,
    /// How far these states are apart
    #[arg(long, value_name = "DURATION", value_parser = human::parse_duration, requires = "dense")]
    every: Option<Duration>,
    /// Only say which floor it would lead to
    #[arg(long)]
    dry_run: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Count what a space holds
///
/// The space is walked from end to end, which takes a while where it is large.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof space usage prices")]
pub(crate) struct Usage {
    /// The space
    space: String,
}

/// Foresee that keys of a space are erased some day
///
/// From then on nobody is told that an answer of it stays as it is, so no HTTP cache in front keeps
/// one for longer than it is asked; and a restored backup asks what was erased since. There is no
/// way back. A space from which a key was erased is one of these.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof space erasable users --reason 'holds personal data'")]
pub(crate) struct MarkErasable {
    /// The space
    space: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// What a retention leads to, as JSON.
#[derive(Serialize)]
struct RetentionLine<'a> {
    space: &'a str,
    retention: RetentionBody,
    floor: asof_api::Moment,
    dry_run: bool,
}

impl SpaceCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self {
            Self::Create(command) => command.run(context),
            Self::List => list(context),
            Self::Live(command) => command.run(context),
            Self::Retention(command) => command.run(context),
            Self::Usage(command) => command.run(context),
            Self::Erasable(command) => command.run(context),
        }
    }
}

impl Create {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let state = if self.importing { SpaceStateName::Importing } else { SpaceStateName::Live };
        let space = context.client_of_new()?.create_space(&self.space, state, &self.reason)?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&space)?;
        } else {
            let state = state_word(&space);
            out.line(&format!("space {} is {state}", space.name))?;
        }
        Ok(Exit::Done)
    }
}

impl Live {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let receipt = context.client()?.go_live(&self.space, &self.reason)?;
        if !context.out.is_json() {
            context.out.line(&format!("space {} is live", self.space))?;
        }
        show::receipt(&mut context.out, &receipt, show::When::Now)?;
        Ok(Exit::Done)
    }
}

impl RetentionArgs {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let (retention, floor) = if let Some(retention) = self.wanted() {
            let dry_run = dry(self.dry_run);
            let outcome = client.set_retention(&self.space, &retention, &self.reason, dry_run)?;
            (retention, outcome.floor)
        } else {
            let space = client.space(&self.space)?;
            (space.retention, space.floor)
        };
        let out = &mut context.out;
        if out.is_json() {
            out.json(&RetentionLine {
                space: &self.space,
                retention,
                floor,
                dry_run: self.dry_run,
            })?;
        } else {
            let kept = retention_words(&retention);
            let would = if self.dry_run { "would be " } else { "" };
            out.line(&format!("of space {} {would}kept: {kept}; floor {}", self.space, floor.0))?;
        }
        Ok(Exit::Done)
    }

    /// What is asked for; `None` where it is only to be shown.
    fn wanted(&self) -> Option<RetentionBody> {
        if self.keep_all {
            return Some(RetentionBody::ALL);
        }
        if let Some(keep) = self.keep {
            return Some(RetentionBody::KeepFor { keep_seconds: keep.as_secs() });
        }
        let (dense, every) = self.dense.zip(self.every)?;
        Some(RetentionBody::Sparse {
            dense_seconds: dense.as_secs(),
            every_seconds: every.as_secs(),
        })
    }
}

impl MarkErasable {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let space = context.client()?.set_erasable(&self.space, &self.reason)?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&space)?;
        } else {
            out.line(&format!("keys of space {} may be erased", space.name))?;
        }
        Ok(Exit::Done)
    }
}

impl Usage {
    fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let usage = context.client()?.usage(&self.space)?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&usage)?;
            return Ok(Exit::Done);
        }
        for (name, value) in [
            ("live keys", human::count(usage.live_keys)),
            ("keys", human::count(usage.keys)),
            ("erased", human::count(usage.erased_keys)),
            ("versions", human::count(usage.versions)),
            ("values", human::size(usage.value_bytes)),
        ] {
            out.line(&format!("{name:<11}{value}"))?;
        }
        Ok(Exit::Done)
    }
}

fn list(context: &mut Context) -> Result<Exit, Failure> {
    let spaces = context.client()?.spaces()?.spaces;
    let out = &mut context.out;
    let mut table = Table::new([
        ("SPACE", Align::Left),
        ("STATE", Align::Left),
        ("SINCE", Align::Left),
        ("FLOOR", Align::Left),
        ("KEPT", Align::Left),
    ]);
    for space in &spaces {
        show_space(out, &mut table, space)?;
    }
    out.page(&mut table)?;
    if spaces.is_empty() && !out.is_json() {
        out.note("no spaces yet: `asof put` or `asof space create` makes one");
    }
    Ok(Exit::Done)
}

fn show_space(out: &mut Output, table: &mut Table<5>, space: &SpaceBody) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(space);
    }
    table.row([
        space.name.clone(),
        state_word(space).to_owned(),
        show::moment_or_dash(space.since),
        space.floor.0.to_string(),
        retention_words(&space.retention),
    ]);
    Ok(())
}

fn state_word(space: &SpaceBody) -> &'static str {
    match space.state {
        SpaceStateName::Importing => "importing",
        SpaceStateName::Live => "live",
    }
}

fn retention_words(retention: &RetentionBody) -> String {
    match retention {
        RetentionBody::All(_) => "all".to_owned(),
        RetentionBody::KeepFor { keep_seconds } => human::duration(*keep_seconds),
        RetentionBody::Sparse { dense_seconds, every_seconds } => format!(
            "{}, then one state every {}",
            human::duration(*dense_seconds),
            human::duration(*every_seconds)
        ),
    }
}
