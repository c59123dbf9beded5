//! `asof backup`

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::files::NewFile;
use crate::human;

/// The name of the backup within its folder.
pub(super) const FILE_NAME: &str = "asof.backup";

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Write a consistent copy of the whole store, while it goes on working
///
/// The copy is DIR/asof.backup. It appears there once it is complete and on disk; an older one
/// is replaced only then.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof backup ./backups/monday
  asof backup --data ./asof-data ./backups/monday
  asof restore ./backups/monday --data ./asof-restored")]
pub(crate) struct Backup {
    /// The folder; made where there is none
    dir: PathBuf,
}

/// What was written, as JSON.
#[derive(Serialize)]
struct Written<'a> {
    path: &'a Path,
    bytes: u64,
}

impl Backup {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let path = self.dir.join(FILE_NAME);
        let source = context.client()?.backup()?;
        let progress = crate::progress::bytes(&context.out);
        let file = NewFile::create(&path)?;
        let bytes = copy(source, file, &progress)?;
        progress.finish_and_clear();
        let out = &mut context.out;
        if out.is_json() {
            out.json(&Written { path: &path, bytes })?;
        } else {
            let size = human::size(bytes);
            out.line(&format!("backup of {size} in {}", path.display()))?;
        }
        Ok(Exit::Done)
    }
}

/// Copies all of `source` into `file` and gives that its name, or leaves nothing behind.
fn copy(mut source: impl Read, mut file: NewFile, progress: &ProgressBar) -> Result<u64, Failure> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0_u64;
    let copied = loop {
        let len = match source.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(len) => len,
            Err(error) => break Err(Failure::file("the backup stream", &error)),
        };
        if let Err(error) = file.write_all(piece.get(..len).unwrap_or_default()) {
            break Err(Failure::file("the backup file", &error));
        }
        bytes += len as u64;
        progress.set_position(bytes);
    };
    match copied {
        Ok(()) => {
            file.publish().map_err(|error| Failure::file("the backup file", &error))?;
            Ok(bytes)
        }
        Err(failure) => {
            // What went wrong first is the news.
            let _ = file.discard();
            Err(failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes, then fails.
    struct Breaks(u8);

    impl Read for Breaks {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            out[0] = 1;
            Ok(1)
        }
    }

    #[test]
    fn a_stream_that_breaks_leaves_the_old_backup() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, b"old").unwrap();
        let file = NewFile::create(&path).unwrap();
        assert!(copy(Breaks(3), file, &ProgressBar::hidden()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
