//! Requests that are asked again while nothing moves.
//!
//! An answer is a function of the request, of the moment, and of what the edge was told. While the
//! last two stand still, a request that says the same as one before has the same answer, and need
//! only be recognised. Whatever else an answer depends on says so by [`Repeats::moved`].

use core::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use asof_cache::{Cache, Call, Outcome, Since};
use asof_env::BootTime;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
};
use hyper::body::Body as HttpBody;

use super::Inner;
use super::auth::Gate;
use super::root::Root;
use super::routes::Known;
use super::stores::LOST_AFTER;
use crate::body::Body;
use crate::config::{Plan, StateSource};
use crate::engine::{self, Again, Answer};
use crate::limits;

/// Headers that many requests carry, each with other values, and that mean nothing to the edge
/// unless a configuration declares them. Any other is part of what a request says.
const MEANINGLESS: [&str; 35] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "baggage",
    "cache-control",
    "connection",
    "dnt",
    "forwarded",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-gpc",
    "te",
    "traceparent",
    "tracestate",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-correlation-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

/// The headers that mean nothing under one configuration.
type Meaningless = HeaderMap<()>;

/// Answers that were given while everything was as it is now, or lately.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// Counts what an answer may depend on and that changed.
    age: AtomicU64,
    meaningless: ArcSwap<Meaningless>,
    hasher: RandomState,
    /// Each request has one place, which it may share with others.
    places: Box<[Place]>,
}

#[derive(Debug, Default)]
struct Place {
    /// Who was here last. What is asked once is not worth keeping.
    print: AtomicU64,
    kept: ArcSwapOption<Repeat>,
}

/// All that a request says, and when it said so.
#[derive(Debug)]
pub struct Asked {
    age: u64,
    since: Since,
    print: u64,
    version: Version,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// By which the others were left out.
    meaningless: Arc<Meaningless>,
}

/// A hit that is likely to be asked for again.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) asked: Asked,
    pub(crate) known: Arc<Known>,
    pub(crate) call: Arc<Call>,
    /// How often it came through an edge.
    pub(crate) depth: u32,
}

/// An answer, and all that is done when it is given.
#[derive(Debug)]
struct Repeat {
    hit: Hit,
    /// The moment is frozen once a store has been silent for this long, and that is said.
    good_until: BootTime,
    headers: HeaderMap,
    body: Bytes,
    root: Arc<Root>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            age: AtomicU64::new(0),
            meaningless: ArcSwap::default(),
            hasher: RandomState::new(),
            places: (0..limits::REPEATS_MAX).map(|_| Place::default()).collect(),
        }
    }
}

impl Repeats {
    /// Something that an answer may depend on has changed.
    pub(crate) fn moved(&self) {
        self.age.fetch_add(1, Ordering::Release);
    }

    /// Forgets all answers: what they were made of is gone, and may not even lie about.
    pub(crate) fn clear(&self) {
        self.moved();
        for place in &self.places {
            place.kept.store(None);
        }
    }

    /// Goes by another configuration.
    fn reload(&self, plan: &Plan) {
        let mut meaningless: Meaningless =
            MEANINGLESS.iter().map(|name| (HeaderName::from_static(name), ())).collect();
        let routes = plan.services.values().flat_map(|service| &service.routes);
        for name in routes.flat_map(|route| &route.headers) {
            meaningless.remove(name);
        }
        for source in plan.states.values().filter_map(|state| state.from.as_ref()) {
            if let StateSource::Header(name) = source {
                meaningless.remove(name);
            }
        }
        self.meaningless.store(Arc::new(meaningless));
    }

    /// Whether nothing has moved.
    fn is_now(&self, asked: &Asked, cache: &Cache) -> bool {
        asked.age == self.age.load(Ordering::Acquire) && asked.since == cache.since()
    }

    fn place(&self, print: u64) -> Option<&Place> {
        let count = self.places.len().max(1) as u64;
        self.places.get(usize::try_from(print % count).ok()?)
    }

    /// What identifies a request in a few bytes, and most likely no other.
    fn print<B>(&self, request: &Request<B>, meaningless: &Meaningless) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let uri = request.uri();
        hasher.write(uri.path().as_bytes());
        hasher.write(uri.query().unwrap_or_default().as_bytes());
        for (name, value) in meaningful(request.headers(), meaningless) {
            name.hash(&mut hasher);
            hasher.write(value.as_bytes());
        }
        hasher.finish()
    }
}

fn meaningful<'h>(
    headers: &'h HeaderMap,
    meaningless: &'h Meaningless,
) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
    headers.iter().filter(|(name, _)| !meaningless.contains_key(*name))
}

