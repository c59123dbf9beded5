//! Requests of clients: the root of a request tree.

use std::sync::Arc;

use asof_api::headers as wire;
use asof_cache::{self as cache, Bypass, Outcome, Unstorable};
use asof_listen::Soon;
use asof_time::Validity;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};

use super::again::{Asked, Hit};
use super::auth::{self, Identity};
use super::execute::passed;
use super::level::Level;
use super::moment::{Choice, Sight};
use super::named::{self, Named};
use super::releases::Release;
use super::root::{Gathered, Root, States};
use super::routes::Known;
use super::serve::Served;
use super::session::{self, Transport};
use super::{Inner, canonical, preview, reply, service};
use crate::body::Body;
use crate::config::{Mode, ServiceName};
use crate::engine::{self, Answer, Call, Origin};
use crate::headers;
use crate::limits;
use crate::problem::{Problem, ProblemKind};
use crate::spans::SpanContext;

impl Inner {
    /// Answers a request of a client.
    pub(crate) fn ingress(self: &Arc<Self>, mut call: Call) -> Soon<'_, Answer> {
        let Some(name) = service(&call.target).cloned() else {
            let problem = Problem::new(ProblemKind::NoSuchTarget, "stores are not for clients");
            return Soon::now(refused(&problem));
        };
        if let Some(cookie) = &call.plan.session_cookie {
            session::take(call.request.headers_mut(), cookie);
        }
        let sight = match (&call.origin, &mut call.request) {
            (Origin::Preview { .. }, request) => match preview::take(request) {
                Ok(preview::Asked::About(at)) => Sight::Ahead(at),
                Ok(preview::Asked::Chosen(response)) => {
                    return Soon::now(answer(response, engine::Outcome::PASSED.0));
                }
                Err(problem) => return Soon::now(refused(&problem)),
            },
            _ => Sight::Closed,
        };
        let routes = self.routes.load_full();
        let (method, path) = (call.request.method(), call.request.uri().path());
        let known = routes.find(name.as_str(), method, path).cloned();
        // Whoever looks ahead has said already which moment is meant.
        let route = known.as_ref().map(|known| &known.route).filter(|_| sight == Sight::Closed);
        let named = match named::take(&mut call.request, route) {
            Ok(named) => named,
            Err(problem) => return Soon::now(refused(&problem)),
        };
        let answered = self.identify(&mut call).then(move |who| {
            let path = call.request.uri().path();
            let let_in = who.and_then(|who| {
                auth::permitted(&call.plan, &routes, name.as_str(), path, known.as_ref(), &who)?;
                Ok(who)
            });
            match let_in {
                Ok(who) => self.let_in(call, name, known, named, who, sight),
                Err(denied) => {
                    self.metrics.denials.inc();
                    Soon::now(answer(denied.answer(), engine::Outcome::REFUSED.0))
                }
            }
        });
        match sight {
            Sight::Closed => answered,
            Sight::Ahead(_) => answered.then(|answer| Soon::now(preview::answered(answer))),
        }
    }

    /// Answers a request of somebody who may ask.
    fn let_in(
        self: &Arc<Self>,
        call: Call,
        name: ServiceName,
        known: Option<Arc<Known>>,
        named: Named,
        who: Identity,
        sight: Sight,
    ) -> Soon<'_, Answer> {
        let (asked, uri) = (call.request.headers(), call.request.uri());
        self.gather(&call.plan, known.as_ref(), asked, uri, &who, sight).then(move |gathered| {
            let off = || known.as_ref().is_none_or(|known| known.route.mode == Mode::Off);
            let root = match gathered {
                Gathered::Root(root) => root,
                // A route that is off has nothing to do with stores, and so not with their loss.
                Gathered::Refused(problem)
                    if problem.kind != ProblemKind::Unavailable || !off() =>
                {
                    return Soon::now(refused(&problem));
                }
                Gathered::Refused(_) | Gathered::Pass => {
                    return Soon::later(self.without(call, Bypass::StoreAway));
                }
            };
            if let Err(problem) = named::check(named, &root) {
                return Soon::now(refused(&problem));
            }
            let (transport, whom) = (Transport::of(&call), name.clone());
            let made = match bypass(known.as_ref(), &call.request, &who) {
                Ok(known) => self.cached(root, Arc::clone(known), named, who, call),
                Err(why) => Soon::later(async move {
                    let answer = self.bypassed(&root, &name, call, why).await;
                    Made { root, answer, hit: None }
                }),
            };
            made.then(move |made| Soon::now(self.sent(made, &whom, transport)))
        })
    }

    /// The answer as it leaves.
    fn sent(&self, made: Made, name: &ServiceName, transport: Transport) -> Answer {
        let Made { root, mut answer, hit } = made;
        if self.is_restored(&root) {
            let detail = "a store was restored while this was answered: ask again";
            return refused(&Problem::new(ProblemKind::Unavailable, detail));
        }
        finish(&root, answer.response.headers_mut(), transport);
        self.metrics.count(name.as_str(), answer.outcome.0);
        if let Some(hit) = hit {
            self.keep(hit, root, &answer);
        }
        answer
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

    /// The answer to a request that may be cached.
    fn cached(
        self: &Arc<Self>,
        root: Arc<Root>,
        known: Arc<Known>,
        named: Named,
        who: Identity,
        call: Call,
    ) -> Soon<'_, Made> {
        let (parts, body) = call.request.into_parts();
        let (depth, again) = (call.depth, call.asked);
        bounded(body, root.plan.limits.body_bytes).then(move |body| {
            let body = match body {
                Ok(body) => body,
                Err(problem) => {
                    return Soon::now(Made { root, answer: refused(&problem), hit: None });
                }
            };
            let asked = Whole { parts, body, known, named, depth, again };
            self.served(&root, asked).then(move |(asked, found)| {
                if root.overtaken_in.get().is_none() {
                    return Soon::now(asked.answered(self, root, found));
                }
                Soon::later(async move {
                    let Some(lower) = self.below_the_cap(&root, &asked, &who).await else {
                        return asked.answered(self, root, found);
                    };
                    let (asked, found) = self.served(&lower, asked).await;
                    asked.answered(self, lower, found)
                })
            })
        })
    }

    /// What comes of a request at the moment of `root`.
    fn served(
        self: &Arc<Self>,
        root: &Arc<Root>,
        asked: Whole,
    ) -> Soon<'_, (Whole, Result<Found, Problem>)> {
        let tree = Arc::clone(root);
        self.resolved(root, &asked.known).then(move |resolved| {
            let (release, (state, mut validities)) = match resolved {
                Ok(resolved) => resolved,
                Err(problem) => return Soon::now((asked, Err(problem))),
            };
            validities.push(release.validity);
            let call = asked.call(state, release.text);
            self.serve(&tree, Arc::clone(&call), None, Level::of(asked.depth)).then(move |served| {
                // What the client is told holds only while its settings and the release are what
                // they are.
                let validity = validities.into_iter().fold(
                    served.fact.as_ref().ok().map(|fact| fact.validity),
                    |known: Option<Validity>, state| {
                        known.and_then(|known| known.intersect(state?))
                    },
                );
                Soon::now((asked, Ok(Found { call, served, validity })))
            })
        })
    }

    /// The release and the state values that are part of a call.
    fn resolved(
        self: &Arc<Self>,
        root: &Arc<Root>,
        known: &Arc<Known>,
    ) -> Soon<'_, Result<(Release, States), Problem>> {
        let (tree, route) = (Arc::clone(root), Arc::clone(known));
        self.release(root, &known.route.service).then(move |release| match release {
            Err(problem) => Soon::now(Err(problem)),
            Ok(release) => self
                .states(&tree, &route)
                .then(|states| Soon::now(states.map(|states| (release, states)))),
        })
    }

    /// The root of the same request once more, where a cap came in between and the stores refused
    /// what they had been asked below it. Nobody but the edge chose that moment.
    async fn below_the_cap(
        &self,
        root: &Arc<Root>,
        asked: &Whole,
        who: &Identity,
    ) -> Option<Arc<Root>> {
        let store = root.overtaken_in.get()?;
        if matches!(root.choice, Choice::Asked | Choice::Preview) || !asked.parts.method.is_safe() {
            return None;
        }
        // The store knows of its cap before the edge does.
        let mut views = self.stores.get(store.as_str())?.view.subscribe();
        let lower = views.wait_for(|view| view.is_some_and(|view| view.latest() < root.at));
        // Where it is not heard of, or is gone again, the latest moment is as good.
        drop(tokio::time::timeout(limits::SESSION_WAIT, lower).await);
        let Whole { parts: Parts { headers, uri, .. }, known, .. } = asked;
        match self.gather(&root.plan, Some(known), headers, uri, who, Sight::Closed).await {
            Gathered::Root(root) => Some(root),
            Gathered::Pass | Gathered::Refused(_) => None,
        }
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
        let passed =
            self.pass(root, name, request, Unstorable::NoValidity, &Level::of(depth)).await;
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
        let client = call.origin.client().is_some();
        let mut request = if client { prepared(call) } else { call.request };
        headers::strip_context(request.headers_mut());
        headers::set_depth(request.headers_mut(), depth);
        let above = SpanContext::of(request.headers());
        if above.is_none() {
            request.headers_mut().remove(&headers::TRACESTATE);
        }
        let draft = above.and_then(|above| {
            self.asks(&above, request.method(), request.uri().path(), target.as_str())
        });
        if let Some(draft) = &draft {
            draft.context().put(request.headers_mut());
        }
        // No moment says which release is in force: the last one known of takes its place.
        let release = self.versions.last(target.as_str());
        let answered = self.forwarder.forward_release(&target, &release, request).await;
        match passed(draft, answered.map_err(|error| error.problem()), why.as_str()) {
            Ok(mut response) => {
                headers::strip_outward(response.headers_mut());
                self.metrics.count(target.as_str(), why.as_str());
                Answer { response, outcome: engine::Outcome(why.as_str()) }
            }
            Err(problem) => Answer::problem(&problem, engine::Outcome::UPSTREAM_FAILED),
        }
    }
}

