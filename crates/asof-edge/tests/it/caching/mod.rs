//! The engine that caches, over sockets: a real store, services of the test, and the edge between.

mod basics;
pub(crate) mod world;
