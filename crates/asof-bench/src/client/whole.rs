//! How the end of an answer is known: all that `PostgreSQL`'s protocol 3 and HTTP/1.1 with
//! keep-alive differ in, so that neither side is given a better client than the other.

use memchr::memchr_iter;

use crate::measure::Result;

/// Bytes of the payload once the answer is there whole.
pub(crate) type Whole = fn(&[u8]) -> Result<Option<usize>>;

/// Not everybody writes it like this.
const LENGTH: &[u8] = b"content-length: ";

/// An answer of HTTP/1.1 that says its length.
pub(crate) fn http(answer: &[u8]) -> Result<Option<usize>> {
    let (mut length, mut begin) = (None, 0);
    for end in memchr_iter(b'\n', answer) {
        let line = answer.get(begin..end).unwrap_or_default();
        begin = end + 1;
        if line != b"\r" {
            let (name, digits) = line.split_at_checked(LENGTH.len()).unwrap_or_default();
            if name.eq_ignore_ascii_case(LENGTH) {
                let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
                let number = |so_far, digit: &u8| so_far * 10 + usize::from(digit - b'0');
                length = Some(digits.fold(0, number));
            }
            continue;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("refused: {}", String::from_utf8_lossy(answer)).into());
        }
        let length = length.ok_or("an answer without a length")?;
        return Ok((answer.len() - begin >= length).then_some(length));
    }
    Ok(None)
}

/// An answer of `PostgreSQL`: messages up to `ReadyForQuery`. The payload is the first column of
/// the row.
pub(crate) fn postgres(answer: &[u8]) -> Result<Option<usize>> {
    let mut rest = answer;
    let mut payload = 0;
    while let Some((kind, after)) = rest.split_first() {
        let Some(length) = after.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let Some((message, next)) = after.split_at_checked(length) else {
            return Ok(None);
        };
        match kind {
            b'E' => return Err(String::from_utf8_lossy(message).into_owned().into()),
            b'D' => {
                let column = message.get(6..).and_then(|column| column.first_chunk::<4>());
                payload = column.map_or(0, |length| u32::from_be_bytes(*length));
            }
            b'Z' => return Ok(Some(usize::try_from(payload)?)),
            _ => {}
        }
        rest = next;
    }
    Ok(None)
}
