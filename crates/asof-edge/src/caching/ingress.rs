//! Requests of clients: the root of a request tree.

use std::sync::Arc;

use asof_api::headers as wire;
use asof_cache::{Bypass, Outcome, Unstorable};
use asof_time::Validity;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};

use super::auth::{self, Denied, Identity};
use super::moment::Choice;
use super::named::{self, Named};
use super::root::{Gathered, Root};
use super::routes::{Known, Routes};
use super::session::{self, Transport};
use super::{Inner, canonical, reply, service};
use crate::body::Body;
use crate::config::{Mode, ServiceName};
use crate::engine::{self, Answer, Call, Origin};
use crate::headers;
use crate::limits;
use crate::problem::{Problem, ProblemKind};

impl Inner {
    /// Answers a request of a client.
    pub(crate) async fn ingress(self: &Arc<Self>, mut call: Call) -> Answer {
        let Some(name) = service(&call.target).cloned() else {
            return refused(&Problem::new(ProblemKind::NoSuchTarget, "stores are not for clients"));
        };
        let plan = Arc::clone(&call.plan);
        if let Some(cookie) = &plan.session_cookie {
            session::take(call.request.headers_mut(), cookie);
        }
        let routes = self.routes.load_full();
        let (method, path) = (call.request.method(), call.request.uri().path());
        let known = routes.find(name.as_str(), method, path).cloned();
        let named = match named::take(&mut call.request, known.as_ref().map(|known| &known.route)) {
            Ok(named) => named,
            Err(problem) => return refused(&problem),
        };
        let who = match self.admit(&mut call, &routes, &name, known.as_ref()).await {
            Ok(who) => who,
            Err(denied) => {
                self.metrics.denials.inc();
                return answer(denied.answer(), engine::Outcome::REFUSED.0);
            }
        };
        let (asked, uri) = (call.request.headers(), call.request.uri());
        let mut root = match self.gather(&plan, known.as_ref(), asked, uri, &who).await {
            Gathered::Root(root) => root,
            // A route that is off has nothing to do with stores, and so not with their loss.
            Gathered::Refused(problem)
                if problem.kind == ProblemKind::Unavailable
                    && known.as_ref().is_none_or(|known| known.route.mode == Mode::Off) =>
            {
                return self.without(call, Bypass::StoreAway).await;
            }
            Gathered::Refused(problem) => return refused(&problem),
            Gathered::Pass => return self.without(call, Bypass::StoreAway).await,
        };
        if let Err(problem) = named::check(named, &root) {
            return refused(&problem);
        }
        let secure = plan.tls_terminated_elsewhere
            || matches!(call.origin, Origin::Client { tls: true, .. });
        let mut answer = match bypass(known.as_ref(), &call.request, &who) {
            Ok(known) => {
                let (parts, body) = call.request.into_parts();
                let body = match bounded(body, plan.limits.body_bytes).await {
                    Ok(body) => body,
                    Err(problem) => return refused(&problem),
                };
                let asked = Whole { parts, body, known, named, depth: call.depth };
                let answer = self.cached(&root, &asked).await;
                match self.below_the_cap(&root, &asked, &who).await {
                    Some(lower) => {
                        root = lower;
                        self.cached(&root, &asked).await
                    }
                    None => answer,
                }
            }
            Err(why) => self.bypassed(&root, &name, call, why).await,
        };
        if self.is_restored(&root) {
            let detail = "a store was restored while this was answered: ask again";
            return refused(&Problem::new(ProblemKind::Unavailable, detail));
        }
        let transport = if secure { Transport::Secure } else { Transport::Plain };
        finish(&root, answer.response.headers_mut(), transport);
        self.metrics.count(name.as_str(), answer.outcome.0);
        answer
    }

    /// Who asks, if they may.
    async fn admit(
        &self,
        call: &mut Call,
        routes: &Routes,
        name: &ServiceName,
        known: Option<&Arc<Known>>,
    ) -> Result<Identity, Denied> {
        let who = self.identify(call).await?;
        let path = call.request.uri().path();
        auth::permitted(&call.plan, routes, name.as_str(), path, known, &who)?;
        Ok(who)
    }

    /// Whether a store began another timeline since the moment was taken.
    fn is_restored(&self, root: &Root) -> bool {
        let epoch = |name: &str| {
            let store = self.stores.get(name)?;
            let view = *store.view.borrow();
            view.map(|view| view.epoch)
        };
        root.epochs.iter().any(|(name, known)| epoch(name.as_str()) != Some(*known))
    }

    /// The root of the same request once more, where a cap came in between and the stores refused
    /// what they had been asked below it. Nobody but the edge chose that moment.
    async fn below_the_cap(
        &self,
        root: &Arc<Root>,
        asked: &Whole<'_>,
        who: &Identity,
    ) -> Option<Arc<Root>> {
        let store = root.overtaken_in.get()?;
        if root.choice == Choice::Asked || !asked.parts.method.is_safe() {
            return None;
        }
        // The store knows of its cap before the edge does.
        let mut views = self.stores.get(store.as_str())?.view.subscribe();
        let lower = views.wait_for(|view| view.is_some_and(|view| view.latest() < root.at));
        // Where it is not heard of, or is gone again, the latest moment is as good.
        drop(tokio::time::timeout(limits::SESSION_WAIT, lower).await);
        let Whole { parts, known, .. } = asked;
        match self.gather(&root.plan, Some(known), &parts.headers, &parts.uri, who).await {
            Gathered::Root(root) => Some(root),
            Gathered::Pass | Gathered::Refused(_) => None,
        }
    }

