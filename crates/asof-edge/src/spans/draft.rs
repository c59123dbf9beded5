//! A span that has not ended yet.

use std::borrow::Cow;
use std::sync::Arc;

use asof_api::headers as wire;
use asof_env::Clock;
use http::{HeaderMap, Method, Request, Version, header};

use crate::config::Plan;
use crate::problem::Problem;
use crate::target::Target;

use super::{Attribute, Began, Span, SpanContext, SpanId, SpanKind, SpanSink};

/// The names of attributes: OpenTelemetry's semantic conventions of HTTP, and the edge's own.
pub(crate) mod names {
    pub(crate) const METHOD: &str = "http.request.method";
    pub(crate) const METHOD_ORIGINAL: &str = "http.request.method_original";
    pub(crate) const ROUTE: &str = "http.route";
    pub(crate) const STATUS: &str = "http.response.status_code";
    pub(crate) const PATH: &str = "url.path";
    pub(crate) const TEMPLATE: &str = "url.template";
    pub(crate) const SERVER: &str = "server.address";
    pub(crate) const PROTOCOL: &str = "network.protocol.version";
    pub(crate) const ERROR: &str = "error.type";
    /// How a request or an execution ended: the word of logs, metrics and pages.
    pub(crate) const OUTCOME: &str = "asof.outcome";
    /// The moment at which everything was answered.
    pub(crate) const AS_OF: &str = "asof.as_of";
    /// Where the answer is true.
    pub(crate) const VALID: &str = "asof.valid";
    /// Which listener it came to.
    pub(crate) const LISTENER: &str = "asof.listener";
    /// The service that calls.
    pub(crate) const FROM: &str = "asof.from";
    /// The service or the store that is asked.
    pub(crate) const TARGET: &str = "asof.target";
    /// Whether the answer was that to the same request before, since nothing had moved.
    pub(crate) const REPEAT: &str = "asof.repeat";
    /// Whether a store said that what is held is still so.
    pub(crate) const UNCHANGED: &str = "asof.unchanged";
    /// The release in force of the service that is asked.
    pub(crate) const RELEASE: &str = "asof.release";
}

/// A span that has not ended yet. It ends when it is dropped, however that comes.
#[derive(Debug)]
pub(crate) struct Draft {
    sink: Arc<dyn SpanSink>,
    clock: Arc<dyn Clock>,
    context: SpanContext,
    parent: Option<SpanId>,
    kind: SpanKind,
    began: Began,
    method: &'static str,
    /// What of its name is not the method.
    pattern: Option<String>,
    failure: Option<Cow<'static, str>>,
    attributes: Vec<(&'static str, Attribute)>,
}

impl Draft {
    pub(super) fn new(
        sink: Arc<dyn SpanSink>,
        clock: Arc<dyn Clock>,
        context: SpanContext,
        parent: Option<SpanId>,
        kind: SpanKind,
        began: Began,
    ) -> Self {
        let (pattern, failure, attributes) = (None, None, Vec::with_capacity(12));
        Self {
            sink,
            clock,
            context,
            parent,
            kind,
            began,
            method: "HTTP",
            pattern,
            failure,
            attributes,
        }
    }

