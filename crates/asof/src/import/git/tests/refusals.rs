//! What is refused, and in which words.

use asof_time::limits::{COMMIT_BYTES_MAX, COMMIT_WRITES_MAX};

use super::*;
use crate::import::git::ObjectId;
use crate::import::git::commits::CommitSize;
use crate::import::git::process::{git, run};

#[test]
fn a_revision_that_is_not_there_is_named() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let blob = repo.git_line(&["rev-parse", "HEAD:VERSION"]);
    for rev in ["nowhere", "", "main..side", "HEAD^{tree}", &blob] {
        let error = refusal(repo.path(), rev);
        assert_eq!(error.kind(), ErrorKind::NoSuchRevision, "{error}");
        assert!(error.to_string().contains(&format!("`{rev}` names no commit")), "{error}");
    }
}

#[test]
fn a_revision_is_never_an_option() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    for rev in ["--all", "-h", "--output=/tmp/x", "--end-of-options", "--"] {
        assert_eq!(refusal(repo.path(), rev).kind(), ErrorKind::NoSuchRevision, "{rev}");
    }
    let id = repo.git_line(&["rev-parse", "HEAD~1"]);
    repo.git(&["update-ref", "refs/heads/--all", &id]);
    let source = GitSource::open(repo.path(), "--all").expect("a branch of that name");
    assert_eq!(source.head().expect("a head").to_string(), id);
}

#[test]
fn a_folder_without_a_repository_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let plain = path_in(folder.path(), "plain");
    for path in [plain.clone(), plain.join("missing"), PathBuf::from("-c")] {
        let error = refusal(&path, "HEAD");
        assert_eq!(error.kind(), ErrorKind::NotARepository, "{error}");
        assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
        assert!(error.to_string().contains("fatal: "), "git's own words: {error}");
    }
}

#[test]
fn a_repository_without_commits_says_so() {
    let error = refusal(Repo::empty().path(), "HEAD");
    assert_eq!(error.kind(), ErrorKind::NoCommits, "{error}");
    assert!(error.to_string().ends_with("has no commits yet"), "{error}");
}

#[test]
fn a_rewritten_history_is_not_gone_on_with() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let source = repo.open();
    let side = repo.git_line(&["rev-parse", "HEAD^2"]);
    for id in [side, "0".repeat(40), "0".repeat(64)] {
        let after = Imported { id: id.parse().expect("an id"), at: Timestamp::MIN };
        let error = source.commits(Some(&after), now(), VALUE_BYTES_MAX).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::NotInHistory);
        assert!(error.to_string().contains(&id), "{error}");
        assert!(source.count(Some(&after)).is_err());
        assert!(source.survey(Some(&after), VALUE_BYTES_MAX).is_err());
    }
}

#[test]
fn a_clock_without_room_is_refused() {
    let repo = Repo::generated(STORY_COMMITS, Hash::Sha1);
    let error = repo.open().commits(None, Timestamp::MIN, VALUE_BYTES_MAX).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn a_damaged_repository_ends_the_stream_with_words_of_git() {
    let repo = Repo::imported(
        b"blob\nmark :1\ndata 2\nx\ncommit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 0\n\
        M 100644 :1 x\n",
    );
    let blob = repo.git_line(&["rev-parse", "HEAD:x"]);
    // So small an import is kept as loose objects.
    let loose = repo.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(loose).expect("removed");

    let source = repo.open();
    let mut commits = source.commits(None, now(), VALUE_BYTES_MAX).expect("started");
    let error = commits.next().expect("an item").expect_err("a missing blob");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains(&format!("{blob} missing")), "{error}");
    assert!(commits.next().is_none(), "nothing after an error");
}

#[test]
fn a_machine_without_git_is_told_so() {
    let mut command = git();
    command.arg("version").env("PATH", "/nowhere");
    let error = run(&mut command).expect_err("no git there");
    assert_eq!(error.kind(), ErrorKind::GitMissing);
    assert!(error.to_string().contains("no `git` program in PATH"));
}

#[test]
fn a_commit_no_store_would_take_is_refused_by_name() {
    let id: ObjectId = "1".repeat(40).parse().expect("an id");
    let mut size = CommitSize::of(id);
    assert_eq!(size.add("key", COMMIT_BYTES_MAX as u64 - 4), Ok(()));
    assert_eq!(size.add("k", 0), Ok(()), "exactly as much as fits");
    let error = size.add("k", 0).expect_err("a byte too much");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains(&id.to_string()), "{error}");

    let mut size = CommitSize::of(id);
    assert!((0..COMMIT_WRITES_MAX).all(|_| size.add("k", 1).is_ok()));
    assert!(size.add("k", 1).is_err());
}
