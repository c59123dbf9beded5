//! A store as a stream of bytes, and back.
//!
//! Format, version 1. All integers are LEB128 unless said otherwise.
//!
//! * header: the 8 bytes `asofbkp` and version `1`; epoch (8, little-endian); closed (8, LE)
//! * frames: length of the payload in bytes (4, LE, not zero); payload; chain (32)
//! * end: length zero (4, LE); number of rows (8, LE); chain (32)
//!
//! A payload is rows, one after the other: length of the key, key, length of the value, value.
//! `chain` is BLAKE3 over the chain before it (at first over the header) and everything since, so
//! a frame that is damaged, missing, moved or foreign does not verify, and neither does a stream
//! that was cut anywhere.

use core::ops::{Bound, ControlFlow};
use std::io::{self, Read, Write};

use asof_time::{Epoch, Timestamp};

use crate::codec::{Decoder, Encoder};
use crate::engine::{Batch, Direction, Snapshot};
use crate::state::scan;
use crate::store::BackupSummary;
use crate::{Error, ErrorKind, Result};

const MAGIC: [u8; 8] = *b"asofbkp1";
/// A frame ends after about this many bytes.
const FRAME_BYTES: usize = 1 << 20;
/// No frame is longer: one row over [`FRAME_BYTES`] may end it.
const FRAME_BYTES_MAX: usize = FRAME_BYTES + asof_time::limits::COMMIT_BYTES_MAX + (16 << 20);

