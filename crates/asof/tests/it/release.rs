//! Timed releases, from plan to roll-back.

use core::time::Duration;

use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Server, Store, asof, both_ways, run};

/// Far enough that no machine is too slow to see it pending.
const FAR: &str = "2027-03-01T00:00:00Z";

fn spring(store: &Store) -> String {
    let path = store.beside("spring.json");
    let text = json!({"message": "spring prices", "writes": [
        {"space": "prices", "key": "usd", "value": {"eur": 1.09}},
        {"space": "prices", "key": "itl", "delete": true},
        {"space": "notes", "key": "usd", "value_text": "as agreed"},
    ]});
    std::fs::write(&path, text.to_string()).unwrap();
    store.ok(&["put", "prices", "itl", "--value", "1936.27"]);
    path
}

fn state(store: &Store, name: &str) -> Value {
    store.ok(&["release", "show", name, "--json"]).object().get("state").unwrap().clone()
}

#[test]
fn a_release_is_planned_seen_scheduled_amended_and_cancelled() {
    both_ways(|store| {
        let file = spring(store);
        let plan = ["release", "plan", &file, "--name", "spring", "--at", FAR];
        let dry = store.ok(&[&plan[..], &["--dry-run"]].concat());
        assert!(dry.text().starts_with("dry run: release spring: draft, 3 writes"), "{dry:?}");
        assert!(store.json(&["release", "list"]).is_empty(), "nothing is planned");
        let planned = store.ok(&plan);
        assert!(planned.text().contains("release spring: draft, 3 writes"), "{planned:?}");
        assert!(planned.err.contains("asof release schedule"), "{planned:?}");
        let preview = ["get", "prices", "usd", "--as-of", FAR, "--preview"];
        assert_eq!(store.run(&preview).code, 1, "a draft shows nowhere");

        let dry = store.ok(&["release", "schedule", "spring", "--dry-run"]);
        assert!(dry.text().starts_with("dry run: release spring: scheduled"), "{dry:?}");
        assert_eq!(state(store, "spring"), "draft");
        store.ok(&["release", "schedule", "spring", "--reason", "agreed"]);
        assert_eq!(store.ok(&preview).out, b"{\"eur\":1.09}");
        assert_eq!(store.run(&["get", "prices", "usd"]).code, 1);
        let pending = store.json(&["log", "--pending"]);
        assert_eq!(pending[0]["message"], "release spring: spring prices");
        let id = pending[0]["id"].to_string();
        let sneaky = store.run(&["cancel", &id]);
        assert_eq!(sneaky.code, 3);
        assert!(sneaky.err.contains("asof release cancel spring"), "{sneaky:?}");

        let later = "2027-03-08T00:00:00Z";
        store.ok(&["release", "amend", "spring", "--at", later, "--dry-run"]);
        assert!(!store.ok(&["release", "list"]).text().contains("2027-03-08"));
        store.ok(&["release", "amend", "spring", "--at", later]);
        let listed = store.ok(&["release", "list"]);
        assert!(listed.text().contains("2027-03-08"), "{listed:?}");
        assert!(listed.text().contains("d "), "time left: {listed:?}");
        let dry = store.ok(&["release", "cancel", "spring", "--dry-run"]);
        assert!(dry.text().starts_with("dry run: "), "{dry:?}");
        assert_eq!(state(store, "spring"), "scheduled");
        store.ok(&["release", "cancel", "spring", "--reason", "not agreed"]);
        assert!(store.json(&["log", "--pending"]).is_empty());

        let shown = &store.json(&["release", "show", "spring"])[0];
        assert_eq!(shown["state"], "cancelled");
        assert_eq!(shown["planned"].as_array().unwrap().len(), 3, "what was planned is kept");
        let events = shown["events"].as_array().unwrap();
        let actions: Vec<&str> = events.iter().map(|e| e["action"].as_str().unwrap()).collect();
        assert_eq!(
            actions,
            ["release-planned", "release-scheduled", "release-amended", "release-cancelled"]
        );
        let people = store.ok(&["release", "show", "spring"]);
        assert!(people.text().contains("not agreed"), "{people:?}");
        assert_eq!(store.json(&["release", "list", "--state", "cancelled"]).len(), 1);
        assert!(store.json(&["release", "list", "--state", "live"]).is_empty());

        let again = store.run(&plan);
        assert_eq!(again.code, 3, "a name is used once");
        assert!(again.err.contains("choose another name"), "{again:?}");
    });
}

