//! Entries that no store can hold: submodules, odd paths, large files.

use super::*;

const LIMIT: u64 = 10;

/// A stream of commits, each with lines of changes.
fn repo(commits: &[&[&[u8]]]) -> Repo {
    let mut stream = Vec::new();
    for lines in commits {
        let head = b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 0\n";
        stream.extend_from_slice(head);
        for line in *lines {
            stream.extend_from_slice(line);
            stream.push(b'\n');
        }
    }
    Repo::imported(&stream)
}

const SUBMODULE: &[u8] = b"M 160000 1111111111111111111111111111111111111111 x";
const OTHER_SUBMODULE: &[u8] = b"M 160000 2222222222222222222222222222222222222222 x";
const SMALL: &[u8] = b"M 100644 inline x\ndata 5\nsmall";
const EXACT: &[u8] = b"M 100644 inline x\ndata 10\n0123456789";
const LARGE: &[u8] = b"M 100644 inline x\ndata 11\n0123456789a";
const LARGER: &[u8] = b"M 100644 inline x\ndata 12\n0123456789ab";
const GONE: &[u8] = b"D x";
const BESIDE: &[u8] = b"M 100644 inline y\ndata 1\ny";

/// What happens to `x` in each commit: `+` a put, `-` a delete, `.` nothing.
fn fate_of_x(repo: &Repo) -> String {
    let commits = repo.open().commits(None, now(), LIMIT).expect("started");
    let mut state = State::new();
    commits
        .map(|commit| {
            let commit = commit.expect("read");
            apply(&mut state, &commit);
            let write = commit.writes.iter().find(|write| write.key == "x");
            match write.map(|write| &write.op) {
                Some(SourceOp::Put { .. }) => '+',
                Some(SourceOp::Delete) => '-',
                None => '.',
            }
        })
        .collect()
}

fn listed(repo: &Repo) -> Vec<(String, Reason)> {
    let survey = repo.open().survey(None, LIMIT).expect("surveyed");
    let listed = survey.listed.into_iter();
    listed.map(|entry| (entry.path, entry.reason)).collect()
}

#[test]
fn submodules_are_listed_and_left_out() {
    let story: [&[&[u8]]; 7] = [
        &[SMALL, BESIDE],
        &[SUBMODULE],
        &[OTHER_SUBMODULE],
        &[SMALL],
        &[SUBMODULE],
        &[GONE],
        &[SMALL],
    ];
    let repo = repo(&story);
    assert_eq!(fate_of_x(&repo), "+-.+-.+");
    assert_eq!(listed(&repo), [("x".to_owned(), Reason::Submodule)]);
    let survey = repo.open().survey(None, LIMIT).expect("surveyed");
    assert_eq!(survey.total, 3);
    let second = repo.git_line(&["rev-parse", "HEAD~5"]);
    assert_eq!(survey.listed[0].commit.to_string(), second);
}

#[test]
fn submodules_are_seen_even_where_the_user_would_not() {
    let repo = repo(&[&[SUBMODULE]]);
    repo.git(&["config", "diff.ignoreSubmodules", "all"]);
    assert_eq!(listed(&repo).len(), 1);
}

#[test]
fn large_files_are_listed_and_left_out() {
    let story: [&[&[u8]]; 9] = [
        &[LARGE, BESIDE],
        &[EXACT],
        &[LARGER],
        &[LARGE],
        &[GONE],
        &[SMALL],
        &[LARGE],
        &[SUBMODULE],
        &[LARGE],
    ];
    let repo = repo(&story);
    assert_eq!(fate_of_x(&repo), ".+-..+-..");
    let reason = Reason::ValueTooLarge { bytes: 11, bytes_max: LIMIT };
    assert_eq!(listed(&repo), [("x".to_owned(), reason), ("x".to_owned(), Reason::Submodule)]);
}

#[test]
fn odd_paths_are_listed_and_left_out() {
    let fits = format!("M 100644 inline d/{}\ndata 0\n", "k".repeat(KEY_BYTES_MAX - 2));
    let long = format!("M 100644 inline d/{}\ndata 0\n", "k".repeat(KEY_BYTES_MAX - 1));
    let story: [&[&[u8]]; 3] = [
        &[b"M 100644 inline caf\xe9\ndata 1\nx", long.as_bytes(), fits.as_bytes()],
        &[b"M 100644 inline caf\xe9\ndata 1\ny"],
        &[b"D caf\xe9", b"D d"],
    ];
    let repo = repo(&story);
    let bytes = KEY_BYTES_MAX + 1;
    assert_eq!(
        listed(&repo),
        [
            ("caf\u{fffd}".to_owned(), Reason::PathNotUtf8),
            (long[16..].lines().next().expect("a line").to_owned(), Reason::PathTooLong { bytes }),
        ]
    );
    let commits = repo.open().commits(None, now(), LIMIT).expect("started");
    let commits: Vec<_> = commits.collect::<Result<_, _>>().expect("read");
    let writes: Vec<_> = commits.iter().map(|commit| commit.writes.len()).collect();
    assert_eq!(writes, [1, 0, 1]);
}

#[test]
fn a_survey_of_the_rest_is_about_the_rest() {
    let repo = repo(&[&[SUBMODULE], &[SMALL], &[LARGE]]);
    let first = repo.git_line(&["rev-parse", "HEAD~2"]);
    let after = Imported { id: first.parse().expect("an id"), at: Timestamp::MIN };
    let survey = repo.open().survey(Some(&after), LIMIT).expect("surveyed");
    assert_eq!(survey.total, 1);
    assert!(survey.listed[0].reason.to_string().contains("above the 10 of a value"));
}
