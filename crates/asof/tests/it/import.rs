//! `asof import` and `asof demo`, as people run them.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use core::time::Duration;

use crate::harness::{Store, asof, both_ways, run};

/// Runs git in `folder`; what it printed.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example"])
        .args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits `text` as the file `path`.
fn commit(folder: &Path, path: &str, text: &str) {
    std::fs::write(folder.join(path), text).unwrap();
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", text]);
}

/// So many lines for `space`, a second apart.
fn lines(space: &str, numbers: core::ops::Range<u64>) -> String {
    numbers.fold(String::new(), |mut lines, n| {
        let at = 1_700_000_000_000_000 + n * 1_000_000;
        writeln!(
            lines,
            r#"{{"at":{at},"space":"{space}","source":"s{n}","writes":[{{"key":"k{}","value":{{"n": {n}.0}}}}]}}"#,
            n % 50
        )
        .unwrap();
        lines
    })
}

#[test]
fn a_file_of_commits_is_imported_and_grows() {
    both_ways(|store| {
        let ran =
            store.run_with(&["import", "jsonl", "-", "--json"], lines("a", 0..1_200).as_bytes());
        assert_eq!(ran.code, 0, "{ran:?}");
        let summary = ran.object();
        assert_eq!(summary["commits"], 1_200);
        assert_eq!(summary["spaces"][0]["state"], "live");
        // The value is the text it was, and so it is at its own time.
        let read = store.ok(&["get", "a", "k7", "--as-of", "1700000007000000"]);
        assert_eq!(read.out, b"{\"n\": 7.0}");

        let path = store.beside("more.jsonl");
        std::fs::write(&path, lines("a", 0..1_203)).unwrap();
        let summary = &store.json(&["import", "jsonl", &path])[0];
        assert_eq!((&summary["commits"], &summary["known"]), (&3.into(), &1_200.into()));
        assert_eq!(store.ok(&["get", "a", "k2"]).out, b"{\"n\": 1202.0}");
        let summary = &store.json(&["import", "jsonl", &path])[0];
        assert_eq!(summary["commits"], 0);
        assert!(store.ok(&["import", "jsonl", &path]).text().starts_with("nothing new"));
    });
}

#[test]
fn several_spaces_and_compression() {
    let store = Store::in_folder();
    let both: Vec<_> = lines("a", 0..300).lines().map(str::to_owned).collect();
    let other = lines("b", 0..300);
    let mixed = both.iter().zip(other.lines()).fold(String::new(), |mut text, (a, b)| {
        writeln!(text, "{a}\n\n{b}").unwrap();
        text
    });
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let (head, tail) = mixed.as_bytes().split_at(1_000);
    // Two frames, with the break within a line.
    let mut frames = ruzstd::encoding::compress_to_vec(head, level);
    frames.extend(ruzstd::encoding::compress_to_vec(tail, level));
    let path = store.beside("mixed.jsonl.zst");
    std::fs::write(&path, &frames).unwrap();
    let summary = &store.json(&["import", "jsonl", &path])[0];
    assert_eq!(summary["commits"], 600);
    assert_eq!(summary["spaces"].as_array().unwrap().len(), 2);

    let cut = store.beside("cut.jsonl.zst");
    std::fs::write(&cut, &frames[..frames.len() - 9]).unwrap();
    let ran = store.run(&["import", "jsonl", &cut, "--space", "c"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("cut short"), "{ran:?}");
}

#[test]
fn a_bad_line_is_named_and_what_comes_before_it_stays() {
    both_ways(|store| {
        let mut text = lines("a", 0..700);
        text.push('\n');
        text.push_str(&lines("a", 700..702).replace("\"key\":\"k1\"", "\"key\":\"\""));
        text.push_str(&lines("a", 702..703));
        let ran = store.run_with(&["import", "jsonl", "-"], text.as_bytes());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("line 703"), "{ran:?}");
        let space = &store.json(&["space", "list"])[0];
        assert_eq!(space["import"]["commits"], 701);

        for (bad, why) in [("{\"at\":1", "EOF"), ("{\"at\":-1,\"writes\":[]}", "-1")] {
            let text = format!("{}{bad}\n", lines("a", 0..3));
            let ran = store.run_with(&["import", "jsonl", "-"], text.as_bytes());
            assert_eq!(ran.code, 3, "{ran:?}");
            assert!(ran.err.contains("line 4") && ran.err.contains(why), "{ran:?}");
        }
        // Mended, it goes on.
        let ran =
            store.run_with(&["import", "jsonl", "-", "--json"], lines("a", 0..703).as_bytes());
        assert_eq!(ran.object()["commits"], 2, "{ran:?}");
    });
}

#[test]
fn times_go_up_and_those_ahead_are_now() {
    let store = Store::in_folder();
    let text = lines("a", 5..6) + &lines("a", 4..5);
    let ran = store.run_with(&["import", "jsonl", "-"], text.as_bytes());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("line 2"), "{ran:?}");

    let ahead = r#"{"at":"2100-01-01T00:00:00Z","source":"x","writes":[{"key":"k","value":1}]}"#;
    let ran = store.run_with(&["import", "jsonl", "-", "--space", "b"], ahead.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(store.ok(&["get", "b", "k"]).out, b"1");

    let unnamed = ahead.replace(r#""source":"x","#, "");
    let ran = store.run_with(&["import", "jsonl", "-", "--space", "c"], unnamed.as_bytes());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("line 1"), "{ran:?}");
}

