//! What the edge counts.

use core::time::Duration;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of the latency histogram in seconds: from an answer out of memory to a slow service.
const LATENCY_BOUNDS: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
    10.0,
];

/// The metrics of one edge. Labels are words of the configuration, never of a request. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Counted>);

/// What is counted.
#[derive(Debug)]
pub(crate) struct Counted {
    requests: Family<RequestLabels, Counter>,
    usual: Usual<RequestLabels>,
    of_door: OfDoor,
    latency: Latency,
    upstream_failures: Family<FailureLabels, Counter>,
    /// Connections, by listener.
    pub(crate) connections: Family<DoorLabel, Gauge<i64, AtomicI64>>,
    /// Requests under way, by listener.
    pub(crate) in_flight: Family<DoorLabel, Gauge<i64, AtomicI64>>,
    /// Tunnels that are open.
    pub(crate) tunnels: Gauge<i64, AtomicI64>,
    /// Requests that were sent a second time.
    pub(crate) retries: Counter,
    /// Upstreams that were left alone for a while.
    pub(crate) ejections: Counter,
    /// Configurations loaded while running.
    pub(crate) reloads: Counter,
}

/// Counters that were counted by lately, so that no label is made to look one up. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Usual<L>(Arc<ArcSwap<Vec<(L, Counter)>>>);

/// Most counters that are kept at hand of one family.
const USUAL_MAX: usize = 64;

impl<L> Clone for Usual<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Default for Usual<L> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<L: Clone + Eq + core::hash::Hash> Usual<L> {
    /// Counts one in `family` for the labels that `is` knows and `make` makes.
    pub(crate) fn inc(
        &self,
        family: &Family<L, Counter>,
        is: impl Fn(&L) -> bool,
        make: impl FnOnce() -> L,
    ) {
        let known = self.0.load();
        if let Some((_, counter)) = known.iter().find(|(labels, _)| is(labels)) {
            counter.inc();
            return;
        }
        let labels = make();
        let counter = family.get_or_create_owned(&labels);
        counter.inc();
        if known.len() < USUAL_MAX {
            let mut more = Vec::clone(&known);
            more.push((labels, counter));
            // Whoever does the same meanwhile may be lost, and comes again.
            self.0.store(Arc::new(more));
        }
    }
}

/// What is counted of each listener on every request.
#[derive(Clone, Default, Debug)]
struct OfDoor(Arc<[OnceLock<Busy>; 3]>);

/// Requests of a listener that are under way, and how long the others took.
type Busy = (Gauge<i64, AtomicI64>, Histogram);

type Latency = Family<DoorLabel, Histogram, fn() -> Histogram>;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    listener: &'static str,
    target: String,
    status: u16,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct FailureLabels {
    target: String,
    kind: &'static str,
}

/// A listener: `ingress`, `egress` or `admin`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct DoorLabel {
    pub(crate) listener: &'static str,
}

impl core::ops::Deref for Metrics {
    type Target = Counted;

    fn deref(&self) -> &Counted {
        &self.0
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let latency: Latency = Family::new_with_constructor(|| Histogram::new(LATENCY_BOUNDS));
        Self(Arc::new(Counted {
            requests: Family::default(),
            usual: Usual::default(),
            of_door: OfDoor::default(),
            latency,
            upstream_failures: Family::default(),
            connections: Family::default(),
            in_flight: Family::default(),
            tunnels: Gauge::default(),
            retries: Counter::default(),
            ejections: Counter::default(),
            reloads: Counter::default(),
        }))
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("edge_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "edge_request_duration",
            "Time from the head of a request to the end of its answer",
            Unit::Seconds,
            self.latency.clone(),
        );
        let failures = self.upstream_failures.clone();
        registry.register("edge_upstream_failures", "Attempts that failed", failures);
        registry.register("edge_connections", "Open connections", self.connections.clone());
        registry.register("edge_in_flight", "Requests under way", self.in_flight.clone());
        registry.register("edge_tunnels", "Upgraded connections", self.tunnels.clone());
        registry.register("edge_retries", "Requests sent a second time", self.retries.clone());
        let ejections = self.ejections.clone();
        registry.register("edge_ejections", "Upstreams left alone for a while", ejections);
        registry.register("edge_reloads", "Configurations reloaded", self.reloads.clone());
    }

    /// Counts one answer, which ends its request.
    pub(crate) fn answered(
        &self,
        listener: &'static str,
        target: &str,
        status: u16,
        outcome: &'static str,
        took: Duration,
    ) {
        let is = |known: &RequestLabels| {
            let same = (known.listener, known.status, known.outcome) == (listener, status, outcome);
            same && known.target == target
        };
        let make = || RequestLabels { listener, target: target.to_owned(), status, outcome };
        self.usual.inc(&self.requests, is, make);
        self.with_door(listener, |in_flight, latency| {
            in_flight.dec();
            latency.observe(took.as_secs_f64());
        });
    }

    /// Counts one request that begins.
    pub(crate) fn began(&self, listener: &'static str) {
        self.with_door(listener, |in_flight, _| {
            in_flight.inc();
        });
    }

    fn with_door(
        &self,
        listener: &'static str,
        count: impl FnOnce(&Gauge<i64, AtomicI64>, &Histogram),
    ) {
        let place = match listener {
            "ingress" => 0,
            "egress" => 1,
            _ => 2,
        };
        if let Some(of_door) = self.of_door.0.get(place) {
            let (in_flight, latency) = of_door.get_or_init(|| {
                let label = DoorLabel { listener };
                let in_flight = self.in_flight.get_or_create_owned(&label);
                (in_flight, self.latency.get_or_create_owned(&label))
            });
            count(in_flight, latency);
        }
    }

    /// Counts an attempt on an upstream that failed.
    pub(crate) fn upstream_failed(&self, target: &str, kind: &'static str) {
        let labels = FailureLabels { target: target.to_owned(), kind };
        self.upstream_failures.get_or_create(&labels).inc();
    }
}
