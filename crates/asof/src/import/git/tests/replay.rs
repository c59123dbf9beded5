//! Replaying whole histories.

use super::*;

/// The files of `commit` by `git ls-tree` and `git cat-file`, one process a file.
fn tree(
    repo: &Repo,
    commit: &str,
    blobs: &mut HashMap<String, Vec<u8>>,
) -> BTreeMap<String, Vec<u8>> {
    let listing = repo.git(&["ls-tree", "-r", "-z", "--full-tree", commit]);
    let mut tree = BTreeMap::new();
    for line in listing.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
        let line = core::str::from_utf8(line).expect("UTF-8");
        let (entry, path) = line.split_once('\t').expect("a path");
        let id = entry.rsplit(' ').next().expect("an id");
        let blob =
            blobs.entry(id.to_owned()).or_insert_with(|| repo.git(&["cat-file", "blob", id]));
        tree.insert(path.to_owned(), blob.clone());
    }
    tree
}

fn replay(repo: &Repo) {
    let chain = repo.git_line(&["rev-list", "--first-parent", "--reverse", "HEAD"]);
    let chain: Vec<_> = chain.lines().collect();
    let source = repo.open();
    assert_eq!(source.count(None), Ok(chain.len()));
    assert_eq!(source.head().expect("a head").to_string(), chain[chain.len() - 1]);

    let commits = all(&source, None);
    let ids: Vec<_> = commits.iter().map(|commit| commit.id.as_str()).collect();
    assert_eq!(ids, chain);
    assert!(commits.windows(2).all(|pair| pair[0].at < pair[1].at));
    let (mut state, mut blobs) = (State::new(), HashMap::new());
    for commit in &commits {
        apply(&mut state, commit);
        assert_eq!(values(&state), tree(repo, &commit.id, &mut blobs), "{}", commit.id);
    }
}

#[test]
fn every_commit_is_what_git_says() {
    replay(&Repo::generated(60, Hash::Sha1));
}

#[test]
fn every_commit_of_a_sha256_repository_is_what_git_says() {
    replay(&Repo::generated(STORY_COMMITS, Hash::Sha256));
}

#[test]
fn configuration_and_replacements_of_the_clone_change_nothing() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let expected = all(&repo.open(), None);
    std::fs::write(repo.path().join("order"), "*.svg\n").expect("written");
    for (name, value) in [
        ("core.quotePath", "true"),
        ("diff.ignoreSubmodules", "all"),
        ("diff.noPrefix", "true"),
        ("diff.orderFile", "order"),
        ("diff.relative", "true"),
        ("diff.renames", "copies"),
        ("log.showSignature", "true"),
    ] {
        repo.git(&["config", name, value]);
    }
    repo.git(&["replace", "HEAD~3", "HEAD~5"]);
    std::fs::create_dir_all(repo.path().join("info")).expect("created");
    let graft = repo.git_line(&["rev-parse", "HEAD~4"]);
    std::fs::write(repo.path().join("info/grafts"), graft).expect("written");
    assert_eq!(all(&repo.open(), None), expected);
}

#[test]
fn an_import_goes_on_after_any_commit() {
    let repo = Repo::generated(32, Hash::Sha1);
    let source = repo.open();
    let commits = all(&source, None);
    for (index, commit) in commits.iter().enumerate() {
        let after = Imported { id: commit.id.parse().expect("an id"), at: commit.at };
        assert_eq!(source.count(Some(&after)), Ok(commits.len() - index - 1));
        assert_eq!(all(&source, Some(&after)), &commits[index + 1..]);
    }
}

#[test]
fn the_story_has_what_it_promises() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let commits = all(&repo.open(), None);
    let named = |start: &str| {
        let mut found = commits.iter().filter(|commit| commit.message.starts_with(start));
        let commit = found.next().unwrap_or_else(|| panic!("no commit `{start}`"));
        let writes = commit.writes.iter();
        let writes = writes.map(|write| (write.key.as_str(), matches!(write.op, SourceOp::Delete)));
        (commit.at.as_micros(), writes.collect::<Vec<_>>())
    };
    let put = |key| (key, false);
    let deleted = |key| (key, true);
    assert_eq!(named("Move").1, [put("prices/na.json"), deleted("prices/us.json")]);
    assert_eq!(
        named("A folder").1,
        [put("images"), deleted("images/logo.png"), deleted("images/🍎.txt")]
    );
    assert_eq!(named("And a folder").1, [deleted("images"), put("images/logo.svg")]);
    assert_eq!(named("The link becomes").1, [put("current")], "of the same bytes");
    assert_eq!(named("That can be run").1, [], "the bytes are the same");
    assert_eq!(named("A commit that changes nothing").1, []);
    assert_eq!(named("Merge the Asian").1, [deleted("broken"), put("prices/asia.json")]);

    let (first, _) = named("A commit that changes nothing");
    assert_eq!(named("In the same second").0, first + 1);
    assert_eq!(named("Two hours earlier").0, first + 2);
    assert_eq!(named("The clock is right").0, first + 3 * 3_600_000_000);

    let message = "Names from all over\n\nA message of several lines,\nwith an ümlaut.";
    assert_eq!(commits[3].message, message);
    assert_eq!(commits[3].author, "Jörg Example <joerg@shop.example>");
}

#[test]
fn the_generated_repository_is_the_same_every_time() {
    let repo = Repo::generated(60, Hash::Sha1);
    assert_eq!(repo.git_line(&["rev-list", "--first-parent", "--count", "HEAD"]), "60");
    assert_eq!(repo.git_line(&["rev-parse", "HEAD"]), "ce15f42a024a3ee2dc48194cf4a49837802408d3");
}

