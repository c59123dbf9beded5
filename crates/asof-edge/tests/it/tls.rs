//! TLS: for clients, and to whom the edge asks.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use asof_edge::{Edge, EdgeError, PassThrough, Plan};
use asof_env::{SystemClock, SystemRandom};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{echo, edge, get, service, status};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../asof-server/tests/it/tls"))
}

async fn bind(cert: &str, upstream: std::net::SocketAddr) -> Result<Edge<PassThrough>, EdgeError> {
    let text = format!(
        "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\ntls = {{ cert = '{cert}', key = 'key.pem' }}\n{}",
        service(upstream, "")
    );
    let plan = Plan::from_toml(&text, folder()).unwrap();
    Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
        PassThrough::new(forwarder, Arc::new(SystemRandom))
    })
    .await
}

#[tokio::test]
async fn clients_speak_tls_and_this_machine_need_not() {
    let edge = bind("cert.pem", echo().await).await.unwrap();
    let addresses = edge.addresses().clone();
    tokio::spawn(edge.run(std::future::pending()));
    let mut roots = rustls::RootCertStore::empty();
    let cert = CertificateDer::from_pem_file(folder().join("cert.pem")).unwrap();
    roots.add(cert).unwrap();
    let provider = Arc::new(rustls_graviola::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(addresses.ingress).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = "GET /x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // Whether the end is announced is not the question here.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.contains("forwarded: for=127.0.0.1;proto=https"), "{answer}");
    // Plain text is refused there, and taken where only this machine can come.
    let plain = get(addresses.ingress, "/", "").await;
    assert!(!plain.contains("HTTP/1.1 2"), "{plain}");
    assert_eq!(status(&get(addresses.egress["a"], "/-/a/", "").await), 200);
    assert_eq!(status(&get(addresses.admin, "/healthz", "").await), 200);
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_before_anything_listens() {
    let error = bind("key.pem", echo().await).await.unwrap_err();
    assert!(matches!(error, EdgeError::Tls(_)), "{error}");
    assert!(error.to_string().contains("key.pem"), "{error}");
}

/// What speaks TLS as `localhost`, with these protocols, in front of what speaks none.
pub(crate) async fn in_front_of(plain: SocketAddr, protocols: &[&str]) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(folder().join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder().join("key.pem")).unwrap();
    let provider = Arc::new(rustls_graviola::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust it hangs up.
                let Ok(mut near) = acceptor.accept(stream).await else { return };
                let Ok(mut far) = TcpStream::connect(plain).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    address
}

/// The setting that has the edge believe [`in_front_of`].
pub(crate) fn believing() -> String {
    format!("ca_file = '{}'\n", folder().join("cert.pem").display())
}

/// The configuration of one service `a` at `url`.
fn secured(url: &str, more: &str) -> String {
    format!("[[ingress.rules]]\nservice = 'a'\n[services.a]\nupstreams = ['{url}']\n{more}\n")
}

#[tokio::test]
async fn services_are_asked_over_tls_where_their_url_says_so() {
    let port = in_front_of(echo().await, &["http/1.1"]).await.port();
    let text = believing() + &secured(&format!("https://localhost:{port}"), "");
    let edge = edge(&text).await;
    for _ in 0..3 {
        let answer = get(edge.ingress, "/x", "").await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains("GET /x"), "{answer}");
    }
    let metrics = get(edge.admin, "/metrics", "").await;
    assert!(!metrics.contains("upstream_failures_total{"), "{metrics}");
}

#[tokio::test]
async fn http_2_over_tls_is_spoken_by_whoever_says_so() {
    let plain = echo().await;
    let ask = async |protocols: &[&str]| {
        let port = in_front_of(plain, protocols).await.port();
        let more = "http2 = true\nhealth = { path = '/well', every = '100ms' }";
        let text = believing() + &secured(&format!("https://localhost:{port}"), more);
        let edge = edge(&text).await;
        get(edge.ingress, "/x", "").await
    };
    let answer = ask(&["h2", "http/1.1"]).await;
    assert!(answer.contains("GET https://localhost/x"), "{answer}");
    for silent in [&["http/1.1"][..], &[]] {
        assert_eq!(status(&ask(silent).await), 502);
    }
}

#[tokio::test]
async fn whoever_shows_no_certificate_of_its_name_by_somebody_trusted_is_not_asked() {
    let (echo, believing) = (echo().await, believing());
    let good = in_front_of(echo, &["http/1.1"]).await;
    let wrong_name =
        believing.clone() + &secured(&format!("https://127.0.0.1:{}", good.port()), "");
    let no_tls = believing + &secured(&format!("https://localhost:{}", echo.port()), "");
    // An authority that vouches for nobody here.
    let stranger = folder().join("stranger.pem");
    let url = format!("https://localhost:{}", good.port());
    let untrusted = format!("ca_file = '{}'\n", stranger.display()) + &secured(&url, "");
    for text in [wrong_name, no_tls, untrusted] {
        let edge = edge(&text).await;
        let answer = get(edge.ingress, "/x", "").await;
        assert_eq!(status(&answer), 502, "{text}: {answer}");
        assert!(answer.contains("cannot be spoken to over TLS"), "{answer}");
        let metrics = get(edge.admin, "/metrics", "").await;
        assert!(metrics.contains("kind=\"tls\""), "{metrics}");
    }
}

#[tokio::test]
async fn an_authority_that_is_none_is_refused_before_anything_listens() {
    let url = secured("https://localhost:1", "");
    for (file, why) in [("none.pem", "none.pem"), ("key.pem", "holds no certificate")] {
        let text =
            format!("listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\nca_file = '{file}'\n{url}");
        let plan = Plan::from_toml(&text, folder()).unwrap();
        let error = asof_edge::check::<PassThrough>(&plan).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_renewed_authority_is_believed_after_a_reload() {
    let port = in_front_of(echo().await, &["http/1.1"]).await.port();
    let held = tempfile::tempdir().unwrap();
    let file = held.path().join("ca.pem");
    std::fs::copy(folder().join("stranger.pem"), &file).unwrap();
    let text = format!("ca_file = '{}'\n", file.display())
        + &secured(&format!("https://localhost:{port}"), "");
    let edge = edge(&text).await;
    assert_eq!(status(&get(edge.ingress, "/x", "").await), 502);
    std::fs::copy(folder().join("cert.pem"), &file).unwrap();
    edge.reloader.reload(crate::harness::plan(&text)).await.unwrap();
    assert_eq!(status(&get(edge.ingress, "/x", "").await), 200);
}
