//! An edge: the real cache, the real logic of following a store, and a shell around them that is
//! as thin as can be. What is a socket elsewhere is a place here at which others go on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use asof_cache::{
    Action, Arrival, Cache, Call, CallId, Content, Execute, Fact, Fingerprint, KeyRange, Line,
    Observed, Reach, RouteDigest, Rules, Serve, Settings, Start, StoreId, Trace, Unstorable,
};
use asof_edge::hearing::Heard;
use asof_time::{Epoch, Timestamp};
use bytes::Bytes;
use http::{Method, StatusCode};

use crate::link::Link;
use crate::program::{Answered, Inputs, Read, Refused, SPACES, Services, key};
use crate::rules::{Off, Seam};
use crate::source::Source;
use crate::tasks::{Local, elsewhere};

/// The stores that there are.
pub(crate) type Sources = Rc<RefCell<Vec<Source>>>;

/// Which store a space is in.
pub(crate) fn store_of(sources: &[Source], space: usize) -> usize {
    sources.iter().position(|source| source.spaces.contains(&space)).unwrap_or_default()
}

pub(crate) struct Edge {
    pub(crate) cache: Cache,
    pub(crate) sources: Sources,
    pub(crate) services: Rc<Services>,
    pub(crate) links: RefCell<Vec<Link>>,
    pub(crate) off: Option<Off>,
    calls: Cell<u64>,
    pub(crate) executed: Cell<u64>,
}

/// What was resolved at the root of a request, once for all of it.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) at: Timestamp,
    /// The timeline of each store.
    pub(crate) epochs: Rc<[Epoch]>,
}

/// What a client asks of the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// The session's last write: its timeline, and when.
    pub(crate) written: Option<(Epoch, Timestamp)>,
    /// The moment that the client chose.
    pub(crate) asked: Option<Timestamp>,
}

/// An answer on its way up.
pub(crate) struct Answer {
    pub(crate) content: Arc<Content>,
    pub(crate) fact: Result<Fact, Unstorable>,
}

impl Answer {
    fn refused(why: Unstorable) -> Self {
        let content = Content::new(StatusCode::SERVICE_UNAVAILABLE, [], Bytes::new());
        Self { content, fact: Err(why) }
    }

    pub(crate) fn number(&self) -> Answered {
        let whole = self.content.body().first_chunk().copied();
        let found = whole.filter(|_| self.content.status() == StatusCode::OK);
        found.map(u64::from_le_bytes).ok_or(Refused)
    }
}

fn content(number: u64) -> Arc<Content> {
    Content::new(StatusCode::OK, [], Bytes::copy_from_slice(&number.to_le_bytes()))
}

fn call(service: &str, path: String) -> Arc<Call> {
    Arc::new(Call {
        service: service.into(),
        method: Method::GET,
        path: path.into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: RouteDigest::default(),
    })
}

/// The call that a read is, and back.
fn call_of(read: Read) -> Arc<Call> {
    match read {
        Read::Key { space, key } => call("store", format!("{space}/{key}")),
        Read::Space { space } => call("store", format!("{space}")),
    }
}

fn read_of(path: &str) -> Option<Read> {
    Some(match path.split_once('/') {
        Some((space, key)) => Read::Key { space: space.parse().ok()?, key: key.parse().ok()? },
        None => Read::Space { space: path.parse().ok()? },
    })
}

impl Edge {
    pub(crate) fn new(sources: Sources, services: Rc<Services>, off: Option<Off>) -> Rc<Self> {
        let rules = match off {
            Some(Off::Cache(rule)) => Rules::without(rule),
            Some(Off::Seam(_)) | None => Rules::default(),
        };
        let stores = u16::try_from(sources.borrow().len()).unwrap_or_default();
        let links = RefCell::new((0..stores).map(|n| Link::new(StoreId(n))).collect());
        // So few changes that the index forgets some.
        let cache = Cache::new(Settings { bytes_max: 16 << 20, changes_max: 12, rules });
        let (calls, executed) = (Cell::new(0), Cell::new(0));
        Rc::new(Self { cache, sources, services, links, off, calls, executed })
    }

