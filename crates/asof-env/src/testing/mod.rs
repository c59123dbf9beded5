//! Stand-ins for tests: the same seed and the same calls give the same run.

mod clock;
mod disk;
mod random;

pub use clock::ManualClock;
pub use disk::SimDisk;
pub use random::SeededRandom;
