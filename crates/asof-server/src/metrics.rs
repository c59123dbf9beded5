//! What the service counts.

use core::time::Duration;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use asof_api::routes::RouteId;
use asof_env::Clock;
use asof_store::{Health, Store};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::webhooks::WebhookFigures;

/// Bounds of the latency histogram in seconds: from a read out of memory to a long walk.
const LATENCY_BOUNDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
    10.0,
];

/// The metrics of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabel, Histogram, fn() -> Histogram>,
    /// What is counted most, by route, so that it need not be looked up for each answer.
    usual: Vec<Usual>,
    /// Followers of the feed.
    pub(crate) followers: Gauge<i64, AtomicI64>,
    /// Open connections.
    pub(crate) connections: Gauge<i64, AtomicI64>,
    /// How webhooks are told.
    pub(crate) webhooks: WebhookFigures,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

/// The metrics of a route that answers 200. A route that was never asked has none.
#[derive(Debug, Default)]
struct Usual {
    answered: OnceLock<Counter>,
    latency: OnceLock<Histogram>,
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BOUNDS)
}

impl Metrics {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let mut registry = Registry::with_prefix("asof");
        let requests = Family::default();
        let latency: Family<_, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(latency_histogram);
        let followers = Gauge::default();
        let connections = Gauge::default();
        registry.register(
            "requests",
            "Requests answered, by route and status",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            latency.clone(),
        );
        registry.register("feed_followers", "Followers of the feed", Gauge::clone(&followers));
        registry.register("connections", "Open connections", Gauge::clone(&connections));
        let webhooks = WebhookFigures::default();
        webhooks.register(&mut registry);
        registry.register_collector(Box::new(StoreCollector { store, clock }));
        let usual = RouteId::ALL.iter().map(|_| Usual::default()).collect();
        Self { registry, requests, latency, usual, followers, connections, webhooks }
    }

    /// Counts one answer.
    pub(crate) fn answered(&self, id: RouteId, status: u16, took: Duration) {
        let route = id.as_str();
        let Some(usual) = self.usual.get(id as usize) else {
            return;
        };
        if status == 200 {
            usual.answered.get_or_init(|| self.requests_of(route, status)).inc();
        } else {
            self.requests_of(route, status).inc();
        }
        usual.latency.get_or_init(|| self.latency_of(route)).observe(took.as_secs_f64());
    }

    /// Counts the answer to a request that no route took.
    pub(crate) fn unrouted(&self, status: u16) {
        self.requests_of("none", status).inc();
        self.latency_of("none").observe(0.0);
    }

    /// Counts an answer of the console.
    pub(crate) fn console(&self, status: u16, took: Duration) {
        self.requests_of("console", status).inc();
        self.latency_of("console").observe(took.as_secs_f64());
    }

    fn requests_of(&self, route: &'static str, status: u16) -> Counter {
        self.requests.get_or_create_owned(&RequestLabels { route, status })
    }

    fn latency_of(&self, route: &'static str) -> Histogram {
        self.latency.get_or_create_owned(&RouteLabel { route })
    }

    /// All of them as `OpenMetrics` text.
    pub(crate) fn encode(&self) -> Result<String, core::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Asks the store when somebody looks.
#[derive(Debug)]
struct StoreCollector {
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Collector for StoreCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), core::fmt::Error> {
        let time = self.store.time();
        let health = self.store.health();
        let seconds = |at: asof_time::Timestamp| at.since(asof_time::Timestamp::MIN).as_secs_f64();
        let flag = |on: bool| if on { 1.0 } else { 0.0 };
        let lag = self.clock.wall().since(time.closed).as_secs_f64();
        let mut gauges = vec![
            ("closed_lag_seconds", "How far closed is behind the wall clock", lag),
            ("closed_timestamp_seconds", "Closed, since 1970", seconds(time.closed)),
            ("floor_timestamp_seconds", "The floor, since 1970", seconds(time.floor)),
            ("latest_timestamp_seconds", "Latest, since 1970", seconds(time.latest)),
            ("capped", "Whether there is a cap", flag(time.cap.is_some())),
            (
                "read_only",
                "Whether the store refuses writes",
                flag(matches!(health, Health::ReadOnly(_))),
            ),
            (
                "alarmed",
                "Whether an operator should look",
                flag(matches!(health, Health::Alarmed(_))),
            ),
        ];
        if let Some(cap) = time.cap {
            gauges.push(("cap_timestamp_seconds", "The cap, since 1970", seconds(cap)));
        }
        let (groups, grouped) = self.store.groups();
        let counters = [
            ("commit_groups", "Groups of writes made durable", groups),
            ("grouped_requests", "Writes in these groups", grouped),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}
