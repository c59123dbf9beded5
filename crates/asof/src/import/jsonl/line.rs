//! What must be known of a line to send it.

use core::fmt;

use asof_api::Moment;
use asof_time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::import::batch::Line;

/// The members of a line that the client looks at. The store judges the rest.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// The time at the source.
    pub(super) at: Timestamp,
    /// The id at the source.
    pub(super) source: Option<String>,
    space: Option<&'a RawValue>,
    writes: Writes,
}

#[derive(Deserialize)]
struct Raw<'a> {
    at: Moment,
    #[serde(default)]
    source: Option<String>,
    #[serde(default, borrow)]
    space: Option<&'a RawValue>,
    writes: Writes,
}

/// What the writes amount to.
#[derive(Clone, Copy, Debug, Default)]
struct Writes {
    count: u64,
    value_bytes: u64,
}

#[derive(Deserialize)]
struct WriteRaw<'a> {
    #[serde(default, borrow)]
    value: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value_text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    value_base64: Option<&'a RawValue>,
}

impl WriteRaw<'_> {
    fn value_bytes(&self) -> u64 {
        let bytes = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len() as u64);
        bytes(self.value)
            + bytes(self.value_text).saturating_sub(2)
            + bytes(self.value_base64).saturating_sub(2) / 4 * 3
    }
}

impl<'de> Deserialize<'de> for Writes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counter;
        impl<'de> Visitor<'de> for Counter {
            type Value = Writes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of writes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut writes: A) -> Result<Writes, A::Error> {
                let mut sum = Writes::default();
                while let Some(write) = writes.next_element::<WriteRaw<'de>>()? {
                    sum.count += 1;
                    sum.value_bytes += write.value_bytes();
                }
                Ok(sum)
            }
        }
        deserializer.deserialize_seq(Counter)
    }
}

impl<'a> Head<'a> {
    /// Looks through a line.
    pub(super) fn parse(text: &'a [u8]) -> serde_json::Result<Self> {
        let Raw { at, source, space, writes } = serde_json::from_slice(text)?;
        Ok(Self { at: at.0, source, space, writes })
    }

    /// The space that the line names.
    pub(super) fn space(&self) -> Option<serde_json::Result<String>> {
        self.space.map(|space| serde_json::from_str(space.get()))
    }

    /// Writes the line to `body`, with `space` in place of the one it names.
    pub(super) fn write_to(
        self,
        body: &mut Vec<u8>,
        text: &[u8],
        space: &str,
        number: u64,
    ) -> Line {
        let other = self.space.filter(|_| {
            let named = self.space();
            !named.is_some_and(|named| named.is_ok_and(|named| named == space))
        });
        match other {
            None => body.extend_from_slice(text),
            Some(other) => {
                // The member is a part of the text, wherever it is.
                let start = other.get().as_ptr().addr() - text.as_ptr().addr();
                let end = start + other.get().len();
                body.extend_from_slice(text.get(..start).unwrap_or_default());
                body.extend_from_slice(serde_json::Value::from(space).to_string().as_bytes());
                body.extend_from_slice(text.get(end..).unwrap_or_default());
            }
        }
        body.push(b'\n');
        Line {
            number,
            end: body.len(),
            at: self.at,
            source: self.source,
            writes: self.writes.count,
            value_bytes: self.writes.value_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, space: &str) -> String {
        let head = Head::parse(text.as_bytes()).unwrap();
        let mut body = Vec::new();
        head.write_to(&mut body, text.as_bytes(), space, 1);
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_line_travels_as_it_is() {
        let text = r#"{ "at":1, "space" : "a","writes": [{"key":"k","value": {"x": 1.50e0}}]}"#;
        assert_eq!(sent(text, "a"), format!("{text}\n"));
        assert_eq!(sent(text, "b\"c"), format!("{}\n", text.replace("\"a\"", r#""b\"c""#)));
    }

    #[test]
    fn writes_are_counted() {
        let text = r#"{"at":"1970-01-01T00:00:01Z","source":"s","writes":[
            {"key":"k","value":[1]},{"key":"l","delete":true},{"key":"m","value_text":"abc"}]}"#;
        let head = Head::parse(text.as_bytes()).unwrap();
        assert_eq!((head.writes.count, head.writes.value_bytes), (3, 6));
        assert_eq!(head.at, Timestamp::from_micros(1_000_000).unwrap());
        assert!(Head::parse(b"{\"at\":1}").is_err());
    }
}
