//! What was answered, without when.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::call::{NoDigest, bytes_of};
use crate::weight;

/// A body smaller than this is not worth a place in the table of those that are shared.
const SHARED_BYTES_MIN: usize = 512;

/// Status, forwarded headers and body of an answer, and the hash over all three.
#[derive(PartialEq, Eq, Debug)]
pub struct Content {
    head: Arc<Head>,
    body: Bytes,
    hash: ContentHash,
}

/// Everything before the body. Many answers have the same, so that it is held once.
#[derive(PartialEq, Eq, Hash, Debug)]
pub(crate) struct Head {
    status: StatusCode,
    headers: Box<[(HeaderName, HeaderValue)]>,
}

/// BLAKE3-256 over status, headers and body.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes.
    pub(crate) fn short(&self) -> u64 {
        self.0.first_chunk().map_or(0, |short| u64::from_le_bytes(*short))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        bytes_of(text).map(Self)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Content {
    /// An answer. The body is the identity-coded one.
    ///
    /// Headers are put in the order of their names, and those of one name stay in theirs: no other
    /// order means anything (RFC 9110, 5.3), and a service that goes through a hash map writes them
    /// in another one each time.
    pub fn new(
        status: StatusCode,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Arc<Self> {
        let mut headers: Box<[(HeaderName, HeaderValue)]> = headers.into_iter().collect();
        headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
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
        Arc::new(Self { head: Arc::new(Head { status, headers }), body, hash })
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The headers that are part of the answer, in the order in which they are sent.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.head.headers
    }

    /// The body. A clone shares the bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The hash over status, headers and body.
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// Whether it is large enough that one copy of it is looked for.
    pub(crate) fn is_worth_sharing(&self) -> bool {
        self.body.len() >= SHARED_BYTES_MIN
    }

    pub(crate) fn head(&self) -> &Arc<Head> {
        &self.head
    }

    /// The same content with an equal head in place of its own.
    pub(crate) fn with_head(&self, head: Arc<Head>) -> Arc<Self> {
        Arc::new(Self { head, body: self.body.clone(), hash: self.hash })
    }

    /// Bytes that it holds, about, without the head: that is shared.
    pub(crate) fn weight(&self) -> u64 {
        let place = if self.is_worth_sharing() { weight::PLACE } else { 0 };
        weight::shared(size_of::<Self>()) + weight::body(self.body.len()) + place
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE, LINK};

    use super::*;

    #[test]
    fn the_order_of_header_names_means_nothing_and_that_of_values_does() {
        let text = HeaderValue::from_static;
        let content = |headers: &[(HeaderName, HeaderValue)]| {
            Content::new(StatusCode::OK, headers.iter().cloned(), Bytes::from_static(b"body"))
        };
        let language = (CONTENT_LANGUAGE, text("en"));
        let (html, first) = ((CONTENT_TYPE, text("text/html")), (LINK, text("</1>; rel=\"prev\"")));
        let second = (LINK, text("</2>; rel=\"next\""));
        let one = content(&[html.clone(), first.clone(), language.clone(), second.clone()]);
        let other = content(&[language.clone(), first.clone(), second.clone(), html.clone()]);
        assert_eq!(one, other);
        assert_eq!(one.headers()[0], language);
        let turned = content(&[language, second, first, html]);
        assert_ne!(one.hash(), turned.hash());
    }
}
