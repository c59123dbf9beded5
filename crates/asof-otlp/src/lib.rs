//! Tells a collector of the edge's spans, by OTLP over HTTP.
//!
//! OpenTelemetry's own exporter makes the messages, sends them again where that helps, and reads the
//! standard environment; its batch processor has the thread and the queue. What is added here: our
//! HTTP client, whose TLS takes no C, and a count of what is lost, which that queue keeps to itself.

mod counted;
mod limits;
mod record;
mod sender;

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use asof_edge::{Span, SpanSink};
use http::Uri;
use opentelemetry::Key;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanExporter as _, SpanProcessor as _,
};

use self::counted::{Counted, Counts};
use self::sender::Sender;

/// Where a collector is that nobody says anything of.
const ENDPOINT: &str = "http://localhost:4318";
/// What the edge is called unless the environment says otherwise.
const SERVICE: &str = "asof-edge";

/// Who is told, and how often.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base URL of a collector, which takes spans at `/v1/traces` below it. Where `None`, the
    /// environment says so: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, which is the whole URL, or
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, a base; else it is `http://localhost:4318`.
    pub endpoint: Option<Uri>,
    /// The PEM file of those who vouch for the collector, unless `OTEL_EXPORTER_OTLP_CERTIFICATE`
    /// names another; where neither does, whoever the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// How long a span waits for others to be told with. Where `None`, as `OTEL_BSP_SCHEDULE_DELAY`
    /// says, or 5 s.
    pub interval: Option<Duration>,
}

impl Settings {
    /// Tells `endpoint`, every few seconds.
    pub fn new(endpoint: Option<Uri>, ca_file: Option<PathBuf>) -> Self {
        Self { endpoint, ca_file, interval: None }
    }

    /// Whether they can be gone by.
    ///
    /// # Errors
    ///
    /// As [`Collector::start`].
    pub fn check(&self) -> Result<(), Refused> {
        self.sender(&Arc::default()).map(drop)
    }

    fn sender(&self, counts: &Arc<Counts>) -> Result<Sender, Refused> {
        Sender::new(&self.url(), self.ca_file.as_deref(), Arc::clone(counts))
    }

    /// The whole URL that spans go to.
    fn url(&self) -> String {
        url(self.endpoint.as_ref(), |name| std::env::var(name).ok())
    }
}

/// Says why nobody can be told.
#[derive(Debug)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Refused {}

/// Takes spans and tells a collector, from a thread of its own.
#[derive(Debug)]
pub struct Collector {
    url: String,
    processor: BatchSpanProcessor,
    counts: Arc<Counts>,
}

impl Collector {
    /// Begins. Nothing is sent before there is something to tell.
    ///
    /// # Errors
    ///
    /// Where the URL is none, or there are no certificates to trust.
    pub fn start(settings: &Settings) -> Result<Self, Refused> {
        let url = settings.url();
        let counts = Arc::<Counts>::default();
        let sender = settings.sender(&counts)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(sender)
            .with_endpoint(&url)
            .build()
            .map_err(|error| Refused(format!("`{url}`: {error}")))?;
        let mut exporter = Counted::new(exporter, url.clone(), Arc::clone(&counts));
        exporter.set_resource(&resource());
        let mut config = BatchConfigBuilder::default()
            .with_max_queue_size(limits::QUEUE_MAX)
            .with_max_export_batch_size(limits::BATCH_MAX);
        if let Some(interval) = settings.interval {
            config = config.with_scheduled_delay(interval);
        }
        let builder = BatchSpanProcessor::builder(exporter);
        let processor = builder.with_batch_config(config.build()).build();
        Ok(Self { url, processor, counts })
    }

    /// Where spans go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells what there is and takes nothing any more. Blocks for as long as `within`.
    pub fn stop(&self, within: Duration) {
        if let Err(error) = self.processor.shutdown_with_timeout(within) {
            tracing::warn!(url = self.url, %error, "not all spans were told");
        }
    }
}

impl SpanSink for Collector {
    fn take(&self, span: Span) {
        if self.counts.enters() {
            self.processor.on_end(record::of(span));
        }
    }

    fn lost(&self) -> u64 {
        self.counts.lost()
    }
}

/// The whole URL that spans go to.
fn url(endpoint: Option<&Uri>, says: impl Fn(&str) -> Option<String>) -> String {
    let says = |name| says(name).filter(|value| !value.trim().is_empty());
    let below = |base: &str| format!("{}/v1/traces", base.trim().trim_end_matches('/'));
    if let Some(endpoint) = endpoint {
        return below(&endpoint.to_string());
    }
    let whole = says(opentelemetry_otlp::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
    let base = || says(opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT);
    whole.map_or_else(
        || base().map_or_else(|| below(ENDPOINT), |base| below(&base)),
        |whole| whole.trim().to_owned(),
    )
}

/// What tells: named by the environment, or as what it is.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name"));
    let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let builder = Resource::builder();
    if is_named { builder } else { builder.with_service_name(SERVICE) }.build()
}

#[cfg(test)]
mod tests;
