//! The span that something is done for, as requests carry it: W3C Trace Context, level 2.

use core::fmt;

use http::{HeaderMap, HeaderValue};

use crate::headers::{TRACEPARENT, TRACESTATE};

/// Names a tree of spans.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

/// Names a span of a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

/// The tree is recorded.
const SAMPLED: u8 = 1;
/// The identifier of the tree was drawn evenly.
const RANDOM: u8 = 2;

/// Characters of the only form that is known.
const LENGTH: usize = 55;

impl TraceId {
    /// The tree of this number; `None` for zero, which names none.
    pub fn new(number: u128) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// As bytes, the first of its text first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The part of it that is drawn evenly, for certain: 56 bits.
    pub(crate) fn even(self) -> u64 {
        u64::try_from(self.0 & ((1 << 56) - 1)).unwrap_or_default()
    }
}

impl SpanId {
    /// The span of this number; `None` for zero, which names none.
    pub fn new(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// As bytes, the first of its text first.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A span as those that are asked on its behalf are told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SpanContext {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    flags: u8,
    /// What others say of the tree: handed on as it is.
    pub(crate) state: Option<HeaderValue>,
}

impl SpanContext {
    /// The beginning of a tree.
    pub(crate) fn root(trace: TraceId, span: SpanId, sampled: Sampled) -> Self {
        let flags = if sampled == Sampled::Yes { SAMPLED | RANDOM } else { RANDOM };
        Self { trace, span, flags, state: None }
    }

    /// What `headers` carry, if it is one: two are none, since nobody knows which is meant.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(&TRACEPARENT).iter();
        let (parent, None) = (parents.next()?, parents.next()) else { return None };
        let (trace, span, flags) = parse(parent.as_bytes())?;
        Some(Self { trace, span, flags, state: state(headers) })
    }

    /// Another span of the same tree.
    pub(crate) fn with(&self, span: SpanId) -> Self {
        Self { span, ..self.clone() }
    }

    /// The same, for those who shall not be part of what is recorded.
    pub(crate) fn unsampled(&self) -> Self {
        Self { flags: self.flags & !SAMPLED, ..self.clone() }
    }

    /// Whether the tree is recorded.
    pub(crate) fn sampled(&self) -> Sampled {
        if self.flags & SAMPLED == 0 { Sampled::No } else { Sampled::Yes }
    }

    /// Puts it into a request, in place of any other.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        let Self { trace, span, flags, state } = self;
        let text = format!("00-{trace}-{span}-{flags:02x}");
        let Ok(parent) = HeaderValue::try_from(text) else { return };
        headers.insert(&TRACEPARENT, parent);
        match state {
            Some(state) => _ = headers.insert(&TRACESTATE, state.clone()),
            None => _ = headers.remove(&TRACESTATE),
        }
    }
}

/// Whether a tree of spans is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sampled {
    Yes,
    No,
}

/// The lines of `tracestate`, as one.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(&TRACESTATE).iter();
    let first = lines.next()?;
    let mut joined = first.as_bytes().to_vec();
    for line in lines {
        joined.extend_from_slice(b",");
        joined.extend_from_slice(line.as_bytes());
    }
    HeaderValue::from_bytes(&joined).ok().filter(|state| !state.is_empty())
}

/// The parts of a `traceparent`. Of a later version only what is known of this one counts.
fn parse(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let mut part = |digits| parts.next().and_then(|part| number(part, digits));
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let ends = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|byte| *byte == b'-'),
    };
    let flags = u8::try_from(flags).ok()? & (SAMPLED | RANDOM);
    let (trace, span) = (TraceId::new(trace)?, SpanId::new(u64::try_from(span).ok()?)?);
    (ends && parts.next().is_none()).then_some((trace, span, flags))
}

/// Lower-case hexadecimal digits, exactly so many.
fn number(digits: &[u8], count: usize) -> Option<u128> {
    if digits.len() != count {
        return None;
    }
    digits.iter().try_fold(0_u128, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
