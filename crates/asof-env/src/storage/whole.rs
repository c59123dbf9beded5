//! Whole files: small ones at once, large ones as streams.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The bytes of a small file.
///
/// # Errors
///
/// What the operating system reports.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Replaces `path` by a file of `bytes`: after a crash it is the old file or the new one, and
/// the new one once this returned. Two writers of one path must not run at once.
///
/// # Errors
///
/// What the operating system reports; the old file is then untouched, or the new one is there
/// and may not survive a crash.
pub fn write_file_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?
        .to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_directory_of(path)
}

/// Creates a file to stream into. The caller ends with `sync_all` on it and
/// [`sync_directory_of`] its path.
///
/// # Errors
///
/// `AlreadyExists` where there is one, or what the operating system reports.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Opens a file to stream from.
///
/// # Errors
///
/// What the operating system reports.
pub fn open_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Makes the name `path` durable: created, renamed or removed.
///
/// # Errors
///
/// What the operating system reports.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    OpenOptions::new().read(true).open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_atomic_write_replaces_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings");
        write_file_atomic(&path, b"one").unwrap();
        write_file_atomic(&path, b"two").unwrap();
        assert_eq!(read_file(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(create_new(&path).is_err());
    }
}
