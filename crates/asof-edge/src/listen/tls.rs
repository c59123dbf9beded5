//! TLS, without a line of C: rustls on graviola.

use core::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// A [`TlsAcceptor`] that can be shown.
#[derive(Clone)]
pub(crate) struct Acceptor(pub(crate) TlsAcceptor);

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// What accepts TLS connections with the certificate and key of `tls`.
///
/// # Errors
///
/// Where a file cannot be read or holds no such thing, or the two do not belong together; names
/// the file.
pub(crate) fn acceptor(tls: &Tls) -> io::Result<Acceptor> {
    let pem = |path: &Path, error: rustls_pki_types::pem::Error| {
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(&tls.cert, error))?;
    if chain.is_empty() {
        let none = format!("{}: holds no certificate", tls.cert.display());
        return Err(io::Error::other(none));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| pem(&tls.key, error))?;
    let provider = Arc::new(rustls_graviola::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| {
            let files = (tls.cert.display(), tls.key.display());
            io::Error::other(format!("{} and {}: {error}", files.0, files.1))
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
}
