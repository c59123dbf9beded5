//! Names that were checked once and are valid ever after.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use asof_time::limits::{KEY_BYTES_MAX, SPACE_NAME_BYTES_MAX};

use crate::{Error, Result};

/// The name of a space: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceName(Arc<str>);

impl SpaceName {
    /// Checks `name`.
    ///
    /// # Errors
    ///
    /// `Invalid` or `TooLarge`, with what is allowed.
    pub fn new(name: &str) -> Result<Self> {
        if name.len() > SPACE_NAME_BYTES_MAX {
            return Err(Error::too_large("space name", name.len(), SPACE_NAME_BYTES_MAX, "bytes"));
        }
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let plain = name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
        });
        if begins && plain {
            Ok(Self(name.into()))
        } else {
            Err(Error::invalid(format!(
                "space name `{}` must be of `a-z 0-9 . _ -` and begin with a letter or digit",
                name.escape_debug()
            )))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key within a space: UTF-8, 1 to 1,024 bytes, may hold `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks `key`.
    ///
    /// # Errors
    ///
    /// `Invalid` where it is empty, `TooLarge` where it is too long.
    pub fn new(key: &str) -> Result<Self> {
        if key.is_empty() {
            return Err(Error::invalid("key is empty; a key has 1 to 1024 bytes"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(Error::too_large("key", key.len(), KEY_BYTES_MAX, "bytes"));
        }
        Ok(Self(key.into()))
    }

    /// Checks bytes that claim to be a key.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and `Invalid` where they are not UTF-8.
    pub fn from_bytes(key: &[u8]) -> Result<Self> {
        let text = core::str::from_utf8(key)
            .map_err(|error| Error::invalid(format!("key is not UTF-8: {error}")))?;
        Self::new(text)
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}

text_traits!(SpaceName);
text_traits!(Key);
