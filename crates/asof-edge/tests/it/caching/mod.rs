//! The engine that caches, over sockets: a real store, services of the test, and the edge between.

mod again;
mod alerts;
mod away;
mod basics;
mod broken;
mod capped;
mod contexts;
mod declared;
mod erased;
mod held_by_others;
mod moments;
mod pair;
mod previews;
mod proven;
mod reads;
mod shared;
mod spans;
mod tainted;
mod two_edges;
mod walk;
pub(crate) mod world;
mod young;