    /// What is told to those who are asked on its behalf.
    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Says something of it. What was said before of the same is forgotten.
    pub(crate) fn note(&mut self, name: &'static str, says: impl Into<Attribute>) {
        let says = says.into();
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, said)) => *said = says,
            None => self.attributes.push((name, says)),
        }
    }

    /// Says what is asked. The query is left out: it may hold what is nobody's business.
    pub(crate) fn asks(&mut self, method: &Method, path: &str) {
        let known = known(method);
        self.method = known.unwrap_or("HTTP");
        self.note(names::METHOD, known.unwrap_or("_OTHER"));
        if known.is_none() {
            self.note(names::METHOD_ORIGINAL, method.as_str().to_owned());
        }
        self.note(names::PATH, path.to_owned());
    }

    /// Says what a request that came asks.
    pub(crate) fn asked<B>(&mut self, request: &Request<B>) {
        self.asks(request.method(), request.uri().path());
        let version = match request.version() {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        self.note(names::PROTOCOL, version);
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().host().or(host.map(without_port));
        if let Some(host) = host {
            self.note(names::SERVER, host.to_owned());
        }
    }

    /// Says by which pattern of paths it is asked.
    pub(crate) fn by(&mut self, pattern: &str) {
        self.pattern = Some(pattern.to_owned());
        let name = match self.kind {
            SpanKind::Server => names::ROUTE,
            SpanKind::Client => names::TEMPLATE,
        };
        self.note(name, pattern.to_owned());
    }

    /// Says whom it is for, and by which route.
    pub(crate) fn aimed(&mut self, plan: &Plan, target: &Target, method: &Method, path: &str) {
        self.note(names::TARGET, target.as_str().to_owned());
        if let Target::Service(name) = target
            && let Some((_, route)) =
                plan.services.get(name).and_then(|service| service.route(method, path))
        {
            self.by(route.path.as_str());
        }
    }

    /// As [`aimed`](Self::aimed), by what was said of the request before.
    pub(crate) fn aimed_again(&mut self, plan: &Plan, target: &Target) {
        let path = self.attributes.iter().find_map(|(name, says)| match says {
            Attribute::Text(path) if *name == names::PATH => Some(path.clone()),
            _ => None,
        });
        // Only such requests are answered again.
        self.aimed(plan, target, &Method::GET, path.as_deref().unwrap_or("/"));
    }

    /// Says what was answered, and how that came about.
    pub(crate) fn answered(&mut self, status: u16, outcome: &'static str) {
        self.note(names::OUTCOME, outcome);
        self.note(names::STATUS, status);
        // That there is nothing is an answer as good as any.
        let bad = match self.kind {
            SpanKind::Server => status >= 500,
            SpanKind::Client => status >= 400 && !matches!(status, 404 | 410),
        };
        if bad {
            self.failed(status.to_string());
        }
    }

    /// Says that nobody answered, and why.
    pub(crate) fn unanswered(&mut self, problem: &Problem, outcome: &'static str) {
        self.note(names::OUTCOME, outcome);
        self.failed(problem.kind.as_str());
    }

    /// Says that it failed, and by which kind of failure.
    pub(crate) fn failed(&mut self, kind: impl Into<Cow<'static, str>>) {
        let kind = kind.into();
        self.note(names::ERROR, Attribute::Text(kind.clone()));
        self.failure = Some(kind);
    }

    /// Says what an answer to a client says of its moment.
    pub(crate) fn told(&mut self, headers: &HeaderMap) {
        for (name, header) in [(names::AS_OF, &wire::AS_OF), (names::VALID, &wire::AS_OF_VALID)] {
            if let Some(text) = headers.get(header).and_then(|value| value.to_str().ok()) {
                self.note(name, text.to_owned());
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.attributes.iter().all(|(name, _)| *name != names::OUTCOME) {
            // Whoever waited for it is gone.
            self.note(names::OUTCOME, "cancelled");
        }
        let took = self.clock.boot().since(self.began.boot);
        let name = match self.pattern.take() {
            Some(pattern) => Cow::Owned(format!("{} {pattern}", self.method)),
            None => Cow::Borrowed(self.method),
        };
        let state = self.context.state.as_ref().and_then(|state| state.to_str().ok());
        self.sink.take(Span {
            trace: self.context.trace,
            id: self.context.span,
            parent: self.parent,
            state: state.map(str::to_owned),
            kind: self.kind,
            name,
            began: self.began.wall,
            took,
            failure: self.failure.take(),
            attributes: std::mem::take(&mut self.attributes),
        });
    }
}

/// The name of a method that everybody knows.
fn known(method: &Method) -> Option<&'static str> {
    let all = ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    all.into_iter().find(|known| *known == method.as_str())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
