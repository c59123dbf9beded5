//! What lets a writer read its own write.

use core::fmt;
use core::str::FromStr;

use asof_time::{Epoch, Timestamp};

/// An epoch and a time assigned in it. A client keeps the text it was given and sends it back
/// with its next reads, which are then of a moment at or after the write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionToken {
    /// The timeline.
    pub epoch: Epoch,
    /// The write that must be seen.
    pub at: Timestamp,
}

impl fmt::Display for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.at.as_micros())
    }
}

/// Says that a text is not a session token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseSessionTokenError;

impl fmt::Display for ParseSessionTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session token is taken unchanged from the answer to a write")
    }
}

impl core::error::Error for ParseSessionTokenError {}

impl FromStr for SessionToken {
    type Err = ParseSessionTokenError;

    fn from_str(text: &str) -> Result<Self, ParseSessionTokenError> {
        let (epoch, micros) = text.split_once('.').ok_or(ParseSessionTokenError)?;
        if !micros.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseSessionTokenError);
        }
        let micros = micros.parse().map_err(|_| ParseSessionTokenError)?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| ParseSessionTokenError)?,
            at: Timestamp::from_micros(micros).ok_or(ParseSessionTokenError)?,
        })
    }
}
