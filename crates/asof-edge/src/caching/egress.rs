//! The calls that services make: inputs of the executions on whose behalf they are made.

use std::sync::Arc;

use asof_api::headers as wire;
use asof_cache::{
    Arrival, Bypass, Call as CacheCall, CallId, Hands, Line, Observed, Slot, Unstorable,
};
use http::{HeaderMap, Method, Request, Response};

use super::auth::Identity;
use super::context::{Carried, Token, carried};
use super::execute::{passed, told};
use super::ingress::{answer, bounded, bypass};
use super::level::Level;
use super::origin::Read;
use super::peers::{Arrived, Visit};
use super::{Inner, Run, canonical, hold, preview, reply};
use crate::body::Body;
use crate::config::{Plan, ServiceName, StoreName};
use crate::engine::{Answer, Call, Outcome};
use crate::headers;
use crate::problem::{Problem, ProblemKind};
use crate::spans::{Began, Draft, SpanContext, SpanKind, Spans, names};
use crate::target::Target;

/// The execution that a call belongs to.
struct Parent {
    recorded: Recorded,
    line: Option<Arc<Line>>,
    run: Run,
    /// Where in the tree the call is.
    level: Level,
}

/// Where the execution is recorded, and the place of the call among its inputs.
#[derive(Clone)]
enum Recorded {
    Here { id: CallId, slot: Slot },
    Abroad(Arc<Visit>),
}

/// What is known of the execution that a call belongs to.
enum Found {
    Parent(Parent),
    /// None is known. Whatever it may be is not kept.
    Nobody,
    Refused(Problem),
}

impl Inner {
    /// Answers a call of `from`.
    pub(crate) async fn egress(self: &Arc<Self>, from: ServiceName, call: Call) -> Answer {
        let began = self.spans.as_ref().map(Spans::now);
        let sent = SpanContext::of(call.request.headers());
        let found = self.parent(&from, call.request.headers(), &call.plan).await;
        // What the service says is nearer to the truth than what it was told, if it is of the tree.
        let above = match &found {
            Found::Parent(Parent { run, .. }) => {
                let sent = sent.filter(|sent| sent.trace == run.span.trace).map(Arc::new);
                Some(sent.unwrap_or_else(|| Arc::clone(&run.span)))
            }
            Found::Nobody | Found::Refused(_) => sent.map(Arc::new),
        };
        let mut draft = self.asked(&from, &call, above.as_deref(), began);
        let span = above.map(|above| told(draft.as_ref(), &above));
        let answer = self.called(found, span, call).await;
        if let Some(draft) = &mut draft {
            draft.answered(answer.response.status().as_u16(), answer.outcome.0);
        }
        answer
    }

    /// The span of a call of a service, if somebody records it.
    fn asked(
        &self,
        from: &ServiceName,
        call: &Call,
        above: Option<&SpanContext>,
        began: Option<Began>,
    ) -> Option<Draft> {
        let mut draft = self.spans.as_ref()?.below(above?, SpanKind::Server, began?)?;
        draft.asked(&call.request);
        draft.aimed(&call.plan, &call.target, call.request.method(), call.request.uri().path());
        draft.note(names::LISTENER, "egress");
        draft.note(names::FROM, from.as_str().to_owned());
        Some(draft)
    }

    /// Answers a call, below `span`.
    async fn called(
        self: &Arc<Self>,
        found: Found,
        span: Option<Arc<SpanContext>>,
        mut call: Call,
    ) -> Answer {
        let mut parent = match found {
            Found::Parent(parent) => parent,
            Found::Nobody => {
                if let Some(span) = span {
                    span.put(call.request.headers_mut());
                }
                return self.without(call, Bypass::NoContext).await;
            }
            Found::Refused(problem) => return Answer::problem(&problem, Outcome::REFUSED),
        };
        parent.level.span = span;
        if parent.level.depth >= call.plan.limits.call_depth {
            let detail = format!("calls are nested more than {} deep", parent.level.depth);
            return Answer::problem(&Problem::new(ProblemKind::Loop, detail), Outcome::REFUSED);
        }
        let answer = match &call.target {
            Target::Store(name) => {
                let name = name.clone();
                self.store_call(&parent, &name, call.request).await
            }
            Target::Service(name) => {
                let name = name.clone();
                self.service_call(&parent, &name, call.request).await
            }
        };
        // Whoever records the tree knows of the answer before anybody has it.
        if let Recorded::Abroad(visit) = &parent.recorded
            && let Err(problem) = self.deliver(visit, &parent.run.root).await
        {
            return Answer::problem(&problem, Outcome::REFUSED);
        }
        answer.unwrap_or_else(|problem| Answer::problem(&problem, Outcome::UPSTREAM_FAILED))
    }

