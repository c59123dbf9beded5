//! Operating a store.

use crate::harness::{Server, Store, asof, both_ways, run};

#[test]
fn time_has_five_members() {
    both_ways(|store| {
        store.ok(&["space", "create", "s"]);
        let time = &store.json(&["time"])[0];
        let mut names: Vec<&String> = time.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["cap", "closed", "epoch", "floor", "latest"]);
        assert!(time["cap"].is_null());
        assert_eq!(time["epoch"].as_str().unwrap().len(), 14);
        let refused = store.run(&["time", "accept-clock", "--reason", "none"]);
        assert_eq!(refused.code, 3, "the clock is not in doubt: {refused:?}");
    });
}

#[test]
fn a_cap_rolls_readers_back_and_lets_them_go() {
    both_ways(|store| {
        let good = store.json(&["put", "s", "k", "--value", "good"]);
        let at = good[0]["effective"].to_string();
        store.ok(&["put", "s", "k", "--value", "bad"]);
        let dry = store.ok(&["cap", "set", &at, "--reason", "bad", "--dry-run"]);
        assert!(dry.text().starts_with("dry run, nothing is done: cap "), "{}", dry.text());
        assert!(dry.text().contains("1 key answers differently"), "{}", dry.text());
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"bad");
        store.ok(&["cap", "set", &at, "--reason", "bad"]);
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"good");
        let shown = store.ok(&["cap", "show"]);
        assert!(shown.text().contains("by Ada: bad"), "{shown:?}");
        store.ok(&["cap", "clear", "--reason", "mended"]);
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"bad");
        assert_eq!(store.run(&["cap", "clear", "--reason", "again"]).code, 3);
        let audit = store.json(&["audit"]);
        let last = audit.last().unwrap();
        assert_eq!((&last["action"], &last["by"]), (&"cap-cleared".into(), &"Ada".into()));
    });
}

#[test]
fn an_incident_ends_by_mark_revert_and_clear() {
    both_ways(|store| {
        let good = store.json(&["put", "s", "k", "--value", "good"]);
        let at = good[0]["effective"].to_string();
        store.ok(&["put", "s", "gone", "--value", "new"]);
        let bad = store.json(&["put", "s", "k", "--value", "bad"])[0]["id"].to_string();
        let set = ["cap", "set", &at, "--reason", "bad", "--expires", "1h"];
        let done = store.ok(&set);
        let shown = done.text().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let wanted = ["~", "s", "k", "bad", "good"];
        assert!(shown.into_iter().any(|line| line == wanted), "{}", done.text());
        assert!(done.err.contains("asof cap clear"), "{}", done.err);
        let again = store.run(&[&set[..], &["--json"]].concat());
        assert_eq!((again.code, &again.problem()["name"]), (3, &"Conflict".into()));
        assert!(store.ok(&["cap", "show"]).text().contains(", until "));
        let earlier = format!("{}", at.parse::<u64>().unwrap() - 1);
        let moved = ["cap", "set", &earlier, "--reason", "earlier", "--replace", &at];
        let moved = store.json(&moved);
        assert_eq!(moved[0]["after"]["cap"].to_string(), earlier);

        let refused = store.run(&["get", "s", "k", "--as-of", &at]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert_eq!(store.ok(&["get", "s", "k", "--above-cap"]).out, b"bad");
        let held_back = store.json(&["diff", "s", &at, &after(store), "--above-cap"]);
        assert_eq!(held_back.len(), 2);
        let all = store.json(&["log", "--above-cap"]).len();
        assert!(all > store.json(&["log"]).len());
        assert_eq!(store.json(&["ls", "s", "--above-cap"]).len(), 2);

        store.ok(&["bad", "mark", &bad, "--reason", "wrong"]);
        assert_eq!(store.json(&["bad", "list"])[0]["commit"].to_string(), bad);
        let held = store.run(&["cap", "clear", "--reason", "over"]);
        assert_eq!(held.code, 3);
        assert!(held.err.contains("marked bad by Ada (wrong)"), "{}", held.err);

        store.ok(&["put", "s", "k", "--value", "later"]);
        let revert = ["revert", &bad, "--reason", "wrong"];
        let conflict = store.run(&revert);
        assert_eq!(conflict.code, 3);
        assert!(conflict.text().contains("s/k"), "{}", conflict.text());
        assert!(conflict.err.contains("--restore SPACE/KEY"), "{}", conflict.err);
        let dry = store.ok(&[&revert[..], &["--dry-run"]].concat());
        assert!(dry.text().contains("1 key was written again since"), "{}", dry.text());
        let done = store.ok(&[&revert[..], &["--restore", "s/k"]].concat());
        assert!(done.text().contains("1 key put back"), "{}", done.text());
        let again = store.ok(&revert);
        assert!(again.text().starts_with("nothing to put back"), "{}", again.text());

        store.ok(&["cap", "clear", "--reason", "over"]);
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"good");
        store.ok(&["bad", "unmark", &bad, "--reason", "over"]);
        assert!(store.json(&["bad", "list"]).is_empty());
        let range = format!("{at}..{}", after(store));
        let back = store.json(&["revert", &range, "--reason", "all of it"]);
        assert_eq!((&back[0]["keys"], &back[0]["unchanged"]), (&1.into(), &1.into()));
        assert_eq!(store.run(&["get", "s", "gone"]).code, 1);

        let history = store.json(&["cap", "history"]);
        let actions: Vec<_> = history.iter().map(|record| record["action"].clone()).collect();
        assert_eq!(actions, ["cap-set", "cap-set", "cap-cleared"]);
        assert!(store.ok(&["cap", "history"]).text().contains("keys answer differently"));
    });
}

