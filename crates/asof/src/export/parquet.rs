//! Parquet: a column for each member of a row, the value as its exact bytes.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::part::{RowWriter, Sealed};
use super::row::Row;

const SCHEMA: &str = "message row {
    required binary key (STRING);
    required int64 effective (TIMESTAMP(MICROS, true));
    required int64 commit;
    required binary content_type (STRING);
    required binary hash (STRING);
    required int64 bytes;
    required binary value;
}";

/// Rows of a row group at most: what readers like to take at a time.
const GROUP_ROWS_MAX: usize = 100_000;

/// Bytes of values after which a row group ends: it is held in memory whole.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// Writes rows as columns.
pub(super) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<BufWriter<W>>,
    group: Group,
}

/// The columns of the row group that is being gathered.
#[derive(Default)]
struct Group {
    key: Vec<ByteArray>,
    effective: Vec<i64>,
    commit: Vec<i64>,
    content_type: Vec<ByteArray>,
    hash: Vec<ByteArray>,
    bytes: Vec<i64>,
    value: Vec<ByteArray>,
    value_bytes: usize,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(sink: BufWriter<W>) -> io::Result<Self> {
        let schema = parse_message_type(SCHEMA).map_err(io::Error::other)?;
        let varied = |name: &str| ColumnPath::from(name);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("asof".to_owned())
            // Bounds of keys and times let readers skip; of hashes and values they say nothing.
            .set_statistics_enabled(EnabledStatistics::Page);
        for name in ["hash", "value"] {
            properties =
                properties.set_column_statistics_enabled(varied(name), EnabledStatistics::None);
        }
        // Values that differ from row to row only fill a dictionary to have it given up.
        for name in ["key", "hash", "value"] {
            properties = properties.set_column_dictionary_enabled(varied(name), false);
        }
        let properties = Arc::new(properties.build());
        let file = SerializedFileWriter::new(sink, Arc::new(schema), properties)
            .map_err(io::Error::other)?;
        Ok(Self { file, group: Group::default() })
    }

    fn write_group(&mut self) -> io::Result<()> {
        let group = core::mem::take(&mut self.group);
        let mut columns = self.file.next_row_group().map_err(io::Error::other)?;
        column::<ByteArrayType, _>(&mut columns, &group.key)?;
        column::<Int64Type, _>(&mut columns, &group.effective)?;
        column::<Int64Type, _>(&mut columns, &group.commit)?;
        column::<ByteArrayType, _>(&mut columns, &group.content_type)?;
        column::<ByteArrayType, _>(&mut columns, &group.hash)?;
        column::<Int64Type, _>(&mut columns, &group.bytes)?;
        column::<ByteArrayType, _>(&mut columns, &group.value)?;
        columns.close().map_err(io::Error::other)?;
        Ok(())
    }
}

/// Writes the next column of the schema.
fn column<T: DataType, W: Write + Send>(
    columns: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
) -> io::Result<()> {
    let next = columns.next_column().map_err(io::Error::other)?;
    let mut column = next.ok_or_else(|| io::Error::other("the schema has too few columns"))?;
    column.typed::<T>().write_batch(values, None, None).map_err(io::Error::other)?;
    column.close().map_err(io::Error::other)
}

/// Times, ids and sizes are below 2^53.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<W: Write + Send + Sealed> RowWriter<W> for Parquet<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let group = &mut self.group;
        group.key.push(row.key.as_str().into());
        group.effective.push(signed(row.effective));
        group.commit.push(signed(row.commit));
        group.content_type.push(row.content_type.as_str().into());
        group.hash.push(Bytes::copy_from_slice(&row.hash.to_hex()).into());
        group.bytes.push(signed(row.value.len() as u64));
        group.value.push(row.value.clone().into());
        group.value_bytes += row.value.len();
        if group.key.len() >= GROUP_ROWS_MAX || group.value_bytes >= GROUP_BYTES_MAX {
            self.write_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<W> {
        if !self.group.key.is_empty() {
            self.write_group()?;
        }
        let sink = self.file.into_inner().map_err(io::Error::other)?;
        Ok(sink.into_inner()?)
    }
}
