//! What is stored under a key.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use asof_time::limits::CONTENT_TYPE_BYTES_MAX;
use bytes::Bytes;

use crate::{Error, Result};

/// Bytes with a content type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    /// What the bytes are.
    pub content_type: ContentType,
    /// The bytes, at most the configured limit.
    pub bytes: Bytes,
}

impl Value {
    /// A JSON value from its exact text.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self { content_type: ContentType::json(), bytes: text.into() }
    }

    /// Plain bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: ContentType::binary(), bytes: bytes.into() }
    }

    /// BLAKE3-256 of the bytes.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }
}

/// A media type as in HTTP's `Content-Type`: visible ASCII, 1 to 255 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContentType(Text);

/// The common ones need no allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    Static(&'static str),
    Owned(Arc<str>),
}

impl ContentType {
    const BINARY: &'static str = "application/octet-stream";
    const JSON: &'static str = "application/json";

    /// `application/octet-stream`: nothing is known of the bytes.
    pub fn binary() -> Self {
        Self(Text::Static(Self::BINARY))
    }

    /// `application/json`.
    pub fn json() -> Self {
        Self(Text::Static(Self::JSON))
    }

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// `Invalid` or `TooLarge`.
    pub fn new(text: &str) -> Result<Self> {
        match text {
            Self::BINARY => return Ok(Self::binary()),
            Self::JSON => return Ok(Self::json()),
            _ => {}
        }
        if text.len() > CONTENT_TYPE_BYTES_MAX {
            return Err(Error::too_large(
                "content type",
                text.len(),
                CONTENT_TYPE_BYTES_MAX,
                "bytes",
            ));
        }
        if text.is_empty() || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(Error::invalid("content type must be visible ASCII and not empty"));
        }
        Ok(Self(Text::Owned(text.into())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Static(text) => text,
            Text::Owned(text) => text,
        }
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// BLAKE3-256 of a value's bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// A hash from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| Error::invalid("a content hash is 64 hexadecimal digits"))
    }
}
