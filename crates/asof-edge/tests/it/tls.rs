//! TLS for clients.

use std::path::Path;
use std::sync::Arc;

use asof_edge::{Edge, EdgeError, PassThrough, Plan};
use asof_env::{SystemClock, SystemRandom};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{echo, get, service, status};

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
