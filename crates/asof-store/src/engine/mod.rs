//! The seam to the ordered key-value engine underneath.
//!
//! It is as small as an engine can be: snapshots that get and scan, and an atomic batch with a
//! choice of durability. History, time and spaces are built on top and know no more than this.

mod memory;
mod redb;
mod sealed;

use core::fmt::{self, Debug};
use core::ops::{Bound, ControlFlow};
use std::io;
use std::sync::Arc;

pub use memory::MemoryEngine;
pub use redb::{RedbEngine, RedbOptions};
pub use sealed::WhenEmpty;

/// An ordered map from bytes to bytes with atomic batches.
///
/// Blocking; one writer at a time (the caller sees to it), any number of readers.
pub trait Engine: Debug + Send + Sync + 'static {
    /// The map as it is now, unmoved by later commits.
    ///
    /// # Errors
    ///
    /// As [`EngineError`] says.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError>;

    /// Applies the whole batch or nothing of it.
    ///
    /// # Errors
    ///
    /// After any error it is unknown whether the batch is there; the engine answers every later
    /// call with an error, and must be opened anew to find out.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), EngineError>;

    /// Bytes it occupies on disk; zero for one in memory.
    ///
    /// # Errors
    ///
    /// As [`EngineError`] says.
    fn disk_bytes(&self) -> Result<u64, EngineError>;
}

/// One unmoving state of the map.
pub trait Snapshot: Debug + Send + Sync + 'static {
    /// Hands the value of `key` to `read`; returns whether there was one.
    ///
    /// # Errors
    ///
    /// As [`EngineError`] says.
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, EngineError>;

    /// Visits the rows of `range` in `direction` until `visit` breaks or the range ends.
    ///
    /// # Errors
    ///
    /// As [`EngineError`] says; rows visited before it were right.
    #[expect(
        clippy::type_complexity,
        reason = "an alias of the visitor would fix its lifetime, which every caller has its own"
    )]
    fn scan(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError>;

    /// Hands the first row at or after `key` to `at`, and where `before` is given the last row
    /// before `key` to that. What it is made of is two scans; an engine may find both at once.
    ///
    /// # Errors
    ///
    /// As [`EngineError`] says; rows handed out before it were right.
    fn around(
        &self,
        key: &[u8],
        at: RowVisitor<'_>,
        before: Option<RowVisitor<'_>>,
    ) -> Result<(), EngineError> {
        let range = (Bound::Included(key), Bound::Unbounded);
        self.scan(range, Direction::Forward, &mut |row, value| {
            at(row, value);
            ControlFlow::Break(())
        })?;
        let Some(before) = before else {
            return Ok(());
        };
        let range = (Bound::Unbounded, Bound::Excluded(key));
        self.scan(range, Direction::Backward, &mut |row, value| {
            before(row, value);
            ControlFlow::Break(())
        })
    }
}

/// Is handed one row: key and value.
pub type RowVisitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]);

/// Which rows a scan covers.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Whether no key can be in `range`; a map would panic on some of these.
fn is_empty_range(range: KeyRange<'_>) -> bool {
    match range {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

/// In which order a scan visits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Backward,
}

/// What must hold when a commit returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// It survives a power failure.
    Durable,
    /// It is visible, and becomes durable with the next durable commit. A crash before that
    /// loses it wholly.
    Deferred,
}

/// Writes that happen together. Later ones win over earlier ones on the same key.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    ops: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.ops.push((key, Some(value)));
    }

    /// Removes `key`; not an error where it is absent.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.ops.push((key, None));
    }

    /// The operations in order: `None` removes.
    pub fn ops(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.ops.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// Why the engine could not do it. Kinds differ by what a caller would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EngineError {
    /// The operating system refused: disk full, I/O error. The data is not known to be damaged;
    /// opening anew may help.
    Io(String),
    /// What is on disk is not what was written. No answer can be given from it.
    Corrupt(String),
    /// The store was written by a newer version of the program.
    NewerFormat {
        /// Format version found.
        found: u32,
        /// Highest version this program reads.
        supported: u32,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(detail) => write!(f, "storage failed: {detail}"),
            Self::Corrupt(detail) => write!(f, "the store file is damaged: {detail}"),
            Self::NewerFormat { found, supported } => write!(
                f,
                "the store has format {found}, this program reads up to format {supported}: use a \
                 newer asof"
            ),
        }
    }
}

impl core::error::Error for EngineError {}

impl From<io::Error> for EngineError {
    /// `InvalidData` is what a file that checks what it reads says of damage.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::Corrupt(error.to_string())
        } else {
            Self::Io(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
