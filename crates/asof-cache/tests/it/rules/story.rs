//! A world of one store and a few services, small enough that a history reads like a story.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use asof_cache::{
    Action, Arrival, Cache, Call, CallId, Content, Execute, Fact, Fingerprint, Line, Observed,
    Outcome, Reach, RouteDigest, Rule, Rules, Serve, Settings, Since, Slot, Start, StoreId, Trace,
    Unstorable,
};
use asof_time::{Epoch, Timestamp, Validity};
use bytes::Bytes;
use http::{Method, StatusCode};

pub(super) const STORE: StoreId = StoreId(0);

/// What a service does: it reads and asks through its run, and says something.
type Service = Box<dyn Fn(&Run<'_>) -> String>;

/// The world, and the edge before it.
pub(super) struct Story {
    pub(super) cache: Cache,
    rules: Rules,
    /// Moments are counted from here.
    base: u64,
    /// By `space/key`: what it was from each moment on.
    values: RefCell<BTreeMap<String, BTreeMap<u64, String>>>,
    closed: Cell<u64>,
    told: Cell<u64>,
    services: RefCell<HashMap<&'static str, (Service, Route)>>,
    /// What a request brings along for the services that declare it.
    pub(super) theme: Cell<&'static str>,
    /// The services that were executed, in order.
    pub(super) executed: RefCell<Vec<String>>,
    calls: Cell<u64>,
}

/// How a service is declared.
#[derive(Clone, Copy, Default)]
pub(super) struct Route {
    pub(super) constant: bool,
    pub(super) sees_clock: bool,
    pub(super) declares_theme: bool,
}

/// An answer, and how it came.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) says: String,
    pub(super) how: Result<Outcome, Unstorable>,
    pub(super) fact: Option<Fact>,
}

/// One execution of a service.
pub(super) struct Run<'a> {
    pub(super) story: &'a Story,
    pub(super) id: CallId,
    pub(super) service: String,
    pub(super) at: u64,
}

/// What a service sees of the clock moves once in so many moments.
const BUCKET: u64 = 10;

impl Story {
    pub(super) fn new() -> Self {
        Self::under(Rules::default(), 0)
    }

    pub(super) fn under(rules: Rules, base: u64) -> Self {
        Self::with(Settings { rules, ..Settings::default() }, base)
    }

    pub(super) fn with(settings: Settings, base: u64) -> Self {
        let cache = Cache::new(settings);
        let story = Self {
            cache,
            rules: settings.rules,
            base,
            values: RefCell::default(),
            closed: Cell::new(0),
            told: Cell::new(0),
            services: RefCell::default(),
            theme: Cell::new("light"),
            executed: RefCell::default(),
            calls: Cell::new(0),
        };
        story.cache.begin(STORE, Epoch::from_random(1), story.t(0));
        story
    }

    /// The moment with this number.
    pub(super) fn t(&self, number: u64) -> Timestamp {
        Timestamp::from_micros(self.base + number).unwrap()
    }

    /// `place` is `value` from `at` on. The edge has not heard of it.
    pub(super) fn write(&self, at: u64, place: &str, value: &str) {
        let mut values = self.values.borrow_mut();
        values.entry(place.to_owned()).or_default().insert(at, value.to_owned());
        self.closed.set(self.closed.get().max(at));
    }

    /// All that is written up to `upto` is told, and that nothing else happened.
    pub(super) fn tell(&self, upto: u64) {
        self.closed.set(self.closed.get().max(upto));
        let mut news = Vec::new();
        for (place, history) in &*self.values.borrow() {
            news.extend(
                history.range(self.told.get() + 1..=upto).map(|(at, _)| (*at, place.clone())),
            );
        }
        news.sort();
        let complete =
            if self.rules.hold(Rule::FrontierIsThrough) { upto } else { self.closed.get() };
        self.cache.tell(|index| {
            for (at, place) in news {
                let (space, key) = place.split_once('/').unwrap();
                index.changed(STORE, space, key, self.t(at));
            }
            index.advance(STORE, self.t(complete));
        });
        self.told.set(upto);
    }

