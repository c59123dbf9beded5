//! The exporter on real sockets, with a collector of the test at the other end.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod collector;
mod otlp;
