//! Has a service answer a call, and records what it reads on the way.

use std::sync::Arc;

use asof_cache::{Call, CallId, Content, Execute, Outcome, RouteDigest, Start, Unstorable};
use asof_time::Validity;
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use http_body_util::BodyExt;

use super::clock;
use super::context::Token;
use super::level::Level;
use super::root::Root;
use super::routes::Known;
use super::serve::{Reply, Served};
use super::{Inner, Run, RunningGuard};
use crate::body::Body;
use crate::config::{ServiceName, TimeInput};
use crate::headers;
use crate::problem::{Problem, ProblemKind};
use crate::spans::{Draft, SpanContext, SpanKind, names};
use crate::target::Target;
use crate::upstream::EndsWithConnection;

/// The stem of the headers that carry state values.
const STATE_STEM: &str = "asof-state-";
/// Tells a route that declares a unit of the calendar when it began.
static ASOF_TIME: HeaderName = HeaderName::from_static("asof-time");

/// What of an answer says when or by which way it came, and nothing about the answer.
const INCIDENTAL: [&str; 13] = [
    "age",
    "as-of",
    "as-of-epoch",
    "as-of-valid",
    "content-length",
    "date",
    "server-timing",
    "traceparent",
    "tracestate",
    "vary",
    "via",
    "x-request-id",
    "x-trace-id",
];

impl Inner {
    /// Executes a call of a route. `taint` says why nothing of it may be kept, if so.
    pub(crate) async fn execute(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        known: &Arc<Known>,
        execute: Execute,
        level: &Level,
        taint: Option<Unstorable>,
    ) -> Served {
        let (text, bucket) = match clock::shown(&known.route.time, root.at, call) {
            Ok(shown) => shown,
            Err(problem) => return Served::problem(problem, Unstorable::NoValidity),
        };
        let mut draft = self.asks(level.above(root), &call.method, &call.path, &call.service);
        if let Some(draft) = &mut draft {
            draft.by(known.route.path.as_str());
            if !call.release.is_empty() {
                draft.note(names::RELEASE, call.release.to_string());
            }
        }
        let span = told(draft.as_ref(), level.above(root));
        let depth = level.depth;
        let run = Run {
            root: Arc::clone(root),
            known: Some(Arc::clone(known)),
            depth,
            span: Arc::clone(&span),
        };
        let steady = self.peers.steady(self.clock.boot());
        let begun = self.begin(run, call, bucket, execute);
        let (token, guard) = match begun {
            Ok(begun) => begun,
            Err(problem) => {
                return Served::problem(problem, Unstorable::Truncated).ends(draft);
            }
        };
        if let Some(why) = taint {
            self.cache.taint(token.call, why);
        }
        let request = match request(&span, call, known, text, token, depth) {
            Ok(request) => request,
            Err(problem) => {
                return Served::problem(problem, Unstorable::Truncated).ends(draft);
            }
        };
        let target = Target::Service(known.route.service.clone());
        let limit = root.plan.limits.body_bytes;
        self.metrics.executions.inc();
        let asked = self.forwarder.forward_release(&target, &call.release, request);
        let answered = match asked.await {
            Ok(response) => gather(response, limit).await,
            Err(error) => Err(error.problem()),
        };
        let served = match answered {
            Ok(Answered::Whole(parts, body)) => {
                let service = &known.route.service;
                let of_release = self.is_of_release(root, service, &call.release, &parts.headers);
                let storable = of_release.and_then(|()| storable(&parts));
                let kept = kept_headers(&parts.headers);
                let content = Content::new(parts.status, kept, body);
                if steady.is_none() || steady != self.peers.steady(self.clock.boot()) {
                    self.cache.taint(token.call, Unstorable::PeerAway);
                }
                let answer = storable.map(|()| Arc::clone(&content));
                let fact = self.cache.finish(token.call, call, answer);
                if fact.as_ref().err() == Some(&Unstorable::Contradiction) {
                    known.trust.mismatched();
                    self.quarantine(known, "two answers for one moment");
                }
                let outcome =
                    fact.as_ref().map_or_else(|why| Outcome::Unstorable(*why), |_| Outcome::Miss);
                Served { reply: Reply::Content(content), fact, outcome }
            }
            Ok(Answered::Large(response)) => {
                self.cache.taint(token.call, Unstorable::Oversize);
                let mut response = response.map(|body| guard.around(body));
                clean(response.headers_mut());
                Served::streamed(response)
            }
            Err(problem) => Served::unanswered(problem),
        };
        if !root.is_preview() {
            known.trust.executed(served.fact.as_ref().map(|_| ()).map_err(|why| *why));
        }
        served.ends(draft)
    }

