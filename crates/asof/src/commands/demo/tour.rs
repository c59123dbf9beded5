//! Commands to try, run for real.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use asof_client::{Cap, Client, DiffQuery, ReadAt};
use asof_time::Timestamp;
use clap::Parser;

use super::check::moment;
use super::server::DemoServer;
use crate::cli::Cli;
use crate::context::Context;
use crate::failure::Failure;
use crate::import::git::GitSource;
use crate::output::{Format, Output};

/// Commits that are looked through for one that changes a file worth showing.
const LOOKED_THROUGH: usize = 50;

/// Lines of an output that are shown.
const LINES_MAX: usize = 8;

/// Largest file that is worth showing, in bytes.
const SHOWN_BYTES_MAX: u64 = 64 << 10;

/// Runs the commands and shows what they print.
pub(super) fn show(
    source: &GitSource,
    space: &str,
    server: &DemoServer,
    client: &Client,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut commands = vec![vec!["time".to_owned()]];
    if let Some(change) = find(source, space, client)? {
        let Change { key, before, after } = change;
        let (before, after) = (before.to_string(), after.to_string());
        for command in [
            &["ls", space, "--as-of", &before, "--limit", "5"][..],
            &["get", space, &key, "--as-of", &before],
            &["history", space, &key, "--limit", "5"],
            &["diff", space, &before, &after],
        ] {
            commands.push(command.iter().map(ToString::to_string).collect());
        }
    }
    for command in commands {
        let shown: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        out.line("")?;
        let output = run(&command, server.url())?;
        let lines: Vec<_> = output.lines().collect();
        let cut =
            if lines.len() > LINES_MAX { format!(" | head -n {LINES_MAX}") } else { String::new() };
        out.line(&format!("$ asof {}{}{cut}", shown.join(" "), server.option()))?;
        for line in lines.iter().take(LINES_MAX) {
            out.line(line)?;
        }
    }
    out.line("")
}

/// A file that changed, with the moments before and after.
struct Change {
    key: String,
    before: Timestamp,
    after: Timestamp,
}

/// The last commit that changes a file worth showing.
fn find(source: &GitSource, space: &str, client: &Client) -> Result<Option<Change>, Failure> {
    let mut fallback = None;
    for index in (1..source.len()).rev().take(LOOKED_THROUGH) {
        let Some((older, newer)) = source.id(index - 1).zip(source.id(index)) else {
            break;
        };
        let before = moment(client, space, &older.to_string())?;
        let after = moment(client, space, &newer.to_string())?;
        let query =
            DiffQuery { from: before, to: after, after: None, limit: Some(100), cap: Cap::Obey };
        let entries = client.diff(space, &query)?.entries;
        for entry in entries {
            let Some(content) = &entry.before else {
                continue;
            };
            let change = Change { key: entry.key, before, after };
            if entry.after.is_some()
                && content.bytes <= SHOWN_BYTES_MAX
                && is_text(client, space, &change)?
            {
                return Ok(Some(change));
            }
            fallback.get_or_insert(change);
        }
    }
    Ok(fallback)
}

/// Whether the file can be printed to a terminal.
fn is_text(client: &Client, space: &str, change: &Change) -> Result<bool, Failure> {
    let answer = client.get(space, &change.key, ReadAt::at(change.before))?;
    Ok(answer.found.is_some_and(|found| {
        core::str::from_utf8(&found.bytes)
            .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !"\n\t\r".contains(c)))
    }))
}

/// What a command prints, results and notes as they come.
fn run(command: &[String], url: &str) -> Result<String, Failure> {
    let words = ["asof".to_owned()].into_iter().chain(command.to_vec());
    let words = words.chain(["--server".to_owned(), url.to_owned()]);
    let cli = Cli::try_parse_from(words).map_err(|error| Failure::usage(error.to_string()))?;
    let printed = Printed::default();
    let out = Output::to(Format::Human, Box::new(printed.clone()), Box::new(printed.clone()));
    let mut context = Context::new(cli.global, out);
    crate::commands::run(cli.command, &mut context)?;
    context.out.flush()?;
    let printed = printed.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// What was printed, in memory.
#[derive(Clone, Debug, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut printed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        printed.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
