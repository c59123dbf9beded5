//! What is wrong is refused, changes nothing, and says what to do.

use crate::harness::{asof, both_ways, run};

#[test]
fn refusals_have_names_bounds_and_hints() {
    both_ways(|store| {
        store.ok(&["put", "s", "k", "--value", "1"]);
        let refused = |line: &[&str]| {
            let line: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
            let ran = store.run(&line);
            assert_eq!((ran.code, ran.out.len()), (3, 0), "{ran:?}");
            ran.problem()
        };
        assert_eq!(refused(&["get", "nope", "k"])["name"], "UnknownSpace");
        let early = refused(&["get", "s", "k", "--as-of", "2100-01-01T00:00:00Z"]);
        assert_eq!(early["name"], "NotYetClosed");
        assert!(early["closed"].is_u64());
        let again = refused(&["put", "s", "k", "--value", "2", "--if-absent"]);
        assert_eq!(again["name"], "PreconditionFailed");
        let past = refused(&["put", "s", "k", "--value", "2", "--effective-at", "5"]);
        assert_eq!(past["name"], "InThePast");
        assert!(past["last"].is_u64());
        assert_eq!(refused(&["space", "create", "s"])["name"], "Conflict");
        assert_eq!(refused(&["space", "create", "No Name"])["name"], "Invalid");
        assert_eq!(refused(&["diff", "s", "2", "1"])["name"], "Invalid");
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"1");

        let large = vec![b'x'; (1 << 20) + 1];
        let ran = store.run_with(&["put", "s", "k", "--json"], &large);
        assert_eq!(ran.code, 3, "{}", ran.err);
        assert_eq!(ran.problem()["name"], "TooLarge");
        assert_eq!(ran.problem()["limit"], 1 << 20);
    });
}

#[test]
fn conditions_and_repetition() {
    both_ways(|store| {
        let put = ["put", "s", "k", "--value", "1", "--if-absent", "--idempotency-key", "once"];
        let first = store.json(&put);
        let again = store.json(&put);
        assert_eq!(first[0]["id"], again[0]["id"]);
        assert_eq!(again[0]["replayed"], true);
        let hash = store.json(&["get", "s", "k"])[0]["hash"].as_str().unwrap().to_owned();
        store.ok(&["put", "s", "k", "--value", "2", "--if-hash", &hash]);
        assert_eq!(store.run(&["put", "s", "k", "--value", "3", "--if-hash", &hash]).code, 3);
        let at = first[0]["effective"].to_string();
        let since = ["delete", "s", "k", "--if-unchanged-since", &at];
        assert_eq!(store.run(&since).code, 3);
        store.ok(&["delete", "s", "k", "--if-present"]);
    });
}

#[test]
fn wrong_usage_is_told_apart() {
    both_ways(|store| {
        for line in [
            &["get", "s"][..],
            &["get", "s", "k", "--as-of", "yesterday"],
            &["put", "s", "k", "/there/is/no/such/file"],
            &["ls", "s", "--limit", "0"],
            &["put", "s", "k", "--value", "1", "-m", "two\nlines"],
        ] {
            let ran = store.run(line);
            assert_eq!(ran.code, 2, "{line:?}: {ran:?}");
            assert!(!ran.err.is_empty());
        }
        let ran = store.run_with(&["commit", "-"], b"{\"wirtes\": []}");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("wirtes"), "{}", ran.err);
    });
    let nowhere = run(asof(&["time", "--data", "/there/is/no/such/folder"]), b"");
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
    let both = run(asof(&["time", "--data", "/tmp", "--server", "http://127.0.0.1:1"]), b"");
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn no_server_is_unavailable_and_says_how_to_start_one() {
    let ran = run(asof(&["time", "--server", "http://127.0.0.1:1"]), b"");
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("start one with `asof serve`, or pass --data DIR"), "{}", ran.err);
}

#[test]
fn only_what_writes_makes_a_store_in_a_folder_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new").to_str().unwrap().to_owned();
    for command in [&["time"][..], &["ls", "s"], &["get", "s", "k"], &["verify"]] {
        let mut line = command.to_vec();
        line.extend(["--data", &data]);
        let ran = run(asof(&line), b"");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("there is no store in"), "{}", ran.err);
        assert!(!folder.path().join("new").exists());
    }
    let put = run(asof(&["put", "s", "k", "--data", &data]), b"1");
    assert_eq!(put.code, 0, "{put:?}");
    assert_eq!(run(asof(&["get", "s", "k", "--data", &data]), b"").code, 0);
}
