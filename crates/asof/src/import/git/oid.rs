//! The name git gives to a commit or a file.

use core::fmt;
use core::str::FromStr;

/// The hash of an object: SHA-1 or SHA-256, as the repository has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    bytes: [u8; Self::BYTES_MAX],
    len: usize,
}

impl ObjectId {
    /// Bytes of a SHA-256; a SHA-1 has 20.
    pub(super) const BYTES_MAX: usize = 32;

    /// Reads 40 or 64 hexadecimal digits.
    pub(super) fn from_hex(hex: &[u8]) -> Option<Self> {
        if !matches!(hex.len(), 40 | 64) {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = nibble(high)? << 4 | nibble(low)?;
        }
        let len = hex.len() / 2;
        Some(Self { bytes, len })
    }

    /// The `raw` bytes of a hash; `None` where there are more than [`BYTES_MAX`](Self::BYTES_MAX).
    pub(super) fn from_bytes(raw: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(Self { bytes, len: raw.len() })
    }

    /// The bytes of the hash.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says that a text is not an object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParseObjectIdError;

impl fmt::Display for ParseObjectIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a commit id is 40 or 64 hexadecimal digits")
    }
}

impl core::error::Error for ParseObjectIdError {}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_hex(text.as_bytes()).ok_or(ParseObjectIdError)
    }
}
