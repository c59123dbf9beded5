//! What scripts rely on: members of objects, exit codes, the environment, standard streams.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Store, asof, both_ways, run};

fn members(object: &Value) -> String {
    let names: BTreeSet<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    Vec::from_iter(names).join(" ")
}

#[test]
fn objects_have_the_members_that_scripts_were_written_for() {
    both_ways(|store| {
        let version = "as_of bytes commit content_type from hash key space through";
        let written = "accepted effective epoch id replayed";
        let pin = "at expires name owner reason";
        let logged = "accepted author backfilled effective id message opened writes";
        let released = "alone at created events message name planners state value_bytes writes";
        let backup = store.beside("backup");
        let (export, plan) = (store.beside("export"), store.beside("plan.json"));
        let writes = r#"{"writes": [{"space": "s", "key": "r", "value": 1}]}"#;
        std::fs::write(&plan, writes).unwrap();
        for (line, wanted) in [
            ("put s k --value 1", written),
            ("get s k", "as_of content_type from hash key space through value"),
            ("ls s", "bytes from hash key through"),
            ("history s k", version),
            ("put s later --value 2 --effective-at 2027-03-01T00:00:00Z", written),
            ("log --pending", logged),
            ("log --after 0", logged),
            ("space create empty", "floor name retention since state"),
            ("space list", "floor name retention since state"),
            ("space usage s", "keys live_keys value_bytes versions"),
            ("space retention s", "dry_run floor retention space"),
            ("time", "cap closed epoch floor latest"),
            ("cap show", "cap edges"),
            ("pin create p --ttl 1h", pin),
            ("pin list", "at expires held_bytes name owner reason"),
            ("pin release p --dry-run", "dry_run pin"),
            (
                &format!("export s --format csv --to {export}"),
                "as_of bounds epoch format kind rows spaces version",
            ),
            (&format!("release plan {plan} --name r --at 2027-03-01T00:00:00Z"), released),
            ("release list", released),
            ("release show r", &released.replace("planners", "planned planners")),
            ("release cancel r", "dry_run release"),
            ("delete s k", written),
            ("audit", "action at by detail reason sequence subject"),
            (&format!("backup {backup}"), "bytes path"),
            ("token create t --role operator", "name role secret spaces"),
        ] {
            let printed = store.json(&line.split(' ').collect::<Vec<_>>());
            let printed = printed.last().unwrap_or_else(|| panic!("{line} printed nothing"));
            assert_eq!(members(printed), wanted, "{line}");
        }
    });
}

#[test]
fn a_deleted_version_says_so_and_has_no_content() {
    both_ways(|store| {
        store.ok(&["put", "s", "k", "--value", "1"]);
        store.ok(&["delete", "s", "k"]);
        let newest = store.json(&["history", "s", "k"]).remove(0);
        assert_eq!(newest["deleted"], true);
        assert!(newest["hash"].is_null() && newest["content_type"].is_null(), "{newest}");
    });
}

#[test]
fn a_moment_is_the_same_as_a_number_and_as_text() {
    both_ways(|store| {
        let at = &store.json(&["put", "s", "k", "--value", "1"])[0]["effective"];
        store.ok(&["put", "s", "k", "--value", "2"]);
        let number = at.to_string();
        let by_number = store.ok(&["get", "s", "k", "--as-of", &number]);
        // The line for people has it as text.
        let text = by_number.err.split("true from ").nth(1).or(by_number.err.split(' ').nth(2));
        let text = text.unwrap().split([' ', ',']).next().unwrap();
        assert!(text.ends_with('Z'), "{}", by_number.err);
        let by_text = store.json(&["get", "s", "k", "--as-of", text]).remove(0);
        assert_eq!((&by_text["as_of"], &by_text["value"]), (at, &Value::from("1")));
    });
}

#[test]
fn wrong_usage_is_json_where_json_was_asked_for() {
    for line in [&["--json", "get", "s"][..], &["gett", "s", "--json"], &["ls", "s", "--json=2"]] {
        let ran = run(asof(line), b"");
        assert_eq!((ran.code, ran.out.len()), (2, 0), "{ran:?}");
        if line.contains(&"--json") {
            assert_eq!(ran.problem()["name"], "Invalid", "{ran:?}");
            let detail = ran.problem()["detail"].as_str().unwrap().to_owned();
            assert!(!detail.contains("Usage") && !detail.starts_with("error"), "{detail}");
        }
    }
    // A value is no option.
    let ran = run(asof(&["gett", "--", "--json"]), b"");
    assert!(ran.err.starts_with("error: unrecognized subcommand"), "{ran:?}");
    // Help is what was asked for, however.
    let help = run(asof(&["get", "--json", "--help"]), b"");
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.text().contains("Examples:"), "{help:?}");
}

#[test]
fn the_environment_says_where_the_server_is_and_options_say_it_louder() {
    let (store, other) = (Store::behind_server(), Store::in_folder());
    store.ok(&["put", "s", "k", "--value", "served"]);
    other.ok(&["put", "s", "k", "--value", "in the folder"]);
    let with = |server: &str, more: &[&str]| {
        let mut command = asof(&["get", "s", "k"]);
        command.args(more).env("ASOF_SERVER", server);
        run(command, b"")
    };
    let nowhere = "http://127.0.0.1:1";
    assert_eq!(with(&store.url(), &[]).out, b"served");
    assert_eq!(with(nowhere, &["--server", &store.url()]).out, b"served");
    assert_eq!(with(nowhere, &["--data", other.data().to_str().unwrap()]).out, b"in the folder");
    let away = with(nowhere, &[]);
    assert_eq!(away.code, 4, "{away:?}");
    assert!(away.err.contains(nowhere), "{away:?}");
    assert_eq!(with("no address", &[]).code, 2);
}

