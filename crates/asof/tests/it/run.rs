//! Frozen batches: a command that sees one moment while writers go on.

use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use serde_json::Value;

use crate::harness::{Server, Store, asof, run};

/// How long to wait before looking again.
const MOMENT: Duration = Duration::from_millis(20);

/// `asof run --freeze` with these options and this command, against `url`.
fn freeze(url: &str, options: &[&str], command: &[&str]) -> Command {
    let mut batch = asof(&["run", "--freeze", "--server", url]);
    batch.args(options).arg("--").args(command);
    batch.env("ASOF", env!("CARGO_BIN_EXE_asof"));
    batch
}

/// A batch that is under way: it has said `began` and ends when its input does.
struct Batch {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Batch {
    /// Starts `script`, which prints a line as its first act.
    fn start(url: &str, options: &[&str], script: &str) -> Self {
        let mut child = freeze(url, options, &["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "began\n");
        Self { child, out }
    }

    /// Lets it go on to its end; returns its exit code, the rest of its output and what was said
    /// on standard error.
    fn finish(mut self) -> (i32, String, String) {
        self.child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        self.end()
    }

    fn end(mut self) -> (i32, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code().unwrap(), out, err)
    }
}

fn pins(store: &Store) -> Vec<Value> {
    store.json(&["pin", "list"])
}

#[test]
fn a_batch_that_reads_twice_while_writers_go_on_gets_the_same_bytes() {
    let store = Store::behind_server();
    store.ok(&["put", "prices", "usd", "--value", "before"]);
    let script = r#"echo began; read _
        "$ASOF" get prices usd; echo; "$ASOF" ls prices --json; "$ASOF" history prices usd --json"#;
    let twice = Batch::start(&store.url(), &["--reason", "report"], script);
    let held = pins(&store);
    assert_eq!((held.len(), &held[0]["reason"]), (1, &"report".into()));
    store.ok(&["put", "prices", "usd", "--value", "after"]);
    store.ok(&["put", "prices", "eur", "--value", "new"]);
    let (code, first, said) = twice.finish();
    assert_eq!(code, 0, "{said}");
    assert!(first.starts_with("before\n"), "{first}");
    assert_eq!(first.lines().count(), 3, "one key of one version: {first}");
    let at = held[0]["at"].as_u64().unwrap();
    assert!(said.contains(&format!("frozen at {}", Timestamp::from_micros(at).unwrap())), "{said}");
    assert!(pins(&store).is_empty(), "released after it");

    // The same moment again, named: the same bytes.
    let at = at.to_string();
    let again = Batch::start(&store.url(), &["--at", &at], script);
    store.ok(&["delete", "prices", "usd"]);
    let (code, second, said) = again.finish();
    assert_eq!((code, without_through(&second)), (0, without_through(&first)), "{said}");
    let audit = store.json(&["audit"]);
    let of_pins = audit.iter().filter_map(|record| record["action"].as_str());
    let of_pins: Vec<&str> = of_pins.filter(|action| action.starts_with("pin-")).collect();
    assert_eq!(of_pins.last(), Some(&"pin-released"));
}

/// What a listing says, without how long it is known to be true, which grows.
fn without_through(text: &str) -> Vec<String> {
    let cut = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(mut line)) => {
            line.retain(|name, _| name != "through" && name != "until");
            Value::Object(line).to_string()
        }
        _ => line.to_owned(),
    };
    text.lines().map(cut).collect()
}

#[test]
fn a_batch_within_a_batch_sees_the_moment_of_the_outer_one() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "old"]);
    let inner = r#""$ASOF" put s k --value new && "$ASOF" run --freeze -- "$ASOF" get s k"#;
    let ran = run(freeze(&store.url(), &[], &["sh", "-c", inner]), b"");
    assert_eq!((ran.code, ran.text().contains("old")), (0, true), "{ran:?}");
    assert!(pins(&store).is_empty());
}

#[test]
fn it_ends_as_its_command_ends() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "1"]);
    let code = |command: &[&str]| run(freeze(&store.url(), &[], command), b"").code;
    assert_eq!(code(&["true"]), 0);
    assert_eq!(code(&["sh", "-c", "exit 7"]), 7);
    assert_eq!(code(&["sh", "-c", "kill -KILL $$"]), 128 + 9);
    assert_eq!(code(&["no-such-command-anywhere"]), 127);
    assert_eq!(code(&["/"]), 126);
    assert!(pins(&store).is_empty());

    let told = freeze(
        &store.url(),
        &["--json", "--name", "n", "--edge", "http://127.0.0.1:9"],
        &["sh", "-c", "echo $ASOF_EDGE $ASOF_SERVER; exit 3"],
    );
    let ran = run(told, b"");
    assert_eq!(ran.text(), format!("http://127.0.0.1:9 {}\n", store.url()));
    let report = ran.problem();
    assert_eq!((&report["pin"], &report["code"]), (&"n".into(), &3.into()));
    assert_eq!(report["held"], true);
}