/// More questions, answers, changes and bytes than any pipe holds.
#[test]
fn no_pipe_is_too_small() {
    let mut stream = b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 0\n".to_vec();
    for number in 0..4_000 {
        let content = format!("{number}\n").repeat(if number % 1_000 == 0 { 90_000 } else { 3 });
        let head = format!("M 100644 inline {}/{number}\ndata {}\n", "d".repeat(90), content.len());
        stream.extend_from_slice(head.as_bytes());
        stream.extend_from_slice(content.as_bytes());
    }
    let repo = Repo::imported(&stream);
    let source = repo.open();
    assert_eq!(source.survey(None, VALUE_BYTES_MAX).expect("surveyed").total, 0);
    replay_head(&repo, &source);
}

fn replay_head(repo: &Repo, source: &GitSource) {
    let mut state = State::new();
    for commit in all(source, None) {
        apply(&mut state, &commit);
    }
    let listing = repo.git_line(&["ls-tree", "-r", "HEAD"]);
    assert_eq!(state.len(), listing.lines().count());
    for (key, (_, value)) in state {
        let number = key.rsplit('/').next().expect("a name");
        assert!(value.starts_with(format!("{number}\n{number}\n").as_bytes()), "{key}");
    }
}

#[test]
fn reading_can_stop_anywhere() {
    let repo = Repo::generated(60, Hash::Sha1);
    let source = repo.open();
    for taken in [0, 1, 30] {
        let commits = source.commits(None, now(), VALUE_BYTES_MAX).expect("started");
        assert_eq!(commits.take(taken).flatten().count(), taken);
    }
}

#[test]
fn a_work_tree_a_folder_of_it_and_a_linked_one_are_the_whole_repository() {
    let bare = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let expected = all(&bare.open(), None);
    let clone = bare.path().join("a clone");
    let linked = bare.path().join("linked");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    bare.git(&["clone", "-q", ".", &text(&clone)]);
    bare.git(&["-C", &text(&clone), "worktree", "add", "-q", "--detach", &text(&linked)]);
    for path in [clone.clone(), clone.join("prices"), clone.join(".git"), linked.join("prices")] {
        let source = GitSource::open(&path, "HEAD").expect("opened");
        assert_eq!(all(&source, None), expected, "{}", path.display());
    }
}

#[test]
fn a_shallow_clone_starts_at_its_boundary() {
    let full = Repo::generated(STORY_COMMITS, Hash::Sha1);
    assert!(!full.open().is_shallow());
    let shallow = Repo::empty();
    let url = format!("file://{}", full.path().display());
    shallow.git(&["fetch", "-q", "--depth=5", &url, "main:main"]);
    let source = shallow.open();
    assert!(source.is_shallow());
    assert_eq!(source.count(None), Ok(5));
    replay(&shallow);
}

#[test]
fn any_name_of_a_commit_will_do() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    repo.git(&["tag", "-a", "-m", "x", "v1", "HEAD~2"]);
    let id = repo.git_line(&["rev-parse", "HEAD~2"]);
    for rev in ["v1", "main~2", "HEAD~2", &id, &id[..12]] {
        let source = GitSource::open(repo.path(), rev).expect("opened");
        assert_eq!(source.head().expect("a head").to_string(), id, "{rev}");
    }
}

/// Git writes no such times itself, but reads them.
#[test]
fn times_of_another_age_are_brought_into_range() {
    let repo = Repo::empty();
    let tree = repo.git_line(&["mktree"]);
    let mut parent = String::new();
    for time in ["5 +0000", "-7 +0000", "99999999999999999999999 +0000", "9999999999 +0000", "oops"]
    {
        let commit =
            format!("tree {tree}\n{parent}author A <a@b> {time}\ncommitter A <a@b> {time}\n\nx\n");
        let args = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
        let id = repo.git_with(&args, commit.as_bytes());
        parent = format!("parent {}\n", String::from_utf8_lossy(&id).trim());
        let id = parent["parent ".len()..].trim().to_owned();
        repo.git(&["update-ref", "refs/heads/main", &id]);
    }
    let commits = all(&repo.open(), None);
    assert_eq!(commits.len(), 5);
    assert_eq!(commits[0].at.as_micros(), 5_000_000);
    assert!(commits.windows(2).all(|pair| pair[0].at < pair[1].at));
    assert!(commits.iter().all(|commit| commit.at <= now()));
    assert!(commits.iter().all(|commit| commit.author == "A <a@b>" || commit.at > commits[3].at));
}

/// Prints the speed of a longer history: `cargo test -p asof --release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let repo = Repo::generated(2_000, Hash::Sha1);
    let clock = asof_env::SystemClock;
    let start = asof_env::Clock::boot(&clock);
    let source = repo.open();
    let opened = asof_env::Clock::boot(&clock);
    assert_eq!(source.survey(None, VALUE_BYTES_MAX).expect("surveyed").total, 0);
    let surveyed = asof_env::Clock::boot(&clock);
    let commits = source.commits(None, now(), VALUE_BYTES_MAX).expect("started");
    let count = commits.flatten().count();
    let read = asof_env::Clock::boot(&clock);
    println!(
        "{count} commits: open {:?}, survey {:?}, read {:?} ({:.0} commits/s)",
        opened.since(start),
        surveyed.since(opened),
        read.since(surveyed),
        f64::from(u32::try_from(count).expect("few")) / read.since(surveyed).as_secs_f64(),
    );
}