#[test]
fn the_environment_says_who_acts_and_options_say_it_louder() {
    both_ways(|store| {
        store.ok(&["put", "s", "k", "--value", "1"]);
        store.ok(&["put", "s", "k", "--value", "2", "--author", "Grace"]);
        let log = store.json(&["log"]);
        let authors: Vec<&Value> = log.iter().map(|commit| &commit["author"]).collect();
        assert_eq!(authors, ["Ada", "Ada", "Grace"]);
        // What opened the space says why, with nothing after it where there is no message.
        assert_eq!(store.json(&["audit"])[0]["reason"], "first write");
    });
}

#[test]
fn secrets_come_from_the_environment_and_are_listed_nowhere() {
    let store = Store::behind_server();
    let created = store.json(&["token", "create", "ops", "--role", "operator"]).remove(0);
    let secret = created["secret"].as_str().unwrap();
    let ask = |line: &[&str], secret: &str| {
        let mut command = asof(line);
        command.args(["--server", &store.url()]).env("ASOF_TOKEN", secret);
        run(command, b"")
    };
    let refused = ask(&["time", "--json"], "asof_forged");
    assert_eq!((refused.code, &refused.problem()["name"]), (3, &"Unauthorized".into()));
    assert!(!refused.err.contains("asof_forged"), "{refused:?}");
    for line in [&["token", "list"][..], &["token", "list", "--json"], &["audit", "--json"]] {
        let ran = ask(line, secret);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.text().contains("ops") && !ran.text().contains("asof_"), "{ran:?}");
    }
    let help = ask(&["time", "--help"], secret);
    assert!(!help.text().contains(secret), "help shows no value of the environment");
    let revoked = ask(&["token", "revoke", "ops", "--json"], secret);
    assert_eq!(revoked.object()["revoked"], true);
}

#[test]
fn a_value_may_come_from_a_file_from_standard_input_or_from_the_line() {
    both_ways(|store| {
        let file = store.beside("value.json");
        std::fs::write(&file, b"{\"from\": \"a file\"}").unwrap();
        store.ok(&["put", "s", "a", &file]);
        assert_eq!(store.run_with(&["put", "s", "b", "-"], b"piped").code, 0);
        store.ok(&["put", "s", "c", "--value", "on the line"]);
        assert_eq!(store.run_with(&["put", "s", "d"], b"").code, 0);
        let got = |key: &str| store.ok(&["get", "s", key]).out;
        assert_eq!(got("a"), b"{\"from\": \"a file\"}");
        assert_eq!(store.json(&["get", "s", "a"])[0]["content_type"], "application/json");
        assert_eq!((got("b"), got("c")), (b"piped".to_vec(), b"on the line".to_vec()));
        assert_eq!(got("d"), b"", "nothing is a value too");
    });
}

#[test]
fn what_is_too_large_is_refused_whole_with_its_limit() {
    both_ways(|store| {
        store.ok(&["put", "s", "k", "--value", "small"]);
        let large = vec![b'x'; (1 << 20) + 1];
        let ran = store.run_with(&["put", "s", "k", "--json"], &large);
        assert_eq!((ran.code, &ran.problem()["name"]), (3, &"TooLarge".into()), "{}", ran.err);
        assert_eq!(ran.problem()["limit"], 1 << 20);
        let key = "k".repeat(1_025);
        let ran = store.run(&["put", "s", &key, "--value", "1", "--json"]);
        assert!(matches!(ran.code, 2 | 3), "{ran:?}");
        assert!(ran.problem()["detail"].as_str().unwrap().contains("1024"), "{ran:?}");
        assert_eq!(store.ok(&["get", "s", "k"]).out, b"small");
        assert_eq!(store.json(&["ls", "s"]).len(), 1);
    });
}

#[test]
fn damage_has_an_exit_code_of_its_own() {
    let store = Store::in_folder();
    store.ok(&["put", "s", "k", "--value", &"v".repeat(500)]);
    let file = store.data().join("store.asof");
    let sound = std::fs::read(&file).unwrap();
    // Pages are written anew, so that the value may be in some that are no longer in use.
    let mut damaged = sound.clone();
    let mut flipped = 0;
    for place in 250..sound.len() {
        if sound[place - 250..place].iter().all(|byte| *byte == b'v') && sound[place] != b'v' {
            damaged[place - 100] ^= 1;
            flipped += 1;
        }
    }
    assert!(flipped > 0);
    std::fs::write(&file, &damaged).unwrap();
    let ran = store.run(&["verify", "--json"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert_eq!(store.run(&["get", "s", "k"]).code, 5);
    std::fs::write(&file, &sound).unwrap();
    assert_eq!(store.run(&["verify"]).code, 0);
}

#[test]
fn an_interrupted_write_of_standard_input_writes_nothing() {
    let store = Store::behind_server();
    let mut child = asof(&["put", "s", "k", "--server", &store.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"half of").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(store.json(&["space", "list"]).is_empty());
}