    /// The execution on whose behalf a service calls. Where that is not known, any execution of
    /// the service may be the one, and none of them is kept, at no edge.
    async fn parent(
        self: &Arc<Self>,
        from: &ServiceName,
        headers: &HeaderMap,
        plan: &Arc<Plan>,
    ) -> Found {
        let token = match carried(headers) {
            Carried::Token(token) => token,
            Carried::Several(tokens) => {
                for token in tokens.iter().filter(|token| token.edge == self.peers.id) {
                    self.cache.taint(token.call, Unstorable::LeakedContext);
                }
                return self.stranger(from, "several contexts", &tokens).await;
            }
            Carried::Nothing => return self.stranger(from, "no context", &[]).await,
        };
        if token.edge != self.peers.id {
            return match self.arrive_abroad(token, from, plan, headers).await {
                Arrived::Input { visit, root, depth, leaked } => {
                    if leaked && let Err(problem) = self.taint_everywhere(from, &[]).await {
                        return Found::Refused(problem);
                    }
                    let span = Arc::clone(root.span());
                    let run = Run { root, known: None, depth, span };
                    Found::Parent(Parent {
                        recorded: Recorded::Abroad(visit),
                        line: None,
                        run,
                        level: Level::of(depth),
                    })
                }
                Arrived::Late => Found::Nobody,
                Arrived::Unknown => self.stranger(from, "a context that nobody gave it", &[]).await,
                Arrived::Refused(problem) => Found::Refused(problem),
            };
        }
        match self.cache.arrive(token.call, token.nonce, from.as_str()) {
            Arrival::Input { slot, line, hands, .. } => {
                if hands == Hands::Others
                    && let Err(problem) = self.taint_everywhere(from, &[]).await
                {
                    return Found::Refused(problem);
                }
                let Some(run) = self.running().get(&token.call).cloned() else {
                    return Found::Nobody;
                };
                let level = Level::of(run.depth + 1);
                let recorded = Recorded::Here { id: token.call, slot };
                Found::Parent(Parent { recorded, line, run, level })
            }
            Arrival::Late(stored) => {
                self.late(from.as_str(), stored.as_deref());
                Found::Nobody
            }
            Arrival::Unknown => self.stranger(from, "a context that nobody gave it", &[]).await,
        }
    }

    /// A call came after the answer of its execution: what was stored of that is dropped already.
    pub(crate) fn late(&self, from: &str, stored: Option<&CacheCall>) {
        self.metrics.late.inc();
        tracing::warn!(service = from, stored = stored.is_some(), "a call came after the answer");
        let Some(call) = stored else { return };
        self.peers.disown(&self.cache);
        let routes = self.routes.load();
        let route = routes.all().find(|known| known.digest == call.route);
        if let Some(known) = route {
            self.quarantine(known, "its service called out after it had answered");
        }
    }

    async fn stranger(
        self: &Arc<Self>,
        from: &ServiceName,
        what: &str,
        contexts: &[Token],
    ) -> Found {
        self.metrics.strangers.inc();
        tracing::debug!(service = %from, what, "a call belongs to no known execution");
        match self.taint_everywhere(from, contexts).await {
            Ok(()) => Found::Nobody,
            Err(problem) => Found::Refused(problem),
        }
    }

    /// Nothing that the service executes now is kept, at no edge.
    pub(crate) async fn taint_everywhere(
        self: &Arc<Self>,
        service: &ServiceName,
        contexts: &[Token],
    ) -> Result<(), Problem> {
        self.cache.taint_service(service.as_str());
        self.tell_stranger(service.as_str(), contexts).await
    }

    /// Something came of a call, or of what is read on its way: `slot` is its place, where it is
    /// recorded here.
    fn settle(&self, recorded: &Recorded, observed: Observed) {
        match recorded {
            Recorded::Here { id, slot } => self.cache.settle(*id, *slot, &observed),
            Recorded::Abroad(visit) => visit.saw(observed),
        }
    }

    fn taint(&self, parent: &Parent, why: Unstorable) {
        match &parent.recorded {
            Recorded::Here { id, .. } => self.cache.taint(*id, why),
            Recorded::Abroad(visit) => visit.taint(why),
        }
    }

    /// The place behind that of a call, for the call itself: its release is read first.
    fn behind(&self, recorded: &Recorded) -> Recorded {
        match recorded {
            Recorded::Here { id, slot } => {
                Recorded::Here { id: *id, slot: self.cache.reserve(*id).unwrap_or(*slot) }
            }
            Recorded::Abroad(visit) => Recorded::Abroad(Arc::clone(visit)),
        }
    }

