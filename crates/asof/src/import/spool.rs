//! Batches put by until all of them are known: in memory while they are few, else in a temporary
//! file that has no name.

use std::io::{Read, Seek, SeekFrom, Write};

use asof_api::Moment;
use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::batch::{Batch, Line};
use crate::failure::Failure;

/// Bytes above which they go to a file.
const MEMORY_BYTES_MAX: usize = 8 << 20;

/// Batches in the order in which they came.
#[derive(Debug)]
pub(crate) struct Spool {
    file: SpooledTempFile,
    batches: u64,
}

/// What stands before the body of a batch, as JSON.
#[derive(Serialize, Deserialize)]
struct Head {
    space: String,
    position: u64,
    lines: Vec<Row>,
}

/// A [`Line`] as JSON.
#[derive(Serialize, Deserialize)]
struct Row {
    number: u64,
    end: usize,
    at: Moment,
    source: Option<String>,
    writes: u64,
    value_bytes: u64,
}

impl Spool {
    /// One without batches.
    pub(crate) fn new() -> Self {
        Self { file: SpooledTempFile::new(MEMORY_BYTES_MAX), batches: 0 }
    }

    /// Puts `batch` behind the others.
    ///
    /// # Errors
    ///
    /// `Unavailable` where the disk is full or fails.
    pub(crate) fn push(&mut self, batch: &Batch) -> Result<(), Failure> {
        let head = Head {
            space: batch.space.clone(),
            position: batch.position,
            lines: batch.lines.iter().map(Row::of).collect(),
        };
        let head = serde_json::to_vec(&head).unwrap_or_else(|error| {
            unreachable!("texts and numbers are JSON: {error}");
        });
        self.file.seek(SeekFrom::End(0)).map_err(|error| lost(&error))?;
        for part in [&head, &batch.body] {
            let length = (part.len() as u64).to_le_bytes();
            self.file.write_all(&length).map_err(|error| lost(&error))?;
            self.file.write_all(part).map_err(|error| lost(&error))?;
        }
        self.batches += 1;
        Ok(())
    }

    /// All batches, from the first on.
    ///
    /// # Errors
    ///
    /// `Unavailable` where the disk fails.
    pub(crate) fn read(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<Batch, Failure>> + '_, Failure> {
        self.file.rewind().map_err(|error| lost(&error))?;
        let file = &mut self.file;
        Ok((0..self.batches).map(move |_| {
            let head = part(file)?;
            let Head { space, position, lines } =
                serde_json::from_slice(&head).map_err(|error| lost(&error.into()))?;
            let lines = lines.into_iter().map(Row::into_line).collect();
            Ok(Batch { space, lines, body: part(file)?, position })
        }))
    }
}

impl Row {
    fn of(line: &Line) -> Self {
        Self {
            number: line.number,
            end: line.end,
            at: line.at.into(),
            source: line.source.clone(),
            writes: line.writes,
            value_bytes: line.value_bytes,
        }
    }

    fn into_line(self) -> Line {
        let Self { number, end, at, source, writes, value_bytes } = self;
        Line { number, end, at: at.0, source, writes, value_bytes }
    }
}

fn part(file: &mut SpooledTempFile) -> Result<Vec<u8>, Failure> {
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| lost(&error))?;
    let mut part = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut part).map_err(|error| lost(&error))?;
    Ok(part)
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::unavailable(format!(
        "cannot put by what is to be imported in a temporary file ({error}); nothing was written \
         to a live space: set TMPDIR to a folder with room"
    ))
}

#[cfg(test)]
mod tests {
    use asof_time::Timestamp;

    use super::*;

    #[test]
    fn what_is_put_by_comes_back_as_it_was_and_twice() {
        let mut spool = Spool::new();
        let large = vec![b'x'; MEMORY_BYTES_MAX];
        for (position, body) in [(1, b"a\n".to_vec()), (2, large), (3, Vec::new())] {
            let line = Line {
                number: position,
                end: body.len(),
                at: Timestamp::from_micros(u64::MAX >> 11).unwrap(),
                source: (position > 1).then(|| "\"id\"".to_owned()),
                writes: 1,
                value_bytes: 1,
            };
            let batch = Batch { space: "s".to_owned(), lines: vec![line], body, position };
            spool.push(&batch).unwrap();
        }
        for _ in 0..2 {
            let batches: Vec<_> = spool.read().unwrap().map(Result::unwrap).collect();
            let sizes = batches.iter().map(|batch| (batch.position, batch.body.len()));
            assert_eq!(sizes.collect::<Vec<_>>(), [(1, 2), (2, MEMORY_BYTES_MAX), (3, 0)]);
            let line = &batches[2].lines[0];
            assert_eq!((line.source.as_deref(), line.number), (Some("\"id\""), 3));
            assert_eq!(line.at.as_micros(), u64::MAX >> 11);
        }
    }
}