#[test]
fn a_failure_of_its_own_is_125_and_says_what_to_do() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "1"]);
    let refused = |options: &[&str], word: &str| {
        let ran = run(freeze(&store.url(), options, &["echo", "ran"]), b"");
        assert_eq!((ran.code, ran.out.len()), (125, 0), "{options:?}: {ran:?}");
        assert!(ran.err.contains(word), "{options:?}: {ran:?}");
    };
    refused(&["--at", "2200-01-01T00:00:00Z"], "above closed");
    refused(&["--for", "0s"], "ttl_seconds=0 is not within 1");
    refused(&["--for", "soon"], "expected a whole number and a unit");
    store.ok(&["pin", "create", "mine", "--ttl", "1h"]);
    refused(&["--name", "mine"], "--name");
    assert_eq!(pins(&store).len(), 1, "the pin of somebody else is left alone");

    let no_freeze = run(asof(&["run", "--server", &store.url(), "--", "true"]), b"");
    assert_eq!(no_freeze.code, 125, "{no_freeze:?}");
    assert!(no_freeze.err.contains("--freeze"), "{no_freeze:?}");
    let nobody = run(freeze("http://127.0.0.1:9", &[], &["true"]), b"");
    assert_eq!(nobody.code, 125, "{nobody:?}");
    let folder = Store::in_folder();
    folder.ok(&["put", "s", "k", "--value", "1"]);
    let data = folder.data();
    let data = data.to_str().unwrap();
    let ran = run(asof(&["run", "--data", data, "--freeze", "--", "true"]), b"");
    assert_eq!(ran.code, 125);
    assert!(ran.err.contains("asof serve --data"), "{ran:?}");
}

#[test]
fn signals_reach_the_command() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "1"]);
    for (signal, code) in [("TERM", 41), ("INT", 42), ("HUP", 43)] {
        // `read` is a built-in, so the shell has no child of its own to wait for.
        let script = format!("trap 'exit {code}' {signal}; echo began; read _; exit 1");
        let batch = Batch::start(&store.url(), &[], &script);
        let pid = batch.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success());
        let (ended, _, said) = batch.end();
        assert_eq!(ended, code, "{signal}: {said}");
    }
    assert!(pins(&store).is_empty());
}

#[test]
fn a_pin_that_went_is_taken_again_while_its_moment_is_kept() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "1"]);
    let batch = Batch::start(&store.url(), &["--name", "b"], "echo began; read _");
    store.ok(&["pin", "release", "b"]);
    let (code, _, said) = batch.finish();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("nothing of it was dropped"), "{said}");
    assert!(pins(&store).is_empty());
}

#[test]
fn a_pin_is_renewed_while_its_command_lives() {
    let store = Store::behind_server();
    store.ok(&["put", "s", "k", "--value", "1"]);
    let expires = |store: &Store| pins(store)[0]["expires"].as_u64().unwrap();
    let batch = Batch::start(&store.url(), &["--for", "2s"], "echo began; read _");
    let first = expires(&store);
    // A pin of two seconds is renewed within one; the bound is for a machine that is busy.
    let renewed = (0..1_000).any(|_| {
        SystemClock.sleep(MOMENT);
        expires(&store) > first
    });
    assert!(renewed);
    let (code, _, said) = batch.finish();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_batch_whose_moment_was_dropped_under_it_is_told_so() {
    let folder = Store::in_folder();
    let config = folder.beside("asof.toml");
    std::fs::write(&config, "[store]\nretention_interval = \"1s\"\n").unwrap();
    let server = Server::start_with(&folder.data(), &["--config", &config]);
    let at_server = |line: &[&str]| {
        let ran = run(asof(&[line, &["--server", &server.url]].concat()), b"");
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran
    };
    at_server(&["put", "s", "k", "--value", "1"]);
    let script = "echo began; read _; exit 5";
    let batch = Batch::start(&server.url, &["--name", "b", "--for", "1h"], script);
    // Somebody lets go of it, and retention passes its moment.
    let held = at_server(&["pin", "list", "--json"]).object()["at"].as_u64().unwrap();
    at_server(&["space", "retention", "s", "--keep", "1s"]);
    at_server(&["pin", "release", "b"]);
    let passed = (0..1_500).any(|_| {
        SystemClock.sleep(MOMENT);
        at_server(&["time", "--json"]).object()["floor"].as_u64().unwrap() > held
    });
    assert!(passed);
    let (code, _, said) = batch.finish();
    assert_eq!(code, 125, "{said}");
    assert!(said.contains("pin b was lost while the command ran"), "{said}");
    assert!(said.contains("below the floor"), "{said}");
}

#[test]
fn the_environment_is_the_default_of_as_of_and_shows() {
    let store = Store::behind_server();
    let at = store.json(&["put", "s", "k", "--value", "1"])[0]["effective"].to_string();
    store.ok(&["put", "s", "k", "--value", "2"]);
    let read = |as_of: &str, line: &[&str]| {
        let mut command = asof(line);
        command.args(["--server", &store.url()]).env("ASOF_AS_OF", as_of);
        run(command, b"")
    };
    assert_eq!(read(&at, &["get", "s", "k"]).text(), "1");
    assert!(read(&at, &["get", "s", "k"]).err.starts_with("as of "));
    let listed = read(&at, &["ls", "s"]);
    let moment = Timestamp::from_micros(at.parse().unwrap()).unwrap().to_string();
    assert!(listed.err.contains(&moment), "{listed:?}");
    assert_eq!(read("yesterday", &["get", "s", "k"]).code, 2);
    for command in ["get", "ls", "history", "export", "run"] {
        let help = read(&at, &[command, "--help"]);
        assert!(help.text().contains("ASOF_AS_OF"), "{command}");
    }
}
