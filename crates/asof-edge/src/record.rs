//! One line of the access log, and one count, for each request: when its answer has ended.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use asof_env::{BootTime, Clock};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{Body, BodyError};
use crate::config::Plan;
use crate::config::ServiceName;
use crate::door::Door;
use crate::engine::Answer;
use crate::metrics::Metrics;
use crate::spans::{Spans, Watched, names};
use crate::target::Target;

/// What the line says.
#[derive(Debug)]
pub(crate) struct Entry {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    began: BootTime,
    listener: &'static str,
    from: Option<ServiceName>,
    method: Method,
    path: String,
    target: Option<Target>,
    status: u16,
    outcome: &'static str,
    bytes: u64,
    whole: bool,
    /// What it is to those who look at it, where it is a client's.
    watched: Watched,
}

impl Entry {
    pub(crate) fn begin<B>(
        metrics: &Metrics,
        clock: &Arc<dyn Clock>,
        door: &Door,
        request: &Request<B>,
        spans: Option<&Spans>,
    ) -> Self {
        let listener = door.as_str();
        metrics.began(listener);
        let told = tracing::enabled!(target: "asof_edge::access", tracing::Level::INFO);
        let from = match door {
            Door::Egress(service) => Some(service.clone()),
            Door::Ingress | Door::Preview | Door::Admin | Door::Peer => None,
        };
        Self {
            began: clock.boot(),
            metrics: metrics.clone(),
            clock: Arc::clone(clock),
            listener,
            from,
            method: request.method().clone(),
            // Without the query, which may hold what is nobody's business.
            path: if told { request.uri().path().to_owned() } else { String::new() },
            target: None,
            status: 0,
            outcome: "cancelled",
            bytes: 0,
            whole: false,
            watched: spans
                .filter(|_| door.is_of_clients())
                .map_or(Watched::Not, |spans| spans.root(request)),
        }
    }

    /// Has a request carry the span that it is.
    pub(crate) fn carried(&self, headers: &mut HeaderMap) {
        match &self.watched {
            Watched::Not => {}
            Watched::Unsampled(context) => context.put(headers),
            Watched::Sampled(draft) => draft.context().put(headers),
        }
    }

    /// Says by which route a request is answered, to those who look at it.
    pub(crate) fn aimed(&mut self, plan: &Plan, target: &Target, method: &Method, path: &str) {
        if let Watched::Sampled(draft) = &mut self.watched {
            draft.aimed(plan, target, method, path);
        }
    }

    /// Says that it was answered as the same request was before.
    pub(crate) fn repeats(&mut self, plan: impl FnOnce() -> Arc<Plan>) {
        if let (Watched::Sampled(draft), Some(target)) = (&mut self.watched, &self.target) {
            draft.note(names::REPEAT, true);
            draft.aimed_again(&plan(), target);
        }
    }

    /// Says whom the request is for.
    pub(crate) fn target(&mut self, target: Target) {
        self.target = Some(target);
    }

    /// When its head was there.
    pub(crate) fn began(&self) -> BootTime {
        self.began
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let took = self.clock.boot().since(self.began);
        let listener = self.listener;
        if let Watched::Sampled(draft) = &mut self.watched {
            draft.note(names::LISTENER, listener);
            draft.answered(self.status, self.outcome);
        }
        let target = self.target.as_ref().map_or("", Target::as_str);
        self.metrics.answered(listener, target, self.status, self.outcome, took);
        tracing::info!(
            target: "asof_edge::access",
            listener,
            from = self.from.as_ref().map(ServiceName::as_str),
            method = %self.method,
            path = %self.path,
            service = target,
            status = self.status,
            outcome = self.outcome,
            bytes = self.bytes,
            whole = self.whole,
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

/// The answer, which is recorded when it has ended, and gives its place back then.
pub(crate) fn recorded(
    mut entry: Entry,
    answer: Answer,
    place: Option<OwnedSemaphorePermit>,
) -> Response<Body> {
    entry.status = answer.response.status().as_u16();
    entry.outcome = answer.outcome.0;
    entry.whole = answer.response.body().is_end_stream();
    if let Watched::Sampled(draft) = &mut entry.watched {
        draft.told(answer.response.headers());
    }
    if entry.whole {
        return answer.response;
    }
    answer.response.map(|body| Body::boxed(Recorded { body, entry, _place: place }))
}

#[derive(Debug)]
struct Recorded {
    body: Body,
    entry: Entry,
    _place: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Recorded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let count = frame.data_ref().map_or(0, Bytes::len);
                self.entry.bytes = self.entry.bytes.saturating_add(count as u64);
                self.entry.whole = self.body.is_end_stream();
            }
            Poll::Ready(None) => self.entry.whole = true,
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer was cut off");
            }
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
