//! Header names, and the text of those that are ours.

use core::fmt;

use asof_time::{End, Timestamp, Validity};
use http::HeaderName;

use crate::Rfc3339;

/// The moment a read asks about, in a request; the moment it was answered for, in an answer.
pub static AS_OF: HeaderName = HeaderName::from_static("as-of");
/// Over which interval the answer is true. Absent where nothing can be said.
pub static AS_OF_VALID: HeaderName = HeaderName::from_static("as-of-valid");
/// The timeline that the answer belongs to.
pub static AS_OF_EPOCH: HeaderName = HeaderName::from_static("as-of-epoch");
/// `true` where the cap kept the read below its session token.
pub static AS_OF_CAPPED: HeaderName = HeaderName::from_static("as-of-capped");
/// A session token: see [`SessionToken`](crate::SessionToken).
pub static ASOF_TOKEN: HeaderName = HeaderName::from_static("asof-token");
/// The future moment at which a write shall take effect.
pub static EFFECTIVE_AT: HeaderName = HeaderName::from_static("effective-at");
/// Makes a write safe to repeat.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Who writes, as UTF-8.
pub static ASOF_AUTHOR: HeaderName = HeaderName::from_static("asof-author");
/// Why, for a commit, as UTF-8.
pub static ASOF_MESSAGE: HeaderName = HeaderName::from_static("asof-message");
/// Why, for a control action, as UTF-8.
pub static ASOF_REASON: HeaderName = HeaderName::from_static("asof-reason");
/// Refuses the write where the key was written after this moment.
pub static IF_UNCHANGED_SINCE: HeaderName = HeaderName::from_static("if-unchanged-since");
/// RFC 7089: the moment wanted, to the second.
pub static ACCEPT_DATETIME: HeaderName = HeaderName::from_static("accept-datetime");
/// RFC 7089: from when the answer is true, to the second.
pub static MEMENTO_DATETIME: HeaderName = HeaderName::from_static("memento-datetime");
/// Server-sent events: where to go on.
pub static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The text of `As-Of-Valid`: `from="…", until="…"` or `from="…", through="…"`.
#[derive(Clone, Copy, Debug)]
pub struct AsOfValid(pub Validity);

impl fmt::Display for AsOfValid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, end) = match self.0.end() {
            End::Until(until) => ("until", until),
            End::Through(through) => ("through", through),
        };
        f.write_str("from=\"")?;
        f.write_str(Rfc3339::new(self.0.from()).as_str())?;
        f.write_str("\", ")?;
        f.write_str(name)?;
        f.write_str("=\"")?;
        f.write_str(Rfc3339::new(end).as_str())?;
        f.write_str("\"")
    }
}

/// Says that a text is not an `As-Of-Valid`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseAsOfValidError;

impl fmt::Display for ParseAsOfValidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("As-Of-Valid is from=\"T\", and until=\"T\" or through=\"T\" after it")
    }
}

impl core::error::Error for ParseAsOfValidError {}

impl core::str::FromStr for AsOfValid {
    type Err = ParseAsOfValidError;

    fn from_str(text: &str) -> Result<Self, ParseAsOfValidError> {
        let (mut from, mut until, mut through) = (None, None, None);
        for part in text.split(',') {
            let (name, quoted) = part.trim().split_once('=').ok_or(ParseAsOfValidError)?;
            let at: Timestamp = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .and_then(|bare| bare.parse().ok())
                .ok_or(ParseAsOfValidError)?;
            let place = match name {
                "from" => &mut from,
                "until" => &mut until,
                "through" => &mut through,
                _ => return Err(ParseAsOfValidError),
            };
            if place.replace(at).is_some() {
                return Err(ParseAsOfValidError);
            }
        }
        match (from, until, through) {
            (Some(from), Some(until), None) => Validity::until(from, until),
            (Some(from), None, Some(through)) => Validity::through(from, through),
            _ => None,
        }
        .map(Self)
        .ok_or(ParseAsOfValidError)
    }
}