    /// Begins an execution, and names it.
    fn begin(
        self: &Arc<Self>,
        run: Run,
        call: &Arc<Call>,
        clock: Option<Validity>,
        execute: Execute,
    ) -> Result<(Token, RunningGuard), Problem> {
        let (id, nonce) = (CallId(self.random.number()), self.random.number());
        let (line, since) = (execute.line, execute.since);
        let constant = run.known.as_ref().is_some_and(|known| known.route.constant);
        let (at, context) = (run.root.at, run.root.context());
        let start = Start { call: Arc::clone(call), at, nonce, constant, clock, line, since };
        self.cache.begin_execution(id, start).map_err(|_| {
            Problem::new(ProblemKind::Overloaded, "too many executions are under way")
        })?;
        let guard = self.run(id, run);
        Ok((Token { edge: self.peers.id, context, call: id, nonce }, guard))
    }

    /// The span of asking a service or a store, if somebody records it.
    pub(crate) fn asks(
        &self,
        above: &SpanContext,
        method: &Method,
        path: &str,
        target: &str,
    ) -> Option<Draft> {
        let spans = self.spans.as_ref()?;
        let mut draft = spans.below(above, SpanKind::Client, spans.now())?;
        draft.asks(method, path);
        draft.note(names::TARGET, target.to_owned());
        Some(draft)
    }

    /// Hands a request on as it is, under the context of `root`, and keeps nothing of it. What it
    /// calls on the way is still answered at the same moment.
    pub(crate) async fn pass(
        self: &Arc<Self>,
        root: &Arc<Root>,
        service: &ServiceName,
        mut request: Request<Body>,
        why: Unstorable,
        level: &Level,
    ) -> Result<Response<Body>, Problem> {
        let release = self.release(root, service).await?.text;
        let call = Arc::new(nameless(service, request.method(), request.uri()));
        let execute = Execute { prior: None, line: None, since: self.cache.since() };
        let (method, path) = (request.method(), request.uri().path());
        let draft = self.asks(level.above(root), method, path, service.as_str());
        let (span, depth) = (told(draft.as_ref(), level.above(root)), level.depth);
        let run = Run { root: Arc::clone(root), known: None, depth, span: Arc::clone(&span) };
        let (token, guard) = self.begin(run, &call, None, execute)?;
        self.cache.taint(token.call, why);
        let headers = request.headers_mut();
        token.put(headers);
        span.put(headers);
        headers::set_depth(headers, depth);
        let target = Target::Service(service.clone());
        let answered = self.forwarder.forward_release(&target, &release, request).await;
        let answered = answered.map_err(|error| error.problem());
        let response = passed(draft, answered, why.as_str())?;
        // Nothing of it is kept anyway; but an alarm is raised.
        let _ = self.is_of_release(root, service, &release, response.headers());
        Ok(response.map(|body| guard.around(body)))
    }
}

/// The answer to what is handed on as it is; a span has ended with it.
pub(crate) fn passed(
    draft: Option<Draft>,
    answered: Result<Response<Body>, Problem>,
    why: &'static str,
) -> Result<Response<Body>, Problem> {
    if let Some(mut draft) = draft {
        match &answered {
            Ok(response) => draft.answered(response.status().as_u16(), why),
            Err(problem) => draft.unanswered(problem, why),
        }
    }
    answered
}

/// The span that somebody is asked in: its own, or the one above where that is not recorded.
pub(crate) fn told(draft: Option<&Draft>, above: &Arc<SpanContext>) -> Arc<SpanContext> {
    draft.map_or_else(|| Arc::clone(above), |draft| Arc::new(draft.context().clone()))
}

/// A call that is only named, never looked up.
fn nameless(service: &ServiceName, method: &Method, uri: &Uri) -> Call {
    Call {
        service: service.as_str().into(),
        method: method.clone(),
        path: uri.path().into(),
        query: uri.query().unwrap_or_default().into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: RouteDigest::default(),
    }
}

