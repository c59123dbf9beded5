//! A span, as OpenTelemetry has it.

use core::time::Duration;
use std::time::SystemTime;

use asof_edge::{Attribute, Span, SpanKind};
use opentelemetry::trace::{self, SpanContext, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

pub(crate) fn of(span: Span) -> SpanData {
    let Span { trace, id, parent, state, kind, name, began, took, failure, attributes } = span;
    let start_time = SystemTime::UNIX_EPOCH + Duration::from_micros(began.as_micros());
    let state = state.and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let span_context = SpanContext::new(
        TraceId::from_bytes(trace.to_bytes()),
        SpanId::from_bytes(id.to_bytes()),
        TraceFlags::SAMPLED,
        false,
        state,
    );
    SpanData {
        span_context,
        parent_span_id: parent
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_bytes())),
        // Whoever asks the edge is elsewhere, always; what the edge asks, it asks itself.
        parent_span_is_remote: parent.is_some() && kind == SpanKind::Server,
        span_kind: match kind {
            SpanKind::Server => trace::SpanKind::Server,
            SpanKind::Client => trace::SpanKind::Client,
        },
        name,
        start_time,
        end_time: start_time + took,
        attributes: attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: failure.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("asof")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    }
}

fn attribute((name, says): (&'static str, Attribute)) -> KeyValue {
    let value = match says {
        Attribute::Text(text) => Value::String(text.into()),
        Attribute::Number(number) => Value::I64(number),
        Attribute::Flag(flag) => Value::Bool(flag),
    };
    KeyValue::new(name, value)
}
