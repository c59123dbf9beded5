//! How everything is laid out in the engine's one ordered map.
//!
//! A row's key begins with one byte that says what it is ([`keys`]); its value is a record
//! ([`rows`]). Integers in keys are big-endian, so that byte order is number order; in values
//! they are LEB128 unless fixed. `docs/format.md` says it for people.

pub(crate) mod keys;
pub(crate) mod releases;
pub(crate) mod rows;

mod bytes;

pub(crate) use bytes::{Decoder, Encoder};

/// Version of this layout, kept in the identity row. A store of a higher one is refused.
pub(crate) const LAYOUT_VERSION: u64 = 3;

#[cfg(test)]
mod tests;
