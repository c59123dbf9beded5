//! Timestamps, sequence numbers, epochs, and the algebra of validity.
//!
//! Everything above stands on these few types. This crate does no I/O, knows no
//! clock, no async and no serialisation: it is arithmetic that cannot go wrong
//! because the operations that could are not there.

pub mod limits;

mod identity;
mod timestamp;
mod validity;

pub use identity::{Epoch, ParseEpochError, Sequence};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use validity::{End, Validity};

#[cfg(test)]
mod tests;
