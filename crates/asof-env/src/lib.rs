//! The world: clocks, randomness and storage.
//!
//! Everything that could make two runs of the same program differ comes in through the
//! traits of this crate, and only this crate calls the operating system for it. A test
//! hands in stand-ins (feature `testing`) and so decides what the clock says, which bytes
//! are random, and after which write the machine loses power.

mod clock;
mod random;

pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{BootTime, Clock, SystemClock};
pub use random::{Random, SystemRandom};
