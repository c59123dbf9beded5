//! Where in a tree of calls something is done.

use std::sync::Arc;

use super::root::Root;
use crate::spans::SpanContext;

/// How deep in its tree something is done, and below which span.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// How many executions are above it.
    pub(crate) depth: u32,
    /// The root's where `None`.
    pub(crate) span: Option<Arc<SpanContext>>,
}

impl Level {
    /// That of what the edge itself reads for a tree.
    pub(crate) const ROOT: Self = Self { depth: 0, span: None };

    /// That of a request of a client.
    pub(crate) fn of(depth: u32) -> Self {
        Self { depth, span: None }
    }

    /// One deeper, below the same span: the cache verifies what it holds.
    pub(crate) fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, span: self.span.clone() }
    }

    /// The span that is above what is done here.
    pub(crate) fn above<'l>(&'l self, root: &'l Root) -> &'l Arc<SpanContext> {
        self.span.as_ref().unwrap_or_else(|| root.span())
    }
}
