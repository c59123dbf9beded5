//! Holds the edges between crates to the picture in ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::Path;

/// Which crates of this workspace a crate's shipped code may use. A new edge is argued for in
/// the commit that adds it here.
const EDGES: &[(&str, &[&str])] = &[
    ("asof-time", &[]),
    ("asof-env", &["asof-time"]),
    ("asof-store", &["asof-env", "asof-time"]),
    ("asof-cache", &["asof-time"]),
    ("asof-api", &["asof-time"]),
    ("asof-console", &["asof-time"]),
    ("asof-listen", &[]),
    ("asof-client", &["asof-api", "asof-time"]),
    (
        "asof-edge",
        &["asof-api", "asof-cache", "asof-client", "asof-env", "asof-listen", "asof-time"],
    ),
    ("asof-otlp", &["asof-client", "asof-edge"]),
    (
        "asof-server",
        &["asof-api", "asof-console", "asof-env", "asof-listen", "asof-store", "asof-time"],
    ),
    (
        "asof-sim",
        &[
            "asof-api",
            "asof-cache",
            "asof-edge",
            "asof-env",
            "asof-server",
            "asof-store",
            "asof-time",
        ],
    ),
    (
        "asof",
        &[
            "asof-api",
            "asof-client",
            "asof-edge",
            "asof-env",
            "asof-otlp",
            "asof-server",
            "asof-store",
            "asof-time",
        ],
    ),
];

/// The workspace's own crates among `[dependencies]` of a manifest.
fn edges(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find_map(|part| part.strip_prefix("dependencies]\n"));
    let names = section.unwrap_or_default().lines().filter_map(|line| {
        let name = line.split(['.', ' ', '=']).next()?;
        (name == "asof" || name.starts_with("asof-")).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut seen = 0;
    for entry in std::fs::read_dir(crates).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let Some(allowed) = allowed.get(name.as_str()) else {
            assert_eq!(name, "asof-bench", "{name} is missing from the picture");
            continue;
        };
        seen += 1;
        for edge in edges(&manifest) {
            assert!(allowed.contains(&edge.as_str()), "{name} may not use {edge}");
        }
    }
    assert_eq!(seen, EDGES.len());
}

#[test]
fn nothing_that_is_shipped_is_made_of_the_simulation() {
    assert!(EDGES.iter().all(|(_, below)| !below.contains(&"asof-sim")));
}

#[test]
fn an_edge_is_seen_however_it_is_written() {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nasof-store.workspace = true\n\
                    asof-env = { path = \"..\" }\nserde.workspace = true\n\n[dev-dependencies]\n\
                    asof-bench.workspace = true\n";
    assert_eq!(edges(manifest), ["asof-store", "asof-env"]);
}
