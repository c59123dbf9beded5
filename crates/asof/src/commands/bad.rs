//! `asof bad`

use asof_api::body::BadCommitBody;
use asof_time::Sequence;
use clap::{Args, Subcommand};

use super::amend::sequence;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Mark commits as bad, so that nobody shows them to readers again by mistake
///
/// While a value of a bad commit would be read at latest, no cap is cleared, raised, or left to
/// end by itself, unless --even-bad says so. Once it is reverted or written over it is no longer
/// in the way.
#[derive(Subcommand, Debug)]
#[command(after_long_help = "\
Examples:
  asof log --after 2026-11-23T03:00:00Z --above-cap      find it
  asof bad mark 4711 --reason 'wrong prices'
  asof bad list
  asof bad unmark 4711 --reason 'they were right'")]
pub(crate) enum BadCommand {
    Mark(Mark),
    Unmark(Mark),
    /// List the commits that are marked bad
    List,
}

/// A commit, and why
#[derive(Args, Debug)]
pub(crate) struct Mark {
    /// The commit's id
    #[arg(value_parser = sequence)]
    commit: Sequence,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl BadCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let out = &mut context.out;
        match self {
            Self::Mark(mark) => {
                let bad = client.mark_bad(mark.commit, &mark.reason)?;
                show(out, &bad, "is marked bad")?;
            }
            Self::Unmark(mark) => {
                let bad = client.unmark_bad(mark.commit, &mark.reason)?;
                show(out, &bad, "is no longer marked bad")?;
            }
            Self::List => list(out, &client.bad_commits()?.bad)?,
        }
        Ok(Exit::Done)
    }
}

fn show(out: &mut Output, bad: &BadCommitBody, what: &str) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(bad);
    }
    out.line(&format!("commit {}, of {}, {what}", bad.commit.0, bad.effective.0))
}

fn list(out: &mut Output, bad: &[BadCommitBody]) -> Result<(), Failure> {
    let mut table = Table::new([
        ("COMMIT", Align::Right),
        ("EFFECTIVE", Align::Left),
        ("MARKED", Align::Left),
        ("WHO", Align::Left),
        ("REASON", Align::Left),
    ]);
    for bad in bad {
        if out.is_json() {
            out.json(bad)?;
            continue;
        }
        table.row([
            bad.commit.0.to_string(),
            bad.effective.0.to_string(),
            bad.marked.0.to_string(),
            human::one_line(&bad.author),
            human::first_line(&bad.reason),
        ]);
    }
    out.page(&mut table)
}
