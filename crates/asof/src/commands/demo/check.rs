//! Asking git what the store should answer.
//!
//! Nothing here is shared with what reads the repository for an import: git lists the tree of a
//! commit, and says what a path held.

use std::path::Path;

use asof_api::{ErrorName, Problem};
use asof_client::{Client, ReadAt};
use asof_time::Timestamp;
use asof_time::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX_DEFAULT};

use crate::failure::Failure;
use crate::import::git::process::{git_in, run};
use crate::import::git::{Error, ErrorKind, GitSource};

/// Commits that are looked at.
const COMMITS: usize = 40;

/// Paths of each that are looked at; one that is not there comes on top.
const PATHS: usize = 6;

/// How many answers were compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) checked: u64,
    pub(super) agreed: u64,
    /// The first that did not agree.
    differs: Option<String>,
}

impl Verdict {
    /// Refuses where anything did not agree.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        match &self.differs {
            None => Ok(()),
            Some(first) => {
                let detail = format!("the store and git do not agree about {first}");
                let problem = Problem::new(ErrorName::Corrupt, detail);
                Err(asof_client::Error::refused(problem).into())
            }
        }
    }
}

/// Compares some paths at some moments: that of a commit, and the microsecond before the next.
pub(super) fn check(source: &GitSource, space: &str, client: &Client) -> Result<Verdict, Failure> {
    let (git_dir, total) = (source.git_dir(), source.len());
    let mut verdict = Verdict::default();
    let mut dice = 0_usize;
    let newest = source.head().map(|id| id.to_string());
    let newest = tree(git_dir, &newest.unwrap_or_default())?;
    let places = total.min(COMMITS);
    for place in 0..places {
        // Evenly spread, the oldest and the newest among them.
        let index = place * (total - 1) / (places - 1).max(1);
        let Some(id) = source.id(index).map(|id| id.to_string()) else {
            continue;
        };
        let from = moment(client, space, &id)?;
        let last = match source.id(index + 1) {
            Some(next) => moment(client, space, &next.to_string())?.prev(),
            None => Some(client.time()?.closed.0),
        };
        let last = last.unwrap_or(from);
        let files = tree(git_dir, &id)?;
        let mut pairs: Vec<(&str, Option<Vec<u8>>)> = Vec::new();
        for _ in 0..PATHS.min(files.len()) {
            dice = dice.wrapping_mul(25_214_903_917).wrapping_add(11);
            let Some(file) = files.get((dice >> 16) % files.len()) else {
                continue;
            };
            pairs.push((&file.path, file.contents(git_dir)?));
        }
        let absent = |file: &&File| !files.iter().any(|other| other.path == file.path);
        if let Some(file) = newest.iter().find(absent) {
            pairs.push((&file.path, None));
        }
        for (path, expected) in &pairs {
            for at in [from, last] {
                let answer = client.get(space, path, ReadAt::at(at))?;
                let held = answer.found.as_ref().map(|found| found.bytes.as_ref());
                verdict.checked += 1;
                if held == expected.as_deref() {
                    verdict.agreed += 1;
                } else if verdict.differs.is_none() {
                    verdict.differs = Some(format!("`{path}` at {at}"));
                }
            }
        }
    }
    Ok(verdict)
}

/// When the commit `id` took effect.
pub(super) fn moment(client: &Client, space: &str, id: &str) -> Result<Timestamp, Failure> {
    match client.source(space, id)? {
        Some(answer) => Ok(answer.effective.0),
        None => Err(Failure::unavailable(format!("space `{space}` has no commit {id}"))),
    }
}

/// A file of a tree.
#[derive(Debug)]
struct File {
    path: String,
    id: String,
    bytes: usize,
}

impl File {
    /// What it holds; `None` where that is too much for a store.
    fn contents(&self, git_dir: &Path) -> Result<Option<Vec<u8>>, Failure> {
        if self.bytes > VALUE_BYTES_MAX_DEFAULT {
            return Ok(None);
        }
        let contents = ask(git_dir, &["cat-file", "blob", &self.id])?;
        Ok(Some(contents))
    }
}

/// The files of the commit `id` whose paths can be keys.
fn tree(git_dir: &Path, id: &str) -> Result<Vec<File>, Failure> {
    let listing =
        ask(git_dir, &["ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", id])?;
    let files = listing.split(|byte| *byte == 0).filter_map(|entry| {
        let entry = core::str::from_utf8(entry).ok()?;
        let (about, path) = entry.split_once('\t')?;
        let mut about = about.split_ascii_whitespace().skip(1);
        let (kind, id, bytes) = (about.next()?, about.next()?, about.next()?);
        (kind == "blob" && path.len() <= KEY_BYTES_MAX).then(|| File {
            path: path.to_owned(),
            id: id.to_owned(),
            bytes: bytes.parse().unwrap_or(usize::MAX),
        })
    });
    Ok(files.collect())
}

fn ask(git_dir: &Path, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let answer = run(git_in(git_dir).args(arguments))?;
    answer.map_err(|words| Error::new(ErrorKind::Failed, words).into())
}
