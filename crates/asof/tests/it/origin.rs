//! `asof origin check`, against a store and against origins that are wrong.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::harness::{Ran, Server, asof, run};

fn check(url: &str) -> Ran {
    run(asof(&["origin", "check", url, "--json"]), b"")
}

/// The checks that did not pass.
fn failed(ran: &Ran) -> Vec<String> {
    let lines = ran.lines().into_iter().filter(|line| line.get("passed").unwrap() == false);
    lines.map(|line| line.get("check").unwrap().as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_store_passes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    for value in ["1", "2"] {
        let put = ["put", "prices", "usd", "--value", value, "--server", server.url.as_str()];
        assert_eq!(run(asof(&put), b"").code, 0);
    }
    for key in ["usd", "absent"] {
        let ran = check(&format!("{}/v1/spaces/prices/keys/{key}", server.url));
        assert_eq!((failed(&ran), ran.code), (vec![], 0), "{ran:?}");
        assert!(ran.lines().len() >= 10, "{ran:?}");
    }
    let ran =
        run(asof(&["origin", "check", &format!("{}/v1/spaces/prices/keys/usd", server.url)]), b"");
    assert!(ran.text().starts_with("pass  latest says"), "{ran:?}");
    // What says nothing of time takes no part.
    let ran = check(&format!("{}/healthz", server.url));
    assert_eq!((failed(&ran).len(), ran.code), (1, 1), "{ran:?}");
    assert_eq!(check("http://127.0.0.1:1/").code, 4);
    assert_eq!(check("/no/host").code, 2);
}

/// How an origin is wrong.
#[derive(Clone, Copy)]
enum Wrong {
    /// It does not look at As-Of.
    Deaf,
    /// Its answers claim all of time.
    Boastful,
    /// It says 304 whatever is asked, without where that is true.
    Lazy,
    /// Anybody may keep its answers by their address.
    Public,
}

/// An origin whose value changed once, at 1000, and that is closed at 2000.
fn origin(wrong: Wrong) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/value", socket.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let header = |name: &str| {
                let line = head.iter().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim().to_owned())
            };
            let answer =
                answer(wrong, header("as-of:").as_deref(), header("if-none-match:").is_some());
            // Whoever asks may be gone.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

fn answer(wrong: Wrong, asked: Option<&str>, conditional: bool) -> String {
    let asked = match asked.map(str::parse::<asof_time::Timestamp>) {
        Some(Ok(at)) => Some(at.as_micros()),
        Some(Err(_)) if matches!(wrong, Wrong::Deaf) => None,
        Some(Err(_)) => {
            return "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into();
        }
        None => None,
    };
    let at = if matches!(wrong, Wrong::Deaf) { 2_000 } else { asked.unwrap_or(2_000) };
    if at > 2_000 {
        return "HTTP/1.1 409 Not yet\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into();
    }
    let moment = |at: u64| asof_time::Timestamp::from_micros(at).unwrap().to_string();
    let (body, from, end) = match at {
        _ if matches!(wrong, Wrong::Boastful) => {
            (if at < 1_000 { "old" } else { "new" }, 0, format!("through=\"{}\"", moment(2_000)))
        }
        0..1_000 => ("old", 0, format!("until=\"{}\"", moment(1_000))),
        _ => ("new", 1_000, format!("through=\"{}\"", moment(2_000))),
    };
    let caching = if matches!(wrong, Wrong::Public) { "public, max-age=60" } else { "no-cache" };
    let (at, from) = (moment(at), moment(from));
    let times = format!("as-of: {at}\r\nas-of-valid: from=\"{from}\", {end}\r\nas-of-epoch: 1\r\n");
    let times =
        format!("{times}cache-control: {caching}\r\netag: \"{body}\"\r\nconnection: close\r\n");
    match (conditional, wrong) {
        (true, Wrong::Lazy) => {
            "HTTP/1.1 304 Not Modified\r\netag: \"new\"\r\nconnection: close\r\n\r\n".into()
        }
        _ => format!("HTTP/1.1 200 OK\r\n{times}content-length: {}\r\n\r\n{body}", body.len()),
    }
}

#[test]
fn origins_that_are_wrong_are_told_how() {
    let not_closed = "a moment that is not closed is refused";
    let unchanged = "If-None-Match with its ETag gives 304 and an As-Of-Valid";
    for (wrong, wanted) in [
        (Wrong::Deaf, vec!["where it says it is true it gives the same", not_closed]),
        (Wrong::Boastful, vec!["where it says it is true it gives the same"]),
        (Wrong::Lazy, vec![unchanged, "If-None-Match with another ETag gives the whole answer"]),
        (Wrong::Public, vec!["nobody may keep it by its address alone"]),
    ] {
        let ran = check(&origin(wrong));
        let failed = failed(&ran);
        assert_eq!(ran.code, 1, "{ran:?}");
        for check in wanted {
            assert!(failed.iter().any(|failed| failed == check), "{check}: {ran:?}");
        }
    }
}

#[test]
fn the_protocol_as_documented_lists_what_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let put = ["put", "prices", "usd", "--value", "1", "--server", server.url.as_str()];
    assert_eq!(run(asof(&put), b"").code, 0);
    let ran = check(&format!("{}/v1/spaces/prices/keys/usd", server.url));
    let lines = ran.lines();
    let checked = lines.iter().map(|line| line.get("check").unwrap().as_str().unwrap());
    let docs = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/origin-protocol.md"));
    let (_, list) = docs.split_once("## What is checked").unwrap();
    let documented = list.lines().filter_map(|line| line.strip_prefix("* "));
    assert!(checked.eq(documented), "{ran:?}");
}
