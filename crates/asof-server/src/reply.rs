//! Making answers.

use core::cell::Cell;

use asof_store::ContentType;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, header};
use serde::Serialize;

use crate::body::Body;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const EVENTS: &str = "text/event-stream";
pub(crate) const LINKS: &str = "application/link-format";

/// How many headers the answer of a point read has.
const VALUE_HEADERS: usize = 16;

/// A JSON answer.
pub(crate) fn json(body: &impl Serialize) -> Response<Body> {
    json_as(JSON, body)
}

/// A JSON answer of a media type built on JSON.
///
/// # Panics
///
/// Where `body` does not serialise: the bodies are ours, with no map keys but strings.
pub(crate) fn json_as(media_type: &'static str, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(body).expect("the wire's own bodies serialise");
    typed(media_type, text)
}

/// An answer of the media type.
pub(crate) fn typed(media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

thread_local! {
    /// The map of headers of the request before, on this lane. hyper makes a request's out of the
    /// answer's before it; with this one the two go round, and none is made anew.
    static SPARE: Cell<HeaderMap> = Cell::default();
}

/// Keeps the headers of an answered request for the next answer to fill.
pub(crate) fn keep(mut headers: HeaderMap) {
    headers.clear();
    SPARE.set(headers);
}

/// A stored value as an answer.
pub(crate) fn value(content_type: &ContentType, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.headers_mut() = SPARE.take();
    let content_type = match content_type.as_str() {
        JSON => HeaderValue::from_static(JSON),
        "application/octet-stream" => HeaderValue::from_static("application/octet-stream"),
        other => text(other),
    };
    let headers = response.headers_mut();
    // All that a point read says fits, so the map need not grow on its way.
    headers.reserve(VALUE_HEADERS);
    if is_active(content_type.as_bytes()) {
        // A page of somebody's must not act with the rights of whoever looks at it here.
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    }
    headers.insert(header::CONTENT_TYPE, content_type);
    // Values come from anybody: a browser must not guess a script out of one.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a browser might run what is in a value of this type.
fn is_active(content_type: &[u8]) -> bool {
    content_type.starts_with(b"text/html")
        || content_type.windows(3).any(|part| part.eq_ignore_ascii_case(b"xml"))
}

/// Header values cut out of one buffer: the read of a point makes half a dozen of them, and this
/// way it allocates once for all.
#[derive(Debug, Default)]
pub(crate) struct Texts(BytesMut);

impl Texts {
    /// Room for values of `bytes` together; more of them take more room.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(BytesMut::with_capacity(bytes))
    }

    /// Adds to the value that is being made.
    pub(crate) fn put(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// As [`put`](Self::put), for what knows how to write itself.
    pub(crate) fn put_shown(&mut self, shown: impl core::fmt::Display) {
        // Writing into memory does not fail.
        let _ = core::fmt::write(&mut self.0, format_args!("{shown}"));
    }

    /// The value that was made, which holds no control characters; the next one begins.
    pub(crate) fn cut(&mut self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.0.split().freeze())
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// A header value from text that we made and that holds no control characters.
pub(crate) fn text(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// As [`text`], without copying it.
pub(crate) fn owned_text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