#[test]
fn a_folder_is_a_release_too() {
    both_ways(|store| {
        let folder = store.beside("plan");
        for (path, text) in [
            ("prices/usd.json", &b"{\"eur\": 1.1}\n"[..]),
            ("prices/deep/chf", b"0.93"),
            ("images/flag.png", b"\x89PNG\xff"),
        ] {
            let path = std::path::Path::new(&folder).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        store.ok(&["put", "prices", "x", "--value", "1"]);
        let line = ["release", "plan", &folder, "--name", "all", "--at", FAR, "--schedule"];
        store.ok(&line);
        let shown = &store.json(&["release", "show", "all"])[0];
        let keys: Vec<String> = shown["planned"]
            .as_array()
            .unwrap()
            .iter()
            .map(|write| format!("{}:{}", write["space"], write["key"]).replace('"', ""))
            .collect();
        assert_eq!(keys, ["images:flag.png", "prices:deep/chf", "prices:usd.json"]);
        let read = ["get", "prices", "usd.json", "--as-of", FAR, "--preview"];
        assert_eq!(store.ok(&read).out, b"{\"eur\": 1.1}\n", "byte for byte");

        let one = format!("{folder}/prices");
        let refused = store.run(&["release", "plan", &one, "--name", "one", "--at", FAR]);
        assert_eq!(refused.code, 2);
        assert!(refused.err.contains("--space"), "{refused:?}");
        store.ok(&["release", "plan", &one, "--space", "p", "--name", "one", "--at", FAR]);
        let shown = &store.json(&["release", "show", "one"])[0];
        assert_eq!((&shown["state"], &shown["writes"]), (&json!("draft"), &json!(2)));
    });
}

#[test]
fn two_operators_are_two_tokens_whatever_they_call_themselves() {
    let store = Store::behind_server();
    let file = spring(&store);
    let first = store.ok(&["token", "create", "first", "--role", "operator"]);
    let first = first.text().trim();
    let make = ["token", "create", "second", "--role", "operator", "--token", first];
    let second = store.ok(&make);
    let second = second.text().trim();
    let make = ["token", "create", "w", "--role", "writer", "--token", first];
    let writer = store.ok(&make);
    let writer = writer.text().trim();
    let by = |token: &str, line: &[&str]| store.run(&[line, &["--token", token]].concat());

    let plan = ["release", "plan", &file, "--name", "spring", "--at", FAR, "--approval", "--alone"];
    assert_eq!(by(writer, &plan).code, 3, "a release takes an operator");
    assert_eq!(by(first, &plan).code, 0);
    let early = by(first, &["release", "schedule", "spring"]);
    assert_eq!(early.code, 3);
    assert!(early.err.contains("approved by a second operator first"), "{early:?}");
    // The same token under another name is the same operator.
    let own = by(first, &["release", "approve", "spring", "--author", "Somebody Else"]);
    assert_eq!(own.code, 3, "{own:?}");
    assert_eq!(by(second, &["release", "approve", "spring"]).code, 0);
    assert_eq!(by(first, &["release", "schedule", "spring"]).code, 0);
    // It has its keys for itself.
    let put = ["put", "prices", "usd", "--value", "2", "--effective-at", FAR];
    let refused = by(writer, &put);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("for itself"), "{refused:?}");
    // Amended, it is to be approved again.
    let amended = by(second, &["release", "amend", "spring", "-m", "other", "--json"]);
    assert_eq!(amended.object().get("state"), Some(&json!("draft")));
    assert_eq!(by(second, &["release", "schedule", "spring"]).code, 3);
}

#[test]
fn a_release_goes_live_while_nobody_runs_and_is_rolled_back() {
    let folder = Store::in_folder();
    folder.ok(&["put", "prices", "usd", "--value", "old"]);
    let file = spring(&folder);
    let mut server = Server::start(&folder.data());
    let at_server = |server: &Server, line: &[&str]| {
        let ran = run(asof(&[line, &["--server", &server.url]].concat()), b"");
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran
    };
    let soon = SystemClock.wall().saturating_add(Duration::from_secs(3));
    let at = soon.as_micros().to_string();
    let plan = ["release", "plan", &file, "--name", "spring", "--at", &at, "--schedule"];
    at_server(&server, &plan);
    assert_eq!(server.terminate(), 0);
    let left = soon.since(SystemClock.wall()) + Duration::from_millis(1_500);
    SystemClock.sleep(left);

    let server = Server::start(&folder.data());
    let before = Timestamp::from_micros(soon.as_micros() - 1).unwrap();
    let read = |as_of: Timestamp| {
        let as_of = as_of.as_micros().to_string();
        at_server(&server, &["get", "prices", "usd", "--as-of", &as_of]).out
    };
    assert_eq!((read(before), read(soon)), (b"old".to_vec(), b"{\"eur\":1.09}".to_vec()));
    let shown = at_server(&server, &["release", "show", "spring"]);
    assert!(shown.text().contains("release spring: live"), "{shown:?}");
    assert!(shown.text().contains("the store did not run then"), "{shown:?}");

    at_server(&server, &["release", "roll-back", "spring", "--dry-run"]);
    at_server(&server, &["release", "roll-back", "spring", "--reason", "wrong"]);
    assert_eq!(at_server(&server, &["get", "prices", "usd"]).out, b"old");
    assert_eq!(at_server(&server, &["get", "prices", "itl"]).out, b"1936.27");
    let listed = at_server(&server, &["release", "list"]);
    assert!(listed.text().contains("rolled-back"), "{listed:?}");
}
