//! `asof import`, as people run it.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use core::time::Duration;

use crate::harness::{Store, asof, both_ways};

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

/// A line for space `a` at second `n`, which deletes the keys of these numbers.
fn deletion(n: u64, keys: core::ops::Range<u64>) -> String {
    let writes = keys.map(|key| format!(r#"{{"key":"k{key}","delete":true}}"#));
    let writes = writes.collect::<Vec<_>>().join(",");
    let at = 1_700_000_000_000_000 + n * 1_000_000;
    format!(r#"{{"at":{at},"space":"a","source":"s{n}","writes":[{writes}]}}"#) + "\n"
}

#[test]
fn an_import_that_takes_most_of_a_live_space_is_held() {
    both_ways(|store| {
        let import = |text: &str, more: &[&str]| {
            let arguments = [&["import", "jsonl", "-", "--space", "a"], more].concat();
            store.run_with(&arguments, text.as_bytes())
        };
        let full = lines("a", 0..50);
        assert_eq!(import(&full, &[]).code, 0);
        let keys = || store.json(&["ls", "a"]).len();

        // Half of them may go.
        let half = full.clone() + &deletion(50, 0..25);
        assert_eq!(import(&half, &[]).code, 0);
        assert_eq!(keys(), 25);
        let full = half + &lines("a", 100..125);
        assert_eq!(import(&full, &[]).code, 0);
        assert_eq!(keys(), 50);

        // One more may not, and what came before it in the same run is not written either.
        let most = full.clone() + &lines("a", 201..202) + &deletion(202, 0..26);
        let held = import(&most, &["--json"]);
        assert_eq!(held.code, 3, "{held:?}");
        let problem = held.problem();
        assert_eq!(
            (&problem["name"], &problem["confirm"]),
            (&"Unconfirmed".into(), &"26-keys".into())
        );
        for part in ["26 of the 50 keys", "line 78", "`k0`", "`a`"] {
            assert!(problem["detail"].as_str().unwrap().contains(part), "{part}: {held:?}");
        }
        assert!(problem["hint"].as_str().unwrap().contains("--confirm 26-keys"), "{held:?}");
        assert_eq!(store.ok(&["get", "a", "k1"]).out, b"{\"n\": 101.0}");

        // It says so beforehand, and writes nothing.
        let dry = import(&most, &["--dry-run"]);
        assert_eq!(dry.code, 0, "{dry:?}");
        for part in ["dry run", "2 commits are new", "would be gone"] {
            assert!(dry.text().contains(part), "{part}: {dry:?}");
        }
        assert!(dry.err.contains("--confirm 26-keys"), "{dry:?}");
        let dry = import(&most, &["--dry-run", "--json"]).object();
        assert_eq!((&dry["dry_run"], &dry["confirm"]), (&true.into(), &"26-keys".into()));
        let shrinks = &dry["spaces"][0]["shrinks"];
        assert_eq!((&shrinks["keys"], &shrinks["gone"]), (&50.into(), &26.into()));
        assert_eq!(keys(), 50);

        // Another number is about something else.
        for wrong in ["22-keys", "0-keys"] {
            assert_eq!(import(&most, &["--confirm", wrong]).code, 3);
        }
        assert_eq!(import(&most, &["--confirm", "26"]).code, 2);
        assert_eq!(keys(), 50);
        assert_eq!(import(&most, &["--confirm", "26-keys"]).code, 0);
        assert_eq!(keys(), 24);
    });
}

#[test]
fn an_empty_source_is_no_import() {
    both_ways(|store| {
        let ran = store.run_with(&["import", "jsonl", "-", "--space", "a"], b"\n \n");
        assert_eq!(ran.code, 0, "there is nothing to lose yet: {ran:?}");
        assert_eq!(store.run_with(&["import", "jsonl", "-"], lines("a", 0..3).as_bytes()).code, 0);
        for line in [&["import", "jsonl", "-", "--space", "a"][..], &["import", "jsonl", "-"]] {
            let ran = store.run_with(line, b"");
            assert_eq!(ran.code, 3, "{ran:?}");
            assert!(ran.err.contains("holds no commit"), "{ran:?}");
        }
        // The last of a few keys is as good as all.
        let last = lines("a", 0..3) + &deletion(4, 0..3);
        let ran = store.run_with(&["import", "jsonl", "-"], last.as_bytes());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert_eq!(store.json(&["ls", "a"]).len(), 3);
    });
}

#[test]
fn a_repository_that_lost_its_files_is_held() {
    let store = Store::in_folder();
    let repo = store.beside("repo");
    std::fs::create_dir(&repo).unwrap();
    let folder = Path::new(&repo);
    git(folder, &["init", "--quiet"]);
    for n in 0..20 {
        std::fs::write(folder.join(format!("file{n}")), "x").unwrap();
    }
    commit(folder, "file0", "twenty");
    let import = ["import", "git", &repo, "--space", "r"];
    let dry = store.run(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 2, "there is no store to look at, and none is made: {dry:?}");
    store.ok(&import);
    let emptied = git(folder, &["rev-parse", "HEAD"]);

    for n in 1..20 {
        std::fs::remove_file(folder.join(format!("file{n}"))).unwrap();
    }
    commit(folder, "other", "the job that made the files failed");
    let lost = git(folder, &["rev-parse", "HEAD"]);
    let held = store.run(&import);
    assert_eq!(held.code, 3, "{held:?}");
    for part in ["Unconfirmed", "19 of the 20 keys", &lost, "--confirm 19-keys"] {
        assert!(held.err.contains(part), "{part}: {held:?}");
    }
    // That all is well again in the end does not help those who read in between.
    git(folder, &["revert", "--no-edit", "HEAD"]);
    assert_eq!(store.run(&import).code, 3);
    assert_eq!(store.json(&["ls", "r"]).len(), 20);
    store.ok(&[&import[..], &["--confirm", "19-keys"]].concat());
    assert_eq!(store.json(&["ls", "r"]).len(), 20);

    // Rewritten to a tree with few files, it is another history.
    git(folder, &["reset", "--quiet", "--hard", &emptied]);
    for n in 1..20 {
        std::fs::remove_file(folder.join(format!("file{n}"))).unwrap();
    }
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--amend", "--message", "rewritten"]);
    let refused = store.run(&import);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(store.json(&["ls", "r"]).len(), 20);

    let bare = store.beside("bare");
    std::fs::create_dir(&bare).unwrap();
    git(Path::new(&bare), &["init", "--quiet"]);
    let refused = store.run(&["import", "git", &bare, "--space", "r"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("no commits"), "{refused:?}");
}