/// A request that the engine answers, read whole.
struct Whole {
    parts: Parts,
    body: Bytes,
    known: Arc<Known>,
    named: Named,
    depth: u32,
    again: Option<Asked>,
}

/// What came of a request at a moment.
struct Found {
    call: Arc<cache::Call>,
    served: Served,
    /// Where the client may take it to be true.
    validity: Option<Validity>,
}

/// An answer, and the root that it was made below.
struct Made {
    root: Arc<Root>,
    answer: Answer,
    hit: Option<Hit>,
}

impl Whole {
    fn call(&self, state: Vec<(Box<str>, Box<str>)>, release: Box<str>) -> Arc<cache::Call> {
        let Parts { method, uri, headers, .. } = &self.parts;
        canonical::call(&self.known, method, uri, headers, state, release, self.body.clone())
    }

    fn answered(self, inner: &Inner, root: Arc<Root>, found: Result<Found, Problem>) -> Made {
        let Found { call, served, validity } = match found {
            Ok(found) => found,
            Err(problem) => return Made { root, answer: refused(&problem), hit: None },
        };
        let outcome = engine::Outcome(served.outcome.as_str());
        let again = self.again.filter(|_| served.outcome == Outcome::Hit);
        let is_problem = served.content().is_none();
        // What may be erased is asked for again each time, though it is a fact.
        let lasts = matches!(self.named, Named::Fact(_))
            && validity.is_some()
            && served.fact.as_ref().is_ok_and(|fact| !inner.cache.may_be_erased(fact));
        let Parts { method, headers, .. } = self.parts;
        let mut response = reply::outward(&root, &method, headers, served, validity);
        if !is_problem {
            let headers = response.headers_mut();
            named::describe(&self.known, self.named, &root, lasts, headers);
        }
        let (known, depth) = (self.known, self.depth);
        let hit = again.map(|asked| Hit { asked, known, call, depth });
        Made { root, answer: Answer { response, outcome }, hit }
    }
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
    if let Some((peer, tls)) = call.origin.client() {
        engine::forwarded(headers, peer, tls);
    }
    if let Some(host) = call.authority.as_deref().and_then(|host| host.parse().ok()) {
        // Pages make links out of it.
        headers.insert(header::HOST, host);
    }
    request
}

/// The body of a request that may be part of a call.
pub(crate) fn bounded(body: Body, limit: u64) -> Soon<'static, Result<Bytes, Problem>> {
    if hyper::body::Body::is_end_stream(&body) {
        return Soon::now(Ok(Bytes::new()));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    Soon::later(async move {
        let whole = Limited::new(body, most).collect().await;
        whole.map(http_body_util::Collected::to_bytes).map_err(|error| {
            let detail =
                format!("the body cannot be read, or is larger than {limit} bytes: {error}");
            Problem::new(ProblemKind::Malformed, detail)
        })
    })
}

fn refused(problem: &Problem) -> Answer {
    Answer::problem(problem, engine::Outcome::REFUSED)
}

/// An answer as it is.
pub(crate) fn answer(response: Response<Body>, outcome: &'static str) -> Answer {
    Answer { response, outcome: engine::Outcome(outcome) }
}
