//! The timestamped store.
pub mod engine;
