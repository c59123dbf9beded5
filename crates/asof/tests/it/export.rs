//! Exports: one moment, as files, whatever happens on the way.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use asof_env::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::harness::{Store, asof, both_ways, run};

/// Writes `count` keys in one commit; returns its moment.
fn filled(store: &Store, count: u32) -> String {
    let writes: Vec<Value> = (0..count)
        .map(|n| json!({"space": "s", "key": format!("{n:06}"), "value": {"n": n}}))
        .collect();
    let commit = json!({ "writes": writes }).to_string();
    let ran = store.run_with(&["commit", "-", "--json"], commit.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.object().get("effective").unwrap().to_string()
}

/// The files of a folder by their paths within it.
fn files(folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    gather(Path::new(folder), Path::new(folder), &mut found);
    found
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = core::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_value_comes_out_as_what_it_is() {
    both_ways(|store| {
        let pretty = b"{\n  \"a\": [1,\r\n 2.50]\n}";
        store.ok(&["put", "s", "plain", "--value", "say \"hi\",\nyes"]);
        store.run_with(&["put", "s", "json", "--content-type", "application/json"], pretty);
        store.run_with(&["put", "s", "bytes"], b"\xff\x00raw");
        store.ok(&["put", "s", "gone", "--value", "1"]);
        store.ok(&["delete", "s", "gone"]);
        let to = store.beside("jsonl");
        let manifest = store.json(&["export", "s", "--format", "jsonl", "--to", &to]);
        assert_eq!(manifest[0]["rows"], 3);
        let rows = lines(&files(&to)[Path::new("s/part-00001.jsonl")]);
        let keys: Vec<&str> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["bytes", "json", "plain"]);
        assert_eq!(rows[0]["value_base64"], "/wByYXc=");
        assert_eq!(rows[1]["value"], json!({"a": [1, 2.5]}));
        assert_eq!(rows[1]["bytes"], pretty.len());
        assert_eq!(rows[2]["value_text"], "say \"hi\",\nyes");
        let listed = store.json(&["ls", "s"]);
        for (row, listed) in rows.iter().zip(&listed) {
            assert_eq!((&row["hash"], &row["effective"]), (&listed["hash"], &listed["from"]));
        }

        let to = store.beside("csv");
        store.ok(&["export", "s", "--format", "csv", "--to", &to]);
        let text = String::from_utf8(files(&to)[Path::new("s/part-00001.csv")].clone()).unwrap();
        assert!(
            text.starts_with("key,effective,commit,content_type,hash,bytes,encoding,value\r\n")
        );
        assert!(text.contains(",base64,\"/wByYXc=\"\r\n"), "{text}");
        assert!(text.contains(",text,\"say \"\"hi\"\",\nyes\"\r\n"), "{text}");
    });
}

#[test]
fn the_manifest_names_the_moment_and_the_hash_of_each_file() {
    both_ways(|store| {
        let at = filled(store, 25);
        store.ok(&["put", "t", "later", "--value", "1"]);
        store.ok(&["space", "create", "quiet", "--importing"]);
        store.ok(&["put", "s", "000007", "--value", "changed"]);
        let to = store.beside("all");
        let line = ["export", "--all", "--as-of", &at, "--part-rows", "10", "--to", &to];
        let manifest = &store.json(&line)[0];
        let written = files(&to);
        let told: Value = serde_json::from_slice(&written[Path::new("_manifest.json")]).unwrap();
        assert_eq!(manifest, &told);
        assert_eq!(told["as_of"].to_string(), at);
        assert_eq!(told["epoch"], store.json(&["time"])[0]["epoch"]);
        let rows = |space: &str| {
            let spaces = told["spaces"].as_array().unwrap().iter();
            spaces.filter(|entry| entry["space"] == space).map(|entry| &entry["rows"]).next()
        };
        assert_eq!(
            (rows("s"), rows("t"), rows("quiet")),
            (Some(&25.into()), Some(&0.into()), None)
        );
        let mut named = 1;
        for part in
            told["spaces"].as_array().unwrap().iter().flat_map(|s| s["files"].as_array().unwrap())
        {
            let bytes = &written[Path::new(part["path"].as_str().unwrap())];
            assert_eq!(part["blake3"], blake3::hash(bytes).to_hex().as_str());
            assert_eq!(part["bytes"], bytes.len());
            named += 1;
        }
        assert_eq!((named, written.len()), (5, 5), "three parts, an empty one, the manifest");
        assert!(store.json(&["pin", "list"]).is_empty(), "the pin is released");
    });
}

#[test]
fn an_export_that_is_killed_anywhere_goes_on_to_the_same_bytes() {
    let store = Store::behind_server();
    let at = filled(&store, 2_000);
    for format in ["jsonl", "csv", "parquet"] {
        let whole = store.beside(&format!("whole-{format}"));
        let cut = store.beside(&format!("cut-{format}"));
        let line = |to: &str| {
            ["export", "s", "--part-rows", "50", "--format", format, "--as-of", &at, "--to", to]
                .map(str::to_owned)
        };
        let mut kills = 0;
        // Killed once there are some parts more than before, until one run comes to its end.
        for run in 1..100 {
            let mut child = asof(&line(&cut).each_ref().map(String::as_str))
                .args(["--server", &store.url()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let enough = PathBuf::from(&cut).join(format!("s/part-{:05}.{format}", run * 9));
            let ended = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status.success();
                }
                if enough.exists() {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break PathBuf::from(&cut).join("_manifest.json").exists();
                }
                SystemClock.sleep(Duration::from_millis(1));
            };
            // Writers go on.
            store.ok(&["put", "s", "000001", "--value", &run.to_string()]);
            if ended {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 2, "{kills}");
        store.ok(&line(&whole).each_ref().map(String::as_str));
        let (whole, cut) = (files(&whole), files(&cut));
        assert_eq!(whole.keys().collect::<Vec<_>>(), cut.keys().collect::<Vec<_>>());
        assert_eq!(whole.len(), 41);
        assert!(whole == cut, "{format}");
    }
    assert!(store.json(&["pin", "list"]).is_empty(), "a pin that was left is taken up");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let store = Store::behind_server();
    let at = filled(&store, 20);
    let refused = |line: &[&str], word: &str| {
        let ran = store.run(&[&["export"], line].concat());
        assert_eq!(ran.code, 2, "{line:?}: {ran:?}");
        assert!(ran.err.contains(word), "{line:?}: {ran:?}");
    };
    let full = store.beside("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(format!("{full}/thesis.tex"), "years of work").unwrap();
    refused(&["s", "--to", &full], "is not empty and holds no export");

    let done = store.beside("done");
    store.ok(&["export", "s", "--format", "csv", "--part-rows", "5", "--to", &done]);
    refused(&["s", "--to", &done], "holds a complete export already");

    // As it is when it was cut off after its second part.
    let manifest = std::fs::read(format!("{done}/_manifest.json")).unwrap();
    let mut unfinished: Value = serde_json::from_slice(&manifest).unwrap();
    let space = &mut unfinished["spaces"][0];
    space["complete"] = false.into();
    space["rows"] = 10.into();
    space["files"].as_array_mut().unwrap().truncate(2);
    std::fs::write(format!("{done}/_unfinished.json"), unfinished.to_string()).unwrap();
    std::fs::remove_file(format!("{done}/_manifest.json")).unwrap();
    refused(&["s", "--format", "jsonl", "--to", &done], "the format csv");
    refused(&["s", "--format", "csv", "--as-of", &at, "--to", &done], "the moment");
    refused(&["t", "--format", "csv", "--to", &done], "the spaces s");
    let second = format!("{done}/s/part-00002.csv");
    let bytes = std::fs::read(&second).unwrap();
    std::fs::write(&second, "edited").unwrap();
    refused(&["s", "--format", "csv", "--to", &done], "was changed since it was written");
    std::fs::write(&second, bytes).unwrap();
    store.ok(&["export", "s", "--format", "csv", "--to", &done]);
    assert_eq!(std::fs::read(format!("{done}/_manifest.json")).unwrap(), manifest);

    refused(&["--to", &store.beside("x")], "required");
    let unknown = store.run(&["export", "never", "--to", &store.beside("y")]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(!Path::new(&store.beside("y")).exists());
}

#[test]
fn a_reader_exports_without_a_pin() {
    let store = Store::behind_server();
    filled(&store, 3);
    let operator = store.ok(&["token", "create", "ops", "--role", "operator"]);
    let operator = operator.text().trim();
    let make = ["token", "create", "r", "--role", "reader", "--token", operator];
    let reader = store.ok(&make);
    let reader = reader.text().trim();
    let to = store.beside("read");
    let line = ["export", "s", "--format", "jsonl", "--to", &to, "--token", reader];
    let refused = store.run(&line);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("--no-pin"), "{refused:?}");
    store.ok(&[&line[..], &["--no-pin"]].concat());
}

#[test]
fn it_takes_its_moment_from_a_frozen_batch() {
    let store = Store::behind_server();
    filled(&store, 3);
    let to = store.beside("frozen");
    let mut batch = asof(&["run", "--freeze", "--server", &store.url(), "--"]);
    let script = r#""$ASOF" put s later --value 1 && "$ASOF" export s --format jsonl --to "$TO""#;
    batch.args(["sh", "-c", script]).env("ASOF", env!("CARGO_BIN_EXE_asof")).env("TO", &to);
    let ran = run(batch, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lines(&files(&to)[Path::new("s/part-00001.jsonl")]).len(), 3);
}
