//! How a request reaches the store: over a socket, or within the process.

use core::fmt;
use core::time::Duration;
use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// Longest silence of the other side that is borne unless a request says otherwise. Counting a
/// large space or going live may take a while before the first byte comes.
pub const SILENCE_MAX_DEFAULT: Duration = Duration::from_mins(2);

/// Carries requests to one store.
///
/// An answer with an error status is an answer; [`TransportError`] is for when there is none.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request` and returns once the head of the answer is there.
    ///
    /// # Errors
    ///
    /// Where no answer came. Of a write it is then unknown whether it took effect.
    fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// One request.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query, percent-encoded, beginning with `/`.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Longest silence to bear.
    pub silence_max: Duration,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            silence_max: SILENCE_MAX_DEFAULT,
        }
    }
}

impl fmt::Debug for Request {
    /// Without the headers: they may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// The body of a request.
pub enum Body {
    /// None.
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// What the reader gives, piece by piece, so that it need not fit into memory.
    Reader(Box<dyn Read + Send>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Reader(_) => f.write_str("Reader"),
        }
    }
}

/// The answer to a request.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, read as it comes.
    pub body: Box<dyn Read + Send>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Why no answer came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportError {
    /// What a caller can do about it.
    pub kind: TransportErrorKind,
    /// For people, lowercase.
    pub message: String,
}

/// What a caller can do about a missing answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportErrorKind {
    /// What was given is no address of a server: correct it.
    Address,
    /// Nobody listens there: nothing was sent. Start a server, or correct the address.
    Unreachable,
    /// The other side cannot be trusted: correct the certificates.
    Untrusted,
    /// The connection broke or fell silent: try again.
    Broken,
}

impl TransportError {
    /// An error of `kind` explained by `message`.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for TransportError {}
