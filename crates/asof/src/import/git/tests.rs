//! The stream, replayed, is what git says of every commit.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use asof_time::Timestamp;
use asof_time::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX_DEFAULT};
use tempfile::TempDir;

use super::plan::Reason;
use super::{Error, ErrorKind, GitSource, Imported};
use crate::import::source::{SourceCommit, SourceOp};
use crate::testrepo::{self, Hash, STORY_COMMITS};

mod refusals;
mod replay;
mod unsupported;

const VALUE_BYTES_MAX: u64 = VALUE_BYTES_MAX_DEFAULT as u64;

/// 2026-01-01T00:00:00Z.
fn now() -> Timestamp {
    Timestamp::from_seconds(1_767_225_600).expect("in range")
}

/// A folder with a repository in it.
struct Repo {
    folder: TempDir,
}

impl Repo {
    /// The generated one.
    fn generated(commits: usize, hash: Hash) -> Self {
        let folder = TempDir::new().expect("a folder");
        testrepo::build(folder.path(), commits, hash).expect("built");
        Self { folder }
    }

    /// An empty one.
    fn empty() -> Self {
        let folder = TempDir::new().expect("a folder");
        let repo = Self { folder };
        repo.git(&["init", "-q", "--bare", "-b", "main", "."]);
        repo
    }

    /// One made from a stream of `git fast-import`.
    fn imported(stream: &[u8]) -> Self {
        let repo = Self::empty();
        repo.git_with(&["fast-import", "--quiet", "--force"], stream);
        repo
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> GitSource {
        GitSource::open(self.path(), "HEAD").expect("opened")
    }

    fn git(&self, args: &[&str]) -> Vec<u8> {
        self.git_with(args, b"")
    }

    /// Runs git with `input`, which must be small or not be answered before it is read.
    fn git_with(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "user.name=A", "-c", "user.email=a@b.example"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {args:?}");
        output.stdout
    }

    fn git_line(&self, args: &[&str]) -> String {
        let output = String::from_utf8(self.git(args)).expect("UTF-8");
        output.trim_end().to_owned()
    }
}

/// Keys with content type and value.
type State = BTreeMap<String, (&'static str, Vec<u8>)>;

/// Applies a commit as a store would, which knows no delete of an absent key.
fn apply(state: &mut State, commit: &SourceCommit) {
    for write in &commit.writes {
        match &write.op {
            SourceOp::Put { content_type, value } => {
                state.insert(write.key.clone(), (*content_type, value.clone()));
            }
            SourceOp::Delete => {
                let old = state.remove(&write.key);
                assert!(old.is_some(), "{} deletes `{}`", commit.id, write.key);
            }
        }
    }
}

fn values(state: &State) -> BTreeMap<String, Vec<u8>> {
    let pairs = state.iter();
    pairs.map(|(key, (_, value))| (key.clone(), value.clone())).collect()
}

fn all(source: &GitSource, after: Option<&Imported>) -> Vec<SourceCommit> {
    let commits = source.commits(after, now(), VALUE_BYTES_MAX).expect("started");
    commits.collect::<Result<_, _>>().expect("read")
}

fn refusal(path: &Path, rev: &str) -> Error {
    GitSource::open(path, rev).expect_err("refused")
}

fn path_in(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).expect("created");
    path
}
