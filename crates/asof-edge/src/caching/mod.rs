//! The engine that caches: it resolves the context at the root of a request tree, records what
//! services read below it, and lets the cache decide.
//!
//! A request of a client comes in at `ingress`; the calls that services make on its behalf come
//! in at `egress`, with the context that they were given. Both end in `serve`, which has the
//! cache say what is to be done; `execute` has a service answer, `origin` a store.

mod again;
mod auth;
mod canonical;
mod change;
mod clock;
mod context;
mod egress;
mod execute;
mod explain;
mod figures;
mod gauges;
pub mod hearing;
mod hold;
mod ingress;
mod level;
mod memo;
mod moment;
mod named;
mod origin;
mod peers;
mod preview;
mod releases;
mod reply;
mod report;
mod root;
mod routes;
mod serve;
mod session;
mod stores;
mod tell;
mod trust;
mod warm;

pub use change::{Change, Learnt, RouteChange};

use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use asof_cache::{Cache, CallId, Settings};
use asof_env::{BootTime, Clock, Random};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

pub use self::again::Asked;
use self::again::Repeats;
use self::auth::Gate;
use self::figures::Figures;
use self::gauges::Gauges;
use self::peers::Peers;
use self::releases::{Kept, Versions};
use self::root::Root;
use self::routes::{Known, Routes};
use self::stores::Stores;
use self::warm::WarmUp;
use crate::body::{Body, BodyError};
use crate::config::{Plan, ServiceName, StoreName};
use crate::draw::Draw;
use crate::engine::{Again, Answer, Call, Engine, Origin};
use crate::limits;
use crate::spans::{SpanContext, SpanSink, Spans};
use crate::target::Target;
use crate::upstream::Forwarder;

/// The engine that caches.
#[derive(Debug)]
pub struct Caching(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    cache: Arc<Cache>,
    forwarder: Forwarder,
    random: Arc<dyn Random>,
    /// Which hits are executed once more.
    draw: Draw,
    clock: Arc<dyn Clock>,
    /// The other edges, and which one this is.
    peers: Peers,
    stores: Stores,
    routes: ArcSwap<Routes>,
    plan: ArcSwap<Option<Arc<Plan>>>,
    /// The executions under way.
    running: Mutex<HashMap<CallId, Run>>,
    shadows: Arc<Semaphore>,
    warm_up: WarmUp,
    /// Who is let in.
    gate: ArcSwap<Gate>,
    versions: Versions,
    kept: Kept,
    /// What watches the versions of services.
    watching: Mutex<Vec<AbortHandle>>,
    /// Answers that stand while nothing moves.
    repeats: Arc<Repeats>,
    metrics: Figures,
    /// What operators asked about, and whether stores are told.
    told: tell::Told,
    /// Where somebody takes them.
    spans: Option<Spans>,
}

/// What an execution under way belongs to.
#[derive(Clone, Debug)]
struct Run {
    /// The tree.
    root: Arc<Root>,
    /// Its route, if it has one.
    known: Option<Arc<Known>>,
    /// How deep in the tree it is.
    depth: u32,
    /// The span that its service was told of.
    span: Arc<SpanContext>,
}

impl Run {
    /// Whether it may read the store.
    fn declares(&self, store: &StoreName) -> bool {
        let declared = self.known.as_ref().is_none_or(|known| known.route.stores.contains(store));
        declared && self.root.declares(store)
    }
}

impl Caching {
    /// One that reaches services and stores through `forwarder`, and holds at most `memory` bytes
    /// of results.
    pub fn new(
        forwarder: Forwarder,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        memory: u64,
    ) -> Self {
        Self::watched(forwarder, random, clock, memory, None)
    }

    /// As [`new`](Self::new); the spans of the configured share of requests are handed to `sink`.
    pub fn watched(
        forwarder: Forwarder,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        memory: u64,
        sink: Option<Arc<dyn SpanSink>>,
    ) -> Self {
        let spans = sink.map(|sink| Spans::new(sink, Arc::clone(&clock), &*random));
        let settings = Settings { bytes_max: memory, ..Settings::default() };
        let [a, b, c, d, ..] = random.number().to_le_bytes();
        let cache = Arc::new(Cache::new(settings));
        let peers = Peers::new(u32::from_le_bytes([a, b, c, d]), &*clock, &cache);
        Self(Arc::new(Inner {
            cache,
            forwarder,
            peers,
            draw: Draw::new(random.number()),
            random,
            warm_up: WarmUp::new(clock.boot()),
            clock,
            stores: Stores::default(),
            routes: ArcSwap::default(),
            plan: ArcSwap::default(),
            running: Mutex::default(),
            shadows: Arc::new(Semaphore::new(limits::SHADOWS_MAX)),
            gate: ArcSwap::default(),
            versions: Versions::default(),
            kept: Kept::default(),
            watching: Mutex::default(),
            repeats: Arc::default(),
            metrics: Figures::default(),
            told: tell::Told::default(),
            spans,
        }))
    }
}

