//! Imports of whole repositories, held against git itself at every moment.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use asof_api::{ErrorName, Problem};
use asof_client::{Client, KeysQuery, ReadAt};
use asof_store::{ContentHash, Options, Store};
use asof_time::Timestamp;
use tempfile::TempDir;

use super::batch::Batch;
use super::git::process::{git_in, run};
use super::git::{GitSource, Imported};
use super::git_batches::GitBatches;
use super::sink::{Ending, Naming, Sink};
use crate::failure::Failure;
use crate::local::{LocalTransport, router};
use crate::testrepo::{self, Hash};

const SPACE: &str = "repo";
const VALUE_BYTES_MAX: u64 = 1 << 20;

/// A store behind its service, in this process.
struct World {
    store: Store,
    client: Client,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let transport = LocalTransport::new(router(store.clone())).unwrap();
        Self {
            store,
            client: Client::new(Arc::new(transport)).with_author("test"),
            _folder: folder,
        }
    }

    /// Imports what is missing, `commits_max` commits at most; whether all is there.
    fn import(&self, source: &GitSource, commits_max: usize) -> bool {
        let mut sink = Sink::new(&self.client, Ending::GoLive, Naming::Ids);
        let space = sink.open(SPACE).unwrap().unwrap();
        let progress = space.import.unwrap();
        let after = progress
            .last_source
            .map(|id| Imported { id: id.parse().unwrap(), at: progress.last_at.unwrap().0 });
        let now = self.client.time().unwrap().closed.0;
        let commits = source.commits(after.as_ref(), now, VALUE_BYTES_MAX);
        let mut left = commits_max;
        for batch in GitBatches::new(commits.unwrap(), SPACE.to_owned()) {
            let batch = cut(batch.unwrap(), &mut left);
            sink.take(batch).unwrap();
            if left == 0 {
                return false;
            }
        }
        sink.finish().unwrap();
        true
    }

    /// Every key at `at`, with the hash of its value.
    fn keys(&self, at: Timestamp) -> BTreeMap<String, String> {
        let mut query = KeysQuery::default();
        let mut keys = BTreeMap::new();
        loop {
            let page = self.client.keys(SPACE, &query, ReadAt::at(at)).unwrap();
            let entries = page.entries.into_iter();
            keys.extend(entries.map(|entry| (entry.key, entry.hash.to_string())));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return keys,
            }
        }
    }

    /// Compares every commit of `source` at its first and at its last moment.
    fn compare(&self, source: &GitSource) {
        let mut git = Oracle::new(source.git_dir());
        for index in 0..source.len() {
            let id = source.id(index).unwrap().to_string();
            let from = self.moment(&id);
            let last = match source.id(index + 1) {
                Some(next) => self.moment(&next.to_string()).prev().unwrap(),
                None => self.client.time().unwrap().closed.0,
            };
            let expected = git.tree(&id);
            assert_eq!(self.keys(from), expected, "commit {id} at {from}");
            assert_eq!(self.keys(last), expected, "commit {id} at {last}");
        }
    }

    fn moment(&self, id: &str) -> Timestamp {
        let answer = self.client.source(SPACE, id).unwrap();
        answer.unwrap().effective.0
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.store.close();
    }
}

/// The first lines of `batch`, no more than are `left`.
fn cut(batch: Batch, left: &mut usize) -> Batch {
    let first = batch.lines.first().unwrap().number;
    let end = first.saturating_add(*left as u64);
    let batch = batch.filtered(|line| line.number < end);
    *left -= batch.lines.len();
    batch
}

/// What git says, by commands that the import does not use.
struct Oracle<'a> {
    git_dir: &'a Path,
    hashes: HashMap<String, Option<String>>,
}

impl<'a> Oracle<'a> {
    fn new(git_dir: &'a Path) -> Self {
        Self { git_dir, hashes: HashMap::new() }
    }

    fn ask(&self, arguments: &[&str]) -> Vec<u8> {
        run(git_in(self.git_dir).args(arguments)).unwrap().unwrap()
    }

    fn tree(&mut self, id: &str) -> BTreeMap<String, String> {
        let listing = self.ask(&["ls-tree", "-r", "-z", id]);
        let entries = String::from_utf8(listing).unwrap();
        let mut tree = BTreeMap::new();
        for entry in entries.split_terminator('\0') {
            let (about, path) = entry.split_once('\t').unwrap();
            let blob = about.rsplit(' ').next().unwrap().to_owned();
            if !self.hashes.contains_key(&blob) {
                let bytes = self.ask(&["cat-file", "blob", &blob]);
                let fits = bytes.len() as u64 <= VALUE_BYTES_MAX;
                let hash = fits.then(|| ContentHash::of(&bytes).to_string());
                self.hashes.insert(blob.clone(), hash);
            }
            if let Some(hash) = &self.hashes[&blob] {
                tree.insert(path.to_owned(), hash.clone());
            }
        }
        tree
    }
}

fn generated(folder: &TempDir, commits: usize) -> GitSource {
    testrepo::build(folder.path(), commits, Hash::Sha1).unwrap();
    GitSource::open(folder.path(), "main").unwrap()
}

#[test]
fn a_repository_reads_as_git_has_it_at_every_moment() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let source = generated(&folder, 150);
    assert!(world.import(&source, usize::MAX));
    world.compare(&source);
}

#[test]
fn an_import_that_was_interrupted_often_ends_the_same() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let source = generated(&folder, 120);
    let mut runs = 1;
    for commits in (1..).map(|run| run * 7) {
        if world.import(&source, commits) {
            break;
        }
        runs += 1;
    }
    assert!(runs > 4);
    world.compare(&source);
    let space = world.client.space(SPACE).unwrap();
    assert!(space.since.is_some());
}

#[test]
fn this_very_repository_reads_as_git_has_it() {
    // A copy of the sources without its history has nothing to compare.
    let Ok(source) = GitSource::open(Path::new(env!("CARGO_MANIFEST_DIR")), "HEAD") else {
        return;
    };
    let world = World::new();
    assert!(world.import(&source, usize::MAX));
    world.compare(&source);
}

#[test]
fn a_source_that_fails_leaves_what_came_before() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let source = generated(&folder, 30);
    let mut sink = Sink::new(&world.client, Ending::GoLive, Naming::Ids);
    let now = world.client.time().unwrap().closed.0;
    let commits = source.commits(None, now, VALUE_BYTES_MAX).unwrap();
    let broken = asof_client::Error::refused(Problem::new(ErrorName::Unavailable, "gone"));
    let mut left = 11;
    let batches = GitBatches::new(commits, SPACE.to_owned())
        .map(move |batch| batch.map(|batch| cut(batch, &mut left)))
        .chain([Err(Failure::from(broken))]);
    let mut out = crate::output::Output::to(
        crate::output::Format::Json,
        Box::new(std::io::sink()),
        Box::new(std::io::sink()),
    );
    let total = super::meter::Total::Commits(30);
    let mut meter = super::meter::Meter::start(total, &out);
    let stop = super::stop::Stop::default();
    let failed = super::pipeline::run(batches, &mut sink, &mut meter, &stop, &mut out);
    assert!(failed.is_err());
    assert_eq!(sink.commits(), 11);
    assert!(world.import(&source, usize::MAX));
    world.compare(&source);
}
