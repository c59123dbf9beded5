//! Requests over HTTP/1.1, with connections kept for reuse.

use core::time::Duration;
use std::io;

use http::{HeaderValue, Method, Uri, header};
use ureq::{Agent, SendBody};

use crate::tls::Trust;
use crate::transport::{
    Body, Request, Response, SILENCE_MAX_DEFAULT, Transport, TransportError, TransportErrorKind,
};

/// How long a connection may take to come about, the TLS handshake included.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Largest body that is sent without asking first, in bytes: what socket buffers take in anyway.
const UNASKED_BYTES_MAX: usize = 64 << 10;

/// Connections kept open to a server while nothing is asked.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// A store at a URL.
#[derive(Debug)]
pub struct HttpTransport {
    base: String,
    agent: Agent,
}

impl HttpTransport {
    /// The store at `base`, such as `http://127.0.0.1:7400` or `https://store.example/asof`.
    /// Nothing is sent yet. `trust` counts for `https` only, and costs nothing otherwise.
    ///
    /// # Errors
    ///
    /// `Unreachable` where `base` is no such URL, `Untrusted` where `trust` names no certificates.
    pub fn new(base: &str, trust: &Trust) -> Result<Self, TransportError> {
        let base = base.trim_end_matches('/');
        let uri = parse_base(base)?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("asof/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_per_read(Some(SILENCE_MAX_DEFAULT))
            .timeout_per_write(Some(SILENCE_MAX_DEFAULT));
        if is_loopback(&uri) {
            config = config.proxy(None);
        }
        if uri.scheme_str() == Some("https") {
            config = config.tls_config(crate::tls::config(trust)?);
        }
        Ok(Self { base: base.to_owned(), agent: config.build().new_agent() })
    }

    fn run(&self, request: Request) -> Result<Response, ureq::Error> {
        let Request { method, target, headers, body, silence_max } = request;
        let takes_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
        let mut head =
            http::Request::builder().method(method).uri(format!("{}{target}", self.base));
        if let Some(to) = head.headers_mut() {
            *to = headers;
            if is_large(&body) {
                to.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
            }
        }
        let answer = match body {
            // Without a length these methods are taken to have a body, chunked.
            Body::Empty if takes_body => self.run_with(head.body(&[][..])?, silence_max)?,
            Body::Empty => self.run_with(head.body(SendBody::none())?, silence_max)?,
            Body::Bytes(bytes) => self.run_with(head.body(bytes.as_ref())?, silence_max)?,
            Body::Reader(reader) => {
                let body = SendBody::from_owned_reader(reader);
                self.run_with(head.body(body)?, silence_max)?
            }
        };
        let (head, body) = answer.into_parts();
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: Box::new(body.into_reader()),
        })
    }

    fn run_with<S: ureq::AsSendBody>(
        &self,
        request: http::Request<S>,
        silence_max: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        if silence_max == SILENCE_MAX_DEFAULT {
            return self.agent.run(request);
        }
        let request =
            self.agent.configure_request(request).timeout_per_read(Some(silence_max)).build();
        self.agent.run(request)
    }

    fn explain(&self, error: &ureq::Error) -> TransportError {
        let base = &self.base;
        match error {
            ureq::Error::Io(io) if never_connected(io.kind()) => TransportError::new(
                TransportErrorKind::Unreachable,
                format!("no server at {base} ({})", plain(io)),
            ),
            ureq::Error::HostNotFound => unknown_host(base),
            ureq::Error::Io(io) if is_lookup(io) => unknown_host(base),
            ureq::Error::ConnectionFailed | ureq::Error::Timeout(ureq::Timeout::Connect) => {
                TransportError::new(
                    TransportErrorKind::Unreachable,
                    format!("no connection to {base}: check the address and the network"),
                )
            }
            ureq::Error::Io(io) if is_tls(io) => untrusted(base, io),
            ureq::Error::Rustls(error) => untrusted(base, error),
            ureq::Error::Tls(error) => untrusted(base, error),
            ureq::Error::Timeout(_) => TransportError::new(
                TransportErrorKind::Broken,
                format!("{base} fell silent ({error})"),
            ),
            error => TransportError::new(
                TransportErrorKind::Broken,
                format!("the connection to {base} broke ({error})"),
            ),
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.run(request).map_err(|error| self.explain(&error))
    }
}

/// Whether the server is asked first whether it will have the body. One that refuses it closes
/// the connection, and its reason is lost if that happens while the body is still being sent.
fn is_large(body: &Body) -> bool {
    match body {
        Body::Empty => false,
        Body::Bytes(bytes) => bytes.len() > UNASKED_BYTES_MAX,
        Body::Reader(_) => true,
    }
}

fn parse_base(base: &str) -> Result<Uri, TransportError> {
    let refuse = || {
        TransportError::new(
            TransportErrorKind::Address,
            format!("`{base}` is not the URL of a server, such as http://127.0.0.1:7400"),
        )
    };
    let uri: Uri = base.parse().map_err(|_| refuse())?;
    let plain = uri.query().is_none() && uri.host().is_some();
    match uri.scheme_str() {
        Some("http" | "https") if plain => Ok(uri),
        _ => Err(refuse()),
    }
}

fn unknown_host(base: &str) -> TransportError {
    TransportError::new(
        TransportErrorKind::Unreachable,
        format!("the host of {base} is not known: correct it, or look at the name service"),
    )
}

/// Whether the name service failed, for which the standard library has words but no kind.
fn is_lookup(error: &std::io::Error) -> bool {
    error.to_string().contains("failed to lookup address")
}

/// A proxy that is set for the outside world has no way to this machine's own loopback.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn never_connected(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
    )
}

/// The error without the number of the operating system.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        kind => kind.to_string(),
    }
}

fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

fn untrusted(base: &str, error: &dyn core::fmt::Display) -> TransportError {
    TransportError::new(
        TransportErrorKind::Untrusted,
        format!("{base} cannot be trusted ({error}): pass the CA that signed it by --ca-file"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_listening_is_told_apart() {
        // Port 1 of the loopback belongs to nobody.
        let transport = HttpTransport::new("http://127.0.0.1:1/", &Trust::System).unwrap();
        let error = transport.send(Request::new(http::Method::GET, "/v1/time")).unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Unreachable);
        assert_eq!(error.message, "no server at http://127.0.0.1:1 (connection refused)");
    }

    #[test]
    fn an_unknown_host_is_told_apart() {
        // A name that is set aside for never being one (RFC 6761, 6.4).
        let transport = HttpTransport::new("http://nowhere.invalid/", &Trust::System).unwrap();
        let error = transport.send(Request::new(http::Method::GET, "/v1/time")).unwrap_err();
        assert_eq!(error.kind, TransportErrorKind::Unreachable);
        assert!(error.message.contains("is not known: correct it"), "{error}");
    }

    #[test]
    fn a_base_is_an_http_url_without_query() {
        for wrong in ["", "127.0.0.1:7400", "ftp://host", "http://host?x=1", "http://"] {
            let error = HttpTransport::new(wrong, &Trust::System).unwrap_err();
            assert_eq!(error.kind, TransportErrorKind::Address, "{wrong}");
        }
        assert!(HttpTransport::new("http://host:1/below", &Trust::System).is_ok());
    }
}
