//! `asof amend`

use std::path::PathBuf;

use asof_api::body::{AmendRequest, WriteRequest};
use asof_time::limits::COMMIT_BYTES_MAX;
use asof_time::{Sequence, Timestamp};
use clap::Args;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{files, show};

/// Change a commit that is still pending
///
/// It keeps its id. A commit that took effect is history and cannot be changed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof log --pending
  asof amend 17 --effective-at 2027-02-01T00:00:00Z
  asof amend 17 --message 'agreed with sales'
  asof amend 17 --file release.json            new writes in place of all the old ones")]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Amend {
    /// The commit's id
    #[arg(value_parser = sequence)]
    commit: Sequence,
    /// A new future moment
    #[arg(long, value_name = "T", group = "change")]
    effective_at: Option<Timestamp>,
    /// A new message
    #[arg(long, short, value_name = "TEXT", group = "change")]
    message: Option<String>,
    /// New writes, as for `asof commit`; `-` for standard input
    #[arg(long, value_name = "FILE", group = "change")]
    file: Option<PathBuf>,
}

impl Amend {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut amendment = AmendRequest {
            effective_at: self.effective_at.map(Into::into),
            message: self.message,
            writes: None,
        };
        if let Some(file) = &self.file {
            let text = files::read_input(file, COMMIT_BYTES_MAX as u64)?;
            let commit: WriteRequest = serde_json::from_slice(&text)
                .map_err(|error| Failure::usage(format!("not a commit: {error}")))?;
            amendment.writes = Some(commit.writes);
            amendment.effective_at = amendment.effective_at.or(commit.effective_at);
            amendment.message = amendment.message.or(commit.message);
        }
        let receipt = context.client()?.amend(self.commit, &amendment)?;
        show::receipt(&mut context.out, &receipt, show::When::Later)?;
        Ok(Exit::Done)
    }
}

/// The id of a commit.
pub(super) fn sequence(text: &str) -> Result<Sequence, String> {
    text.parse()
        .ok()
        .and_then(Sequence::new)
        .ok_or_else(|| "a commit id is a whole number; `asof log` shows them".to_owned())
}
