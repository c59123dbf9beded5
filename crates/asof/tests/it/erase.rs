//! Erasing a key, from the command line.

use crate::harness::{asof, both_ways, run};

#[test]
fn a_key_is_erased_after_a_dry_run_and_a_second_word() {
    both_ways(|store| {
        store.ok(&["put", "users", "bob", "--value", "b"]);
        let at = store.json(&["put", "users", "ada", "--value", "secret"])[0]["effective"].clone();
        store.ok(&["put", "users", "ada", "--value", "secret 2"]);
        let pin = ["pin", "create", "report", "--reason", "monthly", "--ttl", "1h", "--at"];
        store.ok(&[&pin[..], &[&at.to_string()]].concat());
        let line = ["erase", "users", "ada", "--reason", "request 7"];
        let dry = store.ok(&[&line[..], &["--dry-run"]].concat());
        let told = dry.text();
        assert!(told.starts_with("dry run, nothing is done: users/ada would be erased"), "{told}");
        assert!(told.contains("2 versions, 14 B"), "{told}");
        assert!(told.contains("report of"), "{told}");
        assert!(told.contains("it cannot be undone"), "{told}");
        assert!(dry.err.contains("--confirm 2-versions"), "{}", dry.err);
        let refused = store.run(&line);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains("--confirm 2-versions"), "{}", refused.err);
        assert_eq!(store.ok(&["get", "users", "ada"]).out, b"secret 2");

        let done = store.ok(&[&line[..], &["--confirm", "2-versions"]].concat());
        assert!(done.text().starts_with("users/ada is erased: 2 versions"), "{}", done.text());
        for line in [
            &["get", "users", "ada", "--json"][..],
            &["get", "users", "ada", "--as-of", &at.to_string(), "--json"],
            &["history", "users", "ada", "--json"],
            &["put", "users", "ada", "--value", "x", "--json"],
        ] {
            let refused = store.run(line);
            assert_eq!((refused.code, &refused.problem()["name"]), (3, &"Erased".into()));
        }
        let listed = store.json(&["ls", "users"]);
        assert_eq!((&listed[0]["key"], &listed[0]["erased"]), (&"ada".into(), &true.into()));
        assert_eq!(listed[1]["key"], "bob");
        assert!(store.ok(&["ls", "users"]).text().contains("erased"));
        let diff = store.ok(&["diff", "users", "0", &at.to_string()]);
        assert!(diff.text().lines().any(|line| line.starts_with('?')), "{}", diff.text());
        let log = store.ok(&["log", "--json"]);
        assert!(!log.text().contains("secret") && log.text().contains("\"erased\":true"));
        let audit = store.json(&["audit"]);
        assert_eq!(audit.last().unwrap()["subject"], "users/ada");
        let erasures = store.json(&["erasures"]);
        assert_eq!((&erasures[0]["key"], &erasures[0]["versions"]), (&"ada".into(), &2.into()));
        assert!(store.ok(&["erasures"]).text().contains("request 7"));
        assert_eq!(store.run(&["erase", "users", "adda", "--reason", "x", "--dry-run"]).code, 3);
    });
}

#[test]
fn an_older_backup_is_restored_without_what_was_erased_since() {
    both_ways(|store| {
        store.ok(&["put", "users", "ada", "--value", "secret"]);
        store.ok(&["space", "erasable", "users", "--reason", "personal data"]);
        let backup = store.beside("backup");
        store.ok(&["backup", &backup]);
        store.ok(&["erase", "users", "ada", "--reason", "request 7", "--confirm", "1-versions"]);
        let list = store.beside("erasures.jsonl");
        std::fs::write(&list, store.ok(&["erasures", "--json"]).out).unwrap();

        let restore = |name: &str, more: &[&str]| {
            let data = store.beside(name);
            let ran = run(asof(&[&["restore", &backup, "--data", &data], more].concat()), b"");
            (ran, data)
        };
        let (refused, data) = restore("unasked", &[]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains("--erasures"), "{}", refused.err);
        assert!(!std::path::Path::new(&data).join("store.asof").exists());
        let (done, data) = restore("without", &["--erasures", &list]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.text().contains("1 key erased again"), "{}", done.text());
        let get = run(asof(&["get", "users", "ada", "--json", "--data", &data]), b"");
        assert_eq!(get.problem()["name"], "Erased");
        assert_eq!(run(asof(&["verify", "--data", &data]), b"").code, 0);
        let (done, data) = restore("with", &["--no-erasures"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(run(asof(&["get", "users", "ada", "--data", &data]), b"").out, b"secret");
        let (refused, _) = restore("bad", &["--erasures", &format!("{data}/store.asof")]);
        assert_eq!(refused.code, 2, "{refused:?}");
    });
}

#[test]
fn an_export_says_which_keys_it_cannot_have() {
    both_ways(|store| {
        store.ok(&["put", "users", "ada", "--value", "secret"]);
        store.ok(&["put", "users", "bob", "--value", "b"]);
        store.ok(&["erase", "users", "ada", "--reason", "request 7", "--confirm", "1-versions"]);
        let to = store.beside("export");
        let done = store.ok(&["export", "users", "--to", &to, "--format", "jsonl"]);
        assert!(done.err.contains("1 key erased"), "{}", done.err);
        let manifest = std::fs::read(format!("{to}/_manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["spaces"][0]["erased"], serde_json::json!(["ada"]));
        assert_eq!(manifest["rows"], 1);
    });
}
