//! The one coordinate of time.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// A moment: microseconds since the Unix epoch, UTC, always below 2^53.
///
/// The bound makes it exact as a JSON number and in JavaScript; it reaches to
/// the year 2255. There are no arithmetic operators: a moment is stepped
/// ([`next`](Self::next), [`prev`](Self::prev)) or moved by a [`Duration`] with
/// saturation, so that no calculation leaves the range.
///
/// Text form is RFC 3339 with as many fractional digits as needed (0, 3 or 6);
/// a plain integer of microseconds is read as well.
///
/// # Examples
///
/// ```
/// use asof_time::Timestamp;
/// let t: Timestamp = "2024-11-23T03:20:00.123456Z".parse()?;
/// assert_eq!(t.as_micros(), 1_732_332_000_123_456);
/// assert_eq!("1732332000123456".parse(), Ok(t));
/// assert_eq!(t.to_string(), "2024-11-23T03:20:00.123456Z");
/// # Ok::<(), asof_time::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 2^53 - 1 microseconds, in June 2255.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The moment `micros` microseconds after the Unix epoch; `None` from 2^53 on.
    pub const fn from_micros(micros: u64) -> Option<Self> {
        if micros <= Self::MAX.0 { Some(Self(micros)) } else { None }
    }

    /// The moment `seconds` after the Unix epoch; `None` where it is before it or above the range.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        u64::try_from(seconds).ok()?.checked_mul(1_000_000).and_then(Self::from_micros)
    }

    /// Microseconds since the Unix epoch, below 2^53.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// One microsecond later; `None` at [`MAX`](Self::MAX).
    pub const fn next(self) -> Option<Self> {
        Self::from_micros(self.0 + 1)
    }

    /// One microsecond earlier; `None` at [`MIN`](Self::MIN).
    pub const fn prev(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// `later` after this moment, or [`MAX`](Self::MAX) where that lies beyond it.
    #[must_use]
    pub fn saturating_add(self, later: Duration) -> Self {
        let micros = u64::try_from(later.as_micros()).unwrap_or(u64::MAX);
        Self::from_micros(self.0.saturating_add(micros)).unwrap_or(Self::MAX)
    }

    /// `earlier` before this moment, or [`MIN`](Self::MIN) where that lies before it.
    #[must_use]
    pub fn saturating_sub(self, earlier: Duration) -> Self {
        let micros = u64::try_from(earlier.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this moment is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let time = jiff::Timestamp::from_microsecond(micros).map_err(|_| fmt::Error)?;
        // The widths people use: whole seconds, milliseconds, microseconds.
        match (self.0 % 1_000_000, self.0 % 1_000) {
            (0, _) => write!(f, "{time:.0}"),
            (_, 0) => write!(f, "{time:.3}"),
            _ => write!(f, "{time:.6}"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Why a text is not a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseTimestampError {
    /// Neither an integer nor RFC 3339.
    Syntax,
    /// Before 1970 or from 2^53 microseconds on.
    OutOfRange,
    /// Finer than a microsecond; rounding would move the moment.
    TooFine,
}

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => {
                "expected RFC 3339 such as `2024-11-23T03:20:00.123456Z`, or an integer of \
                 microseconds since 1970"
            }
            Self::OutOfRange => {
                "a timestamp lies between 1970-01-01T00:00:00Z and 2^53 - 1 microseconds after it"
            }
            Self::TooFine => "a timestamp has at most 6 fractional digits (microseconds)",
        })
    }
}

impl core::error::Error for ParseTimestampError {}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let micros = text.parse().map_err(|_| ParseTimestampError::OutOfRange)?;
            return Self::from_micros(micros).ok_or(ParseTimestampError::OutOfRange);
        }
        let time = parse_rfc3339(text)?;
        if time.subsec_nanosecond() % 1_000 != 0 {
            return Err(ParseTimestampError::TooFine);
        }
        u64::try_from(time.as_microsecond())
            .ok()
            .and_then(Self::from_micros)
            .ok_or(ParseTimestampError::OutOfRange)
    }
}

/// The library reads more than RFC 3339 (week dates, bare hours, zone names); the shape is
/// checked first so that every implementation of the protocol accepts the same texts.
fn parse_rfc3339(text: &str) -> Result<jiff::Timestamp, ParseTimestampError> {
    let shape_holds = text.is_ascii()
        && text.len() >= "1970-01-01T00:00:00Z".len()
        && text.bytes().zip("dddd-dd-ddTdd:dd:dd".bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            _ => byte == shape,
        })
        && offset_holds(text.get(19..).unwrap_or_default());
    if !shape_holds {
        return Err(ParseTimestampError::Syntax);
    }
    text.parse().map_err(|_| ParseTimestampError::Syntax)
}

/// Whether `rest` is `[.d+](Z|+dd:dd|-dd:dd)`.
fn offset_holds(rest: &str) -> bool {
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    match zone.as_bytes() {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()),
        _ => false,
    }
}
