//! The store from outside.

mod engine;
