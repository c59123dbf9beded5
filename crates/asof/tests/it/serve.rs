//! The server's life, and following it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::harness::{Server, Store, asof, run};

#[test]
fn it_stops_when_told_and_keeps_what_it_acknowledged() {
    let store = Store::in_folder();
    let mut server = Server::start(&store.data());
    let put = ["put", "s", "k", "--value", "kept", "--server", &server.url];
    assert_eq!(run(asof(&put), b"").code, 0);
    // Only one process has a store open.
    let second = store.run(&["time"]);
    assert_eq!(second.code, 4, "{second:?}");
    assert_eq!(server.terminate(), 0);
    assert_eq!(store.ok(&["get", "s", "k"]).out, b"kept");
}

#[test]
fn its_configuration_is_checked_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asof.toml");
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut command = asof(&["serve", "--check", "--config"]);
        command.arg(&file).args(more);
        run(command, b"")
    };
    assert_eq!(check("listen = '127.0.0.1:0'", &[]).code, 0);
    let open = check("listen = '0.0.0.0:7400'", &[]);
    assert_eq!(open.code, 2, "{open:?}");
    assert_eq!(check("listen = '0.0.0.0:7400'", &["--listen", "127.0.0.1:0"]).code, 0);
    let unknown = check("[store]\nvalue_bytes = 1", &[]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("value_bytes"), "{}", unknown.err);
}

#[test]
fn a_start_that_comes_to_nothing_leaves_no_store_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let start = |more: &[&str]| {
        let mut command = asof(&["serve", "--data"]);
        command.arg(&data).args(more);
        run(command, b"")
    };
    let port = start(&["--listen", &taken]);
    assert_eq!(port.code, 4, "{port:?}");
    assert!(port.err.contains(&taken) && port.err.contains("--listen"), "{}", port.err);
    let tokens = start(&["--listen", "0.0.0.0:0", "--tls-terminated-elsewhere"]);
    assert_eq!(tokens.code, 2, "{tokens:?}");
    assert!(tokens.err.contains("asof token create"), "{}", tokens.err);
    assert!(!data.exists());
}

#[test]
fn a_follower_sees_each_commit_once_and_a_reader_may_leave() {
    let store = Store::behind_server();
    let start = store.json(&["put", "s", "k", "--value", "0"]);
    let after = start[0]["effective"].to_string();
    let url = &store.url();
    let follow = ["log", "--follow", "--json", "--after", &after, "--server", url];
    let mut child = asof(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut expected = Vec::new();
    for value in ["1", "2", "3"] {
        let put = store.json(&["put", "s", "k", "--value", value]);
        expected.push(put[0]["id"].clone());
    }
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let line = lines.next().unwrap().unwrap();
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        if message["type"] == "commit" {
            seen.push(message["commit"]["id"].clone());
        }
    }
    assert_eq!(seen, expected);
    // Nobody reads any more: it ends by itself at the next message, and without a word.
    drop(lines);
    store.ok(&["put", "s", "k", "--value", "4"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(asof(&["completions", shell]), b"");
        assert_eq!(ran.code, 0);
        assert!(ran.text().contains("retention"), "{shell}");
    }
}

/// The whole way: the client's TLS, the service's, and a certificate that nobody else vouches for.
#[test]
fn over_tls_it_answers_those_who_trust_its_certificate() {
    let store = Store::in_folder();
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../asof-server/tests/it/tls");
    let (cert, key) = (tls.join("cert.pem"), tls.join("key.pem"));
    let config = store.data().with_file_name("asof.toml");
    std::fs::write(&config, format!("tls = {{ cert = {cert:?}, key = {key:?} }}")).unwrap();
    let server = Server::start_with(&store.data(), &["--config", config.to_str().unwrap()]);
    let url = server.url.replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let ask = |words: &[&str], more: &[&str]| {
        let mut command = asof(words);
        command.args(["--server", &url]).args(more);
        run(command, b"")
    };
    let trust = ["--ca-file", cert.to_str().unwrap()];
    let put = ask(&["put", "s", "k", "--value", "over tls"], &trust);
    assert_eq!(put.code, 0, "{put:?}");
    let get = ask(&["get", "s", "k"], &trust);
    assert_eq!(get.out, b"over tls", "{get:?}");
    // Larger than a record of TLS, and than what is put together before it is written.
    let large = "7".repeat(100_000);
    assert_eq!(ask(&["put", "s", "large", "--value", &large], &trust).code, 0);
    assert_eq!(ask(&["get", "s", "large"], &trust).out, large.as_bytes());
    let stranger = ask(&["get", "s", "k"], &[]);
    assert_ne!(stranger.code, 0, "{stranger:?}");
    assert!(stranger.out.is_empty() && !stranger.err.is_empty(), "{stranger:?}");
}

#[test]
fn a_configuration_of_the_server_is_held_against_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = write("old.toml", "[limits]\nconnections = 9\n");
    let new = write("new.toml", "require_tokens = true\n[store]\nvalue_bytes_max = 100\n");
    let line = ["serve", "--check", "--config", &new, "--against", &old];
    let ran = run(asof(&line), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in [
        "limits.connections: 9 -> 4096\n",
        "require_tokens: false -> true\n  clients on loopback without a token are refused\n",
        "store.value_bytes_max: 1048576 -> 100\n  larger values",
        "restart",
    ] {
        assert!(ran.text().contains(part), "{part}: {ran:?}");
    }
    let json = run(asof(&[&line[..], &["--json"]].concat()), b"").object();
    assert_eq!(json["settings"].as_array().unwrap().len(), 3, "{json}");
    let same = ["serve", "--check", "--config", &old, "--against", &old];
    assert_eq!(run(asof(&same), b"").text(), "nothing changes\n");
    let ran = run(asof(&["serve", "--against", &old]), b"");
    assert_eq!(ran.code, 2, "it is a question, and no way to start: {ran:?}");
}
