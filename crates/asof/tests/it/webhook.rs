//! Control actions, told to somebody.

use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use asof_env::{Clock as _, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;
use serde_json::Value;

use crate::harness::{Ran, Server, asof, run};

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nothing must come where nothing is due.
const SILENCE: Duration = Duration::from_millis(700);

const KEY: &[u8] = b"a key that nobody else shall have";

/// What a receiver was sent.
#[derive(Debug)]
struct Told {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A member of the record.
    fn of(&self, member: &str) -> Value {
        self.event().pointer(&format!("/data/{member}")).unwrap().clone()
    }

    fn sequence(&self) -> u64 {
        self.of("sequence").as_u64().unwrap()
    }

    /// As a receiver checks it.
    fn is_signed(&self) -> bool {
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut hmac = Hmac::<Sha256>::new(KEY);
        hmac.update(format!("{id}.{at}.").as_bytes());
        hmac.update(&self.body);
        self.header("webhook-signature") == format!("v1,{}", STANDARD.encode(hmac.finish()))
    }
}

/// Listens at `address`, and answers with these statuses one after the other, then always with the
/// last.
fn receive(listener: TcpListener, statuses: &'static [u16]) -> Receiver<Told> {
    let (sender, receiver) = sync_channel(256);
    std::thread::spawn(move || {
        let mut answers = statuses.iter().copied();
        let mut status = 200;
        for stream in listener.incoming() {
            status = answers.next().unwrap_or(status);
            if answer(&stream.unwrap(), status, &sender).is_none() {
                return;
            }
        }
    });
    receiver
}

fn answer(stream: &TcpStream, status: u16, sender: &SyncSender<Told>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let told = Told { headers, body };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    (&*stream).write_all(head.as_bytes()).ok()?;
    sender.send(told).ok()
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A configuration with one webhook.
fn config(folder: &Path, url: &str, more: &str) -> String {
    let secret = folder.join("secret");
    std::fs::write(&secret, format!("whsec_{}\n", STANDARD.encode(KEY))).unwrap();
    let path = folder.join("asof.toml");
    let text = format!(
        "[[webhooks]]\nname = 'ops'\nurl = '{url}'\nsecret_file = '{}'\n{more}",
        secret.display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn operate(server: &Server, line: &[&str]) -> Ran {
    let ran = run(asof(&[line, &["--server", &server.url]].concat()), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

fn make(server: &Server, space: &str) {
    operate(server, &["space", "create", space, "--reason", "why not"]);
}

fn metrics(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Waits until there is nothing that is not told.
fn until_told(server: &Server) {
    for _ in 0..300 {
        if metrics(server).contains("asof_webhook_behind{webhook=\"ops\"} 0\n") {
            return;
        }
        SystemClock.sleep(Duration::from_millis(100));
    }
    panic!("{}", metrics(server));
}

#[test]
fn actions_are_told_in_order_signed_and_again_until_they_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = listener();
    let told = receive(listener, &[503, 200]);
    let config = config(folder.path(), &format!("http://{address}/hook?a=b"), "");
    let server = Server::start_with(&folder.path().join("data"), &["--config", &config]);
    for space in ["one", "two", "three"] {
        make(&server, space);
    }
    let first = told.recv_timeout(PATIENCE).unwrap();
    assert!(first.is_signed(), "{first:?}");
    let again = told.recv_timeout(PATIENCE).unwrap();
    assert!(again.is_signed(), "{again:?}");
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    assert_eq!(first.body, again.body, "it is the same message");
    let rest: Vec<_> = (0..2).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect();
    let subjects = core::iter::once(&again).chain(&rest).map(|told| told.of("subject"));
    assert_eq!(subjects.collect::<Vec<_>>(), ["one", "two", "three"]);
    let event = again.event();
    assert_eq!(event["type"], "control.space-created");
    assert_eq!(
        (&event["data"]["by"], &event["data"]["reason"]),
        (&"Ada".into(), &"why not".into())
    );
    // The audit says the same.
    let audit = operate(&server, &["audit", "--json"]).lines();
    let same = audit.iter().find(|record| record["sequence"] == event["data"]["sequence"]).unwrap();
    assert_eq!((&same["subject"], &same["at"]), (&"one".into(), &event["data"]["at"]));

    let text = metrics(&server);
    for line in [
        "asof_webhook_delivered_total{webhook=\"ops\"} 3\n",
        "asof_webhook_failures_total{webhook=\"ops\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("asof_webhook_behind{webhook=\"ops\"}"), "{text}");
}

#[test]
fn what_was_not_taken_is_told_after_a_restart_and_what_was_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (held, address) = listener();
    let config = config(folder.path(), &format!("http://{address}/"), "");
    let options = ["--config", config.as_str()];

    // What is done before there is a webhook is nobody's business.
    let mut server = Server::start(&data);
    make(&server, "before");
    server.terminate();
    // Nobody answers, and no action waits for that.
    let mut server = Server::start_with(&data, &options);
    make(&server, "one");
    make(&server, "two");
    assert!(!metrics(&server).contains("asof_webhook_delivered_total{webhook=\"ops\"}"));
    server.terminate();

    drop(held);
    let told = receive(TcpListener::bind(address).unwrap(), &[200]);
    let mut server = Server::start_with(&data, &options);
    let spaces: Vec<_> =
        (0..2).map(|_| told.recv_timeout(PATIENCE).unwrap().of("subject")).collect();
    assert_eq!(spaces, ["one", "two"]);
    make(&server, "three");
    let three = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(three.of("subject"), "three");
    // Its cursor is written once it was taken.
    until_told(&server);
    server.terminate();
    let server = Server::start_with(&data, &options);
    make(&server, "four");
    let four = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(four.sequence(), three.sequence() + 1, "nothing was told twice, nothing left out");

    // A cursor that is damaged is not believed.
    drop(server);
    let cursor = data.join("webhook-ops.cursor");
    let text = std::fs::read_to_string(&cursor).unwrap();
    std::fs::write(&cursor, text.replace("sequence ", "sequence 1")).unwrap();
    let mut command = asof(&["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data"]);
    command.arg(&data);
    let ran = run(command, b"");
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("webhook-ops.cursor"), "{ran:?}");
}

#[test]
fn only_the_actions_that_are_named_are_told_and_410_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = listener();
    let told = receive(listener, &[200, 410]);
    let more = "actions = ['space-live', 'cap-set']\n";
    let config = config(folder.path(), &format!("http://{address}/"), more);
    let server = Server::start_with(&folder.path().join("data"), &["--config", &config]);
    let import = ["space", "create", "history", "--importing", "--reason", "x"];
    operate(&server, &import);
    operate(&server, &["space", "live", "history"]);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().of("action"), "space-live");
    let time = operate(&server, &["time", "--json"]).object();
    let at = time["closed"].as_u64().unwrap().to_string();
    operate(&server, &["cap", "set", &at, "--reason", "x"]);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().of("action"), "cap-set");
    // It said that it wants nothing more.
    operate(&server, &["cap", "clear", "--reason", "x"]);
    operate(&server, &["cap", "set", &at, "--reason", "y"]);
    assert_eq!(told.recv_timeout(SILENCE).unwrap_err(), RecvTimeoutError::Timeout);
}

#[test]
fn a_webhook_is_tried_out_and_one_that_cannot_be_is_refused_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, address) = listener();
    let told = receive(listener, &[204, 500]);
    let good = format!("http://{address}/hook");
    let path = config(folder.path(), &good, "");
    let ran = run(asof(&["webhook", "test", "--config", &path]), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.text().contains("took it: 204"), "{ran:?}");
    let trial = told.recv_timeout(PATIENCE).unwrap();
    assert!(trial.is_signed() && trial.event()["type"] == "webhook.test", "{trial:?}");
    let ran = run(asof(&["webhook", "test", "--config", &path, "--json"]), b"");
    assert_eq!((ran.code, &ran.object()["taken"]), (4, &false.into()), "{ran:?}");
    let ran = run(asof(&["webhook", "test", "--config", &path, "--name", "other"]), b"");
    assert_eq!(ran.code, 2, "{ran:?}");

    let check = |url: &str, more: &str| {
        let path = config(folder.path(), url, more);
        run(asof(&["serve", "--check", "--config", &path]), b"")
    };
    assert_eq!(check(&good, "").code, 0);
    assert_eq!(check("https://example.org/hook", "").code, 0);
    for (url, more, says) in [
        ("http://example.org/hook", "", "https"),
        ("ftp://localhost/", "", "https"),
        ("https://ann:secret@example.org/", "", "without a user"),
        ("no url", "", "no URL"),
        (good.as_str(), "actions = ['cap-sett']", "there are store-restored"),
        (good.as_str(), "actions = []", "tells nothing"),
        (good.as_str(), "colour = 'red'", "colour"),
        (good.as_str(), "[[webhooks]]\nname = 'ops'\nurl = 'https://x'\nsecret_file = 's'", "two"),
        (
            good.as_str(),
            "[[webhooks]]\nname = 'b'\nurl = 'https://x'\nsecret_file = '/none'",
            "read",
        ),
    ] {
        let ran = check(url, more);
        assert_eq!(ran.code, 2, "{url} {more}: {ran:?}");
        assert!(ran.err.contains(says), "{says}: {ran:?}");
    }
}
