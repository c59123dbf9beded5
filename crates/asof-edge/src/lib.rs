//! The edge: a proxy in front of services and between them.
//!
//! This crate is the shell: sockets, configuration, upstreams, limits. What to do with a request
//! is an [`Engine`]'s: it is handed each one with what the configuration says of it, and a
//! [`Forwarder`] through which services and stores are reached. [`PassThrough`] is the engine
//! that caches nothing.
//!
//! A request passes, in this order: the listener with its limits, the shape of the request,
//! the guard against loops, the guard against overload, the choice of a target, the engine.

mod admin;
mod body;
mod caching;
pub mod config;
mod door;
mod draw;
mod engine;
pub mod headers;
mod limits;
mod listen;
mod metrics;
mod problem;
mod record;
mod server;
mod spans;
mod target;
mod upstream;

pub use body::{Body, BodyError};
#[doc(hidden)]
pub use caching::hearing;
pub use caching::{Asked, Caching, Change, Learnt, RouteChange};
pub use config::{ConfigError, Plan, ServiceName, StateName, StoreName};
pub use engine::{Again, Answer, Call, Engine, Origin, Outcome, PassThrough};
pub use problem::{Problem, ProblemKind};
pub use server::{Addresses, Edge, EdgeError, ReloadError, Reloader, check};
pub use spans::{Attribute, Span, SpanId, SpanKind, SpanSink, Spans, TraceId};
pub use target::Target;
pub use upstream::{Forwarder, UpstreamError, UpstreamErrorKind};
