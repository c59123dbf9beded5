//! How far a webhook has been told, in a small file beside the store.
//!
//! ```text
//! asof webhook cursor 1
//! epoch EPOCH
//! sequence NUMBER
//! blake3 HASH OF THE LINES ABOVE
//! ```

use std::io;
use std::path::{Path, PathBuf};

use asof_time::Epoch;

/// The first line: what the file is, and the version of its form.
const MAGIC: &str = "asof webhook cursor 1";

/// The last control record that needs no more telling, and the timeline that it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cursor {
    pub(crate) epoch: Epoch,
    pub(crate) sequence: u64,
}

/// Where the cursor of a webhook is kept.
pub(crate) fn path(data: &Path, webhook: &str) -> PathBuf {
    data.join(format!("webhook-{webhook}.cursor"))
}

impl Cursor {
    /// The cursor in a file; `None` where there is no file.
    ///
    /// # Errors
    ///
    /// What the operating system reports; `InvalidData` where it is not what was written.
    pub(crate) fn load(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match asof_env::storage::read_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let text = core::str::from_utf8(&bytes).ok();
        text.and_then(parse).map(Some).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "is not what was written; without the file the webhook begins with what comes next",
            )
        })
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    pub(crate) fn save(self, path: &Path) -> io::Result<()> {
        asof_env::storage::write_file_atomic(path, self.text().as_bytes())
    }

    fn text(self) -> String {
        let head = format!("{MAGIC}\nepoch {}\nsequence {}\n", self.epoch, self.sequence);
        let hash = blake3::hash(head.as_bytes());
        format!("{head}blake3 {hash}\n")
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut lines = text.lines();
    let (magic, epoch, sequence) = (lines.next()?, lines.next()?, lines.next()?);
    let cursor = Cursor {
        epoch: epoch.strip_prefix("epoch ")?.parse().ok()?,
        sequence: sequence.strip_prefix("sequence ")?.parse().ok()?,
    };
    (magic == MAGIC && cursor.text() == text).then_some(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_a_flipped_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "ops");
        assert_eq!(Cursor::load(&path).unwrap(), None);
        let cursor = Cursor { epoch: "000000000000ab".parse().unwrap(), sequence: u64::MAX };
        cursor.save(&path).unwrap();
        assert_eq!(Cursor::load(&path).unwrap(), Some(cursor));
        let good = std::fs::read(&path).unwrap();
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(Cursor::load(&path).is_err(), "byte {place}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(Cursor::load(&path).is_err());
    }

    /// Version 1 must keep opening.
    #[test]
    fn the_form_of_version_1_is_fixed() {
        let text = "asof webhook cursor 1\nepoch 000000000000ab\nsequence 7\n";
        let cursor = Cursor { epoch: "000000000000ab".parse().unwrap(), sequence: 7 };
        assert!(cursor.text().starts_with(text), "{}", cursor.text());
        assert_eq!(parse(&cursor.text()), Some(cursor));
    }
}
