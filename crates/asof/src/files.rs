//! The files that a user names on the command line.
//!
//! The store's own files belong to its engine; these are read or written once, from front to
//! back.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The file at `path`, or standard input for `-`, at most `limit` bytes of it.
pub(crate) fn read_input(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let shown =
        if is_stdin(path) { "standard input".to_owned() } else { format!("`{}`", path.display()) };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> =
        if is_stdin(path) { Box::new(io::stdin().lock()) } else { Box::new(open(path)?) };
    source
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(&shown, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::usage(format!(
            "{shown} has more than {limit} bytes, the most that a request may have"
        )));
    }
    Ok(bytes)
}

/// Whether `path` stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a file to read it.
#[expect(
    clippy::disallowed_methods,
    reason = "a file that the user names, read once from front to back"
)]
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::file(&format!("`{}`", path.display()), &error))
}

/// A file that appears under its name complete and durable, or not at all.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Begins the file `path`; its folder is made where there is none.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let path = path.to_owned();
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let refuse = |error| Failure::file(&format!("`{}`", partial.display()), &error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(refuse)?;
        }
        let file = create(&partial).map_err(refuse)?;
        Ok(Self { file, partial, path })
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.partial, &self.path)?;
        // The name is durable once the folder is.
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        sync_folder(folder.unwrap_or(Path::new(".")))
    }

    /// Drops what was written.
    pub(crate) fn discard(self) -> io::Result<()> {
        fs::remove_file(&self.partial)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file that the user names, written once from front to back"
)]
fn create(path: &Path) -> io::Result<File> {
    File::create(path)
}

#[expect(clippy::disallowed_methods, reason = "a folder must be opened to be made durable")]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_appears_complete_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/asof.backup");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!path.exists());
        file.discard().unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        file.publish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn input_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_input(&path, 5).unwrap(), b"12345");
        assert!(read_input(&path, 4).is_err());
    }
}