    /// The store was restored: nothing that was written happened, and another epoch begins.
    pub(super) fn restore(&self, at: u64) {
        self.values.borrow_mut().clear();
        self.closed.set(at);
        self.told.set(at);
        self.cache.begin(STORE, Epoch::from_random(2), self.t(at));
    }

    pub(super) fn forget_history_of(&self, place: &str) {
        self.values.borrow_mut().remove(place);
    }

    pub(super) fn service(&self, name: &'static str, does: impl Fn(&Run<'_>) -> String + 'static) {
        self.declare(name, Route::default(), does);
    }

    pub(super) fn declare(
        &self,
        name: &'static str,
        route: Route,
        does: impl Fn(&Run<'_>) -> String + 'static,
    ) {
        self.services.borrow_mut().insert(name, (Box::new(does), route));
    }

    /// Somebody asks a service.
    pub(super) fn ask(&self, service: &str, at: u64) -> Told {
        self.serve(&self.call(service), at, None)
    }

    /// What it says.
    pub(super) fn says(&self, service: &str, at: u64) -> String {
        self.ask(service, at).says
    }

    /// How often the service was executed.
    pub(super) fn runs(&self, service: &str) -> usize {
        self.executed.borrow().iter().filter(|name| **name == *service).count()
    }

    pub(super) fn call(&self, service: &str) -> Arc<Call> {
        let services = self.services.borrow();
        let route = services.get(service).map(|(_, route)| *route).unwrap_or_default();
        let mut call = call(service, "/");
        if route.declares_theme {
            call.state = [("theme".into(), self.theme.get().into())].into();
        }
        Arc::new(call)
    }

    /// An execution begins that the test itself carries on.
    pub(super) fn begin(&self, service: &str, at: u64) -> Run<'_> {
        self.begin_for(&self.call(service), at, None, self.cache.since())
    }

    fn begin_for(
        &self,
        call: &Arc<Call>,
        at: u64,
        line: Option<Arc<Line>>,
        since: Since,
    ) -> Run<'_> {
        let services = self.services.borrow();
        let route = services.get(&*call.service).map(|(_, route)| *route).unwrap_or_default();
        self.calls.set(self.calls.get() + 1);
        let id = CallId(self.calls.get());
        let clock = route.sees_clock.then(|| self.bucket(at));
        let (call, constant) = (Arc::clone(call), route.constant);
        let service = call.service.to_string();
        let start = Start { call, at: self.t(at), nonce: 7, constant, clock, line, since };
        self.cache.begin_execution(id, start).unwrap();
        Run { story: self, id, service, at }
    }

    fn bucket(&self, at: u64) -> Validity {
        let from = at / BUCKET * BUCKET;
        Validity::until(self.t(from), self.t(from + BUCKET)).unwrap()
    }

    fn serve(&self, call: &Arc<Call>, at: u64, above: Option<Arc<Line>>) -> Told {
        let mut serve = Serve::new(Arc::clone(call), self.t(at), above);
        let mut action = serve.begin(&self.cache);
        loop {
            action = match action {
                Action::Answer(fact, outcome) => return told(fact, outcome),
                Action::Wait(_) | Action::TimedOut => panic!("nobody else is there to wait for"),
                Action::Settle(nested) => {
                    let nested = self.serve(&nested, at, serve.line());
                    serve.settled(&self.cache, nested.fact.ok_or(Unstorable::Contagion))
                }
                Action::Execute(execute) => {
                    let answer = self.execute(call, at, execute);
                    let fact = answer.fact.as_ref();
                    serve.executed(fact.ok_or(Unstorable::Contagion));
                    return answer;
                }
            }
        }
    }

    fn execute(&self, call: &Arc<Call>, at: u64, execute: Execute) -> Told {
        if &*call.service == "store" {
            return self.origin(call, at, execute.since);
        }
        self.executed.borrow_mut().push(call.service.to_string());
        let run = self.begin_for(call, at, execute.line, execute.since);
        let services = self.services.borrow();
        let says = (services.get(&*call.service).unwrap().0)(&run);
        run.finish(&says)
    }

    /// The store answers, as exactly as it can.
    fn origin(&self, call: &Arc<Call>, at: u64, since: Since) -> Told {
        let place = call.path.to_string();
        let (space, key) = place.split_once('/').unwrap();
        let values = self.values.borrow();
        let none = BTreeMap::new();
        let history = values.get(&place).unwrap_or(&none);
        let (from, says) =
            history.range(..=at).next_back().map_or((0, "none"), |(from, value)| (*from, value));
        let validity = match history.range(at + 1..).next() {
            Some((until, _)) => Validity::until(self.t(from), self.t(*until)),
            None => Validity::through(self.t(from), self.t(self.closed.get().max(at))),
        };
        let content = content(says);
        let space = self.cache.space(STORE, space).unwrap();
        let reach = Reach::Key(Fingerprint::of(key));
        let trace = Trace::leaf(call.key(), content.hash(), space, reach);
        let fact = Fact { content, validity: validity.unwrap(), trace };
        match self.cache.insert(call, fact, since) {
            Ok(fact) => told(fact, Outcome::Miss),
            Err(why) => unstorable(says, why),
        }
    }
}

