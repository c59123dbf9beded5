//! What things cost in memory, so that a bound on bytes is one on the memory of the process.
//!
//! Allocators hand out memory in steps and keep a word for themselves; with many small things
//! that is a good part of the whole. The figures are those of the common allocators (a word, steps
//! of sixteen bytes); a benchmark holds the sum against the real thing.

/// The two counters in front of what is shared.
const COUNTERS: usize = 16;

/// What a body costs beside its bytes once somebody else has held it too.
const BODY_SHARED: usize = 24;

/// What the table of entries needs for each: a slot with two links, and a place in its index.
pub(crate) const SLOT: u64 = 48;

/// A place in the table of contents that are shared.
pub(crate) const PLACE: u64 = 28;

/// One allocation of so many bytes.
pub(crate) fn allocated(bytes: usize) -> u64 {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) as u64 }
}

/// One allocation that is shared.
pub(crate) fn shared(bytes: usize) -> u64 {
    allocated(COUNTERS + bytes)
}

/// A body of so many bytes.
pub(crate) fn body(bytes: usize) -> u64 {
    if bytes == 0 { 0 } else { allocated(bytes) + allocated(BODY_SHARED) }
}