    async fn service_call(
        self: &Arc<Self>,
        parent: &Parent,
        name: &ServiceName,
        request: Request<Body>,
    ) -> Result<Answer, Problem> {
        let root = &parent.run.root;
        // The release is read first, so that it is also looked at first when all of this is
        // verified: where it is another, nobody asks the old one anything.
        let behind = root.plan.releases.as_ref().map(|_| self.behind(&parent.recorded));
        let known =
            root.routes.find(name.as_str(), request.method(), request.uri().path()).cloned();
        let known = match bypass(known.as_ref(), &request, &Identity::default()) {
            Ok(known) => known,
            Err(why) => return self.service_pass(parent, name, request, why).await,
        };
        let (parts, body) = request.into_parts();
        let body = bounded(body, root.plan.limits.body_bytes).await?;
        let release = self.release(root, name).await?;
        let mut place = parent.recorded.clone();
        if let Some(input) = release.input {
            self.settle(&place, input);
            place = behind.unwrap_or(place);
        }
        let (state, _) = self.states(root, known).await?;
        let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
        let call = canonical::call(known, method, uri, headers, state, release.text, body);
        let (line, level) = (parent.line.clone(), parent.level.clone());
        let served = self.serve(root, Arc::clone(&call), line, level).await;
        let observed = Observed { key: call.key(), call, fact: served.fact.clone() };
        self.settle(&place, observed);
        let outcome = served.outcome.as_str();
        self.metrics.count(name.as_str(), outcome);
        Ok(answer(headless(&parts.method, reply::inward(served)), outcome))
    }

    /// What is not cached goes to the service as it is, and its caller is not kept.
    async fn service_pass(
        self: &Arc<Self>,
        parent: &Parent,
        name: &ServiceName,
        mut request: Request<Body>,
        bypass: Bypass,
    ) -> Result<Answer, Problem> {
        let writes = may_write(request.method());
        let why = if writes { Unstorable::Write } else { Unstorable::NoValidity };
        self.taint(parent, why);
        headers::strip_context(request.headers_mut());
        request.headers_mut().remove(http::header::HOST);
        let root = &parent.run.root;
        let mut response = self.pass(root, name, request, why, &parent.level).await?;
        headers::strip_context(response.headers_mut());
        self.metrics.count(name.as_str(), bypass.as_str());
        Ok(answer(response, bypass.as_str()))
    }

    async fn store_call(
        self: &Arc<Self>,
        parent: &Parent,
        name: &StoreName,
        request: Request<Body>,
    ) -> Result<Answer, Problem> {
        let root = &parent.run.root;
        if !parent.run.declares(name) {
            self.taint(parent, Unstorable::UndeclaredStore);
            let detail = format!(
                "the store `{name}` is not declared by the route that reads it, or by that of the \
                 client's request"
            );
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let query = uri.query().unwrap_or_default();
        let named = request.headers().contains_key(&wire::AS_OF)
            || request.headers().contains_key(&wire::ACCEPT_DATETIME);
        if may_write(&method) || named || Read::of(uri.path(), query).is_none() {
            return self.store_pass(parent, name, request).await;
        }
        let call = canonical::read(name.as_str(), uri.path(), query);
        let (line, level) = (parent.line.clone(), parent.level.clone());
        let served = self.serve(root, Arc::clone(&call), line, level).await;
        let observed = Observed { key: call.key(), call, fact: served.fact.clone() };
        self.settle(&parent.recorded, observed);
        let outcome = served.outcome.as_str();
        self.metrics.count(name.as_str(), outcome);
        Ok(answer(headless(&method, reply::inward(served)), outcome))
    }

    /// What is not cached goes to the store as it is; a read of it still sees the one moment.
    async fn store_pass(
        self: &Arc<Self>,
        parent: &Parent,
        name: &StoreName,
        mut request: Request<Body>,
    ) -> Result<Answer, Problem> {
        let root = &parent.run.root;
        let path = request.uri().path();
        let reads = hold::reads(request.method(), path);
        // The store's own affairs, such as its time or its feed, are of no moment.
        let of_a_moment = path.starts_with("/v1/spaces/") || path == "/v1/read";
        let why = if reads { Unstorable::NoValidity } else { Unstorable::Write };
        self.taint(parent, why);
        if root.is_preview() && (of_a_moment || !reads) {
            let store = self.stores.get(name.as_str());
            let authorization = store.as_ref().and_then(|store| store.preview.as_ref());
            preview::ahead(&mut request, reads, root.at, authorization)?;
        } else if reads && of_a_moment {
            hold::hold(&mut request, root.at)?;
        }
        let headers = request.headers_mut();
        headers::strip_context(headers);
        headers.remove(http::header::HOST);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let draft = self.asks(parent.level.above(root), &method, &path, name.as_str());
        if let Some(draft) = &draft {
            draft.context().put(request.headers_mut());
        }
        let target = Target::Store(name.clone());
        let answered = self.forwarder.forward(&target, request).await;
        let answered = answered.map_err(|error| error.problem());
        let mut response = passed(draft, answered, why.as_str())?;
        if let Some(token) = response.headers().get(&wire::ASOF_TOKEN) {
            let token = token.to_str().ok().and_then(|text| text.parse().ok());
            if let Some(token) = token {
                root.wrote(token);
            }
        }
        headers::strip_context(response.headers_mut());
        hold::forget(response.headers_mut());
        self.metrics.count(name.as_str(), Bypass::Method.as_str());
        Ok(answer(response, Bypass::Method.as_str()))
    }
}

/// Whether a method is one that may change something (RFC 9110, 9.2.1).
fn may_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The head alone, where that is what was asked for.
fn headless(method: &Method, response: Response<Body>) -> Response<Body> {
    if *method == Method::HEAD { response.map(|_| Body::empty()) } else { response }
}
