//! Whom the edge tells of traces, where this build can tell anybody.

use std::sync::Arc;

use asof_edge::{Plan, SpanSink};

use crate::failure::Failure;

/// Whether whoever `plan` names can be told.
#[cfg(feature = "otlp")]
pub(super) fn check(plan: &Plan) -> Result<(), Failure> {
    let settings = settings(plan);
    let checked = settings.as_ref().map_or(Ok(()), asof_otlp::Settings::check);
    checked.map_err(|error| refused(&error))
}

/// Whether nobody is to be told.
#[cfg(not(feature = "otlp"))]
pub(super) fn check(plan: &Plan) -> Result<(), Failure> {
    if plan.traces.is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        "traces: this build tells no collector: build one that does, by \
         `cargo build --release --features otlp`, or remove [traces]"
            .to_owned(),
    ))
}

/// What is told while the edge runs.
#[derive(Debug)]
pub(super) struct Told {
    #[cfg(feature = "otlp")]
    collector: Option<Arc<asof_otlp::Collector>>,
}

#[cfg(feature = "otlp")]
impl Told {
    /// Begins to tell whoever `plan` names.
    pub(super) fn begin(plan: &Plan) -> Result<Self, Failure> {
        let collector = settings(plan).as_ref().map(asof_otlp::Collector::start).transpose();
        let collector = collector.map_err(|error| refused(&error))?.map(Arc::new);
        if let Some(collector) = &collector {
            tracing::info!(url = collector.url(), "traces are told");
        }
        Ok(Self { collector })
    }

    /// Where the edge hands its spans.
    pub(super) fn sink(&self) -> Option<Arc<dyn SpanSink>> {
        self.collector.clone().map(|collector| collector as Arc<dyn SpanSink>)
    }

    /// Tells what there is still to tell.
    pub(super) fn end(self) {
        /// How long that may take.
        const LAST: core::time::Duration = core::time::Duration::from_secs(5);
        if let Some(collector) = self.collector {
            collector.stop(LAST);
        }
    }
}

#[cfg(not(feature = "otlp"))]
impl Told {
    /// As [`check`].
    pub(super) fn begin(plan: &Plan) -> Result<Self, Failure> {
        check(plan).map(|()| Self {})
    }

    /// Nowhere.
    #[expect(clippy::unused_self, reason = "a build that tells somebody asks it")]
    pub(super) fn sink(&self) -> Option<Arc<dyn SpanSink>> {
        None
    }

    /// There is nothing to tell.
    #[expect(clippy::unused_self, reason = "a build that tells somebody ends it")]
    pub(super) fn end(self) {}
}

#[cfg(feature = "otlp")]
fn settings(plan: &Plan) -> Option<asof_otlp::Settings> {
    let traces = plan.traces.as_ref()?;
    Some(asof_otlp::Settings::new(traces.endpoint.clone(), plan.ca_file.clone()))
}

#[cfg(feature = "otlp")]
fn refused(error: &asof_otlp::Refused) -> Failure {
    Failure::usage(format!("traces: {error}"))
}
