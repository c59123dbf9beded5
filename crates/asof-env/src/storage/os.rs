//! A file of the operating system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::extents::Extents;
use super::{DiskFile, sync_directory_of};

/// How much of an extent is read back and rewritten at a time.
const REWRITE_BYTES: usize = 256 * 1024;

/// What to do where there is no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenMissing {
    /// Create an empty one, and make its name durable.
    Create,
    /// Fail with `NotFound`.
    Refuse,
}

/// A file of the operating system, held exclusively.
///
/// A failed `fsync` on Linux may mark the pages that did not reach the disk clean, so that the
/// next one succeeds without them. So the ranges written since the last successful sync are
/// remembered, and after a failed one they are read back and written again before the next.
#[derive(Debug)]
pub struct OsFile {
    file: File,
    unsynced: Mutex<Unsynced>,
}

#[derive(Default, Debug)]
struct Unsynced {
    extents: Extents,
    sync_failed: bool,
}

impl OsFile {
    /// Opens `path` for reading and writing and locks it until dropped.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` where another process, or another part of this one, has it open, or what
    /// the operating system reports.
    pub fn open(path: &Path, missing: WhenMissing) -> io::Result<Self> {
        let existing = OpenOptions::new().read(true).write(true).open(path);
        let file = match existing {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && missing == WhenMissing::Create =>
            {
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(path)?;
                sync_directory_of(path)?;
                file
            }
            other => other?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { file, unsynced: Mutex::default() }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another process has this store open: {}", path.display()),
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unsynced(&self) -> MutexGuard<'_, Unsynced> {
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `extents` again with the bytes they have, so that the kernel holds them dirty.
    fn rewrite(&self, extents: &Extents) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let mut buffer = vec![0; REWRITE_BYTES];
        for (start, end) in extents.iter() {
            let mut at = start;
            let end = end.min(len);
            while at < end {
                let left = usize::try_from(end - at).unwrap_or(REWRITE_BYTES);
                let (piece, _) = buffer.split_at_mut(left.min(REWRITE_BYTES));
                self.file.read_exact_at(piece, at)?;
                self.file.write_all_at(piece, at)?;
                at += piece.len() as u64;
            }
        }
        Ok(())
    }
}

impl DiskFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // Remembered before it is written: a sync in between may or may not carry it.
        self.unsynced().extents.insert(offset, offset.saturating_add(bytes.len() as u64));
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        // Held throughout, so that a write can not slip between the sync and the forgetting.
        let mut unsynced = self.unsynced();
        if unsynced.sync_failed {
            self.rewrite(&unsynced.extents)?;
        }
        let result = self.file.sync_data();
        unsynced.sync_failed = result.is_err();
        if result.is_ok() {
            unsynced.extents = Extents::default();
        }
        result
    }
}

#[cfg(test)]
mod tests;
