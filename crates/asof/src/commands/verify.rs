//! `asof verify`

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;

/// Read everything that a store holds and check it
///
/// Every checksum and every hash, and how the parts fit together. The store must not be open
/// elsewhere: stop its server, or verify a backup by restoring it first.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof verify --data ./asof-data

Exits with 0 where all is well and with 5 where something is not; each problem is a line.")]
pub(crate) struct Verify;

/// What was found, as JSON.
#[derive(Serialize)]
struct Found<'a> {
    rows: u64,
    versions: u64,
    commits: u64,
    problems: &'a [String],
}

impl Verify {
    pub(crate) fn run(context: &mut Context) -> Result<Exit, Failure> {
        let store = context.store()?;
        let progress = crate::progress::rows(&context.out);
        let report = store.verify(&mut |rows| progress.set_position(rows))?;
        progress.finish_and_clear();
        let out = &mut context.out;
        if out.is_json() {
            out.json(&Found {
                rows: report.rows,
                versions: report.versions,
                commits: report.commits,
                problems: &report.problems,
            })?;
        } else {
            for problem in &report.problems {
                out.line(problem)?;
            }
            let verdict = match report.problems.len() {
                0 => "all is well".to_owned(),
                1 => "1 problem".to_owned(),
                many => format!("{many} problems"),
            };
            out.line(&format!(
                "{} rows, {} versions, {} commits read: {verdict}",
                human::count(report.rows),
                human::count(report.versions),
                human::count(report.commits),
            ))?;
        }
        Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Corrupt })
    }
}