impl Engine for Caching {
    fn again(&self, request: &Request<Incoming>, now: BootTime) -> Again {
        self.0.again(request, now)
    }

    async fn call(&self, call: Call) -> Answer {
        match &call.origin {
            Origin::Client { .. } | Origin::Preview { .. } => self.0.ingress(call).await,
            Origin::Service(from) => {
                let from = from.clone();
                // All that it may come to is no burden of the requests of clients.
                Box::pin(self.0.egress(from, call)).await
            }
        }
    }

    async fn refused(&self, from: &ServiceName) {
        // Whatever comes of telling other edges: the call is refused in any case.
        let _ = Box::pin(self.0.taint_everywhere(from, &[])).await;
    }

    fn accepts(plan: &Plan) -> Result<(), String> {
        Gate::of(&plan.auth).map_err(|error| format!("auth: {error}"))?;
        Peers::check(plan)?;
        plan.stores.iter().try_for_each(|(name, store)| {
            Stores::check(store, &plan.trust()).map_err(|error| format!("stores.{name}: {error}"))
        })
    }

    fn reload(&self, plan: &Arc<Plan>) {
        let inner = &self.0;
        // It was good when the plan was accepted; a file that has changed since lets nobody in.
        let gate = Gate::of(&plan.auth).unwrap_or_else(|error| {
            tracing::error!(error, "nobody is let in");
            Gate::Closed
        });
        inner.gate.store(Arc::new(gate));
        inner.watch_versions(plan);
        let before = inner.routes.load_full();
        let routes = Routes::of(plan, &before);
        let change = before.change_to(&routes);
        inner.routes.store(Arc::new(routes));
        if inner.plan.load().is_some() {
            for route in &change.routes {
                tracing::info!(%route, "reloaded");
            }
        }
        if change.drops_all {
            // The key of a result names its own route and not those below it: what was made of a
            // route that meant something else must not be served on.
            inner.cache.drop_where(|_| true);
            inner.peers.disown(&inner.cache);
        }
        if let Some(spans) = &inner.spans {
            spans.sample(plan.traces.as_ref().map_or(0.0, |traces| traces.sample));
        }
        inner.meet(plan);
        inner.stores.follow(plan, &inner.cache, &inner.repeats, &inner.clock);
        let before = inner.plan.swap(Arc::new(Some(Arc::clone(plan))));
        if before.as_ref().as_ref().is_some_and(|before| before.releases != plan.releases) {
            inner.kept.forget();
        }
        inner.repeat_by(plan);
        tell::start(inner, plan);
    }

    fn ready(&self) -> Result<(), String> {
        let plan = self.0.plan.load();
        let Some(plan) = plan.as_ref() else { return Err("no configuration yet".to_owned()) };
        let silent =
            |name: &str| self.0.stores.get(name).is_none_or(|store| store.view.borrow().is_none());
        let missing: Vec<&str> =
            plan.stores.keys().map(StoreName::as_str).filter(|name| silent(name)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("not yet heard of: {}", missing.join(", ")))
        }
    }

    async fn peer(&self, request: Request<Body>) -> Option<Response<Body>> {
        self.0.peer(request).await
    }

    async fn admin(&self, request: Request<Body>) -> Option<Response<Body>> {
        self.0.admin(request.method(), request.uri()).await
    }

    fn spans(&self) -> Option<&Spans> {
        self.0.spans.as_ref()
    }

    fn register(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
        registry.register_collector(Box::new(Gauges(Arc::downgrade(&self.0))));
    }
}

impl Inner {
    /// Remembers what an execution belongs to, until the guard is dropped.
    fn run(self: &Arc<Self>, id: CallId, run: Run) -> RunningGuard {
        self.running().insert(id, run);
        RunningGuard { inner: Arc::downgrade(self), id }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<CallId, Run>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An execution under way. Dropped, it has ended: unfinished, if nobody finished it.
#[derive(Debug)]
struct RunningGuard {
    inner: Weak<Inner>,
    id: CallId,
}

impl RunningGuard {
    /// The execution lasts until the body has ended.
    fn around(self, body: Body) -> Body {
        if hyper::body::Body::is_end_stream(&body) {
            return body;
        }
        Body::boxed(Guarded { body, _guard: self })
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.running().remove(&self.id);
            inner.cache.cancel(self.id);
        }
    }
}

#[derive(Debug)]
struct Guarded {
    body: Body,
    _guard: RunningGuard,
}

impl hyper::body::Body for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The service of a target, if it is one.
fn service(target: &Target) -> Option<&crate::config::ServiceName> {
    match target {
        Target::Service(name) => Some(name),
        Target::Store(_) => None,
    }
}