impl Run<'_> {
    /// What a key of the store says: `space/key`.
    pub(super) fn read(&self, place: &str) -> String {
        self.input(leaf(place)).says
    }

    /// What another service says.
    pub(super) fn ask(&self, service: &str) -> String {
        self.input(self.story.call(service)).says
    }

    pub(super) fn theme(&self) -> &'static str {
        self.story.theme.get()
    }

    /// What the clock shows.
    pub(super) fn clock(&self) -> String {
        (self.at / BUCKET).to_string()
    }

    fn input(&self, call: Arc<Call>) -> Told {
        let Arrival::Input { slot, line, .. } = self.arrive() else { panic!("it is running") };
        let told = self.story.serve(&call, self.at, line);
        self.settle(
            slot,
            call,
            told.fact.clone().ok_or(told.how.err().unwrap_or(Unstorable::Contagion)),
        );
        told
    }

    /// A call of this execution arrives.
    pub(super) fn arrive(&self) -> Arrival {
        self.story.cache.arrive(self.id, 7, &self.service)
    }

    pub(super) fn settle(&self, slot: Slot, call: Arc<Call>, fact: Result<Fact, Unstorable>) {
        self.story.cache.settle(self.id, slot, &Observed { key: call.key(), call, fact });
    }

    /// The service answers.
    pub(super) fn finish(&self, says: &str) -> Told {
        let call = self.story.call(&self.service);
        match self.story.cache.finish(self.id, &call, Ok(content(says))) {
            Ok(fact) => told(fact, Outcome::Miss),
            Err(why) => unstorable(says, why),
        }
    }
}

fn told(fact: Fact, outcome: Outcome) -> Told {
    let says = String::from_utf8(fact.content.body().to_vec()).unwrap();
    Told { says, how: Ok(outcome), fact: Some(fact) }
}

fn unstorable(says: &str, why: Unstorable) -> Told {
    Told { says: says.to_owned(), how: Err(why), fact: None }
}

pub(super) fn content(says: &str) -> Arc<Content> {
    Content::new(StatusCode::OK, [], Bytes::copy_from_slice(says.as_bytes()))
}

pub(super) fn leaf(place: &str) -> Arc<Call> {
    Arc::new(call("store", place))
}

pub(super) fn call(service: &str, path: &str) -> Call {
    Call {
        service: service.into(),
        method: Method::GET,
        path: path.into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: RouteDigest::default(),
    }
}