    pub(crate) fn holds(&self, seam: Seam) -> bool {
        self.off != Some(Off::Seam(seam))
    }

    /// Where each store is, as far as all were heard.
    pub(crate) fn heard(&self) -> Option<Vec<Heard>> {
        self.links.borrow().iter().map(|link| link.heard).collect()
    }

    /// The moment of a request, if there is one now.
    pub(crate) fn resolve(&self, wanted: Wanted) -> Option<Root> {
        let heard = self.heard()?;
        let epochs: Rc<[Epoch]> = heard.iter().map(|heard| heard.epoch).collect();
        let latest = |heard: &Heard| match heard.cap.filter(|_| self.holds(Seam::CapIsObeyed)) {
            Some(cap) => cap.min(heard.through),
            None => heard.through,
        };
        let moments = heard.iter().map(latest);
        let at = if self.holds(Seam::MomentOfAllStores) { moments.min() } else { moments.max() }?;
        if let Some((epoch, written)) = wanted.written
            && epochs.contains(&epoch)
            && heard.iter().any(|heard| heard.through < written)
            && self.holds(Seam::SessionIsWaitedFor)
        {
            return None;
        }
        let Some(asked) = wanted.asked else { return Some(Root { at, epochs }) };
        let floor = heard.iter().map(|heard| heard.floor).max()?;
        (floor <= asked && asked <= at).then_some(Root { at: asked, epochs })
    }

    /// A request from outside.
    pub(crate) async fn request(self: &Rc<Self>, root: &Root, service: u64, arg: u64) -> Answer {
        let answer = self.serve(root.clone(), service_call(service, arg), None).await;
        // A store that began another timeline meanwhile.
        let epochs = self.heard().map(|heard| heard.iter().map(|heard| heard.epoch).collect());
        let is_restored = epochs.is_none_or(|epochs: Rc<[Epoch]>| epochs != root.epochs);
        if is_restored && self.holds(Seam::ReadsAreOfOneTimeline) {
            return Answer::refused(Unstorable::OtherEpoch);
        }
        answer
    }

