//! The store's HTTP service.
//!
//! [`router()`] is the whole surface, which a program can call without a socket; [`serve`] puts it
//! behind TCP, TLS and limits. What the surface can do is in the route table of `asof_api`: the
//! router is built by walking it.
//!
//! A request passes, in this order: the guard against foreign web pages, the bearer token and
//! its role, the strict query, the limit of its body, its handler. Reads of a point run on the
//! lane of their connection; everything that walks runs on the blocking pool. Browsers find the
//! console (`console`) beside the API. This crate decides nothing of
//! time or history: that is the store's.

mod access;
mod answering;
mod app;
mod body;
mod config;
mod confirmed;
mod connection;
mod console;
mod convert;
mod cursor;
mod dispatch;
mod edges;
mod guard;
mod handler;
mod lanes;
mod limits;
mod listen;
mod metrics;
mod moment;
mod query;
mod refusal;
mod reply;
mod router;
mod sight;
mod span;
mod tls;
mod webhooks;

pub use access::{Access, new_secret, token_hash};
pub use app::{Settings, Transport};
pub use body::{Body, BodyError};
pub use config::{Config, ConfigError, Limits, Log, LogFormat, StoreConfig, Tls, Webhook};
pub use convert::control as control_body;
#[doc(hidden)]
pub use handler::feed::{Place, messages};
pub use listen::{ServeError, Server, serve};
pub use router::{Router, router};
pub use span::Span;
pub use webhooks::WebhookFigures;
