//! How people write and read quantities.

use core::time::Duration;

/// Reads a duration such as `90s`, `15m`, `12h`, `30d` or `2w`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a whole number and a unit, such as 90s, 15m, 12h, 30d or 2w";
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(EXPECTED)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(EXPECTED.into()),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| format!("`{text}` is longer than can be counted"))
}

/// A duration in the largest unit that holds it exactly.
pub(crate) fn duration(seconds: u64) -> String {
    [(604_800, 'w'), (86_400, 'd'), (3_600, 'h'), (60, 'm')]
        .into_iter()
        .find(|(unit, _)| seconds != 0 && seconds.is_multiple_of(*unit))
        .map_or_else(
            || format!("{seconds}s"),
            |(unit, letter)| format!("{}{letter}", seconds / unit),
        )
}

/// A size in bytes with three significant digits or so: `512 B`, `1.5 KiB`, `12 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    for unit in UNITS {
        if tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        if tenths < 10_240 {
            return format!("{} {unit}", tenths / 10);
        }
        tenths /= 1_024;
    }
    format!("{} EiB", tenths / 10)
}

/// A count with its digits in groups of three: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Text that cannot move the cursor or colour the terminal of whoever lists it, nor have what
/// stands beside it read in another order. Where a line ends stays to be seen.
pub(crate) fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '\u{21b5}',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// The first line of a message, harmless.
pub(crate) fn first_line(text: &str) -> String {
    one_line(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("12h", 43_200), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "5", "d", "-1d", "1.5h", "1y", "5 d", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration(0), "0s");
        assert_eq!(duration(90), "90s");
        assert_eq!(duration(86_400 * 30), "30d");
        assert_eq!(duration(86_400 * 14), "2w");
    }

    #[test]
    fn sizes_keep_what_matters() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (10_240, "10 KiB"),
            (1 << 20, "1.0 MiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn listings_hold_no_control_characters() {
        assert_eq!(first_line("red\u{1b}[31m\nmore"), "red\u{fffd}[31m");
        assert_eq!(one_line("hi\r\n"), "hi\u{fffd}\u{21b5}");
        assert_eq!(one_line("nimda\u{202e}"), "nimda\u{fffd}");
    }
}
