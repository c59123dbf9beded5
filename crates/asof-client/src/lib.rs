//! A blocking, typed client of the store's HTTP interface.
//!
//! [`Client`] has one method a route. How a request travels is a [`Transport`]: over a socket
//! with [`HttpTransport`], or by whatever else carries a request to the service. The crate
//! knows nothing of the store behind the interface, and it has no clock: who follows the feed
//! brings the [`Pause`].

mod client;
mod control;
mod error;
mod follow;
mod http_transport;
mod path;
mod reads;
mod releases;
mod tls;
mod transport;
mod writes;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use control::{BadCommits, Care, DryRun, SetCap};
pub use error::{Error, Origin, Result};
pub use follow::{Follow, HEARTBEAT, HEARTBEATS_LATE_MAX, Pause};
pub use http_transport::HttpTransport;
pub use reads::{Answer, Cap, DiffQuery, Found, HistoryQuery, KeysQuery, Preview, ReadAt, Values};
pub use releases::Later;
pub use tls::Trust;
pub use transport::{
    Body, Request, Response, SILENCE_MAX_DEFAULT, Transport, TransportError, TransportErrorKind,
};
pub use writes::{CommitsQuery, Condition, WriteOptions};
