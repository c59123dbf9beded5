//! A check against real data, which the project does not hold: `ASOF_OUTAGES` names a file of
//! commits, one a line and compressed by Zstandard. Run it with `cargo test -- --ignored outages`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use asof_store::ContentHash;
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::harness::Store;

/// Moments that are compared.
const MOMENTS: usize = 40;

#[derive(Deserialize)]
struct Line {
    at: u64,
    space: String,
    writes: Vec<Write>,
}

#[derive(Deserialize)]
struct Write {
    key: String,
    value: Option<Box<RawValue>>,
}

#[test]
#[ignore = "needs a file of real data, named by ASOF_OUTAGES"]
fn outages_read_as_a_replay_of_the_file_has_them() {
    let path = std::env::var("ASOF_OUTAGES").unwrap();
    let store = Store::in_folder();
    let summary = &store.json(&["import", "jsonl", &path])[0];
    let commits = usize::try_from(summary["commits"].as_u64().unwrap()).unwrap();
    assert_eq!(store.run(&["verify"]).code, 0);

    let compressed = std::fs::read(&path).unwrap();
    let text = StreamingDecoder::new(compressed.as_slice()).unwrap();
    let lines = BufReader::new(text).lines();
    let mut state: BTreeMap<String, String> = BTreeMap::new();
    let mut before: Option<BTreeMap<String, String>> = None;
    let mut compared = 0;
    for (index, line) in lines.enumerate() {
        let line: Line = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(expected) = before.take() {
            // The last moment of the commit before.
            compare(&store, &line.space, line.at - 1, &expected);
        }
        for Write { key, value } in line.writes {
            match value {
                Some(value) => {
                    let hash = ContentHash::of(value.get().as_bytes());
                    state.insert(key, hash.to_string());
                }
                None => drop(state.remove(&key)),
            }
        }
        // Uneven steps, so that no period of the data hides anything.
        if (index * 7_919) % commits < MOMENTS {
            compare(&store, &line.space, line.at, &state);
            before = Some(state.clone());
            compared += 1;
        }
    }
    assert!(compared >= MOMENTS / 2, "{compared}");
}

fn compare(store: &Store, space: &str, at: u64, expected: &BTreeMap<String, String>) {
    let listed = store.json(&["ls", space, "--as-of", &at.to_string()]);
    let listed: BTreeMap<_, _> = listed
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("key"), text("hash"))
        })
        .collect();
    assert_eq!(&listed, expected, "at {at}");
}
