//! Lines with their numbers, of bounded length.

use std::io::{BufRead, Read};

use crate::failure::Failure;
use crate::import::refusal::invalid;

/// The lines of a reader that are not blank.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    bytes_max: usize,
    line: Vec<u8>,
    number: u64,
}

/// Memory that the buffer of one long line may keep for the lines after it, in bytes.
const KEPT_BYTES_MAX: usize = 4 << 20;

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`, of at most `bytes_max` bytes each.
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self { reader, bytes_max, line: Vec::new(), number: 0 }
    }

    /// Gives back the memory that a long line took.
    pub(super) fn release(&mut self) {
        if self.line.capacity() > KEPT_BYTES_MAX {
            self.line = Vec::new();
        }
    }

    /// The next line without its end, and its number from 1.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is too long. Nothing can be read after that.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>, Failure> {
        loop {
            self.line.clear();
            self.number += 1;
            // The line feed, and one byte more that shows that there is too much.
            let limit = self.bytes_max as u64 + 2;
            let read =
                self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(
                    |error| Failure::unavailable(format!("line {}: {error}", self.number)),
                )?;
            if read == 0 {
                return Ok(None);
            }
            if self.line.trim_ascii().is_empty() && (read as u64) < limit {
                continue;
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            }
            if self.line.len() > self.bytes_max {
                return Err(invalid(format!(
                    "line {} has more than {} bytes, the most that a request can carry",
                    self.number, self.bytes_max
                )));
            }
            return Ok(Some((self.number, self.line.trim_ascii())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_passed_over() {
        let mut lines = Lines::new(&b"a\n\n \r\nb\r\n\nc"[..], 3);
        assert_eq!(lines.next().unwrap(), Some((1, &b"a"[..])));
        assert_eq!(lines.next().unwrap(), Some((4, &b"b"[..])));
        assert_eq!(lines.next().unwrap(), Some((6, &b"c"[..])));
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let mut lines = Lines::new(&b"abc\nabcd\n"[..], 3);
        assert_eq!(lines.next().unwrap(), Some((1, &b"abc"[..])));
        assert!(lines.next().is_err());
    }
}
