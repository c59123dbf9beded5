//! Runs the built binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary, with nothing of the environment of whoever runs the tests.
pub(crate) fn asof(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asof"));
    for name in ["ASOF_SERVER", "ASOF_TOKEN", "ASOF_LOG", "ASOF_AS_OF", "ASOF_EDGE"] {
        command.env_remove(name);
    }
    command.env("ASOF_AUTHOR", "Ada").args(arguments);
    command
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output, an object a line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Standard output, which is one object.
    pub(crate) fn object(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.remove(0)
    }

    /// The problem on standard error.
    pub(crate) fn problem(&self) -> Value {
        serde_json::from_str(&self.err).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// Runs `command` with `input`.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A server on a free port, stopped when it goes.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// One with more options.
    pub(crate) fn start_with(data: &Path, options: &[&str]) -> Self {
        let mut child = asof(&["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        greeting.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("asof listens on ").unwrap();
        let url = url.to_owned();
        // The pipe stays open, so that the rest of the greeting has where to go.
        std::thread::spawn(move || greeting.read_to_string(&mut String::new()));
        Self { child, url }
    }

    /// Sends SIGTERM and waits; returns the exit code.
    pub(crate) fn terminate(&mut self) -> i32 {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store that commands are run against, one way or the other.
#[derive(Debug)]
pub(crate) struct Store {
    folder: TempDir,
    server: Option<Server>,
}

impl Store {
    /// A new store, opened by each command in its own process.
    pub(crate) fn in_folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder, server: None }
    }

    /// A new store behind a server.
    pub(crate) fn behind_server() -> Self {
        let mut store = Self::in_folder();
        store.server = Some(Server::start(&store.data()));
        store
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its server is.
    pub(crate) fn url(&self) -> String {
        self.server.as_ref().unwrap().url.clone()
    }

    /// A path next to the store.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command that reads `input`.
    pub(crate) fn run_with(&self, line: &[&str], input: &[u8]) -> Ran {
        let mut command = asof(line);
        match &self.server {
            Some(server) => command.args(["--server", &server.url]),
            None => command.arg("--data").arg(self.data()),
        };
        run(command, input)
    }

    /// Runs a command.
    pub(crate) fn run(&self, line: &[&str]) -> Ran {
        self.run_with(line, b"")
    }

    /// Runs a command that must succeed.
    pub(crate) fn ok(&self, line: &[&str]) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran
    }

    /// Runs a command that must succeed, with JSON as its output.
    pub(crate) fn json(&self, line: &[&str]) -> Vec<Value> {
        let line: Vec<&str> = line.iter().copied().chain(["--json"]).collect();
        self.ok(&line).lines()
    }
}

/// Runs `test` against a folder and against a server.
pub(crate) fn both_ways(test: fn(&Store)) {
    test(&Store::in_folder());
    test(&Store::behind_server());
}
