//! Sockets: starting, bounding, stopping.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asof_server::{Config, ServeError, Server, Span, Tls};
use asof_store::{Options, Store};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    stream: TcpStream,
}

fn config() -> Config {
    Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() }
}

async fn run(config: Config) -> Running {
    let store = Store::in_memory(Options::default()).unwrap();
    let server = Server::bind(store, &config).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async { drop(stopped.await) }));
    let stream = TcpStream::connect(address).await.unwrap();
    Running { stop, server, stream }
}

impl Running {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// What arrives until `end` or the end of the connection.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.contains(end) {
            let read = self.stream.read(&mut buffer);
            let count = tokio::time::timeout(Duration::from_secs(10), read).await;
            match count.expect("an answer in time") {
                Ok(0) | Err(_) => break,
                Ok(count) => text.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        text
    }
}

#[tokio::test]
async fn a_socket_takes_several_requests() {
    let mut running = run(config()).await;
    let put = "PUT /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1";
    running.send(put).await;
    assert!(running.read_until("}").await.starts_with("HTTP/1.1 200"));
    running.send("GET /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(running.read_until("\r\n\r\n1").await.ends_with("\r\n\r\n1"));
    running.stop.send(()).unwrap();
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_stop_ends_the_feed_with_a_last_word() {
    let mut running = run(config()).await;
    running.send("GET /v1/feed HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    running.read_until("heartbeat").await;
    running.stop.send(()).unwrap();
    let mut stream = running.stream;
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains(r#""type":"end","reason":"the service stops""#), "{rest}");
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let mut config = config();
    config.limits.header_timeout = Span(Duration::from_secs(1));
    let mut running = run(config).await;
    running.send("GET /v1/time HTTP/1.1\r\nhost: loc").await;
    let text = running.read_until("never").await;
    assert!(text.is_empty() || text.contains("408"), "{text}");
}

#[tokio::test]
async fn tokens_that_are_required_must_be_there() {
    let store = Store::in_memory(Options::default()).unwrap();
    let config = Config { require_tokens: true, ..config() };
    let error = Server::bind(store.clone(), &config).await.unwrap_err();
    assert!(matches!(error, ServeError::NoToken), "{error}");
    let beyond = Config {
        listen: ([0, 0, 0, 0], 0).into(),
        tls_terminated_elsewhere: true,
        ..Config::default()
    };
    let error = Server::bind(store, &beyond).await.unwrap_err();
    assert!(matches!(error, ServeError::NoToken), "{error}");
}

/// A certificate of our own, for `localhost`, good until 2126.
fn tls() -> Tls {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls");
    Tls { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
}

#[tokio::test]
async fn tls_speaks_both_versions_of_http() {
    let tls = tls();
    let mut roots = rustls::RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(&tls.cert).unwrap();
    roots.add(certificate).unwrap();
    let config = Config { tls: Some(tls), ..config() };
    for protocol in ["h2", "http/1.1"] {
        let running = run(config.clone()).await;
        let provider = Arc::new(rustls_graviola::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, running.stream).await.unwrap();
        let agreed = stream.get_ref().1.alpn_protocol().unwrap();
        assert_eq!(agreed, protocol.as_bytes());
        if protocol == "http/1.1" {
            let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            // The peer may close the socket without the last word of TLS.
            let _ = stream.read_to_string(&mut answer).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_named() {
    let store = Store::in_memory(Options::default()).unwrap();
    let mut tls = tls();
    tls.key.clone_from(&tls.cert);
    let config = Config { tls: Some(tls), ..config() };
    let error = Server::bind(store, &config).await.unwrap_err();
    assert!(error.to_string().contains("cert.pem"), "{error}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let mut config = config();
    config.limits.write_timeout = Span(Duration::from_secs(1));
    let mut running = run(config).await;
    let value = "7".repeat(1 << 20);
    running
        .send(&format!(
            "PUT /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{value}",
            value.len()
        ))
        .await;
    assert!(running.read_until("}").await.starts_with("HTTP/1.1 200"));
    // More than all the buffers in between take in, and none of it is read.
    let get = "GET /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..64 {
        running.send(get).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), running.stream.read_to_end(&mut rest));
    let ended = read.await.expect("the connection has ended");
    assert!(ended.is_err() || rest.len() < 64 << 20, "{} bytes arrived", rest.len());
}

#[tokio::test]
async fn more_connections_than_lanes_are_served_at_once() {
    let mut running = run(config()).await;
    let address = running.stream.peer_addr().unwrap();
    let mut followers = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /v1/feed HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        followers.push(stream);
    }
    running.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(running.read_until("}").await.starts_with("HTTP/1.1 200"));
    for stream in followers {
        running.stream = stream;
        assert!(running.read_until("heartbeat").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    let mut config = config();
    config.limits.drain_timeout = Span(Duration::ZERO);
    let mut running = run(config).await;
    // A body that never arrives whole.
    running
        .send("PUT /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n1")
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), running.server).await;
    ended.expect("the server has ended").unwrap();
}
