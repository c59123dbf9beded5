//! What is measured when somebody looks: stores, routes that are held back, the cache.

use core::fmt::Error;
use core::time::Duration;
use std::sync::Weak;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Inner;
use crate::spans::Spans;

/// Looks at an engine for as long as there is one.
#[derive(Debug)]
pub(crate) struct Gauges(pub(crate) Weak<Inner>);

/// A value for each store.
struct OfStores<'o> {
    name: &'static str,
    help: &'static str,
    values: Vec<(&'o str, f64)>,
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let Some(inner) = self.0.upgrade() else { return Ok(()) };
        let plan = inner.plan.load();
        let names = plan.as_ref().iter().flat_map(|plan| plan.stores.keys());
        let names: Vec<&str> = names.map(crate::config::StoreName::as_str).collect();
        for family in stores(&inner, &names) {
            let kind = ConstGauge::new(0.0).metric_type();
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (store, value) in family.values {
                let labels = [("store", store)];
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
        }
        for (name, help, value) in gauges(&inner) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let lost = inner.spans.as_ref().map(Spans::lost);
        let figures = inner.cache.figures();
        let evicted = "Calls dropped for want of memory";
        let inside = "Calls dropped for want of memory though a rollback may ask for them";
        for (name, help, value) in [
            ("edge_cache_evicted", evicted, figures.evicted),
            ("edge_cache_evicted_inside_window", inside, figures.evicted_inside_window),
        ]
        .into_iter()
        .chain(lost.map(|lost| ("edge_spans_lost", "Spans that no collector was told of", lost)))
        {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                counter.metric_type(),
            )?)?;
        }
        Ok(())
    }
}

/// How far the edge is with each store. One that was never heard of has been silent for ever.
fn stores<'n>(inner: &Inner, names: &[&'n str]) -> [OfStores<'n>; 3] {
    let (now, wall) = (inner.clock.boot(), inner.clock.wall());
    let of = |value: &dyn Fn(&super::stores::View) -> f64, never: f64| {
        let view = |name: &str| inner.stores.get(name).and_then(|store| *store.view.borrow());
        let value = |name: &&'n str| (*name, view(name).as_ref().map_or(never, value));
        names.iter().map(value).collect()
    };
    let silent = |since: Duration| since.as_secs_f64();
    [
        OfStores {
            name: "edge_store_silent_seconds",
            help: "How long the feed of a store has said nothing",
            values: of(&|view| silent(now.since(view.heard)), f64::INFINITY),
        },
        OfStores {
            name: "edge_store_lag_seconds",
            help: "How far what the edge knows of a store is behind the clock",
            values: of(&|view| wall.since(view.through).as_secs_f64(), f64::INFINITY),
        },
        OfStores {
            name: "edge_store_capped",
            help: "Whether an operator holds readers of a store at a moment",
            values: of(&|view| if view.cap.is_some() { 1.0 } else { 0.0 }, 0.0),
        },
    ]
}

/// Counts of routes, and the size of the cache.
fn gauges(inner: &Inner) -> [(&'static str, &'static str, f64); 5] {
    let routes = inner.routes.load();
    let standings = routes.all().map(|known| known.trust.standing());
    let (mut quarantined, mut bypassed) = (0.0, 0.0);
    for standing in standings {
        quarantined += if standing.quarantine.is_some() { 1.0 } else { 0.0 };
        bypassed += if standing.bypassed { 1.0 } else { 0.0 };
    }
    let figures = inner.cache.figures();
    #[expect(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
    let (entries, bytes) = (figures.entries as f64, figures.bytes as f64);
    [
        (
            "edge_routes_quarantined",
            "Routes that gave a wrong answer and are held back",
            quarantined,
        ),
        ("edge_routes_bypassed", "Routes that an operator sends past the cache", bypassed),
        (
            "edge_releases_unknown",
            "Whether releases are to be read in a space that the store does not know",
            if inner.kept.is_unknown() { 1.0 } else { 0.0 },
        ),
        ("edge_cache_entries", "Calls with results", entries),
        ("edge_cache_bytes", "Bytes that calls, results and traces hold, about", bytes),
    ]
}