#[test]
fn lines_without_ids_go_on_by_their_time() {
    let store = Store::in_folder();
    let strip = |text: String| {
        let lines = text.lines().map(|line| {
            let (head, tail) = line.split_once(",\"source\"").unwrap();
            format!("{head}{}\n", &tail[tail.find(',').unwrap()..])
        });
        lines.collect::<String>()
    };
    let keep = ["import", "jsonl", "-", "--keep-importing", "--json"];
    let ran = store.run_with(&keep, strip(lines("a", 0..5)).as_bytes());
    assert_eq!(ran.object()["commits"], 5, "{ran:?}");
    let ran = store.run_with(&keep, strip(lines("a", 0..8)).as_bytes());
    assert_eq!(ran.object()["commits"], 3, "{ran:?}");
    assert_eq!(ran.object()["spaces"][0]["state"], "importing");
    store.ok(&["space", "live", "a"]);
    let ran = store.run_with(&keep, strip(lines("a", 0..9)).as_bytes());
    assert_eq!(ran.code, 3, "{ran:?}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how far the import comes until it is killed is up to chance"
)]
fn a_killed_import_is_run_again_until_it_is_done() {
    let store = Store::in_folder();
    let path = store.beside("history.jsonl");
    std::fs::write(&path, lines("a", 0..20_000)).unwrap();
    let line = ["import", "jsonl", &path, "--json", "--data"];
    for millis in [5, 60, 90, 120, 160] {
        let mut child = asof(&line).arg(store.data()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ran = store.run(&["import", "jsonl", &path, "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary = ran.object();
    let sum = summary["commits"].as_u64().unwrap() + summary["known"].as_u64().unwrap();
    assert_eq!(sum, 20_000);
    assert_eq!(store.ok(&["get", "a", "k49"]).out, b"{\"n\": 19999.0}");
    let read = store.ok(&["get", "a", "k0", "--as-of", "1700000100999999"]);
    assert_eq!(read.out, b"{\"n\": 100.0}");
    assert_eq!(store.run(&["verify"]).code, 0);
}

#[test]
fn a_repository_that_grows_is_imported_again() {
    both_ways(|store| {
        let repo = store.beside("repo");
        std::fs::create_dir(&repo).unwrap();
        let folder = Path::new(&repo);
        git(folder, &["init", "--quiet"]);
        commit(folder, "a", "one");
        commit(folder, "a", "two");
        let import = ["import", "git", &repo, "--space", "r", "--rev", "HEAD"];
        let keep = ["import", "git", &repo, "--space", "r", "--keep-importing"];
        assert_eq!(store.json(&keep)[0]["commits"], 2);
        commit(folder, "b", "three");
        assert_eq!(store.json(&import)[0]["commits"], 1);
        assert!(store.ok(&import).text().starts_with("nothing new"));
        commit(folder, "a", "four");
        commit(folder, "c", "five");
        let summary = &store.json(&import)[0];
        assert_eq!((&summary["commits"], &summary["known"]), (&2.into(), &3.into()));
        assert_eq!(store.ok(&["get", "r", "a"]).out, b"four");

        // Rewritten below what was imported.
        git(folder, &["reset", "--quiet", "--hard", "HEAD~1"]);
        commit(folder, "c", "six");
        let ran = store.run(&import);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("rewritten"), "{ran:?}");
    });
}

#[test]
fn what_no_store_can_hold_is_refused_unless_skipped() {
    let store = Store::in_folder();
    let repo = store.beside("repo");
    std::fs::create_dir(&repo).unwrap();
    let folder = Path::new(&repo);
    git(folder, &["init", "--quiet"]);
    commit(folder, "a", "one");
    std::fs::write(folder.join("large"), vec![b'x'; (1 << 20) + 1]).unwrap();
    git(folder, &["add", "--all"]);
    let head = git(folder, &["rev-parse", "HEAD"]);
    git(folder, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    git(folder, &["commit", "--quiet", "--message", "two"]);
    let ran = store.run(&["import", "git", &repo, "--space", "r"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    for word in ["large", "sub", "--skip"] {
        assert!(ran.err.contains(word), "{ran:?}");
    }
    assert!(store.json(&["space", "list"]).is_empty());
    let ran = store.ok(&["import", "git", &repo, "--space", "r", "--skip"]);
    assert!(ran.text().contains("left out 2"), "{ran:?}");
    assert_eq!(store.ok(&["get", "r", "a"]).out, b"one");
}

#[test]
fn a_demo_needs_no_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = asof(&["demo", "--exit"]);
    command.current_dir(&folder).env("GIT_CEILING_DIRECTORIES", "/");
    let ran = run(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    for word in ["no git history", "$ asof time", "$ asof ls", "$ asof diff", "agreed"] {
        assert!(ran.text().contains(word), "{word}: {ran:?}");
    }
}
