//! `asof demo`

mod check;
mod server;
mod system;
mod tour;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asof_client::{Client, HttpTransport, Trust};
use asof_env::{Clock, SystemClock};
use asof_time::limits::VALUE_BYTES_MAX_DEFAULT;
use clap::Args;
use serde::Serialize;
use tempfile::TempDir;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::import::git::{ErrorKind, GitSource};
use crate::import::git_batches::GitBatches;
use crate::import::meter::{Meter, Total};
use crate::import::pipeline;
use crate::import::sink::{Ending, Naming, Sink};
use crate::import::stop::Stop;
use crate::import::summary::Summary;
use crate::testrepo::{self, Hash};
use check::Verdict;
use server::DemoServer;
use system::{Bench, Writes};

/// The space that the history goes into.
const SPACE: &str = "repo";

/// Commits of the history that is made up where there is none.
const MADE_UP_COMMITS: usize = 2_000;

/// How often it is looked whether to stop.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Show the whole system, with the history of a git repository
///
/// Imports the repository into a store in a scratch folder, checks answers against git, and runs
/// a few commands. Then it puts three layers of services behind an edge, reads pages of them
/// while files and settings change, and compares with no cache, with a TTL, and with a timestamp
/// in the key: every answer is held against a run without any cache. It stays up until Ctrl-C.
///
/// One service is in Python and one in Node where these are there, otherwise all are in Rust.
/// Where there is no history to import it makes one up.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof demo                 the repository of this folder
  asof demo ~/src/linux
  asof demo --exit          check, and do not stay up
  asof demo --writes 10     ten writes for a hundred reads")]
pub(crate) struct Demo {
    /// The repository, or a folder in it [default: where it is run]
    repo: Option<PathBuf>,
    /// The revision whose first parents are imported
    #[arg(long, default_value = "HEAD")]
    rev: String,
    /// End once all was shown
    #[arg(long)]
    exit: bool,
    /// How long each contestant is under load
    #[arg(long, value_name = "SECONDS", default_value = "8")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Writes for 100 reads, by the readers themselves [default: ten writes a second beside them]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    writes: Option<u8>,
}

/// What was shown, as JSON.
#[derive(Serialize)]
struct DemoLine<'a> {
    server: &'a str,
    space: &'a str,
    import: Summary,
    checked: u64,
    agreed: u64,
    /// Where the edge listens, if there was something to serve.
    edge: Option<String>,
    contestants: &'a [system::Line],
}

impl Demo {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let stop = Stop::on_signals()?;
        let scratch = tempfile::Builder::new().prefix("asof-demo-").tempdir()?;
        let source = self.source(scratch.path(), context)?;
        let server = DemoServer::start(&scratch.path().join("store"))?;
        let transport =
            HttpTransport::new(server.url(), &Trust::System).map_err(asof_client::Error::from)?;
        let client = Client::new(Arc::new(transport)).with_author(context.author());

        let summary = import(&source, &client, &stop, context)?;
        let verdict = check::check(&source, SPACE, &client)?;
        if !context.out.is_json() {
            report(&verdict, context)?;
            tour::show(&source, SPACE, &server, &client, &mut context.out)?;
        }
        let bench = Bench {
            length: Duration::from_secs(self.seconds.into()),
            writes: self.writes.map_or(Writes::Beside, Writes::Percent),
        };
        let (url, path) = (server.url(), scratch.path());
        let system = system::run(SPACE, &client, url, path, bench, &stop, context)?;
        if context.out.is_json() {
            context.out.json(&DemoLine {
                server: server.url(),
                space: SPACE,
                import: summary,
                checked: verdict.checked,
                agreed: verdict.agreed,
                edge: system.as_ref().map(|system| format!("http://{}", system.ingress)),
                contestants: system.as_ref().map_or(&[], |system| &system.lines),
            })?;
        } else if let Some(system) = &system {
            system::show(system, context)?;
        }
        context.out.flush()?;
        verdict.judge()?;
        if !self.exit {
            stay(&server, system.as_ref(), scratch, &stop, context)?;
        }
        Ok(Exit::Done)
    }

    /// The history to show.
    fn source(&self, scratch: &Path, context: &mut Context) -> Result<GitSource, Failure> {
        let repo = self.repo.as_deref().unwrap_or(Path::new("."));
        let error = match GitSource::open(repo, &self.rev) {
            Ok(source) => {
                let commits = human::count(source.len() as u64);
                say(context, &format!("importing {commits} commits of git"))?;
                return Ok(source);
            }
            Err(error) => error,
        };
        let nothing_here = matches!(error.kind(), ErrorKind::NotARepository | ErrorKind::NoCommits);
        if self.repo.is_some() || !nothing_here {
            return Err(error.into());
        }
        let commits = human::count(MADE_UP_COMMITS as u64);
        say(
            context,
            &format!("there is no git history here; importing {commits} made-up commits"),
        )?;
        let folder = scratch.join("made-up.git");
        testrepo::build(&folder, MADE_UP_COMMITS, Hash::Sha1)?;
        Ok(GitSource::open(&folder, "HEAD")?)
    }
}

fn import(
    source: &GitSource,
    client: &Client,
    stop: &Stop,
    context: &mut Context,
) -> Result<Summary, Failure> {
    let value_bytes_max = VALUE_BYTES_MAX_DEFAULT as u64;
    let skipped = source.survey(None, value_bytes_max)?.total;
    let mut sink = Sink::new(client, Ending::GoLive, Naming::Ids);
    sink.open(SPACE)?;
    let now = client.time()?.closed.0;
    let commits = source.commits(None, now, value_bytes_max)?;
    let batches = GitBatches::new(commits, SPACE.to_owned());
    let mut meter = Meter::start(Total::Commits(source.len() as u64), &context.out);
    pipeline::run(batches, &mut sink, &mut meter, stop, &mut context.out)?;
    sink.finish()?;
    let summary = Summary::of(sink.summaries(), meter.elapsed(), skipped);
    if !context.out.is_json() {
        summary.print_facts(&mut context.out)?;
    }
    Ok(summary)
}

fn report(verdict: &Verdict, context: &mut Context) -> Result<(), Failure> {
    say(
        context,
        &format!(
            "asked git and the store for {} pairs of path and moment: {} agreed",
            human::count(verdict.checked),
            human::count(verdict.agreed)
        ),
    )
}

/// Serves until it is told to stop.
fn stay(
    server: &DemoServer,
    system: Option<&system::System>,
    scratch: TempDir,
    stop: &Stop,
    context: &mut Context,
) -> Result<(), Failure> {
    if let Some(system) = system {
        let (edge, admin) = (system.ingress, system.admin);
        say(
            context,
            &format!("the edge is at http://{edge}, its report at http://{admin}/report"),
        )?;
    }
    say(
        context,
        &format!("the store is at {} until Ctrl-C; then all of it is gone", server.url()),
    )?;
    while !stop.is_asked() {
        SystemClock.sleep(LOOK_INTERVAL);
    }
    drop(scratch);
    Ok(())
}

fn say(context: &mut Context, line: &str) -> Result<(), Failure> {
    if !context.out.is_json() {
        context.out.line(line)?;
        context.out.flush()?;
    }
    Ok(())
}
