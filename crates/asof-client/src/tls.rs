//! Whom to trust over `https`.

use std::path::PathBuf;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::transport::{TransportError, TransportErrorKind};

/// Which certificate authorities vouch for a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Those that the machine trusts.
    System,
    /// Those in this PEM file, and no others.
    CaFile(PathBuf),
}

/// Where systems keep the authorities they trust: Debian, Fedora, SUSE, Alpine and the BSDs.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Trust {
    /// The certificates of the authorities, each as DER (X.509); never none.
    ///
    /// # Errors
    ///
    /// `Untrusted` where their file is missing, cannot be read, or holds no certificate.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, TransportError> {
        let roots = self.roots()?;
        Ok(roots.iter().map(|root| root.der().to_vec()).collect())
    }

    fn roots(&self) -> Result<Vec<Certificate<'static>>, TransportError> {
        let path = match self {
            Self::CaFile(path) => path.clone(),
            Self::System => system_bundle().ok_or_else(|| {
                untrusted("no certificate authorities found on this machine: name a CA file".into())
            })?,
        };
        let shown = path.display();
        let pem = std::fs::read(&path)
            .map_err(|error| untrusted(format!("cannot read CA file {shown}: {error}")))?;
        let roots = certificates(&pem);
        if roots.is_empty() {
            return Err(untrusted(format!("CA file {shown} holds no certificate")));
        }
        Ok(roots)
    }
}

/// The settings of a connection that trusts `trust`.
pub(crate) fn config(trust: &Trust) -> Result<TlsConfig, TransportError> {
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::from(trust.roots()?))
        .unversioned_rustls_crypto_provider(Arc::new(rustls_graviola::default_provider()))
        .build())
}

/// What is not a certificate is passed over: bundles hold comments, and files keys.
fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}

fn system_bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    named.into_iter().chain(SYSTEM_BUNDLES.map(PathBuf::from)).find(|path| path.is_file())
}

fn untrusted(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Untrusted, message)
}
