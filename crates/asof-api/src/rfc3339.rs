//! Timestamps as text, without an allocation: each read writes two or three of them.

use core::fmt;

use asof_time::Timestamp;

/// The RFC 3339 text of a timestamp, the same as its `Display` gives.
#[derive(Clone, Copy)]
pub struct Rfc3339 {
    text: [u8; 27],
    len: usize,
}

impl Rfc3339 {
    /// The text of `at`.
    pub fn new(at: Timestamp) -> Self {
        let micros = at.as_micros() % 1_000_000;
        let seconds = at.as_seconds();
        let (year, month, day) = civil(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put(&mut text, 0, 4, year);
        put(&mut text, 5, 2, month);
        put(&mut text, 8, 2, day);
        put(&mut text, 11, 2, seconds / 3_600 % 24);
        put(&mut text, 14, 2, seconds / 60 % 60);
        put(&mut text, 17, 2, seconds % 60);
        put(&mut text, 20, 6, micros);
        // The widths people use: whole seconds, milliseconds, microseconds.
        let len = match (micros, micros % 1_000) {
            (0, _) => 20,
            (_, 0) => 24,
            _ => 27,
        };
        if let Some(last) = text.get_mut(len - 1) {
            *last = b'Z';
        }
        Self { text, len }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..self.len).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

/// Writes `number` into the `width` bytes of `text` at `offset`.
fn put(text: &mut [u8; 27], offset: usize, width: usize, number: u64) {
    let mut rest = number;
    for place in text.iter_mut().skip(offset).take(width).rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

/// Year, month and day of the day `days` after 1970-01-01, by Howard Hinnant's `civil_from_days`:
/// years that begin in March put the leap day last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