    fn serve(
        self: &Rc<Self>,
        root: Root,
        call: Arc<Call>,
        above: Option<Arc<Line>>,
    ) -> Local<'static, Answer> {
        let edge = Rc::clone(self);
        Box::pin(async move {
            let mut serve = Serve::new(Arc::clone(&call), root.at, above);
            let mut action = serve.begin(&edge.cache);
            loop {
                action = match action {
                    Action::Answer(fact, _) => {
                        return Answer { content: Arc::clone(&fact.content), fact: Ok(fact) };
                    }
                    Action::Wait(ticket) => {
                        let landed = ticket.await;
                        serve.landed(&edge.cache, landed)
                    }
                    Action::Settle(nested) => {
                        let answer = edge.serve(root.clone(), nested, serve.line()).await;
                        serve.settled(&edge.cache, answer.fact)
                    }
                    Action::Execute(execute) => {
                        let answer = match read_of(&call.path).filter(|_| &*call.service == "store")
                        {
                            Some(read) => edge.ask(&root, &call, read, execute).await,
                            None => edge.execute(&root, &call, execute).await,
                        };
                        serve.executed(answer.fact.as_ref().map_err(|why| *why));
                        return answer;
                    }
                    Action::TimedOut => return Answer::refused(Unstorable::TimedOut),
                }
            }
        })
    }

    /// Asks a store. The question and the answer take their time.
    async fn ask(&self, root: &Root, call: &Arc<Call>, read: Read, execute: Execute) -> Answer {
        elsewhere().await;
        let (place, found) = {
            let sources = self.sources.borrow();
            let place = store_of(&sources, read.space());
            (place, sources.get(place).and_then(|source| source.read(read, root.at)))
        };
        // Some answers take longer than others.
        self.calls.set(self.calls.get() + 1);
        for _ in 0..=self.calls.get() % 5 {
            elsewhere().await;
        }
        let Some(found) = found else { return Answer::refused(Unstorable::Status) };
        let is_other = root.epochs.get(place) != Some(&found.epoch);
        if is_other && self.holds(Seam::ReadsAreOfOneTimeline) {
            return Answer::refused(Unstorable::OtherEpoch);
        }
        let content = content(found.number);
        let unstorable = |why| Answer { content: Arc::clone(&content), fact: Err(why) };
        let store = StoreId(u16::try_from(place).unwrap_or_default());
        let name = SPACES.get(read.space()).copied().unwrap_or_default();
        let Some(space) = self.cache.space(store, name) else {
            return unstorable(Unstorable::NoValidity);
        };
        if is_other || self.cache.index().epoch(store) != Some(found.epoch) {
            return unstorable(Unstorable::OtherEpoch);
        }
        let reach = match read {
            Read::Key { key: number, .. } => Reach::Key(Fingerprint::of(&key(number))),
            Read::Space { .. } => {
                let to = std::ops::Bound::Unbounded;
                Reach::Range(Arc::new(KeyRange { from: "".into(), to }))
            }
        };
        let trace = Trace::leaf(call.key(), content.hash(), space, reach);
        let fact = Fact { content: Arc::clone(&content), validity: found.validity, trace };
        Answer { content, fact: self.cache.insert(call, fact, execute.since) }
    }

    /// Has a service answer.
    async fn execute(self: &Rc<Self>, root: &Root, call: &Arc<Call>, execute: Execute) -> Answer {
        let Some((service, argument)) = service_of(call) else {
            return Answer::refused(Unstorable::Status);
        };
        self.calls.set(self.calls.get() + 1);
        self.executed.set(self.executed.get() + 1);
        let id = CallId(self.calls.get());
        let start = Start {
            call: Arc::clone(call),
            at: root.at,
            nonce: id.0,
            constant: false,
            clock: None,
            line: execute.line,
            since: execute.since,
        };
        if self.cache.begin_execution(id, start).is_err() {
            return Answer::refused(Unstorable::Status);
        }
        elsewhere().await;
        let run = Run { edge: Rc::clone(self), root: root.clone(), id, service };
        let Ok(number) = self.services.run(service, argument, &run).await else {
            let refused = Answer::refused(Unstorable::Status);
            let fact = self.cache.finish(id, call, Err(Unstorable::Status));
            return Answer { fact, ..refused };
        };
        let content = content(number);
        let fact = self.cache.finish(id, call, Ok(Arc::clone(&content)));
        Answer { content, fact }
    }
}

fn service_call(service: u64, argument: u64) -> Arc<Call> {
    call(&format!("s{service}"), argument.to_string())
}

fn service_of(call: &Call) -> Option<(u64, u64)> {
    let service = call.service.strip_prefix('s')?.parse().ok()?;
    Some((service, call.path.parse().ok()?))
}

/// One execution of a service.
struct Run {
    edge: Rc<Edge>,
    root: Root,
    id: CallId,
    service: u64,
}

impl Run {
    async fn input(&self, call: Arc<Call>) -> Answered {
        let name = format!("s{}", self.service);
        let Arrival::Input { slot, line, .. } = self.edge.cache.arrive(self.id, self.id.0, &name)
        else {
            return Err(Refused);
        };
        elsewhere().await;
        let root = if self.edge.holds(Seam::OneMoment) {
            self.root.clone()
        } else {
            self.edge.resolve(Wanted::default()).ok_or(Refused)?
        };
        let answer = self.edge.serve(root, Arc::clone(&call), line).await;
        let number = answer.number();
        let observed = Observed { key: call.key(), call, fact: answer.fact };
        self.edge.cache.settle(self.id, slot, &observed);
        elsewhere().await;
        number
    }
}

impl Inputs for Run {
    fn read(&self, read: Read) -> Local<'_, Answered> {
        Box::pin(self.input(call_of(read)))
    }

    fn call(&self, service: u64, argument: u64) -> Local<'_, Answered> {
        Box::pin(self.input(service_call(service, argument)))
    }
}
