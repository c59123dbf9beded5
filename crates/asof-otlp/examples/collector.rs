//! A collector for trying things out: prints the trees of spans that it is told of.
//!
//!   cargo run -p asof-otlp --example collector              listens on 127.0.0.1:4318

#![expect(clippy::unwrap_used, reason = "an example that cannot go on ends")]

#[expect(dead_code, reason = "what tests need beyond this")]
#[path = "../tests/it/collector.rs"]
mod collector;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;

use self::collector::{Answer, Fake};

/// Longer than anybody tries things out.
const LONG: Duration = Duration::from_hours(24);

fn main() {
    let listener = TcpListener::bind("127.0.0.1:4318").unwrap();
    let collector = Fake::on(listener, |_| Answer::Status(200));
    let mut out = std::io::stdout().lock();
    loop {
        let told = collector.told(LONG);
        let scopes = told.request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        let spans: Vec<Span> = scopes.flat_map(|scope| scope.spans).collect();
        let known: BTreeSet<Vec<u8>> = spans.iter().map(|span| span.span_id.clone()).collect();
        let mut below: BTreeMap<Vec<u8>, Vec<&Span>> = BTreeMap::new();
        for span in &spans {
            below.entry(span.parent_span_id.clone()).or_default().push(span);
        }
        for top in spans.iter().filter(|span| !known.contains(&span.parent_span_id)) {
            let trace = u128::from_be_bytes(top.trace_id.as_slice().try_into().unwrap());
            writeln!(out, "trace {trace:032x}").unwrap();
            show(&mut out, top, &below, 1);
        }
    }
}

fn show(out: &mut impl Write, span: &Span, below: &BTreeMap<Vec<u8>, Vec<&Span>>, depth: usize) {
    let says = |key: &str| {
        let mut all = span.attributes.iter();
        let value = all.find(|attribute| attribute.key == key)?.value.clone()?.value?;
        Some(match value {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(truth) => truth.to_string(),
            other => format!("{other:?}"),
        })
    };
    let micros = (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000;
    let kind = if span.kind == 2 { "<-" } else { "->" };
    let target = says("asof.target").unwrap_or_default();
    let words = ["asof.outcome", "asof.as_of", "asof.repeat", "asof.unchanged", "error.type"];
    let said = words.iter().filter_map(|word| Some(format!(" {word}={}", says(word)?)));
    let line = format!(
        "{}{kind} {target} {} {} us{}",
        "   ".repeat(depth),
        span.name,
        micros,
        said.collect::<String>()
    );
    writeln!(out, "{line}").unwrap();
    let mut next = below.get(&span.span_id).cloned().unwrap_or_default();
    next.sort_by_key(|span| span.start_time_unix_nano);
    for span in next {
        show(out, span, below, depth + 1);
    }
}
