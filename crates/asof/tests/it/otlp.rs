//! Traces of an edge as a command, by builds that can tell a collector and by those that cannot.

use crate::edge::config;
use crate::harness::{asof, run};

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_otlp_says_how_to_build_one_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), "127.0.0.1:1", "[traces]\nsample = 1.0");
    for more in [&[][..], &["--check"]] {
        let mut command = asof(&["edge", "--config"]);
        command.arg(&path).args(more);
        let ran = run(command, b"");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("cargo build --release --features otlp"), "{ran:?}");
    }
}

#[cfg(feature = "otlp")]
#[test]
fn whom_nobody_can_tell_is_said_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = config(folder.path(), "127.0.0.1:1", "[traces]");
    let check = |endpoint: &str| {
        let mut command = asof(&["edge", "--check", "--config"]);
        command.arg(&path).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        run(command, b"")
    };
    let bad = check("nowhere");
    assert_eq!((bad.code, bad.err.contains("`nowhere/v1/traces`")), (2, true), "{bad:?}");
    let good = check("http://127.0.0.1:1");
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.text().contains("traces.sample = 0.01\n"), "{good:?}");
}

#[cfg(feature = "otlp")]
#[test]
fn an_edge_tells_what_it_did_before_it_ends() {
    use std::io::Read as _;
    use std::net::TcpListener;

    use crate::edge::{Edge, service};

    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let more = format!("[traces]\nendpoint = '{endpoint}'\nsample = 1.0");
    let mut edge = Edge::start(&config(folder.path(), &service("here"), &more));
    assert!(edge.get().ends_with("here"));
    edge.signal("-TERM");
    let (mut stream, _) = collector.accept().unwrap();
    let mut told = Vec::new();
    // What asked and what was asked are told together, in one message.
    while !(holds(&told, b"POST /v1/traces") && holds(&told, b"asof.listener")) {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).unwrap();
        assert_ne!(count, 0, "{:?}", String::from_utf8_lossy(&told));
        told.extend_from_slice(part.get(..count).unwrap());
    }
    std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(edge.child.wait().unwrap().code(), Some(0));
}

#[cfg(feature = "otlp")]
fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