/// Exactly the canonical call, and the context: what the service cannot see cannot matter.
fn request(
    span: &SpanContext,
    call: &Call,
    known: &Known,
    time: Option<String>,
    token: Token,
    depth: u32,
) -> Result<Request<Body>, Problem> {
    let malformed = |detail: String| Problem::new(ProblemKind::Malformed, detail);
    let query = if call.query.is_empty() { "" } else { "?" };
    let uri: Uri = format!("{}{query}{}", call.path, call.query)
        .parse()
        .map_err(|error| malformed(format!("the path is no path: {error}")))?;
    let mut request = Request::new(Body::whole(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    let into = request.headers_mut();
    for (name, value) in &call.headers {
        let pair = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = pair {
            into.append(name, value);
        }
    }
    for (name, value) in &call.state {
        let pair =
            (HeaderName::try_from(format!("{STATE_STEM}{name}")), HeaderValue::from_str(value));
        if let (Ok(name), Ok(value)) = pair {
            into.insert(name, value);
        }
    }
    if let Some(value) = time.and_then(|text| HeaderValue::try_from(text).ok()) {
        let exact = known.route.time == TimeInput::Exact;
        into.insert(if exact { &asof_api::headers::AS_OF } else { &ASOF_TIME }, value);
    }
    token.put(into);
    span.put(into);
    headers::set_depth(into, depth);
    Ok(request)
}

/// An answer of a service or a store.
pub(crate) enum Answered {
    Whole(http::response::Parts, Bytes),
    /// Larger than what is held, or with trailers.
    Large(Response<Body>),
}

/// Reads an answer up to what is held.
pub(crate) async fn gather(response: Response<Body>, limit: u64) -> Result<Answered, Problem> {
    let (parts, mut body) = response.into_parts();
    let broken = |error: &dyn core::fmt::Display| {
        Problem::new(ProblemKind::BadGateway, format!("the service's answer broke off: {error}"))
    };
    if hyper::body::Body::size_hint(&body).lower() > limit {
        return Ok(Answered::Large(Response::from_parts(parts, body)));
    }
    let mut first: Option<Bytes> = None;
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        match frame.into_data() {
            Ok(data) if first.is_none() && more.is_empty() => first = Some(data),
            Ok(data) => {
                if let Some(first) = first.take() {
                    more.extend_from_slice(&first);
                }
                more.extend_from_slice(&data);
            }
            Err(frame) => {
                let whole = first.unwrap_or_else(|| more.freeze());
                let trailers = frame.into_trailers().ok();
                let body = http_body_util::Full::new(whole)
                    .map_err(|never| match never {})
                    .with_trailers(async move { trailers.map(Ok) });
                return Ok(Answered::Large(Response::from_parts(parts, Body::boxed(body))));
            }
        }
        let length = first.as_ref().map_or(more.len(), Bytes::len);
        if length as u64 > limit {
            let head = first.unwrap_or_else(|| more.freeze());
            let body = Body::whole_then(head, body);
            return Ok(Answered::Large(Response::from_parts(parts, body)));
        }
    }
    Ok(Answered::Whole(parts, first.unwrap_or_else(|| more.freeze())))
}

/// Whether an answer may be kept, for all that can be seen of it.
fn storable(parts: &http::response::Parts) -> Result<(), Unstorable> {
    let status = parts.status;
    let kept = status.is_success() && status != StatusCode::PARTIAL_CONTENT
        || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
        || status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    let coded =
        parts.headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity");
    if parts.extensions.get::<EndsWithConnection>().is_some() {
        Err(Unstorable::Truncated)
    } else if !kept {
        Err(Unstorable::Status)
    } else if parts.headers.contains_key(header::SET_COOKIE) {
        Err(Unstorable::SetCookie)
    } else if coded {
        Err(Unstorable::Coded)
    } else {
        Ok(())
    }
}

/// The headers that are part of the answer.
fn kept_headers(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let kept = headers.iter().filter(|(name, _)| !is_incidental(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_incidental(name: &HeaderName) -> bool {
    let text = name.as_str();
    headers::is_hop_by_hop(name)
        || INCIDENTAL.binary_search(&text).is_ok()
        || text.starts_with("asof-")
}

pub(crate) fn clean(headers: &mut HeaderMap) {
    let incidental = |name: &&HeaderName| is_incidental(name) && **name != header::CONTENT_LENGTH;
    for name in headers.keys().filter(incidental).cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}
