//! Files, as little of them as a storage engine needs.

mod extents;
mod os;
mod whole;

use core::fmt::Debug;
use std::io;

pub use os::{OsFile, WhenMissing};
pub use whole::{create_new, open_read, read_file, sync_directory_of, write_file_atomic};

/// One random-access file.
///
/// The contract is the one a power failure leaves: after [`sync`](Self::sync) returned `Ok`,
/// every write and change of length before it is there; of later ones any part may be there,
/// in any order and in pieces.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` where the file ends before `out` is full, or what the operating system
    /// reports.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, extending the file where needed.
    ///
    /// # Errors
    ///
    /// What the operating system reports; the range may then hold any mixture.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file or extends it with zeros.
    ///
    /// # Errors
    ///
    /// What the operating system reports.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes everything before it durable.
    ///
    /// # Errors
    ///
    /// What the operating system reports; what is durable is then unknown.
    fn sync(&self) -> io::Result<()>;
}
