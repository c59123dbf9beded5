//! The store from outside.

mod basics;
mod engine;
mod world;
