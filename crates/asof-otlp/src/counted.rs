//! Counts what is lost.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use core::time::Duration;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::limits;

/// How many spans are on their way, and how many did not get there.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Taken, and neither told nor lost.
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// Whether there was no room for the last span.
    full: AtomicBool,
    /// Why nobody answered the last message, if nobody did.
    unanswered: Mutex<Option<String>>,
}

impl Counts {
    /// Whether there is room for one more, which is taken then. The queue has as much: nothing is
    /// lost there that was not counted here.
    pub(crate) fn enters(&self) -> bool {
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < limits::QUEUE_MAX).then_some(waiting + 1)
        });
        if entered.is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            if !self.full.swap(true, Ordering::Relaxed) {
                let most = limits::QUEUE_MAX;
                tracing::warn!(most, "spans are lost: more come than the collector takes");
            }
        }
        entered.is_ok()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Nobody answered a message.
    pub(crate) fn unanswered(&self, why: String) {
        *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    fn why(&self) -> Option<String> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn left(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        self.full.store(false, Ordering::Relaxed);
    }
}

/// An exporter, and what became of what it was given.
#[derive(Debug)]
pub(crate) struct Counted<E> {
    exporter: E,
    url: String,
    counts: Arc<Counts>,
    /// Whether the last message did not get there.
    failing: AtomicBool,
}

impl<E> Counted<E> {
    pub(crate) fn new(exporter: E, url: String, counts: Arc<Counts>) -> Self {
        Self { exporter, url, counts, failing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let told = self.exporter.export(batch).await;
        let unanswered = self.counts.why();
        match &told {
            Ok(()) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(url = self.url, "the collector takes spans again");
                }
            }
            Err(error) => {
                self.counts.lost.fetch_add(count as u64, Ordering::Relaxed);
                // Once, however long it lasts: the metric says the rest.
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let why = unanswered.unwrap_or_else(|| error.to_string());
                    tracing::warn!(url = self.url, why, "spans are lost: they are not taken");
                }
            }
        }
        self.counts.left(count);
        told
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
