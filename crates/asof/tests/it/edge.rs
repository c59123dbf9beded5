//! The edge as a command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{asof, run};

/// An edge that runs, ended when it goes.
struct Edge {
    child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Edge {
    fn start(config: &Path) -> Self {
        let mut child = asof(&["edge", "--config", config.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        greeting.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("asof edge listens on http://").unwrap().to_owned();
        // The pipe stays open, so that the rest of the greeting has where to go.
        std::thread::spawn(move || greeting.read_to_string(&mut String::new()));
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, address, log }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Reads the log up to a line that holds `part`.
    fn logged(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "no `{part}` in the log");
            if line.contains(part) {
                return line;
            }
        }
    }

    fn get(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service that says `word`.
fn service(word: &'static str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let length = word.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close");
            // The edge may have stopped.
            let _ = stream.write_all(format!("{head}\r\n\r\n{word}").as_bytes());
        }
    });
    address
}

fn config(folder: &Path, upstream: &str, more: &str) -> PathBuf {
    let path = folder.join("edge.toml");
    let text = format!(
        "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n{more}\n[[ingress.rules]]\n\
         service = 'a'\n[services.a]\nupstreams = ['http://{upstream}']\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn it_forwards_reloads_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), &service("first"), "");
    let mut edge = Edge::start(&path);
    assert!(edge.get().ends_with("first"));
    config(folder.path(), &service("second"), "");
    edge.signal("-HUP");
    edge.logged("services.a.upstreams");
    edge.logged("changes=1");
    assert!(edge.get().ends_with("second"));
    // What is wrong changes nothing.
    config(folder.path(), &service("third"), "listne = 1");
    edge.signal("-HUP");
    edge.logged("not reloaded");
    assert!(edge.get().ends_with("second"));
    edge.signal("-TERM");
    assert_eq!(edge.child.wait().unwrap().code(), Some(0));
}

#[test]
fn its_configuration_is_checked_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path, more: &[&str]| {
        let mut command = asof(&["edge", "--check", "--config"]);
        command.arg(path).args(more);
        run(command, b"")
    };
    let good = check(&config(folder.path(), "127.0.0.1:1", ""), &[]);
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.text().contains("services.a.timeout = 10s\n"), "{good:?}");
    let json = check(&config(folder.path(), "127.0.0.1:1", ""), &["--json"]).object();
    assert_eq!(json["settings"]["limits.call_depth"], "32");
    let bad =
        check(&config(folder.path(), "127.0.0.1:1", "listne = 1\n[limits]\nmemory = 'x'"), &[]);
    assert_eq!(bad.code, 2);
    assert!(bad.err.contains("line 3: listne: unknown key; did you mean `listen`?"), "{bad:?}");
    assert!(bad.err.contains("line 5: limits.memory"), "{bad:?}");
    let auth = config(folder.path(), "127.0.0.1:1", "[auth]\nmode = 'tokens'\nfile = 'x'");
    assert_eq!(check(&auth, &[]).code, 2);
    assert_eq!(check(&folder.path().join("missing.toml"), &[]).code, 2);
}

#[test]
fn the_example_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/edge.toml");
    let mut command = asof(&["edge", "--check", "--config"]);
    command.arg(&path);
    let ran = run(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}
