//! What was answered, without when.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

/// Status, forwarded headers and body of an answer, and the hash over all three.
#[derive(PartialEq, Eq, Debug)]
pub struct Content {
    status: StatusCode,
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
    hash: ContentHash,
}

/// BLAKE3-256 over status, headers and body.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Content {
    /// An answer whose headers come in the order in which they are sent. The body is the
    /// identity-coded one.
    pub fn new(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Arc<Self> {
        let headers: Box<[_]> = headers.into_iter().collect();
        let mut digest = blake3::Hasher::new();
        digest.update(&status.as_u16().to_le_bytes());
        digest.update(&(headers.len() as u64).to_le_bytes());
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), value.as_bytes()] {
                digest.update(&(part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        digest.update(&body);
        let hash = ContentHash(*digest.finalize().as_bytes());
        Arc::new(Self { status, headers, body, hash })
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers that are part of the answer, in the order in which they are sent.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The body. A clone shares the bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The hash over status, headers and body.
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// Bytes that it holds, about.
    pub(crate) fn weight(&self) -> u64 {
        let pair = size_of::<(HeaderName, HeaderValue)>();
        let headers = self.headers.iter().map(|(_, value)| pair + value.len());
        (size_of::<Self>() + self.body.len() + headers.sum::<usize>()) as u64
    }
}
