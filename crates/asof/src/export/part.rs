//! Parts: files of a bounded number of rows, which appear whole or not at all.

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::csv::Csv;
use super::jsonl::Jsonl;
use super::manifest::{Folder, PartEntry, SpaceEntry};
use super::row::Row;
use super::source::Source;
use crate::failure::Failure;
use crate::files::NewFile;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// What the files are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// JSON Lines: an object a row
    Jsonl,
    /// CSV with a header
    Csv,
    /// Apache Parquet, compressed with Snappy
    Parquet,
}

impl Format {
    /// The end of the names of its files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Where a part ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// After this many rows.
    pub(crate) rows_max: u64,
    /// After the row with which its values have this many bytes.
    pub(crate) value_bytes_max: u64,
}

/// What a file of an export is written through.
pub(super) trait Sealed: Send {}

/// Takes rows and makes a file of them.
pub(super) trait RowWriter<W> {
    fn row(&mut self, row: &Row) -> io::Result<()>;
    /// Writes what is left; hands back what it wrote into.
    fn finish(self: Box<Self>) -> io::Result<W>;
}

/// A file that hashes and counts what goes into it.
#[derive(Debug)]
struct Hashing {
    file: NewFile,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Sealed for Hashing {}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether this program writes `format`.
///
/// # Errors
///
/// Where it was built without, with what to do about it.
pub(crate) fn check_format(format: Format) -> Result<(), Failure> {
    if format == Format::Parquet && cfg!(not(feature = "parquet")) {
        return Err(Failure::usage(
            "this program was built without Parquet: build it with `cargo build --release \
             --features parquet`, or pass --format jsonl or --format csv",
        ));
    }
    Ok(())
}

fn writer(format: Format, sink: BufWriter<Hashing>) -> io::Result<Box<dyn RowWriter<Hashing>>> {
    Ok(match format {
        Format::Jsonl => Box::new(Jsonl(sink)),
        Format::Csv => Box::new(Csv::new(sink)?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(super::parquet::Parquet::new(sink)?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => return Err(io::Error::other("built without Parquet")),
    })
}

/// A part that is being written.
struct Part {
    path: String,
    writer: Box<dyn RowWriter<Hashing>>,
    rows: u64,
    value_bytes: u64,
    last_key: String,
}

impl Part {
    fn create(
        folder: &Folder,
        space: &str,
        number: usize,
        format: Format,
    ) -> Result<Self, Failure> {
        let path = format!("{space}/part-{number:05}.{}", format.as_str());
        let file = NewFile::create(&folder.file(&path))?;
        let sink = Hashing { file, hasher: blake3::Hasher::new(), bytes: 0 };
        let writer = writer(format, BufWriter::with_capacity(BUFFER_BYTES, sink))?;
        Ok(Self { path, writer, rows: 0, value_bytes: 0, last_key: String::new() })
    }

    fn row(&mut self, row: Row) -> io::Result<()> {
        self.writer.row(&row)?;
        self.rows += 1;
        self.value_bytes += row.value.len() as u64;
        self.last_key = row.key;
        Ok(())
    }

    fn is_full(&self, bounds: Bounds) -> bool {
        self.rows >= bounds.rows_max || self.value_bytes >= bounds.value_bytes_max
    }

    fn publish(self) -> Result<PartEntry, Failure> {
        let sink = self.writer.finish()?;
        let blake3 = sink.hasher.finalize().to_hex().to_string();
        let bytes = sink.bytes;
        sink.file.publish()?;
        let Self { path, rows, last_key, .. } = self;
        Ok(PartEntry { path, rows, bytes, blake3, last_key })
    }
}

/// Writes what is left of `space`; `note` hears of each part, after which nothing of it is lost,
/// and `progress` of rows.
pub(crate) fn write_space(
    folder: &Folder,
    space: &mut SpaceEntry,
    source: Source,
    (format, bounds): (Format, Bounds),
    progress: &mut dyn FnMut(u64),
    note: &mut dyn FnMut(&SpaceEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut part: Option<Part> = None;
    for page in source {
        let page = page?;
        let rows = page.rows.len() as u64;
        space.erased.extend(page.erased);
        for row in page.rows {
            let mut writing = match part.take() {
                Some(part) => part,
                None => Part::create(folder, &space.space, space.files.len() + 1, format)?,
            };
            writing.row(row)?;
            if writing.is_full(bounds) {
                space.add(writing.publish()?);
                note(space)?;
            } else {
                part = Some(writing);
            }
        }
        progress(rows);
    }
    match part {
        Some(last) => space.add(last.publish()?),
        // A space without keys is a file too, so that readers find its columns.
        None if space.files.is_empty() => {
            space.add(Part::create(folder, &space.space, 1, format)?.publish()?);
        }
        None => {}
    }
    space.complete = true;
    note(space)
}