/// Closed, as the command line takes it.
fn after(store: &Store) -> String {
    let time = store.ok(&["time", "--json"]).object();
    time.get("closed").unwrap().to_string()
}

#[test]
fn many_keys_take_a_second_word() {
    let store = Store::in_folder();
    let config = store.beside("asof.toml");
    std::fs::write(&config, "[guard]\nconfirm_above_keys = 1\n").unwrap();
    let server = Server::start_with(&store.data(), &["--config", &config]);
    let on = |line: &[&str]| run(asof(&[line, &["--server", &server.url]].concat()), b"");
    let before = on(&["put", "s", "a", "--value", "1", "--json"]).object()["effective"].to_string();
    for key in ["b", "c"] {
        on(&["put", "s", key, "--value", "1"]);
    }
    let set = ["cap", "set", &before, "--reason", "wrong"];
    let dry = on(&[&set[..], &["--dry-run"]].concat());
    assert!(dry.err.contains("--confirm 2-keys"), "{dry:?}");
    let refused = on(&set);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("hint: ") && refused.err.contains("--confirm 2-keys"));
    let done = on(&[&set[..], &["--confirm", "2-keys"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn spaces_pins_and_tokens() {
    both_ways(|store| {
        store.ok(&["space", "create", "a", "--importing"]);
        let refused = store.run(&["get", "a", "k", "--json"]);
        assert_eq!(refused.code, 3);
        assert_eq!(refused.problem()["name"], "StillImporting");
        assert!(refused.problem()["hint"].as_str().unwrap().contains("asof space live"));
        store.ok(&["space", "live", "a"]);
        store.ok(&["put", "a", "k", "--value", "1"]);
        assert_eq!(store.json(&["space", "usage", "a"])[0]["versions"], 1);
        store.ok(&["space", "retention", "a", "--keep", "90d"]);
        let kept = store.ok(&["space", "retention", "a"]);
        assert!(kept.text().contains("kept: 90d"), "{kept:?}");
        assert_eq!(store.json(&["space", "list"]).len(), 1);

        let pin = ["pin", "create", "p", "--ttl", "1h", "--reason", "batch"];
        let dry = store.ok(&[&pin[..], &["--dry-run"]].concat());
        assert!(dry.text().starts_with("pin p would hold "), "{dry:?}");
        assert!(dry.text().contains("retention would drop 0 B without it now"), "{dry:?}");
        assert!(store.json(&["pin", "list"]).is_empty(), "nothing is held");
        store.ok(&pin);
        assert_eq!(store.json(&["pin", "list"])[0]["owner"], "Ada");
        store.ok(&["pin", "release", "p", "--dry-run"]);
        store.ok(&["pin", "release", "p"]);
        assert_eq!(store.run(&["pin", "release", "p"]).code, 3);

        let token = store.ok(&["token", "create", "t", "--role", "operator"]);
        let secret = token.text().trim().to_owned();
        assert!(secret.starts_with("asof_"), "{secret}");
        // Without it the server answers nobody from now on; a folder is open to whoever can
        // open it.
        store.ok(&["token", "list", "--token", &secret]);
        store.ok(&["token", "revoke", "t", "--token", &secret]);
    });
}

#[test]
fn a_token_is_asked_for_once_there_is_one() {
    let store = Store::behind_server();
    let first = store.run(&["token", "create", "t", "--role", "reader"]);
    assert_eq!(first.code, 3, "nobody could make another: {first:?}");
    let operator = store.ok(&["token", "create", "ops", "--role", "operator"]);
    let operator = operator.text().trim();
    let create = ["token", "create", "t", "--role", "reader", "--space", "s"];
    let create = [&create[..], &["--token", operator]].concat();
    let secret = store.ok(&create);
    let refused = store.run(&["time"]);
    assert_eq!(refused.code, 3);
    assert!(refused.err.contains("hint: pass --token"), "{}", refused.err);
    let secret = secret.text().trim();
    store.ok(&["time", "--token", secret]);
    let refused = store.run(&["put", "s", "k", "--value", "1", "--token", secret, "--json"]);
    assert_eq!(refused.problem()["name"], "Forbidden");
}

#[test]
fn a_backup_restores_into_a_new_epoch() {
    both_ways(|store| {
        store.ok(&["put", "s", "k", "--value", "kept"]);
        let (backup, restored) = (store.beside("backup"), store.beside("restored"));
        store.ok(&["backup", &backup]);
        let restore = || run(asof(&["restore", &backup, "--data", &restored]), b"");
        let ran = restore();
        assert_eq!(ran.code, 0, "{ran:?}");
        let get = run(asof(&["get", "s", "k", "--data", &restored]), b"");
        assert_eq!(get.out, b"kept");
        let time = run(asof(&["time", "--json", "--data", &restored]), b"").object();
        assert_ne!(time["epoch"], store.json(&["time"])[0]["epoch"]);
        assert_eq!(run(asof(&["verify", "--data", &restored]), b"").code, 0);
        assert_eq!(restore().code, 3, "there is a store already");

        let file = format!("{backup}/asof.backup");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let damaged = store.beside("damaged");
        let ran = run(asof(&["restore", &backup, "--data", &damaged]), b"");
        assert_eq!(ran.code, 5, "{ran:?}");
    });
}
