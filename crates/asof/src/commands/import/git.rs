//! `asof import git`

use std::path::PathBuf;

use asof_api::body::{SpaceBody, SpaceStateName};
use asof_client::Client;
use asof_time::Timestamp;
use asof_time::limits::VALUE_BYTES_MAX_DEFAULT;
use clap::Args;

use super::{SinkArgs, conclude};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::import::git::{GitSource, Imported, Survey};
use crate::import::git_batches::GitBatches;
use crate::import::git_resume;
use crate::import::meter::{Meter, Total};
use crate::import::pipeline;
use crate::import::refusal::refused;
use crate::import::sink::Naming;
use crate::import::stop::Stop;
use crate::output::Output;

/// Unsupported entries that are shown; the rest are counted.
const SHOWN_MAX: usize = 20;

/// Import the history of a git repository
///
/// A key is a path, its value the file. There is a commit for each first-parent commit of the
/// revision, at its committer's time: what a branch brought in arrives with its merge.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof import git . --space source
  asof import git ~/prices --rev main --space prices
  asof import git . --space source --data ./asof-data     without a server
  asof import git . --space source --dry-run
  asof import git . --space source --confirm 48213-keys

Run again after new commits were made, it commits them now, with the times they had.")]
pub(crate) struct ImportGit {
    /// The repository, or a folder in it
    repo: PathBuf,
    /// The space it fills
    #[arg(long, value_name = "NAME")]
    space: String,
    /// The revision whose first parents are imported
    #[arg(long, default_value = "HEAD")]
    rev: String,
    /// Leave out what no store can hold: submodules, files that are too large, paths that are
    /// too long or not UTF-8
    #[arg(long)]
    skip: bool,
    /// Largest value the store takes, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = VALUE_BYTES_MAX_DEFAULT as u64)]
    value_bytes_max: u64,
    #[command(flatten)]
    to: SinkArgs,
}

impl ImportGit {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let source = GitSource::open(&self.repo, &self.rev)?;
        let client = self.to.client(context)?;
        let stop = Stop::on_signals()?;
        let mut sink = self.to.sink(&client, Naming::Ids);
        if source.is_shallow() {
            context
                .out
                .note("the clone is shallow: its oldest commit stands for all that was before it");
        }
        // Before anything is created, as far as it can be told.
        let survey = survey(&source, &client, &self.space, self.value_bytes_max)?;
        judge(&survey, self.skip, &mut context.out)?;
        let space = sink.open(&self.space)?;
        let start = start(&source, space.as_ref(), &client)?;
        sink.begins_after_known(&self.space, start.known);

        let count = source.count(start.after.as_ref())? as u64;
        let commits = source.commits(start.after.as_ref(), start.now, self.value_bytes_max)?;
        let batches = GitBatches::new(commits, self.space);
        let mut meter = Meter::start(Total::Commits(count), &context.out);
        pipeline::run(batches, &mut sink, &mut meter, &stop, &mut context.out)?;
        conclude(&mut sink, &self.to, &meter, survey.total, context)
    }
}

/// What is to be imported.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// What is there already.
    after: Option<Imported>,
    known: u64,
    /// The time at the store.
    now: Timestamp,
}

/// Where the import of `source` into `space` goes on.
fn start(source: &GitSource, space: Option<&SpaceBody>, client: &Client) -> Result<Start, Failure> {
    let now = client.time()?.closed.0;
    let Some(space) = space else {
        return Ok(Start { after: None, known: 0, now });
    };
    if space.state == SpaceStateName::Live {
        let resume = git_resume::find(source, &space.name, client)?;
        return Ok(Start {
            after: Some(resume.last),
            known: resume.known,
            now: now.max(resume.effective),
        });
    }
    let progress = space.import.as_ref();
    let progress = progress.filter(|progress| progress.commits > 0);
    let Some(progress) = progress else {
        return Ok(Start { after: None, known: 0, now });
    };
    let last = progress.last_source.as_deref();
    let id = last.and_then(|last| last.parse().ok());
    let Some((id, at)) = id.zip(progress.last_at) else {
        return Err(refused(format!(
            "space `{}` is being filled from something that is no git repository",
            space.name
        )));
    };
    Ok(Start {
        after: Some(Imported { id, at: at.0 }),
        known: progress.commits,
        now: now.max(at.0),
    })
}

/// Looks for what no store can hold in the commits that are to be imported.
fn survey(
    source: &GitSource,
    client: &Client,
    space: &str,
    value_bytes_max: u64,
) -> Result<Survey, Failure> {
    let after = match client.space(space) {
        Ok(space) => start(source, Some(&space), client)?.after,
        Err(error) if error.name() == asof_api::ErrorName::UnknownSpace => None,
        Err(error) => return Err(error.into()),
    };
    Ok(source.survey(after.as_ref(), value_bytes_max)?)
}

/// Lists what cannot be imported, and refuses unless it may be skipped.
fn judge(survey: &Survey, skip: bool, out: &mut Output) -> Result<(), Failure> {
    if survey.total == 0 {
        return Ok(());
    }
    for entry in survey.listed.iter().take(SHOWN_MAX) {
        let commit: String = entry.commit.to_string().chars().take(12).collect();
        out.note(&format!("  {} {} (commit {commit})", human::one_line(&entry.path), entry.reason));
    }
    if survey.listed.len() > SHOWN_MAX {
        let more = survey.listed.len() - SHOWN_MAX;
        out.note(&format!("  and {} more paths", human::count(more as u64)));
    }
    if skip {
        return Ok(());
    }
    Err(refused(format!(
        "{} entries of the history cannot be held by a store; nothing was imported. Pass --skip \
         to leave them out",
        human::count(survey.total)
    )))
}
