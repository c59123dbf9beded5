//! The service as its clients see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests may panic as the tests do"
)]

mod access;
mod config;
mod console;
mod erase;
mod errors;
mod feed;
mod limits;
mod memento;
mod operate;
mod reads;
mod serve;
mod service;
mod writes;
