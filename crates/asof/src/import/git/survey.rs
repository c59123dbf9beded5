//! The first pass: what of a history cannot be imported.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::chain::Chain;
use super::changes::{ChangeReader, CommitChanges};
use super::commits::CommitSize;
use super::error::Error;
use super::objects::{Detail, Objects};
use super::oid::ObjectId;
use super::plan::{Plan, Reason, plan};

/// Most unsupported entries that are listed; the rest are counted.
const LISTED_MAX: usize = 1_000;

/// What of a history cannot be imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The unsupported entries in the order they appear, each path once a kind of reason, and only
    /// the first 1,000.
    pub listed: Vec<Unsupported>,
    /// How often a commit adds or changes an unsupported entry, listed or not.
    pub total: u64,
}

/// An entry that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported {
    /// The path; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Why not.
    pub reason: Reason,
    /// The first commit that has it.
    pub commit: ObjectId,
}

/// Looks at every commit from `first` on.
pub(super) fn survey(
    git_dir: &Path,
    chain: &Arc<Chain>,
    first: usize,
    value_bytes_max: u64,
) -> Result<Survey, Error> {
    let mut changes = ChangeReader::start(git_dir, Arc::clone(chain), first)?;
    let mut sizes = Objects::start(git_dir, Detail::Sizes)?;
    let mut list = List::default();
    while let Some(commit) = changes.next()? {
        survey_commit(commit, &mut sizes, value_bytes_max, &mut list)?;
    }
    Ok(list.survey)
}

fn survey_commit(
    commit: CommitChanges,
    sizes: &mut Objects,
    value_bytes_max: u64,
    list: &mut List,
) -> Result<(), Error> {
    let id = commit.commit;
    let mut keys = Vec::new();
    let mut blobs = Vec::new();
    let mut total = CommitSize::of(id);
    for change in commit.changes {
        match plan(change) {
            Plan::Nothing => {}
            Plan::Put { key, new, .. } => {
                keys.push(key);
                blobs.push(new);
            }
            Plan::Delete { key, .. } => total.add(&key, 0)?,
            Plan::Unsupported { path, reason, .. } => list.add(&path, reason, id),
        }
    }
    let mut answers = sizes.ask(&blobs);
    let mut keys = keys.into_iter();
    while let (Some(bytes), Some(key)) = (answers.next_size()?, keys.next()) {
        if bytes <= value_bytes_max {
            total.add(&key, bytes)?;
        } else {
            let reason = Reason::ValueTooLarge { bytes, bytes_max: value_bytes_max };
            list.add(key.as_bytes(), reason, id);
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct List {
    survey: Survey,
    seen: HashSet<(Vec<u8>, core::mem::Discriminant<Reason>)>,
}

impl List {
    fn add(&mut self, path: &[u8], reason: Reason, commit: ObjectId) {
        self.survey.total += 1;
        if self.survey.listed.len() < LISTED_MAX
            && self.seen.insert((path.to_vec(), core::mem::discriminant(&reason)))
        {
            self.survey.listed.push(Unsupported {
                path: String::from_utf8_lossy(path).into_owned(),
                reason,
                commit,
            });
        }
    }
}
