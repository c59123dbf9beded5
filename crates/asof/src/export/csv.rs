//! CSV as RFC 4180 has it, with a header; every text is quoted, so none can be taken for nothing.

use std::io::{self, BufWriter, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::part::{RowWriter, Sealed};
use super::row::{Row, Text};

/// The names of the columns.
const HEADER: &[u8] = b"key,effective,commit,content_type,hash,bytes,encoding,value\r\n";

/// Writes rows as records.
#[derive(Debug)]
pub(super) struct Csv<W: Write>(BufWriter<W>);

impl<W: Write> Csv<W> {
    pub(super) fn new(mut sink: BufWriter<W>) -> io::Result<Self> {
        sink.write_all(HEADER)?;
        Ok(Self(sink))
    }

    fn quoted(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(b"\"")?;
        let mut pieces = text.split('"');
        if let Some(first) = pieces.next() {
            self.0.write_all(first.as_bytes())?;
        }
        for piece in pieces {
            self.0.write_all(b"\"\"")?;
            self.0.write_all(piece.as_bytes())?;
        }
        self.0.write_all(b"\"")
    }
}

impl<W: Write + Sealed> RowWriter<W> for Csv<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.quoted(&row.key)?;
        write!(self.0, ",{},{},", row.effective, row.commit)?;
        self.quoted(&row.content_type)?;
        write!(self.0, ",{},{},", row.hash, row.value.len())?;
        match row.text() {
            Text::Json(text) | Text::Plain(text) => {
                self.0.write_all(b"text,")?;
                self.quoted(text)?;
            }
            Text::Bytes => {
                self.0.write_all(b"base64,")?;
                self.quoted(&STANDARD.encode(&row.value))?;
            }
        }
        self.0.write_all(b"\r\n")
    }

    fn finish(self: Box<Self>) -> io::Result<W> {
        Ok(self.0.into_inner()?)
    }
}