    async fn cached(self: &Arc<Self>, root: &Arc<Root>, asked: &Whole<'_>) -> Answer {
        let Whole { parts, body, known, named, depth } = asked;
        let release = match self.release(root, &known.route.service).await {
            Ok(release) => release,
            Err(problem) => return refused(&problem),
        };
        let (state, mut validities) = match self.states(root, &known.route.state).await {
            Ok(states) => states,
            Err(problem) => return refused(&problem),
        };
        validities.push(release.validity);
        let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
        let body = body.clone();
        let call = canonical::call(known, method, uri, headers, state, release.text, body);
        let served = self.serve(root, call, None, *depth).await;
        // What the client is told holds only while its settings and the release are what they are.
        let validity = validities.into_iter().fold(
            served.fact.as_ref().ok().map(|fact| fact.validity),
            |known: Option<Validity>, state| known.and_then(|known| known.intersect(state?)),
        );
        let outcome = served.outcome;
        let is_problem = served.content().is_none();
        let mut response = reply::outward(root, &parts.method, &parts.headers, served, validity);
        if !is_problem {
            named::describe(known, *named, root, validity.is_some(), response.headers_mut());
        }
        Answer { response, outcome: engine::Outcome(outcome.as_str()) }
    }

    /// Hands the request on whole, under the context, and keeps nothing of it.
    async fn bypassed(
        self: &Arc<Self>,
        root: &Arc<Root>,
        name: &ServiceName,
        call: Call,
        why: Bypass,
    ) -> Answer {
        let depth = call.depth;
        let request = prepared(call);
        let passed = self.pass(root, name, request, Unstorable::NoValidity, depth).await;
        let mut response = match passed {
            Ok(response) => response,
            Err(problem) => return Answer::problem(&problem, engine::Outcome::UPSTREAM_FAILED),
        };
        let headers = response.headers_mut();
        headers::strip_outward(headers);
        // Of who may keep it nothing is known: what the service did not say, the edge does not either.
        reply::describe(root, Outcome::Bypass(why), None, headers);
        Answer { response, outcome: engine::Outcome(why.as_str()) }
    }

    /// Hands the request on without a context: no store says which moment it is.
    pub(crate) async fn without(self: &Arc<Self>, call: Call, why: Bypass) -> Answer {
        let target = call.target.clone();
        let depth = call.depth;
        let client = matches!(call.origin, Origin::Client { .. });
        let mut request = if client { prepared(call) } else { call.request };
        headers::strip_context(request.headers_mut());
        headers::set_depth(request.headers_mut(), depth);
        // No moment says which release is in force: the last one known of takes its place.
        let release = self.versions.last(target.as_str());
        match self.forwarder.forward_release(&target, &release, request).await {
            Ok(mut response) => {
                headers::strip_outward(response.headers_mut());
                self.metrics.count(target.as_str(), why.as_str());
                Answer { response, outcome: engine::Outcome(why.as_str()) }
            }
            Err(error) => Answer::problem(&error.problem(), engine::Outcome::UPSTREAM_FAILED),
        }
    }
}

/// A request that the engine answers, read whole.
struct Whole<'r> {
    parts: http::request::Parts,
    body: Bytes,
    known: &'r Arc<Known>,
    named: Named,
    depth: u32,
}

/// The route that answers, or why none does.
pub(crate) fn bypass<'k>(
    known: Option<&'k Arc<Known>>,
    request: &Request<Body>,
    who: &Identity,
) -> Result<&'k Arc<Known>, Bypass> {
    let headers = request.headers();
    let known = known.filter(|known| known.route.mode != Mode::Off).ok_or(Bypass::RouteOff)?;
    let unjudged = headers.contains_key(header::AUTHORIZATION) && !who.judged_here;
    let credentials = unjudged || headers.contains_key(header::COOKIE);
    if credentials && !known.knows_who {
        return Err(Bypass::Credentials);
    }
    if headers.contains_key(header::UPGRADE) {
        return Err(Bypass::Method);
    }
    Ok(known)
}

/// Says what an answer is to the client's session.
fn finish(root: &Root, headers: &mut HeaderMap, transport: Transport) {
    if root.choice == Choice::Capped {
        headers.insert(&wire::AS_OF_CAPPED, HeaderValue::from_static("true"));
    }
    if let (Some(cookie), Some(token)) = (&root.plan.session_cookie, root.written()) {
        session::hand_out(headers, cookie, token, transport);
    }
}

/// A client's request as a service gets it where nothing is resolved for it.
fn prepared(call: Call) -> Request<Body> {
    let mut request = call.request;
    let headers = request.headers_mut();
    headers::strip_inward(headers);
    if let Origin::Client { peer, tls } = &call.origin {
        engine::forwarded(headers, peer, *tls);
    }
    if let Some(host) = call.authority.as_deref().and_then(|host| host.parse().ok()) {
        // Pages make links out of it.
        headers.insert(header::HOST, host);
    }
    request
}

/// The body of a request that may be part of a call.
pub(crate) async fn bounded(body: Body, limit: u64) -> Result<Bytes, Problem> {
    if hyper::body::Body::is_end_stream(&body) {
        return Ok(Bytes::new());
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => {
            let detail =
                format!("the body cannot be read, or is larger than {limit} bytes: {error}");
            Err(Problem::new(ProblemKind::Malformed, detail))
        }
    }
}

fn refused(problem: &Problem) -> Answer {
    Answer::problem(problem, engine::Outcome::REFUSED)
}

/// An answer as it is.
pub(crate) fn answer(response: Response<Body>, outcome: &'static str) -> Answer {
    Answer { response, outcome: engine::Outcome(outcome) }
}
