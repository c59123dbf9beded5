//! Reading a git repository as a history of keys and values.
//!
//! A key is a path from the root of the repository, its value the file's bytes (of a symbolic
//! link, the path it points to). There is one commit for each *first-parent* commit of a revision:
//! what a branch brought in arrives with its merge, which is when readers of the main line saw it.
//!
//! [`GitSource::open`] finds the repository and lists the commits; [`survey`](GitSource::survey)
//! looks through them for what no store can hold; [`commits`](GitSource::commits) yields them. All
//! of it goes through the `git` program, which knows every format a repository can have.
//!
//! Nothing here writes to the repository, reads its work tree, or asks what time it is.

mod chain;
mod changes;
mod commits;
mod error;
mod metadata;
mod objects;
mod oid;
mod plan;
pub(crate) mod process;
mod survey;
mod times;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asof_time::Timestamp;

use chain::Chain;
use process::{git, git_in, run};

pub(crate) use commits::Commits;
pub(crate) use error::{Error, ErrorKind};
pub(crate) use oid::ObjectId;
pub(crate) use survey::Survey;

/// The history of one revision of a repository.
///
/// The revision is looked up once, so that a branch that moves meanwhile changes nothing.
#[derive(Debug)]
pub(crate) struct GitSource {
    git_dir: PathBuf,
    chain: Arc<Chain>,
    shallow: bool,
}

/// How far an earlier import came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    /// The last commit that was imported.
    pub id: ObjectId,
    /// The moment it was given.
    pub at: Timestamp,
}

impl GitSource {
    /// Opens the repository that `repo` is, or is a folder of, at `rev` (a branch, a tag, an id:
    /// whatever git takes for one commit; `HEAD` for where it stands).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::GitMissing`], [`ErrorKind::NotARepository`], [`ErrorKind::NoSuchRevision`],
    /// [`ErrorKind::NoCommits`] where `rev` names nothing because there is nothing yet.
    pub(crate) fn open(repo: &Path, rev: &str) -> Result<Self, Error> {
        let git_dir = find_git_dir(repo)?;
        let head = resolve(&git_dir, repo, rev)?;
        let shallow = is_shallow(&git_dir)?;
        let chain = Arc::new(Chain::read(&git_dir, &head)?);
        Ok(Self { git_dir, chain, shallow })
    }

    /// How many commits there are after `after`, or in all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInHistory`] if `after` is not one of them.
    pub(crate) fn count(&self, after: Option<&Imported>) -> Result<usize, Error> {
        Ok(self.chain.len() - self.first(after)?)
    }

    /// How many commits there are.
    pub(crate) fn len(&self) -> usize {
        self.chain.len()
    }

    /// The commit at `index`, the oldest being 0.
    pub(crate) fn id(&self, index: usize) -> Option<ObjectId> {
        self.chain.id(index)
    }

    /// The git directory.
    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The newest commit, which an import ends with.
    pub(crate) fn head(&self) -> Option<ObjectId> {
        self.chain.id(self.chain.len().checked_sub(1)?)
    }

    /// Whether the clone is shallow. Its oldest commit then stands for all that was before it, with
    /// every file of that time as its changes.
    pub(crate) fn is_shallow(&self) -> bool {
        self.shallow
    }

    /// Looks for what cannot be imported from the commits after `after`, with values of at most
    /// `value_bytes_max` bytes. Reads no contents.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInHistory`] if `after` is not in the history, [`ErrorKind::TooLarge`] if a
    /// commit as a whole is too large.
    pub(crate) fn survey(
        &self,
        after: Option<&Imported>,
        value_bytes_max: u64,
    ) -> Result<Survey, Error> {
        let first = self.first(after)?;
        survey::survey(&self.git_dir, &self.chain, first, value_bytes_max)
    }

    /// The commits after `after`, or all of them, without what a survey with the same
    /// `value_bytes_max` lists. Their moments are after that of `after` and at most `now`; see
    /// [`assign_times`](times::assign_times).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInHistory`] if `after` is not in the history, [`ErrorKind::TooLarge`] if
    /// there are not enough microseconds for so many commits.
    pub(crate) fn commits(
        &self,
        after: Option<&Imported>,
        now: Timestamp,
        value_bytes_max: u64,
    ) -> Result<Commits, Error> {
        let first = self.first(after)?;
        let seconds = self.chain.seconds_from(first);
        let times = times::assign_times(seconds, after.map(|after| after.at), now)
            .map_err(|error| Error::new(ErrorKind::TooLarge, error.to_string()))?;
        Commits::start(&self.git_dir, &self.chain, first, times, value_bytes_max)
    }

    /// The index of the first commit to import.
    fn first(&self, after: Option<&Imported>) -> Result<usize, Error> {
        after.map_or(Ok(0), |after| self.chain.index_after(&after.id))
    }
}

/// The git directory, absolute. With it every other call is about the whole repository, whichever
/// folder of it was given; and it is here that git refuses a repository of another user.
fn find_git_dir(repo: &Path) -> Result<PathBuf, Error> {
    let mut command = git();
    command.arg("-C").arg(repo);
    command.args(["rev-parse", "--absolute-git-dir"]);
    match run(&mut command)? {
        Ok(answer) => {
            let path = answer.strip_suffix(b"\n").unwrap_or(&answer);
            Ok(PathBuf::from(OsStr::from_bytes(path)))
        }
        Err(words) => Err(Error::new(
            ErrorKind::NotARepository,
            format!("cannot open a git repository at `{}`: {words}", repo.display()),
        )),
    }
}

/// The commit that `rev` names. Everything after works with its id, so that no later command can
/// take it for an option or a range.
fn resolve(git_dir: &Path, repo: &Path, rev: &str) -> Result<ObjectId, Error> {
    let mut command = git_in(git_dir);
    command.args(["rev-parse", "--verify", "--end-of-options"]);
    command.arg(format!("{rev}^{{commit}}"));
    let words = match run(&mut command)? {
        Ok(answer) => {
            return ObjectId::from_hex(answer.trim_ascii_end()).ok_or_else(|| {
                let answer = String::from_utf8_lossy(&answer);
                Error::new(
                    ErrorKind::Failed,
                    format!("`git rev-parse` answers no commit id but `{}`", answer.trim_end()),
                )
            });
        }
        Err(words) => words,
    };
    let repo = repo.display();
    if has_no_commits(git_dir)? {
        return Err(Error::new(
            ErrorKind::NoCommits,
            format!("the git repository at `{repo}` has no commits yet"),
        ));
    }
    Err(Error::new(
        ErrorKind::NoSuchRevision,
        format!("`{rev}` names no commit of the git repository at `{repo}`: {words}"),
    ))
}

fn has_no_commits(git_dir: &Path) -> Result<bool, Error> {
    let mut command = git_in(git_dir);
    command.args(["rev-list", "--all", "--max-count=1"]);
    Ok(run(&mut command)?.is_ok_and(|answer| answer.is_empty()))
}

fn is_shallow(git_dir: &Path) -> Result<bool, Error> {
    let mut command = git_in(git_dir);
    command.args(["rev-parse", "--is-shallow-repository"]);
    match run(&mut command)? {
        Ok(answer) => Ok(answer.trim_ascii_end() == b"true"),
        Err(words) => Err(Error::new(ErrorKind::Failed, words)),
    }
}
