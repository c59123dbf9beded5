//! Writing and reading.

use serde_json::{Value, json};

use crate::harness::both_ways;

fn members(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_value_comes_back_byte_for_byte_at_its_time() {
    both_ways(|store| {
        let first = store.json(&["put", "prices", "a/b c?", "--value", "1.50"]);
        let at = first[0]["effective"].to_string();
        let put = store.run_with(&["put", "prices", "a/b c?"], b"\xff\x00raw");
        assert_eq!(put.code, 0, "{put:?}");

        let now = store.ok(&["get", "prices", "a/b c?"]);
        assert_eq!(now.out, b"\xff\x00raw");
        assert!(now.err.contains("application/octet-stream"), "{}", now.err);
        let then = store.json(&["get", "prices", "a/b c?", "--as-of", &at]);
        assert_eq!(then[0]["value"], "1.50");
        assert_eq!(then[0]["from"].to_string(), at);
        assert!(then[0]["until"].is_u64());
        assert_eq!(then[0]["hash"].as_str().unwrap().len(), 64);

        let raw = store.json(&["get", "prices", "a/b c?"]);
        assert_eq!(raw[0]["value_base64"], "/wByYXc=");
        let mut names = members(&raw[0]);
        names.sort_unstable();
        assert_eq!(
            names,
            ["as_of", "content_type", "from", "hash", "key", "space", "through", "value_base64"]
        );
    });
}

#[test]
fn absence_is_told_by_exit_code_and_has_its_interval() {
    both_ways(|store| {
        store.ok(&["put", "s", "here", "--value", "1"]);
        let absent = store.run(&["get", "s", "gone"]);
        assert_eq!((absent.code, absent.out.len()), (1, 0));
        assert!(absent.err.starts_with("absent: as of "), "{}", absent.err);
        let absent = store.run(&["get", "s", "gone", "--json"]);
        assert_eq!(absent.code, 1);
        assert_eq!(absent.problem()["name"], "Absent");
        assert!(absent.problem()["through"].is_u64());

        store.ok(&["delete", "s", "here"]);
        assert_eq!(store.run(&["get", "s", "here"]).code, 1);
        let history = store.json(&["history", "s", "here"]);
        assert_eq!(history.len(), 2);
        assert_eq!(history[0]["deleted"], true);
        assert_eq!(history[0]["from"], history[1]["until"]);
        assert_eq!(store.run(&["history", "s", "never"]).code, 1);
    });
}

#[test]
fn listings_and_differences() {
    both_ways(|store| {
        let commit = json!({"writes": [
            {"space": "s", "key": "a", "value": {"x": 1}},
            {"space": "s", "key": "b", "value_text": "hello"},
            {"space": "t", "key": "c", "value_base64": "AAE="},
        ]});
        let ran = store.run_with(
            &["commit", "-", "-m", "two spaces", "--json"],
            commit.to_string().as_bytes(),
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        let before = ran.object()["effective"].to_string();
        store.ok(&["put", "s", "b", "--value", "world"]);
        store.ok(&["delete", "s", "a"]);
        let after = store.json(&["put", "s", "d", "--value", "2"])[0]["effective"].to_string();

        let keys = |listed: Vec<Value>| -> Vec<String> {
            listed.iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect()
        };
        let now = store.json(&["ls", "s"]);
        assert_eq!(members(&now[0]), ["bytes", "from", "hash", "key", "through"]);
        assert_eq!(keys(now), ["b", "d"]);
        assert_eq!(keys(store.json(&["ls", "s", "--as-of", &before])), ["a", "b"]);
        assert_eq!(keys(store.json(&["ls", "s", "--prefix", "d"])), ["d"]);
        assert_eq!(keys(store.json(&["ls", "s", "--limit", "1"])), ["b"]);
        let diff = store.ok(&["diff", "s", &before, &after]);
        let signs: Vec<&str> = diff.text().lines().skip(1).map(|line| &line[..4]).collect();
        assert_eq!(signs, ["-  a", "~  b", "+  d"]);

        let log = store.json(&["log", "--space", "t"]);
        let last = log.last().unwrap();
        assert_eq!((&last["message"], &last["author"]), (&json!("two spaces"), &json!("Ada")));
        let log = store.json(&["log", "--after", &before, "--space", "s"]);
        assert_eq!(log.len(), 3);
    });
}

#[test]
fn a_listing_of_many_pages_is_of_one_moment() {
    both_ways(|store| {
        let writes: Vec<Value> = (0..2_500)
            .map(|n| json!({"space": "s", "key": format!("{n:05}"), "value": n}))
            .collect();
        let commit = json!({ "writes": writes }).to_string();
        let ran = store.run_with(&["commit", "-"], commit.as_bytes());
        assert_eq!(ran.code, 0, "{ran:?}");
        let listed = store.json(&["ls", "s"]);
        assert_eq!(listed.len(), 2_500);
        // A later page may know more of how long it is true, never less.
        let through = |line: &Value| line["through"].as_u64().unwrap();
        assert!(listed.is_sorted_by_key(through));
        assert_eq!(store.json(&["ls", "s", "--limit", "1700"]).len(), 1_700);
    });
}

#[test]
fn what_is_scheduled_can_be_seen_amended_and_cancelled() {
    both_ways(|store| {
        let at = "2027-03-01T00:00:00Z";
        store.ok(&["put", "s", "k", "--value", "old"]);
        let put = ["put", "s", "k", "--value", "new", "--effective-at", at];
        let id = store.json(&put)[0]["id"].to_string();
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"old");
        let preview = store.ok(&["get", "s", "k", "--as-of", at, "--preview"]);
        assert_eq!(preview.out, b"new");
        assert!(preview.err.contains("it may still change"), "{}", preview.err);
        assert_eq!(store.json(&["log", "--pending"]).len(), 1);

        let later = "2027-04-01T00:00:00Z";
        store.ok(&["amend", &id, "--effective-at", later, "-m", "later"]);
        let pending = store.json(&["log", "--pending"]);
        assert_eq!(pending[0]["message"], "later");
        store.ok(&["cancel", &id, "--reason", "not agreed"]);
        assert!(store.json(&["log", "--pending"]).is_empty());
        assert_eq!(store.run(&["cancel", &id]).code, 3);
    });
}
