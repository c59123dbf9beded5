//! Spans: what of a tree of calls is told to whoever looks at it from outside.
//!
//! A request of a client, each call that a service makes on its behalf, and each time that a service
//! or a store is asked is a span; together they are a tree, as OpenTelemetry has it. Whoever hosts
//! the edge hands it a [`SpanSink`]. Without one nothing is made, and the edge only hands on what
//! came. Nothing here is part of a call or of an answer.

mod context;
mod draft;
mod span;

use core::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asof_env::{BootTime, Clock, Random};
use asof_time::Timestamp;
use http::{HeaderMap, Request};

pub use self::context::{SpanId, TraceId};
pub use self::span::{Attribute, Span, SpanKind, SpanSink};

pub(crate) use self::context::{Sampled, SpanContext};
pub(crate) use self::draft::{Draft, names};
use crate::draw::Draw;

/// What makes spans, where somebody takes them.
pub struct Spans {
    sink: Arc<dyn SpanSink>,
    clock: Arc<dyn Clock>,
    draw: Draw,
    /// Tells the identifiers of this edge from those of others that draw alike.
    salt: u64,
    /// Trees that begin here are recorded if the even part of their name is not below this.
    least: AtomicU64,
}

/// One more than the greatest even part of the name of a tree.
const EVEN_END: u64 = 1 << 56;

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("sink", &self.sink).finish_non_exhaustive()
    }
}

/// When something began, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began {
    wall: Timestamp,
    boot: BootTime,
}

/// What a request that begins a tree of calls is to those who look at it. Small: every request has
/// one, and of most there is nothing to say.
#[derive(Debug)]
pub(crate) enum Watched {
    /// It is handed on as it came.
    Not,
    /// Its tree begins here, and is not recorded.
    Unsampled(Box<SpanContext>),
    /// It is recorded, with all that is done for it.
    Sampled(Box<Draft>),
}

impl Spans {
    /// Hands spans to `sink`. Records no tree that begins here, until it is told which.
    pub(crate) fn new(sink: Arc<dyn SpanSink>, clock: Arc<dyn Clock>, random: &dyn Random) -> Self {
        let (draw, salt) = (Draw::new(random.number()), random.number());
        Self { sink, clock, draw, salt, least: AtomicU64::new(EVEN_END) }
    }

    /// Records this share of the trees that begin here.
    pub(crate) fn sample(&self, share: f64) {
        self.least.store(least(share), Ordering::Relaxed);
    }

    /// How many spans were made and could not be passed on.
    pub(crate) fn lost(&self) -> u64 {
        self.sink.lost()
    }

    /// What begins now.
    pub(crate) fn now(&self) -> Began {
        Began { wall: self.clock.wall(), boot: self.clock.boot() }
    }

    /// What a request is that begins a tree of calls. The decision of whoever sent it is obeyed.
    pub(crate) fn root<B>(&self, request: &Request<B>) -> Watched {
        let came = SpanContext::of(request.headers());
        let (context, parent) = match came {
            Some(context) if context.sampled() == Sampled::No => return Watched::Not,
            Some(context) => {
                let parent = context.span;
                (context.with(self.span_id()), Some(parent))
            }
            None => match self.begin() {
                context if context.sampled() == Sampled::No => {
                    return Watched::Unsampled(Box::new(context));
                }
                context => (context, None),
            },
        };
        let mut draft = self.draft(context, parent, SpanKind::Server, self.now());
        draft.asked(request);
        Watched::Sampled(Box::new(draft))
    }

    /// A span of what is done below `above`, if that is recorded.
    pub(crate) fn below(&self, above: &SpanContext, kind: SpanKind, began: Began) -> Option<Draft> {
        let is_recorded = above.sampled() == Sampled::Yes;
        let own = || above.with(self.span_id());
        is_recorded.then(|| self.draft(own(), Some(above.span), kind, began))
    }

    fn draft(
        &self,
        context: SpanContext,
        parent: Option<SpanId>,
        kind: SpanKind,
        began: Began,
    ) -> Draft {
        let (sink, clock) = (Arc::clone(&self.sink), Arc::clone(&self.clock));
        Draft::new(sink, clock, context, parent, kind, began)
    }

    /// A tree that begins here.
    fn begin(&self) -> SpanContext {
        let (high, low) = (self.draw.next() ^ self.salt, self.draw.next());
        let number = u128::from(high) << 64 | u128::from(low);
        let trace = TraceId::new(number).unwrap_or_else(|| self.nonzero(u128::from, TraceId::new));
        let is_in = trace.even() >= self.least.load(Ordering::Relaxed);
        let sampled = if is_in { Sampled::Yes } else { Sampled::No };
        SpanContext::root(trace, self.span_id(), sampled)
    }

    fn span_id(&self) -> SpanId {
        self.nonzero(|number| number ^ self.salt, SpanId::new)
    }

    /// What `new` makes of the next number that it takes: all but one.
    fn nonzero<N, I>(&self, of: impl Fn(u64) -> N, new: impl Fn(N) -> Option<I>) -> I {
        loop {
            if let Some(id) = new(of(self.draw.next())) {
                return id;
            }
        }
    }
}

/// A tree of its own, of which nothing is recorded: what is asked of services always carries one.
pub(crate) fn unwatched(random: &dyn Random) -> SpanContext {
    loop {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        let ids = (TraceId::new(u128::from_le_bytes(bytes)), SpanId::new(random.number()));
        if let (Some(trace), Some(span)) = ids {
            return SpanContext::root(trace, span, Sampled::No);
        }
    }
}

/// Has `headers` carry a context, if they carry none.
pub(crate) fn ensure(headers: &mut HeaderMap, random: &dyn Random) {
    if SpanContext::of(headers).is_none() {
        unwatched(random).put(headers);
    }
}

/// The least even part of a name of which a share of all is not below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the share lies within 0 and 1, and 2^56 is exact in a float"
)]
fn least(share: f64) -> u64 {
    ((1.0 - share.clamp(0.0, 1.0)) * EVEN_END as f64) as u64
}

#[cfg(test)]
mod tests;
