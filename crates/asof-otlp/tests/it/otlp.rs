//! What a collector on loopback is told, and what becomes of the rest.

use std::time::Duration;

use asof_edge::{Attribute, Span, SpanId, SpanKind, SpanSink as _, TraceId};
use asof_otlp::{Collector, Settings};
use asof_time::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use crate::collector::{Answer, Fake};

/// Long enough for whatever comes.
const LONG: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(20);

fn span(number: u64) -> Span {
    Span {
        trace: TraceId::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736).unwrap(),
        id: SpanId::new(number).unwrap(),
        parent: SpanId::new(7),
        state: Some("a=1,b=2".to_owned()),
        kind: SpanKind::Server,
        name: "GET /files/{*path}".into(),
        began: Timestamp::from_micros(1_700_000_000_000_001).unwrap(),
        took: Duration::from_micros(1_500),
        failure: Some("503".into()),
        attributes: vec![
            ("asof.outcome", "miss".into()),
            ("http.response.status_code", 503_u16.into()),
            ("asof.repeat", Attribute::Flag(true)),
        ],
    }
}

fn collector(fake: &Fake, interval: Duration) -> Collector {
    let endpoint = Some(fake.url.parse().unwrap());
    Collector::start(&Settings { interval: Some(interval), ..Settings::new(endpoint, None) })
        .unwrap()
}

#[test]
fn a_span_arrives_as_it_was_taken() {
    let fake = Fake::start(|_| Answer::Status(200));
    let collector = collector(&fake, SOON);
    collector.take(span(9));
    let told = fake.told(LONG);
    assert_eq!((told.path.as_str(), told.media.as_str()), ("/v1/traces", "application/x-protobuf"));
    let [resource] = told.request.resource_spans.as_slice() else { panic!("{told:?}") };
    let named = &resource.resource.as_ref().unwrap().attributes;
    let name = named.iter().find(|attribute| attribute.key == "service.name").unwrap();
    let name = name.value.as_ref().unwrap().value.as_ref();
    assert_eq!(name, Some(&Value::StringValue("asof-edge".to_owned())));
    let [scope] = resource.scope_spans.as_slice() else { panic!("{told:?}") };
    assert_eq!(scope.scope.as_ref().unwrap().name, "asof");
    let [span] = scope.spans.as_slice() else { panic!("{told:?}") };
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    assert_eq!(span.trace_id, trace);
    assert_eq!(
        (span.span_id.as_slice(), span.parent_span_id.as_slice()),
        (&9_u64.to_be_bytes()[..], &7_u64.to_be_bytes()[..])
    );
    assert_eq!((span.name.as_str(), span.trace_state.as_str()), ("GET /files/{*path}", "a=1,b=2"));
    assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_001_000);
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_500_000);
    assert_eq!(span.kind, 2, "a server");
    assert_eq!(span.status.as_ref().map(|status| status.code), Some(2), "an error");
    let says = |key: &str| {
        let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
        attribute.and_then(|attribute| attribute.value.clone()?.value)
    };
    assert_eq!(says("asof.outcome"), Some(Value::StringValue("miss".to_owned())));
    assert_eq!(says("http.response.status_code"), Some(Value::IntValue(503)));
    assert_eq!(says("asof.repeat"), Some(Value::BoolValue(true)));
    collector.stop(LONG);
    assert_eq!(collector.lost(), 0);
}

#[test]
fn what_is_there_at_the_end_is_told_before_it() {
    let fake = Fake::start(|_| Answer::Status(200));
    let collector = collector(&fake, LONG);
    for number in 1..=700 {
        collector.take(span(number));
    }
    collector.stop(LONG);
    // In messages that are bounded.
    let mut told = 0;
    while told < 700 {
        let count = fake.told(LONG).count();
        assert!((1..=512).contains(&count), "{count}");
        told += count;
    }
    assert_eq!((told, collector.lost()), (700, 0));
}

#[test]
fn a_collector_that_is_busy_is_told_again() {
    let fake = Fake::start(|nth| Answer::Status(if nth < 2 { 503 } else { 200 }));
    let collector = collector(&fake, SOON);
    collector.take(span(1));
    for _ in 0..3 {
        assert_eq!(fake.told(LONG).count(), 1);
    }
    collector.stop(LONG);
    assert_eq!(collector.lost(), 0);
}

#[test]
fn what_a_collector_refuses_is_lost_and_counted() {
    let fake = Fake::start(|_| Answer::Status(400));
    let collector = collector(&fake, SOON);
    collector.take(span(1));
    collector.take(span(2));
    assert!(fake.told(LONG).count() >= 1);
    collector.stop(LONG);
    assert_eq!(collector.lost(), 2);
}

#[test]
fn a_collector_that_hangs_holds_up_neither_requests_nor_the_end() {
    let fake = Fake::start(|_| Answer::Never);
    let collector = collector(&fake, SOON);
    collector.take(span(1));
    assert_eq!(fake.told(LONG).count(), 1);
    // It has one, and the queue is bounded.
    for number in 2..=5_000 {
        collector.take(span(number));
    }
    assert_eq!(collector.lost(), 5_000 - 2_048);
    collector.stop(SOON);
}

#[test]
fn where_there_is_no_collector_spans_are_lost() {
    let fake = Fake::start(|_| Answer::Status(200));
    let url = fake.url.clone();
    drop(fake);
    let endpoint = Some(url.parse().unwrap());
    let settings = Settings { interval: Some(SOON), ..Settings::new(endpoint, None) };
    settings.check().unwrap();
    let collector = Collector::start(&settings).unwrap();
    collector.take(span(1));
    collector.stop(LONG);
    assert_eq!(collector.lost(), 1);
}
