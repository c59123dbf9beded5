//! The commits to import: the first parents of a revision, oldest first.

use std::io::BufRead;
use std::path::Path;

use super::error::{Error, ErrorKind};
use super::oid::ObjectId;
use super::process::{Process, git_in};

/// Ids and committer times of a whole history, 28 bytes a commit (40 with SHA-256).
///
/// It is held because git lists the newest first and the times of the last commits decide on those
/// before them; everything else about a commit is read when its turn comes.
#[derive(Debug)]
pub(super) struct Chain {
    id_bytes: usize,
    ids: Vec<u8>,
    seconds: Vec<i64>,
}

impl Chain {
    /// Lists the first parents of `head`, down to the root or the boundary of a shallow clone.
    pub(super) fn read(git_dir: &Path, head: &ObjectId) -> Result<Self, Error> {
        let mut command = git_in(git_dir);
        command.args(["rev-list", "--first-parent", "--timestamp"]);
        command.args(["--end-of-options", &head.to_string()]);
        let mut process = Process::start(&mut command)?;

        let mut newest_first = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            match process.stdout().read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(process.failure(&error.to_string())),
            }
            let Some(commit) = parse_line(line.trim_ascii_end()) else {
                return Err(process.failure("its answer is not `TIME COMMIT`"));
            };
            newest_first.push(commit);
        }
        process.finish()?;

        let mut chain = Self {
            id_bytes: head.as_bytes().len(),
            ids: Vec::with_capacity(newest_first.len() * head.as_bytes().len()),
            seconds: Vec::with_capacity(newest_first.len()),
        };
        for (seconds, id) in newest_first.iter().rev() {
            chain.ids.extend_from_slice(id.as_bytes());
            chain.seconds.push(*seconds);
        }
        Ok(chain)
    }

    /// How many commits there are.
    pub(super) fn len(&self) -> usize {
        self.seconds.len()
    }

    /// The commit at `index`, the oldest being 0.
    pub(super) fn id(&self, index: usize) -> Option<ObjectId> {
        let from = index.checked_mul(self.id_bytes)?;
        ObjectId::from_bytes(self.ids.get(from..from + self.id_bytes)?)
    }

    /// The committer times from the commit at `index` on.
    pub(super) fn seconds_from(&self, index: usize) -> impl Iterator<Item = i64> {
        self.seconds.iter().skip(index).copied()
    }

    /// The index of the commit after `id`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInHistory`] if `id` is not among them.
    pub(super) fn index_after(&self, id: &ObjectId) -> Result<usize, Error> {
        self.ids
            .chunks_exact(self.id_bytes)
            .rposition(|bytes| bytes == id.as_bytes())
            .map(|index| index + 1)
            .ok_or_else(|| {
                let head = self.len().checked_sub(1).and_then(|last| self.id(last));
                Error::new(
                    ErrorKind::NotInHistory,
                    format!(
                        "commit {id}, the last one imported, is not among the first parents of \
                         {}: the history was rewritten, or another branch is meant",
                        head.map_or_else(String::new, |head| head.to_string()),
                    ),
                )
            })
    }
}

/// Reads `TIME COMMIT`. Git holds times as unsigned numbers; those past the range of ours are as
/// wrong as any that lie ahead.
fn parse_line(line: &[u8]) -> Option<(i64, ObjectId)> {
    let (seconds, id) = core::str::from_utf8(line).ok()?.split_once(' ')?;
    let seconds: u64 = seconds.parse().ok()?;
    let id = id.parse().ok()?;
    Some((i64::try_from(seconds).unwrap_or(i64::MAX), id))
}
