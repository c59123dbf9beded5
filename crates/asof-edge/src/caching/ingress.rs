//! Requests of clients: the root of a request tree.

use std::sync::Arc;

use asof_cache::{Bypass, Outcome, Unstorable};
use asof_time::Validity;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Limited};

use super::root::{Gathered, Root};
use super::routes::Known;
use super::{Inner, canonical, reply, service};
use crate::body::Body;
use crate::config::{Mode, ServiceName};
use crate::engine::{self, Answer, Call, Origin};
use crate::headers;
use crate::problem::{Problem, ProblemKind};

impl Inner {
    /// Answers a request of a client.
    pub(crate) async fn ingress(self: &Arc<Self>, call: Call) -> Answer {
        let Some(name) = service(&call.target).cloned() else {
            return refused(&Problem::new(ProblemKind::NoSuchTarget, "stores are not for clients"));
        };
        let routes = self.routes.load_full();
        let (method, path) = (call.request.method(), call.request.uri().path());
        let known = routes.find(name.as_str(), method, path).cloned();
        let (asked, uri) = (call.request.headers(), call.request.uri());
        let root = match self.gather(&call.plan, known.as_ref(), asked, uri).await {
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
        let answer = match bypass(known.as_ref(), &call.request) {
            Ok(known) => self.cached(&root, known, call).await,
            Err(why) => self.bypassed(&root, &name, call, why).await,
        };
        let epochs = |name| {
            let store = self.stores.get(name)?;
            let view = *store.view.borrow();
            view.map(|view| view.epoch)
        };
        if root.epochs.iter().any(|(name, epoch)| epochs(name.as_str()) != Some(*epoch)) {
            let detail = "a store was restored while this was answered: ask again";
            return refused(&Problem::new(ProblemKind::Unavailable, detail));
        }
        self.metrics.count(name.as_str(), answer.outcome.0);
        answer
    }

    async fn cached(self: &Arc<Self>, root: &Arc<Root>, known: &Arc<Known>, call: Call) -> Answer {
        let (parts, body) = call.request.into_parts();
        let body = match bounded(body, root.plan.limits.body_bytes).await {
            Ok(body) => body,
            Err(problem) => return refused(&problem),
        };
        let (state, validities) = match self.states(root, &known.route.state).await {
            Ok(states) => states,
            Err(problem) => return refused(&problem),
        };
        let asked = canonical::call(known, &parts.method, &parts.uri, &parts.headers, state, body);
        let served = self.serve(root, asked, None, call.depth).await;
        // What the client is told holds only while its settings are what they are.
        let validity = validities.into_iter().fold(
            served.fact.as_ref().ok().map(|fact| fact.validity),
            |known: Option<Validity>, state| known.and_then(|known| known.intersect(state?)),
        );
        let outcome = served.outcome;
        let response = reply::outward(root, &parts.method, &parts.headers, served, validity);
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
        let had = headers.contains_key(header::CACHE_CONTROL);
        reply::describe(root, Outcome::Bypass(why), None, headers);
        if !had {
            // Nothing is known of it: what the service did not say, the edge does not either.
            headers.remove(header::CACHE_CONTROL);
        }
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
        match self.forwarder.forward(&target, request).await {
            Ok(mut response) => {
                headers::strip_outward(response.headers_mut());
                self.metrics.count(target.as_str(), why.as_str());
                Answer { response, outcome: engine::Outcome(why.as_str()) }
            }
            Err(error) => Answer::problem(&error.problem(), engine::Outcome::UPSTREAM_FAILED),
        }
    }
}

/// The route that answers, or why none does.
pub(crate) fn bypass<'k>(
    known: Option<&'k Arc<Known>>,
    request: &Request<Body>,
) -> Result<&'k Arc<Known>, Bypass> {
    let headers = request.headers();
    let known = known.filter(|known| known.route.mode != Mode::Off).ok_or(Bypass::RouteOff)?;
    let credentials =
        headers.contains_key(header::AUTHORIZATION) || headers.contains_key(header::COOKIE);
    if credentials && !known.knows_who {
        return Err(Bypass::Credentials);
    }
    if headers.contains_key(header::UPGRADE) {
        return Err(Bypass::Method);
    }
    Ok(known)
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