/// Writes all rows of `snapshot`.
pub(crate) fn write(
    snapshot: &dyn Snapshot,
    epoch: Epoch,
    closed: Timestamp,
    sink: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<BackupSummary> {
    let mut out = Frames::begin(sink, epoch, closed).map_err(|error| sink_failed(&error))?;
    let mut rows = 0_u64;
    let all = (Bound::Unbounded, Bound::Unbounded);
    scan(snapshot, all, Direction::Forward, |key, value| {
        rows += 1;
        if out.row(key, value).map_err(|error| sink_failed(&error))? {
            progress(out.bytes);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    out.end(rows).map_err(|error| sink_failed(&error))?;
    progress(out.bytes);
    Ok(BackupSummary { epoch, closed, rows, bytes: out.bytes })
}

fn sink_failed(error: &io::Error) -> Error {
    Error::unavailable(format!("the backup cannot be written: {error}"))
}

struct Frames<'a> {
    sink: &'a mut dyn Write,
    chain: [u8; 32],
    frame: Vec<u8>,
    bytes: u64,
}

impl<'a> Frames<'a> {
    fn begin(sink: &'a mut dyn Write, epoch: Epoch, closed: Timestamp) -> io::Result<Self> {
        let header = header(epoch, closed);
        sink.write_all(&header)?;
        let chain = *blake3::hash(&header).as_bytes();
        Ok(Self { sink, chain, frame: Vec::new(), bytes: header.len() as u64 })
    }

    /// Adds a row; returns whether that ended a frame.
    fn row(&mut self, key: &[u8], value: &[u8]) -> io::Result<bool> {
        let mut row = Encoder::with_capacity(key.len() + value.len() + 8);
        row.number(key.len() as u64).raw(key).number(value.len() as u64).raw(value);
        self.frame.extend_from_slice(&row.finish());
        if self.frame.len() < FRAME_BYTES {
            return Ok(false);
        }
        self.flush()?;
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let len = u32::try_from(self.frame.len()).map_err(io::Error::other)?.to_le_bytes();
        let frame = core::mem::take(&mut self.frame);
        self.put(&[&len, &frame])
    }

    fn end(&mut self, rows: u64) -> io::Result<()> {
        self.flush()?;
        self.put(&[&0_u32.to_le_bytes(), &rows.to_le_bytes()])?;
        self.sink.flush()
    }

    fn put(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.chain = link(&self.chain, parts);
        for part in parts.iter().copied().chain([self.chain.as_slice()]) {
            self.sink.write_all(part)?;
            self.bytes += part.len() as u64;
        }
        Ok(())
    }
}

fn header(epoch: Epoch, closed: Timestamp) -> [u8; 24] {
    let mut header = [0; 24];
    let parts = [MAGIC, epoch.as_u64().to_le_bytes(), closed.as_micros().to_le_bytes()];
    for (to, from) in header.chunks_exact_mut(8).zip(parts) {
        to.copy_from_slice(&from);
    }
    header
}

fn link(chain: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(chain);
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// Reads a backup, verifying as it goes, and hands out its rows a batch at a time. Nothing may be
/// believed before it returned `Ok`.
pub(crate) fn read(
    source: &mut dyn Read,
    take: &mut dyn FnMut(Batch) -> Result<()>,
    progress: &mut dyn FnMut(u64),
) -> Result<BackupSummary> {
    let header: [u8; 24] = read_array(source)?;
    let mut fields = Decoder::new(&header, "backup header");
    let magic: [u8; 8] = fields.array()?;
    if magic.split_last().map(|(_, name)| name) != MAGIC.split_last().map(|(_, name)| name) {
        return Err(Error::corrupt("this is not a backup of an asof store"));
    }
    if magic != MAGIC {
        return Err(Error::invalid(
            "the backup was written by a newer version of asof: use that to restore it",
        ));
    }
    let epoch = Epoch::from_random(u64::from_le_bytes(fields.array()?));
    let closed = Timestamp::from_micros(u64::from_le_bytes(fields.array()?))
        .ok_or_else(|| Error::corrupt("the backup's closed timestamp is out of range"))?;
    let mut chain = *blake3::hash(&header).as_bytes();
    let (mut rows, mut bytes) = (0_u64, header.len() as u64);
    loop {
        let len: [u8; 4] = read_array(source)?;
        let size = u32::from_le_bytes(len) as usize;
        if size == 0 {
            let count: [u8; 8] = read_array(source)?;
            check_link(source, &mut chain, &[&len, &count])?;
            if u64::from_le_bytes(count) != rows {
                return Err(Error::corrupt("the backup does not hold as many rows as it says"));
            }
            if source.read(&mut [0]).map_err(|error| source_failed(&error))? > 0 {
                return Err(Error::corrupt("the backup goes on after its end"));
            }
            return Ok(BackupSummary { epoch, closed, rows, bytes: bytes + 4 + 8 + 32 });
        }
        if size > FRAME_BYTES_MAX {
            return Err(Error::corrupt("the backup has a frame of impossible length"));
        }
        let mut frame = Vec::new();
        source.take(size as u64).read_to_end(&mut frame).map_err(|error| source_failed(&error))?;
        if frame.len() < size {
            return Err(cut_short());
        }
        check_link(source, &mut chain, &[&len, &frame])?;
        bytes += (4 + frame.len() + 32) as u64;
        let batch = parse_frame(&frame)?;
        rows += batch.len() as u64;
        take(batch)?;
        progress(bytes);
    }
}

fn parse_frame(frame: &[u8]) -> Result<Batch> {
    let mut batch = Batch::default();
    let mut rest = frame;
    while !rest.is_empty() {
        let mut row = Decoder::new(rest, "backup");
        let key_len = row.count()?;
        let key = row.raw(key_len)?.to_vec();
        let value_len = row.count()?;
        batch.put(key, row.raw(value_len)?.to_vec());
        rest = row.rest();
    }
    Ok(batch)
}

fn check_link(source: &mut dyn Read, chain: &mut [u8; 32], parts: &[&[u8]]) -> Result<()> {
    let found: [u8; 32] = read_array(source)?;
    *chain = link(chain, parts);
    if *chain == found { Ok(()) } else { Err(Error::corrupt("the backup is damaged")) }
}

fn read_array<const N: usize>(source: &mut dyn Read) -> Result<[u8; N]> {
    let mut array = [0; N];
    source.read_exact(&mut array).map_err(|error| source_failed(&error))?;
    Ok(array)
}

fn source_failed(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return cut_short();
    }
    Error::new(ErrorKind::Unavailable, format!("the backup cannot be read: {error}"))
}

fn cut_short() -> Error {
    Error::corrupt("the backup is cut short")
}