impl Asked {
    fn is<B>(&self, request: &Request<B>, meaningless: &Arc<Meaningless>) -> bool {
        let mine = self.headers.iter().map(|(name, value)| (name, value));
        Arc::ptr_eq(&self.meaningless, meaningless)
            && self.version == request.version()
            && self.uri == *request.uri()
            && mine.eq(meaningful(request.headers(), meaningless))
    }
}

impl Inner {
    /// The answer to a request that was answered before while everything was as it is now.
    pub(crate) fn again<B: HttpBody>(
        self: &Arc<Self>,
        request: &Request<B>,
        now: BootTime,
    ) -> Again {
        let repeats = &self.repeats;
        if request.method() != Method::GET || !request.body().is_end_stream() {
            return Again::New(None);
        }
        // Before anything else is looked at: what moves from here on makes it out of date.
        let age = repeats.age.load(Ordering::Acquire);
        let since = self.cache.since();
        let meaningless = repeats.meaningless.load();
        let print = repeats.print(request, &meaningless);
        let Some(place) = repeats.place(print) else { return Again::New(None) };
        if let Some(kept) = &*place.kept.load()
            && kept.hit.asked.print == print
            && repeats.is_now(&kept.hit.asked, &self.cache)
            && now < kept.good_until
            && kept.hit.known.is_served()
            && kept.hit.asked.is(request, &meaningless)
        {
            return Again::Answered(kept.hit.known.route.service.clone(), self.repeated(kept));
        }
        let mark = print.wrapping_add(age);
        if place.print.swap(mark, Ordering::Relaxed) != mark {
            return Again::New(None);
        }
        let headers = meaningful(request.headers(), &meaningless);
        let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        let (version, uri) = (request.version(), request.uri().clone());
        let meaningless = Arc::clone(&meaningless);
        Again::New(Some(Asked { age, since, print, version, uri, headers, meaningless }))
    }

    fn repeated(self: &Arc<Self>, kept: &Repeat) -> Answer {
        let Hit { known, call, depth, .. } = &kept.hit;
        known.trust.held();
        self.shadow(&kept.root, call, known, *depth);
        let outcome = Outcome::Hit.as_str();
        self.metrics.repeats.inc();
        self.metrics.count(known.route.service.as_str(), outcome);
        let mut response = Response::new(Body::whole(kept.body.clone()));
        *response.headers_mut() = kept.headers.clone();
        Answer { response, outcome: engine::Outcome(outcome) }
    }

    /// Keeps the answer to a request that is likely to be asked again, if it stands while nothing
    /// moves.
    pub(crate) fn keep(&self, hit: Hit, root: Arc<Root>, answer: &Answer) {
        let response = &answer.response;
        let Some(body) = response.body().held() else { return };
        let stands = response.status() == StatusCode::OK
            && body.len() <= limits::REPEAT_BYTES_MAX
            && self.stands_still(&root);
        let Some(heard) = self.heard(&root).filter(|_| stands) else { return };
        let Some(place) = self.repeats.place(hit.asked.print) else { return };
        let repeat = Arc::new(Repeat {
            hit,
            good_until: heard.after(LOST_AFTER),
            headers: response.headers().clone(),
            body: body.clone(),
            root,
        });
        place.kept.store(Some(Arc::clone(&repeat)));
        // Whoever cleared the places in between must not find this one filled again.
        if !self.repeats.is_now(&repeat.hit.asked, &self.cache) {
            place.kept.store(None);
        }
    }

    /// Whether nothing but what moves by itself told the tree what it is.
    fn stands_still(&self, root: &Root) -> bool {
        let plan = self.plan.load();
        let is_current = plan.as_ref().as_ref().is_some_and(|plan| Arc::ptr_eq(plan, &root.plan));
        // Who is let in may be another's to say, or a matter of time.
        let all_may = matches!(**self.gate.load(), Gate::Open);
        is_current
            && all_may
            && root.frozen.is_none()
            && !root.is_preview()
            && root.written().is_none()
            && root.overtaken_in.get().is_none()
    }

    /// When all stores of a tree were last heard; `None` without any: its moment never stands still.
    fn heard(&self, root: &Root) -> Option<BootTime> {
        let heard = root.epochs.keys().map(|name| {
            let store = self.stores.get(name.as_str())?;
            let view = *store.view.borrow();
            view.map(|view| view.heard)
        });
        heard.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Goes by another configuration. Last of a reload.
    pub(crate) fn repeat_by(&self, plan: &Plan) {
        self.repeats.reload(plan);
        self.repeats.clear();
    }
}

#[cfg(test)]
#[path = "again_tests.rs"]
mod tests;
