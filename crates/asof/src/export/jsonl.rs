//! JSON Lines: an object a row.

use std::io::{self, BufWriter, Write};

use asof_api::{Base64, Hash};
use serde::Serialize;
use serde_json::value::RawValue;

use super::part::{RowWriter, Sealed};
use super::row::{Row, Text};

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    effective: u64,
    commit: u64,
    content_type: &'a str,
    hash: Hash,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<Base64>,
}

/// Writes rows as lines.
#[derive(Debug)]
pub(super) struct Jsonl<W: Write>(pub(super) BufWriter<W>);

impl<W: Write + Sealed> RowWriter<W> for Jsonl<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let mut line = Line {
            key: &row.key,
            effective: row.effective,
            commit: row.commit,
            content_type: &row.content_type,
            hash: row.hash,
            bytes: row.value.len() as u64,
            value: None,
            value_text: None,
            value_base64: None,
        };
        let unbroken;
        match row.text() {
            Text::Json(text) => {
                // In JSON a line break stands between tokens only, where a space is the same.
                unbroken = text.replace(['\n', '\r'], " ");
                line.value = Some(serde_json::from_str(&unbroken)?);
            }
            Text::Plain(text) => line.value_text = Some(text),
            Text::Bytes => line.value_base64 = Some(Base64(row.value.to_vec())),
        }
        serde_json::to_writer(&mut self.0, &line)?;
        self.0.write_all(b"\n")
    }

    fn finish(self: Box<Self>) -> io::Result<W> {
        Ok(self.0.into_inner()?)
    }
}
