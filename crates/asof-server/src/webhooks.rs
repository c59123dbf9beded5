//! What is counted of webhooks. Whoever runs the service sends to them, and tells here how it goes.

use core::time::Duration;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Figures by webhook. Clones count the same.
#[derive(Clone, Debug, Default)]
pub struct WebhookFigures {
    delivered: Family<Label, Counter>,
    failures: Family<Label, Counter>,
    behind: Family<Label, Gauge>,
    lag: Family<Label, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Label {
    webhook: String,
}

impl Label {
    fn of(webhook: &str) -> Self {
        Self { webhook: webhook.to_owned() }
    }
}

impl WebhookFigures {
    /// A message was taken.
    pub fn delivered(&self, webhook: &str) {
        self.delivered.get_or_create(&Label::of(webhook)).inc();
    }

    /// An attempt failed.
    pub fn failed(&self, webhook: &str) {
        self.failures.get_or_create(&Label::of(webhook)).inc();
    }

    /// So many records are still to be looked at, the oldest of this age.
    pub fn behind(&self, webhook: &str, records: u64, oldest: Duration) {
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        self.behind.get_or_create(&Label::of(webhook)).set(records);
        self.lag.get_or_create(&Label::of(webhook)).set(oldest.as_secs_f64());
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("webhook_delivered", "Messages taken", self.delivered.clone());
        registry.register("webhook_failures", "Attempts that failed", self.failures.clone());
        registry.register("webhook_behind", "Control records not yet told", self.behind.clone());
        registry.register(
            "webhook_lag_seconds",
            "Age of the oldest control record that is not yet told",
            self.lag.clone(),
        );
    }
}
