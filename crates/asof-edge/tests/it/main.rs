//! The edge on real sockets, in front of small services on loopback.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod admin;
mod bounds;
mod caching;
mod engine;
mod gathering;
mod harness;
mod pass;
mod reload;
mod shapes;
mod tls;
mod upstreams;
