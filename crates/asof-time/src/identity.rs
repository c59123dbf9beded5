//! Which timeline, and which place within one timestamp.

use core::fmt;
use core::str::FromStr;

/// The identity of a timeline. A restore from backup starts a new one, and nothing that
/// carries another epoch ever matches.
///
/// An opaque number below 2^53, written as 14 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Makes an epoch out of random bits; the upper 11 are not used.
    pub const fn from_random(bits: u64) -> Self {
        Self(bits & ((1 << 53) - 1))
    }

    /// The number, below 2^53.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says that a text is not an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseEpochError;

impl fmt::Display for ParseEpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an epoch is 14 hexadecimal digits")
    }
}

impl core::error::Error for ParseEpochError {}

impl FromStr for Epoch {
    type Err = ParseEpochError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseEpochError);
        }
        let bits = u64::from_str_radix(text, 16).map_err(|_| ParseEpochError)?;
        let epoch = Self::from_random(bits);
        if epoch.0 == bits { Ok(epoch) } else { Err(ParseEpochError) }
    }
}

/// The place of a commit in the order of acceptance: unique within an epoch, below 2^53.
///
/// Commits are ordered by (effective, sequence). The sequence is also the commit's public id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// Before every commit.
    pub const ZERO: Self = Self(0);
    /// 2^53 - 1.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The sequence `number`; `None` from 2^53 on.
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number, below 2^53.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The one after it; `None` at [`MAX`](Self::MAX).
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
