//! A span, as it is handed to whoever takes spans.

use core::fmt::Debug;
use core::time::Duration;
use std::borrow::Cow;

use asof_time::Timestamp;

use super::context::{SpanId, TraceId};

/// Something that was done for a request, when it has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The tree of spans that it is part of.
    pub trace: TraceId,
    /// Its own name in that.
    pub id: SpanId,
    /// What it was done for; `None` for a tree that begins with it.
    pub parent: Option<SpanId>,
    /// What `tracestate` said of the tree.
    pub state: Option<String>,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// One of few, such as `GET /files/{*path}`.
    pub name: Cow<'static, str>,
    /// When it began, by the wall clock.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failure: Option<Cow<'static, str>>,
    /// What is known of it, by the names of OpenTelemetry's conventions where there is one.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpanKind {
    /// The edge was asked.
    Server,
    /// The edge asked a service or a store.
    Client,
}

/// What an attribute says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attribute {
    /// A text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

impl From<&'static str> for Attribute {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u16> for Attribute {
    fn from(number: u16) -> Self {
        Self::Number(i64::from(number))
    }
}

impl From<bool> for Attribute {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Takes spans that have ended.
pub trait SpanSink: Debug + Send + Sync + 'static {
    /// Takes one. Called where requests are answered: it neither waits nor does much.
    fn take(&self, span: Span);

    /// How many were taken so far and could not be passed on.
    fn lost(&self) -> u64;
}
