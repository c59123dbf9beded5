//! Lengths of time as people write them in a configuration.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A length of time: a whole number and a unit, such as `10ms`, `30s`, `5m`, `12h` or `400d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span(pub Duration);

/// The units, largest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1_000)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || {
            format!(
                "`{}` is no length of time: write a whole number and a unit, such as `10ms`, \
                 `30s`, `5m`, `12h` or `400d`",
                text.escape_debug()
            )
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(refusal)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refusal)?;
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*millis))
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(refusal)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, size) = [UNITS[0], UNITS[1], UNITS[3], UNITS[4]]
            .into_iter()
            .find(|(_, size)| millis > 0 && millis % size == 0)
            .unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / size)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
