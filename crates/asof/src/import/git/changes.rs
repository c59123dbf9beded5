//! What each commit changed against its first parent.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use super::chain::Chain;
use super::error::Error;
use super::oid::ObjectId;
use super::process::{Process, git_in};

/// One path that differs between a commit and its first parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// From the root of the repository; any bytes but NUL.
    pub(super) path: Vec<u8>,
    /// What the parent has there.
    pub(super) old: Option<Entry>,
    /// What the commit has there.
    pub(super) new: Option<Entry>,
}

/// What a tree has at a path. Folders are not entries: git is asked for what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

/// The kinds of entry, the executable bit not being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Link,
    Submodule,
}

/// The changes of one commit.
#[derive(Debug)]
pub(super) struct CommitChanges {
    pub(super) commit: ObjectId,
    pub(super) changes: Vec<Change>,
}

/// Reads the changes of a chain, commit by commit, from one `git diff-tree`.
///
/// A thread feeds it the commits, each with the parent to compare it with, so that it works ahead
/// as far as the pipes let it. Giving the parent is what makes a merge show all it brought in.
#[derive(Debug)]
pub(super) struct ChangeReader {
    process: Process,
    chain: Arc<Chain>,
    next: usize,
    /// The commit whose heading was read already.
    heading: Option<ObjectId>,
}

impl ChangeReader {
    /// Starts at the commit at `first`.
    pub(super) fn start(git_dir: &Path, chain: Arc<Chain>, first: usize) -> Result<Self, Error> {
        let mut command = git_in(git_dir);
        command.args(["diff-tree", "--stdin", "--always", "--root", "-r"]);
        command.args(["--raw", "-z", "--no-abbrev", "--no-renames"]);
        command.args(["--no-relative", "--ignore-submodules=none"]);
        let mut process = Process::start(&mut command)?;
        if let Some(mut stdin) = process.take_stdin() {
            let chain = Arc::clone(&chain);
            std::thread::spawn(move || {
                // Fails where git has ended, which the reading side learns by itself.
                let _ = feed(&mut stdin, &chain, first);
            });
        }
        Ok(Self { process, chain, next: first, heading: None })
    }

    /// The changes of the next commit; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<CommitChanges>, Error> {
        let Some(commit) = self.chain.id(self.next) else {
            return Ok(None);
        };
        let heading = match self.heading.take() {
            Some(heading) => Some(heading),
            None => self.token()?.and_then(|token| ObjectId::from_hex(&token)),
        };
        if heading != Some(commit) {
            let ours = format!("its answer is not about commit {commit}");
            return Err(self.process.failure(&ours));
        }
        self.next += 1;

        let mut changes = Vec::new();
        loop {
            let Some(token) = self.token()? else {
                // Only a git that ended well has said everything about the last commit.
                self.process.finish()?;
                break;
            };
            if let Some(heading) = ObjectId::from_hex(&token) {
                self.heading = Some(heading);
                break;
            }
            let path = self.token()?;
            match (parse_raw(&token), path) {
                (Ok((old, new)), Some(path)) => changes.push(Change { path, old, new }),
                _ => return Err(self.process.failure("its answer is not a raw difference")),
            }
        }
        Ok(Some(CommitChanges { commit, changes }))
    }

    /// The bytes up to the next NUL; `None` at the end.
    fn token(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut token = Vec::new();
        match self.process.stdout().read_until(0, &mut token) {
            Ok(0) => Ok(None),
            Ok(_) if token.pop() == Some(0) => Ok(Some(token)),
            Ok(_) => Err(self.process.failure("its answer is cut short")),
            Err(error) => Err(self.process.failure(&error.to_string())),
        }
    }
}

/// Writes `COMMIT PARENT` for every commit from `first` on, and `COMMIT` for the oldest of all.
fn feed(stdin: &mut impl Write, chain: &Chain, first: usize) -> io::Result<()> {
    for index in first..chain.len() {
        let parent = index.checked_sub(1).and_then(|index| chain.id(index));
        match (chain.id(index), parent) {
            (Some(commit), Some(parent)) => writeln!(stdin, "{commit} {parent}")?,
            (Some(commit), None) => writeln!(stdin, "{commit}")?,
            (None, _) => break,
        }
    }
    stdin.flush()
}

/// Says that a token is not `:OLDMODE NEWMODE OLDID NEWID STATUS`.
struct NotRawError;

/// Reads what the parent has and what the commit has.
fn parse_raw(token: &[u8]) -> Result<(Option<Entry>, Option<Entry>), NotRawError> {
    let fields: Vec<_> = token.split(|&byte| byte == b' ').collect();
    match fields.as_slice() {
        [[b':', old_mode @ ..], new_mode, old_id, new_id, _] => {
            Ok((parse_entry(old_mode, old_id)?, parse_entry(new_mode, new_id)?))
        }
        _ => Err(NotRawError),
    }
}

fn parse_entry(mode: &[u8], id: &[u8]) -> Result<Option<Entry>, NotRawError> {
    // The first three digits are the kind. The rest are permissions, which old programs wrote in
    // more ways than today's 644 and 755.
    let kind = match mode.get(..3) {
        Some(b"000") => return Ok(None),
        Some(b"100") => EntryKind::File,
        Some(b"120") => EntryKind::Link,
        Some(b"160") => EntryKind::Submodule,
        _ => return Err(NotRawError),
    };
    let id = ObjectId::from_hex(id).ok_or(NotRawError)?;
    Ok(Some(Entry { kind, id }))
}
