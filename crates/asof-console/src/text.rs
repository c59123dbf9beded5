//! Texts of strangers, and numbers, as people read them.

use core::fmt::{self, Write as _};

/// A text that somebody else chose, made visible: what a screen would swallow, reorder or take for
/// a command is shown as `\u{..}`. The template escapes it for HTML on top of that.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    text: &'a str,
    lines: Lines,
}

/// Whether line ends are line ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lines {
    Many,
    One,
}

impl<'a> Shown<'a> {
    /// A text of one line: a key, a name, a reason.
    pub fn line(text: &'a str) -> Self {
        Self { text, lines: Lines::One }
    }

    /// A text that may have lines and tabs.
    pub fn lines(text: &'a str) -> Self {
        Self { text, lines: Lines::Many }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.text.chars() {
            let is_layout = matches!(character, '\n' | '\t');
            if (is_layout && self.lines == Lines::Many) || !is_deceptive(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_unicode())?;
            }
        }
        Ok(())
    }
}

/// Whether a character is not what it looks like: controls, those that turn the direction of
/// writing (Unicode Bidirectional Algorithm), and those without width.
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Bytes with a unit: `742 KiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, so that no float is needed.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

/// A number in groups of three: `48,213`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 key`, `2 keys`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A span as people say it: `3 d 4 h`, `12 s`, `40 ms`.
pub fn span(span: core::time::Duration) -> String {
    const STEPS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = span.as_secs();
    let Some(first) = STEPS.iter().position(|(length, _)| seconds >= *length) else {
        return format!("{} ms", span.as_millis());
    };
    let mut text = String::new();
    let mut left = seconds;
    for (length, unit) in STEPS.iter().skip(first).take(2) {
        let number = left / length;
        left %= length;
        if number > 0 {
            if !text.is_empty() {
                text.push(' ');
            }
            let _ = write!(text, "{number} {unit}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn what_a_screen_would_swallow_is_shown() {
        assert_eq!(Shown::line("a\u{202e}b\0\n").to_string(), "a\\u{202e}b\\u{0}\\u{a}");
        assert_eq!(Shown::lines("a\n\tb\r").to_string(), "a\n\tb\\u{d}");
        assert_eq!(Shown::line("größe/ß 日本").to_string(), "größe/ß 日本");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(742 * 1024), "742 KiB");
        assert_eq!(bytes(5 << 30), "5.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777215 TiB");
        assert_eq!(count(0), "0");
        assert_eq!(count(48_213), "48,213");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(span(Duration::from_millis(40)), "40 ms");
        assert_eq!(span(Duration::from_secs(3 * 86_400 + 4 * 3_600 + 5)), "3 d 4 h");
        assert_eq!(span(Duration::from_mins(1)), "1 min");
    }
}
