//! The edge as a command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{asof, run};

/// An edge that runs, ended when it goes.
pub(crate) struct Edge {
    pub(crate) child: Child,
    address: String,
    log: BufReader<std::process::ChildStderr>,
}

impl Edge {
    pub(crate) fn start(config: &Path) -> Self {
        Self::start_with(config, &[])
    }

    fn start_with(config: &Path, options: &[&str]) -> Self {
        let mut child = asof(&["edge", "--config", config.to_str().unwrap()])
            .args(options)
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

    pub(crate) fn signal(&self, name: &str) {
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

    pub(crate) fn get(&self) -> String {
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
pub(crate) fn service(word: &'static str) -> String {
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

pub(crate) fn config(folder: &Path, upstream: &str, more: &str) -> PathBuf {
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
fn a_taken_address_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = config(folder.path(), "127.0.0.1:1", "");
    let text = std::fs::read_to_string(&path).unwrap();
    let listen = format!("listen = '{}'", taken.local_addr().unwrap());
    std::fs::write(&path, text.replace("listen = '127.0.0.1:0'", &listen)).unwrap();
    let ran = run(asof(&["edge", "--config", path.to_str().unwrap()]), b"");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("choose another address"), "{ran:?}");
    // A check looks at the configuration, and leaves addresses to whoever has them.
    let check = run(asof(&["edge", "--check", "--config", path.to_str().unwrap()]), b"");
    assert_eq!(check.code, 0, "{check:?}");
}

#[test]
fn what_is_not_safe_or_makes_no_sense_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    for (more, says) in [
        ("[tls]\ncert = 'none.pem'\nkey = 'none.pem'", "none.pem"),
        ("[stores.main]\nurl = 'ftp://x'", "stores.main.url"),
        ("[limits]\nrequests_in_flight = 0", "limits.requests_in_flight"),
        ("[services.b]\nupstreams = []", "services.b.upstreams"),
        ("[[services.a.routes]]\npath = '/x'\nmode = 'onn'", "none of off, observe, on"),
        ("this is not TOML", "line 3"),
    ] {
        let path = config(folder.path(), "127.0.0.1:1", more);
        for command in [&["edge", "--check", "--config"][..], &["edge", "--config"]] {
            let mut command = asof(command);
            command.arg(&path);
            let ran = run(command, b"");
            assert_eq!((ran.code, ran.out.len()), (2, 0), "{more}: {ran:?}");
            assert!(ran.err.contains(says), "{more}: {}", ran.err);
        }
    }
    let open = config(folder.path(), "127.0.0.1:1", "");
    let text = std::fs::read_to_string(&open).unwrap();
    std::fs::write(&open, text.replace("listen = '127.0.0.1:0'", "listen = '0.0.0.0:0'")).unwrap();
    let ran = run(asof(&["edge", "--config", open.to_str().unwrap()]), b"");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("tls"), "{ran:?}");
    let filter = config(folder.path(), "127.0.0.1:1", "");
    let ran = run(asof(&["edge", "--log", "a=b=c", "--config", filter.to_str().unwrap()]), b"");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("log filter `a=b=c`"), "{ran:?}");
}

#[test]
fn a_request_that_is_under_way_is_answered_before_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = socket.local_addr().unwrap().to_string();
    let mut edge = Edge::start(&config(folder.path(), &upstream, ""));
    let mut client = TcpStream::connect(&edge.address).unwrap();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let (mut service, _) = socket.accept().unwrap();
    // The request is there, not only the connection.
    let mut head = BufReader::new(service.try_clone().unwrap()).lines();
    assert_eq!(head.next().unwrap().unwrap(), "GET /slow HTTP/1.1");
    edge.signal("-TERM");
    edge.logged("stopping");
    service.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    assert_eq!(edge.child.wait().unwrap().code(), Some(0));
}

#[test]
fn its_log_can_be_read_by_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), &service("first"), "");
    let mut edge = Edge::start_with(&path, &["--log-format", "json"]);
    edge.get();
    let line = edge.logged("\"GET\"");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["target"], "asof_edge::access", "{line}");
    assert_eq!(line["fields"]["status"], 200, "{line}");
    edge.signal("-TERM");
    let last: serde_json::Value = serde_json::from_str(&edge.logged("stopped")).unwrap();
    assert_eq!(last["level"], "INFO");
}

#[test]
fn asking_an_edge_that_is_not_there_says_where_it_was_looked_for() {
    for line in
        [&["edge", "report"][..], &["edge", "forgive", "all"], &["explain", "http://shop.example/"]]
    {
        let mut command = asof(line);
        command.args(["--admin", "http://127.0.0.1:1", "--json"]);
        let ran = run(command, b"");
        assert_eq!(ran.code, 4, "{line:?}: {ran:?}");
        let detail = ran.problem()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("127.0.0.1:1"), "{detail}");
        assert!(ran.problem()["hint"].as_str().unwrap().contains("asof edge"), "{ran:?}");
    }
    // Something else listens there.
    let other = format!("http://{}", service("hello"));
    let ran = run(asof(&["edge", "report", "--admin", &other]), b"");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("JSON"), "{ran:?}");
    assert_eq!(run(asof(&["edge", "report", "--admin", "nowhere"]), b"").code, 2);
}

#[test]
fn the_example_is_good() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/edge.toml");
    let mut command = asof(&["edge", "--check", "--config"]);
    command.arg(&path);
    let ran = run(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_configuration_is_held_against_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, more: &str| {
        let path = folder.path().join(name);
        let text = format!(
            "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n\
             [stores.main]\nurl = 'http://127.0.0.1:1'\n[[ingress.rules]]\nservice = 'a'\n\
             [services.a]\nupstreams = ['http://127.0.0.1:1']\negress = '127.0.0.1:0'\n{more}"
        );
        std::fs::write(&path, text).unwrap();
        path
    };
    let route = "[[services.a.routes]]\npath = '/x'\nmode = 'observe'\n";
    let old = write("old.toml", route);
    let against = |new: &Path, more: &[&str]| {
        let mut command = asof(&["edge", "--check", "--config"]);
        command.arg(new).arg("--against").arg(&old).args(more);
        run(command, b"")
    };
    assert_eq!(against(&old, &[]).text(), "nothing changes\n");
    let on = against(&write("on.toml", &route.replace("observe", "on")), &[]);
    for part in ["  a GET /x: observe -> on\n", "a reload takes it over"] {
        assert!(on.text().contains(part), "{part}: {on:?}");
    }
    assert!(!on.text().contains("dropped"), "{on:?}");
    let other = format!("{route}headers = ['accept-language']\n[limits]\nconnections = 5\n");
    let other = write("other.toml", &other);
    let shown = against(&other, &[]);
    for part in ["means something else", "share no tree", "restart", "limits.connections: "] {
        assert!(shown.text().contains(part), "{part}: {shown:?}");
    }
    let json = against(&other, &["--json"]).object();
    assert_eq!((&json["drops_all"], &json["restart"]), (&true.into(), &true.into()), "{json}");
    assert_eq!(json["routes"][0]["learnt"], "dropped");
    assert_eq!(json["settings"][0]["effect"], "restart");

    let bad = write("bad.toml", "listne = 1");
    let mut command = asof(&["edge", "--check", "--config"]);
    command.arg(&old).arg("--against").arg(&bad);
    let ran = run(command, b"");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("bad.toml"), "it says which one: {ran:?}");
}
