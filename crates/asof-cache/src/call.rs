//! What is asked, without when: the canonical call and its key.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::Method;

use crate::weight;

/// A canonical request: everything that an answer may depend on, except the moment.
///
/// Two requests with the same answer at every moment should be one call; two requests that may
/// be answered differently at some moment must be two. So whoever makes one sorts what has no
/// order and leaves out what the service does not receive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The service, or the store, that answers.
    pub service: Box<str>,
    /// How it is asked. `HEAD` is the edge's own business and arrives here as `GET`.
    pub method: Method,
    /// The path, as the service receives it.
    pub path: Box<str>,
    /// The declared query parameters, in canonical order and encoding; without the `?`.
    pub query: Box<str>,
    /// The declared request headers: names in lower case, sorted by name.
    pub headers: Box<[DeclaredHeader]>,
    /// The declared state values, sorted by name.
    pub state: Box<[(Box<str>, Box<str>)]>,
    /// The body of a call that has one.
    pub body: Bytes,
    /// The release of the service in force, as far as it is known; empty where none is kept.
    pub release: Box<str>,
    /// Digest of the configuration of the route: an answer made under other rules is another.
    pub route: RouteDigest,
}

/// Name, in lower case, and value of a declared request header.
pub type DeclaredHeader = (Box<str>, Box<[u8]>);

/// Digest of the part of a route's configuration that can change an answer or what is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RouteDigest([u8; 16]);

impl RouteDigest {
    /// Of the configuration in any canonical form.
    pub fn of(canonical: &[u8]) -> Self {
        Self(half(blake3::Hasher::new().update(canonical)))
    }
}

/// The name of a call: 128 bits of BLAKE3 over all of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey([u8; 16]);

impl CallKey {
    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first eight bytes, which are as good as any hash of the whole.
    pub(crate) fn short(&self) -> u64 {
        self.0.first_chunk().map_or(0, |short| u64::from_le_bytes(*short))
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A text is not the digest that it should be, in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoDigest;

impl fmt::Display for NoDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest is written in lower-case hexadecimal digits, two a byte")
    }
}

impl std::error::Error for NoDigest {}

/// The bytes that `text` writes.
pub(crate) fn bytes_of<const N: usize>(text: &str) -> Result<[u8; N], NoDigest> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NoDigest),
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(NoDigest);
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Ok(bytes)
}

impl FromStr for CallKey {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        bytes_of(text).map(Self)
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Call {
    /// The key of this call.
    pub fn key(&self) -> CallKey {
        let mut digest = Digest::new();
        digest.part(self.service.as_bytes());
        digest.part(self.method.as_str().as_bytes());
        digest.part(self.path.as_bytes());
        digest.part(self.query.as_bytes());
        digest.count(self.headers.len());
        for (name, value) in &self.headers {
            digest.part(name.as_bytes());
            digest.part(value);
        }
        digest.count(self.state.len());
        for (name, value) in &self.state {
            digest.part(name.as_bytes());
            digest.part(value.as_bytes());
        }
        digest.part(&self.body);
        digest.part(self.release.as_bytes());
        digest.part(&self.route.0);
        CallKey(half(&digest.0))
    }

    /// Whether the other call may depend on a state value that this one does not declare.
    pub fn declares_state_of(&self, nested: &Self) -> bool {
        let declares = |name: &str| self.state.iter().any(|(own, _)| **own == *name);
        nested.state.iter().all(|(name, _)| declares(name))
    }

    /// Bytes that it holds, about.
    pub(crate) fn weight(&self) -> u64 {
        let text = |text: &str| weight::allocated(text.len());
        let texts = [&self.service, &self.path, &self.query, &self.release];
        let texts = texts.into_iter().map(|part| text(part)).sum::<u64>();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| text(name) + weight::allocated(value.len()));
        let state = self.state.iter().map(|(name, value)| text(name) + text(value));
        let lists = weight::allocated(size_of_val(&*self.headers))
            + weight::allocated(size_of_val(&*self.state));
        let parts = texts + headers.sum::<u64>() + state.sum::<u64>() + lists;
        weight::shared(size_of::<Self>()) + parts + weight::body(self.body.len())
    }
}

/// Each part goes in behind its length, so no two calls have the same bytes.
struct Digest(blake3::Hasher);

impl Digest {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn count(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn part(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }
}

fn half(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut half = [0; 16];
    hasher.finalize_xof().fill(&mut half);
    half
}
