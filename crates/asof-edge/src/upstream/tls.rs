//! TLS to services, stores and other edges: whom to believe, and how it is spoken.

use core::fmt;
use std::io;
use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Plan;

const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";

/// Whose certificates are believed. Cheap to clone; equal where the authorities are the same.
#[derive(Clone)]
pub(crate) struct Trusted {
    /// Of the certificates of the authorities: a file may be renewed under its old name.
    digest: blake3::Hash,
    one: Arc<ClientConfig>,
    two: Arc<ClientConfig>,
}

/// Nobody, for those who are not asked for a certificate.
static NOBODY: LazyLock<Trusted> = LazyLock::new(|| {
    Trusted::from_der(&[]).expect("the cipher suites of the library fit its protocol versions")
});

impl Trusted {
    /// Those whom `plan` has the edge believe. Nothing is read where nobody in it speaks TLS.
    ///
    /// # Errors
    ///
    /// Where the authorities cannot be read; names their file.
    pub(crate) fn of(plan: &Plan) -> io::Result<Self> {
        if plan.urls().all(|url| url.secured().is_none()) && plan.ca_file.is_none() {
            return Ok(Self::default());
        }
        Self::from_der(&plan.trust().certificates().map_err(io::Error::other)?)
    }

    fn from_der(certificates: &[Vec<u8>]) -> io::Result<Self> {
        let mut digest = blake3::Hasher::new();
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            digest.update(&(certificate.len() as u64).to_le_bytes());
            digest.update(certificate);
            // Bundles of systems hold some that nobody can read.
            roots.add_parsable_certificates([CertificateDer::from_slice(certificate)]);
        }
        if roots.is_empty() && !certificates.is_empty() {
            return Err(io::Error::other("none of the authorities' certificates can be read"));
        }
        let provider = Arc::new(rustls_graviola::default_provider());
        let mut one = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut two = one.clone();
        one.alpn_protocols = vec![HTTP_1.to_vec()];
        two.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Self { digest: digest.finalize(), one: Arc::new(one), two: Arc::new(two) })
    }

    /// How TLS is spoken to `name`.
    pub(crate) fn dialect(&self, name: &ServerName<'static>, http2: bool) -> Dialect {
        let config = if http2 { &self.two } else { &self.one };
        Dialect { connector: Arc::clone(config).into(), name: name.clone(), http2 }
    }
}

impl Default for Trusted {
    fn default() -> Self {
        NOBODY.clone()
    }
}

impl PartialEq for Trusted {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Trusted {}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trusted").field(&self.digest.to_hex()).finish()
    }
}

/// How TLS is spoken to one instance.
pub(crate) struct Dialect {
    connector: TlsConnector,
    name: ServerName<'static>,
    http2: bool,
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Dialect {
    /// Speaks TLS over `stream`, with whom its certificate says it is.
    pub(crate) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        // Whoever says nothing of protocols speaks HTTP/1.1; 2 is spoken only where it was said.
        if self.http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP_2) {
            return Err(io::Error::other("it does not speak HTTP/2"));
        }
        Ok(stream)
    }
}
