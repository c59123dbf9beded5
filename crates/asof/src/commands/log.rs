//! `asof log`

use core::ops::ControlFlow;
use core::str::FromStr;
use core::time::Duration;

use asof_api::Cursor;
use asof_api::body::{CommitBody, ControlBody, FeedEvent, FeedMessage};
use asof_client::{Client, CommitsQuery, Pause};
use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use clap::Args;

use super::cap::cap;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::{self, Output};
use crate::table::{Align, Table};

/// Show the commits that took effect, or wait for those to come
///
/// Oldest first. With --follow it goes on from what was shown last, across restarts of the
/// server, until it is stopped; each commit is shown once.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof log
  asof log --after 2026-11-01T00:00:00Z --space prices
  asof log --pending                           what is scheduled, soonest first
  asof log --follow                            from now on
  asof log --follow --after 2026-11-01T00:00:00Z --json
  asof log --follow --after 1c8f03a55b2e90.1793491200000000.17.3     from a cursor of an earlier run")]
pub(crate) struct Log {
    /// Only what took effect after this moment, or after this cursor of the feed
    #[arg(long, value_name = "T")]
    after: Option<After>,
    /// Only commits that touch this space; may be given several times
    #[arg(long, value_name = "SPACE")]
    space: Vec<String>,
    /// Show what is scheduled and still to take effect
    #[arg(long, conflicts_with = "follow")]
    pending: bool,
    /// Show what the cap holds back too; takes an operator
    #[arg(long, conflicts_with = "follow")]
    above_cap: bool,
    /// Wait for what is to come; from now on unless --after says otherwise
    #[arg(long, short)]
    follow: bool,
}

/// A place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// After everything that took effect at this moment.
    Moment(Timestamp),
    /// After what the bearer of this cursor saw last.
    Cursor(Cursor),
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A cursor is the server's to read; it is told from a moment by its shape.
        if matches!(text.matches('.').count(), 2 | 3) && !text.contains(':') {
            return Ok(Self::Cursor(Cursor(text.to_owned())));
        }
        text.parse().map(Self::Moment).map_err(|error| format!("{error}, or a cursor of the feed"))
    }
}

impl After {
    fn cursor(self, control: u64) -> Cursor {
        match self {
            Self::Moment(at) => Cursor::after_snapshot(at, control),
            Self::Cursor(cursor) => cursor,
        }
    }
}

type LogTable = Table<6>;

fn table() -> LogTable {
    Table::new([
        ("EFFECTIVE", Align::Left),
        ("COMMIT", Align::Right),
        ("AUTHOR", Align::Left),
        ("WRITES", Align::Right),
        ("SPACES", Align::Left),
        ("MESSAGE", Align::Left),
    ])
}

impl Log {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        if self.follow {
            return self.follow(&client, context);
        }
        let out = &mut context.out;
        let mut table = table();
        let mut query = CommitsQuery {
            after: self.after.map(|after| after.cursor(0)),
            spaces: self.space,
            limit: None,
            cap: cap(self.above_cap),
        };
        loop {
            let page =
                if self.pending { client.pending(&query)? } else { client.commits(&query)? };
            for commit in &page.commits {
                if out.is_json() {
                    out.json(commit)?;
                } else {
                    table.row(commit_row(commit));
                }
            }
            out.page(&mut table)?;
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(Exit::Done),
            }
        }
    }

    fn follow(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let out = &mut context.out;
        // What the operators did before is not part of the news, unless a cursor asks for it.
        let time = client.time()?;
        let after =
            self.after.unwrap_or(After::Moment(time.latest.0)).cursor(time.control_sequence);
        let mut table = table();
        for message in client.follow(after, self.space, pause())? {
            let message = message?;
            show_message(out, &mut table, &message)?;
            out.page(&mut table)?;
        }
        Ok(Exit::Done)
    }
}

/// Sleeps, and says so once the connection has been gone for a while.
fn pause() -> Pause {
    const WORTH_A_WORD: Duration = Duration::from_secs(1);
    Box::new(|error, pause| {
        if pause >= WORTH_A_WORD {
            output::warn(&format!("{}; trying again in {pause:?}", error.message()));
        }
        SystemClock.sleep(pause);
        ControlFlow::Continue(())
    })
}

fn show_message(
    out: &mut Output,
    table: &mut LogTable,
    message: &FeedMessage,
) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(message);
    }
    match &message.event {
        FeedEvent::Commit { commit } => table.row(commit_row(commit)),
        FeedEvent::Control { control } => table.row(control_row(control)),
        // They only move the frontier, which people do not watch.
        FeedEvent::Heartbeat | FeedEvent::End { .. } => {}
    }
    Ok(())
}

fn commit_row(commit: &CommitBody) -> [String; 6] {
    let mut spaces: Vec<&str> = commit
        .writes
        .iter()
        .map(|write| write.space.as_str())
        .chain(commit.opened.iter().map(String::as_str))
        .collect();
    spaces.sort_unstable();
    spaces.dedup();
    let opened = match commit.opened.as_slice() {
        [] => String::new(),
        opened => format!("({} went live) ", opened.join(", ")),
    };
    [
        commit.effective.0.to_string(),
        commit.id.0.to_string(),
        human::one_line(&commit.author),
        human::count(commit.writes.len() as u64),
        spaces.join(","),
        format!("{opened}{}", human::first_line(&commit.message)),
    ]
}

fn control_row(control: &ControlBody) -> [String; 6] {
    let what =
        format!("{} {}: {} {}", control.action, control.subject, control.detail, control.reason);
    [
        control.at.0.to_string(),
        "-".to_owned(),
        human::one_line(&control.by),
        "-".to_owned(),
        "-".to_owned(),
        human::first_line(what.trim_end()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_is_a_moment_or_a_cursor() {
        let at = Timestamp::from_micros(7_000_000).unwrap();
        assert_eq!("7000000".parse(), Ok(After::Moment(at)));
        assert_eq!("1970-01-01T00:00:07Z".parse(), Ok(After::Moment(at)));
        let cursor = Cursor("7000000.3.1".to_owned());
        assert_eq!("7000000.3.1".parse(), Ok(After::Cursor(cursor.clone())));
        assert_eq!(After::Cursor(cursor.clone()).cursor(9), cursor);
        assert!("7000000.3".parse::<After>().is_err());
        assert!("yesterday".parse::<After>().is_err());
    }
}
