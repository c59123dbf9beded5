//! The bytes of a file, of standard input, or of what is compressed in either.

use core::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::failure::Failure;
use crate::files;

/// How a Zstandard frame begins (RFC 8878). No JSON begins with `(`.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Bytes read at a time.
const BUFFER_BYTES: usize = 128 << 10;

/// Something to read lines from.
#[derive(Debug)]
pub(crate) struct Input<R> {
    pub(super) reader: R,
    /// Bytes read of it so far, still compressed.
    pub(super) read: Arc<AtomicU64>,
}

impl Input<Box<dyn BufRead + Send>> {
    /// Opens `path`, standard input for `-`. Also says how many bytes it has, where it is known.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<u64>), Failure> {
        if files::is_stdin(path) {
            return Ok((Self::new(io::stdin(), "standard input")?, None));
        }
        let shown = format!("`{}`", path.display());
        let file = files::open(path)?;
        let metadata = file.metadata().map_err(|error| Failure::file(&shown, &error))?;
        let bytes = metadata.is_file().then_some(metadata.len());
        Ok((Self::new::<File>(file, &shown)?, bytes))
    }

    fn new<S: Read + Send + 'static>(source: S, shown: &str) -> Result<Self, Failure> {
        let read = Arc::default();
        let counted = Counted { source, read: Arc::clone(&read) };
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, counted);
        let is_zstd = begins_with_magic(&mut reader).map_err(|e| Failure::file(shown, &e))?;
        let reader: Box<dyn BufRead + Send> = if is_zstd {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, Frames::new(reader)))
        } else {
            Box::new(reader)
        };
        Ok(Self { reader, read })
    }
}

/// One read of a pipe may give less than is looked for; what is too short is no frame.
fn begins_with_magic(reader: &mut impl BufRead) -> io::Result<bool> {
    Ok(reader.fill_buf()?.starts_with(&ZSTD_MAGIC))
}

/// Counts what is read.
struct Counted<S> {
    source: S,
    read: Arc<AtomicU64>,
}

impl<S: Read> Read for Counted<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(out)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Zstandard frames, one after the other, as some compressors write them.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether the decoder is in the middle of a frame.
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), within: false }
    }

    /// Begins the next frame; whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                if !self.begin()? {
                    return Ok(0);
                }
                self.within = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| broken(&error))?;
            }
            let read = self.decoder.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            self.within = false;
        }
    }
}

fn broken(error: &dyn fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the Zstandard data is damaged or cut short: {error}"),
    )
}
