//! Lengths of time and sizes as people write them.

use core::time::Duration;

/// Units of time, in milliseconds.
const SPANS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size, in bytes.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A length of time: a whole number and a unit.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    scaled(text, &SPANS).map(Duration::from_millis).ok_or_else(|| {
        format!(
            "`{}` is no length of time: write a whole number and a unit, such as `10ms`, `30s`, \
             `5m`, `12h` or `7d`",
            text.escape_debug()
        )
    })
}

/// A size in bytes: a whole number and a unit.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    scaled(text, &SIZES).ok_or_else(|| {
        format!(
            "`{}` is no size: write a whole number and a unit, such as `512B`, `64KiB`, `8MiB` \
             or `1GiB`",
            text.escape_debug()
        )
    })
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

/// A length of time in the largest unit that holds it exactly.
pub(crate) fn span_text(span: Duration) -> String {
    shown(u64::try_from(span.as_millis()).unwrap_or(u64::MAX), &SPANS)
}

/// A size in the largest unit that holds it exactly.
pub(crate) fn size_text(bytes: u64) -> String {
    shown(bytes, &SIZES)
}

fn shown(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, scale): &&(&str, u64)| number > 0 && number.is_multiple_of(*scale);
    match units.iter().find(fits).or(units.last()) {
        Some((unit, scale)) => format!("{}{unit}", number / scale),
        None => number.to_string(),
    }
}
