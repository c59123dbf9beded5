//! The second pass: the commits with all they write.

use std::path::Path;
use std::sync::Arc;

use asof_time::Timestamp;
use asof_time::limits::{COMMIT_BYTES_MAX, COMMIT_WRITES_MAX};

use super::chain::Chain;
use super::changes::{Change, ChangeReader, CommitChanges, EntryKind};
use super::error::{Error, ErrorKind};
use super::metadata;
use super::objects::{Answers, Detail, Objects};
use super::oid::ObjectId;
use super::plan::{Plan, plan};
use crate::import::content_type;
use crate::import::source::{SourceCommit, SourceOp, SourceWrite};

/// The commits of a repository, oldest first. Ends after the first error.
///
/// Holds one commit at a time. Entries that a survey lists as unsupported are left out: where one
/// replaces a supported entry, the key is deleted, and where it is replaced by one, the key is put.
#[derive(Debug)]
pub(crate) struct Commits {
    readers: Option<Readers>,
    times: std::vec::IntoIter<Timestamp>,
    value_bytes_max: u64,
}

/// The running processes.
#[derive(Debug)]
struct Readers {
    changes: ChangeReader,
    contents: Objects,
    sizes: Objects,
}

impl Commits {
    /// Starts at the commit at `first`; the commits from there on have the moments `times`.
    pub(super) fn start(
        git_dir: &Path,
        chain: &Arc<Chain>,
        first: usize,
        times: Vec<Timestamp>,
        value_bytes_max: u64,
    ) -> Result<Self, Error> {
        let readers = if times.is_empty() {
            None
        } else {
            Some(Readers {
                changes: ChangeReader::start(git_dir, Arc::clone(chain), first)?,
                contents: Objects::start(git_dir, Detail::Contents)?,
                sizes: Objects::start(git_dir, Detail::Sizes)?,
            })
        };
        Ok(Self { readers, times: times.into_iter(), value_bytes_max })
    }
}

impl Iterator for Commits {
    type Item = Result<SourceCommit, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let readers = self.readers.as_mut()?;
        let result = readers.changes.next().and_then(|changes| {
            changes
                .zip(self.times.next())
                .map(|(changes, at)| readers.read(changes, at, self.value_bytes_max))
                .transpose()
        });
        if !matches!(result, Ok(Some(_))) {
            self.readers = None;
        }
        result.transpose()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.times.len()))
    }
}

impl Readers {
    fn read(
        &mut self,
        commit: CommitChanges,
        at: Timestamp,
        value_bytes_max: u64,
    ) -> Result<SourceCommit, Error> {
        let CommitChanges { commit, changes } = commit;
        let draft = Draft::new(changes);
        let mut total = CommitSize::of(commit);
        let mut ids = vec![commit];
        ids.extend(draft.puts.iter().map(|put| put.new));
        let mut answers = self.contents.ask(&ids);

        let metadata = match answers.next_size()? {
            Some(_) => metadata::parse(&answers.contents()?),
            None => unreachable!("the commit itself is always asked for"),
        };
        let mut writes = Vec::with_capacity(draft.places);
        let mut deletes = draft.deletes;
        for put in draft.puts {
            let size = answers.next_size()?.unwrap_or_default();
            if size <= value_bytes_max {
                total.add(&put.key, size)?;
                writes.push((put.place, put.read(&mut answers)?));
            } else if let Some(old) = put.old {
                deletes.push(DraftDelete { place: put.place, key: put.key, old });
            }
        }
        // The last value may be one that was left where it was.
        answers.next_size()?;

        let ids: Vec<_> = deletes.iter().map(|delete| delete.old).collect();
        let mut answers = self.sizes.ask(&ids);
        for DraftDelete { place, key, .. } in deletes {
            // One that was too large was never written, so there is nothing to delete.
            if answers.next_size()?.unwrap_or_default() <= value_bytes_max {
                total.add(&key, 0)?;
                let op = SourceOp::Delete;
                writes.push((place, SourceWrite { key, op }));
            }
        }

        writes.sort_unstable_by_key(|&(place, _)| place);
        Ok(SourceCommit {
            id: commit.to_string(),
            at,
            author: metadata.author,
            message: metadata.message,
            writes: writes.into_iter().map(|(_, write)| write).collect(),
        })
    }
}

/// The changes of a commit by what must be asked about them, each with its place in git's order.
#[derive(Debug, Default)]
struct Draft {
    places: usize,
    puts: Vec<DraftPut>,
    deletes: Vec<DraftDelete>,
}

#[derive(Debug)]
struct DraftPut {
    place: usize,
    key: String,
    kind: EntryKind,
    new: ObjectId,
    old: Option<ObjectId>,
}

#[derive(Debug)]
struct DraftDelete {
    place: usize,
    key: String,
    old: ObjectId,
}

impl Draft {
    fn new(changes: Vec<Change>) -> Self {
        let mut draft = Self { places: changes.len(), ..Self::default() };
        for (place, change) in changes.into_iter().enumerate() {
            match plan(change) {
                Plan::Put { key, kind, new, old } => {
                    draft.puts.push(DraftPut { place, key, kind, new, old });
                }
                Plan::Delete { key, old }
                | Plan::Unsupported { replaced: Some((key, old)), .. } => {
                    draft.deletes.push(DraftDelete { place, key, old });
                }
                Plan::Nothing | Plan::Unsupported { replaced: None, .. } => {}
            }
        }
        draft
    }
}

impl DraftPut {
    fn read(self, answers: &mut Answers<'_>) -> Result<SourceWrite, Error> {
        let value = answers.contents()?;
        let content_type = match self.kind {
            EntryKind::Link => content_type::of_link(&value),
            EntryKind::File | EntryKind::Submodule => content_type::guess(&self.key, &value),
        };
        Ok(SourceWrite { key: self.key, op: SourceOp::Put { content_type, value } })
    }
}

/// What a commit adds up to, held against what a store takes in one.
#[derive(Debug)]
pub(super) struct CommitSize {
    commit: ObjectId,
    writes: usize,
    bytes: u64,
}

impl CommitSize {
    /// Nothing yet.
    pub(super) fn of(commit: ObjectId) -> Self {
        Self { commit, writes: 0, bytes: 0 }
    }

    /// One more write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] where a store would not take so much in one commit.
    pub(super) fn add(&mut self, key: &str, value_bytes: u64) -> Result<(), Error> {
        self.writes += 1;
        self.bytes = self.bytes.saturating_add(key.len() as u64).saturating_add(value_bytes);
        let too_large = if self.writes > COMMIT_WRITES_MAX {
            format!("more than {COMMIT_WRITES_MAX} files")
        } else if self.bytes > COMMIT_BYTES_MAX as u64 {
            format!("more than {COMMIT_BYTES_MAX} bytes")
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "commit {} changes {too_large}, the most a store takes in one commit",
                self.commit
            ),
        ))
    }
}
