//! An edge around the cache, as thin as can be: it takes the steps that the cache says.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use asof_cache::{
    Action, Arrival, Cache, Call, CallId, Content, Execute, Fact, Fingerprint, KeyRange, Line,
    Observed, Reach, RouteDigest, Rule, Rules, Serve, Settings, Since, Start, StoreId, Trace,
    Unstorable,
};
use asof_time::Timestamp;
use bytes::Bytes;
use http::{Method, StatusCode};

use super::seed::Seed;
use super::tasks::{Tasks, both, elsewhere};
use super::world::{
    ARGUMENTS, Program, RELEASES, SPACES, STATES, Services, Step, Store, Vice, asked_in_turn,
    bucket, bucket_validity, fold, folded_scan, folded_value, found, hopped,
};

pub(crate) const STORE: StoreId = StoreId(0);

/// Such a mark may be given again, until a late call shows what it is.
pub(crate) const UNTIL_DISOWNED: u64 = 1 << 40;

/// Such a mark says that two answers of one moment may differ, if neither is kept.
pub(crate) const WAVERING: u64 = 1 << 41;

/// One edge, and what it can reach.
pub(crate) struct Edge {
    pub(crate) cache: Cache,
    pub(crate) store: RefCell<Store>,
    pub(crate) services: Services,
    pub(crate) seed: RefCell<Seed>,
    pub(crate) tasks: Tasks,
    pub(crate) rules: Rules,
    /// What services remember although they should not: the vice of reading afterwards.
    memory: RefCell<HashMap<(u64, u64), u64>>,
    /// Marks of answers that are nobody's truth, and may be given only once.
    pub(crate) marks: Cell<u64>,
    /// Marks that a late call has shown to be wrong, with the step at which.
    pub(crate) disowned: RefCell<HashMap<u64, u64>>,
    pub(crate) steps: Cell<u64>,
    /// Every execution: the root request, the service and its argument.
    pub(crate) executed: RefCell<Vec<(u64, u64, u64)>>,
}

/// The inputs that were resolved at the root of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) root: u64,
    /// The tick, and the moment that it is.
    pub(crate) tick: u64,
    pub(crate) at: Timestamp,
    pub(crate) state: [u64; 2],
    pub(crate) epoch: u64,
    /// How many calls are above.
    pub(crate) depth: u32,
}

/// Where a loop of calls ends.
const DEPTH_MAX: u32 = 40;

/// An answer on its way up.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) content: Arc<Content>,
    pub(crate) fact: Result<Fact, Unstorable>,
}

impl Answer {
    pub(crate) fn number(&self) -> u64 {
        let body = self.content.body();
        u64::from_le_bytes(*body.first_chunk().unwrap())
    }

    /// The marks of what is nobody's truth.
    pub(crate) fn marks(&self) -> Vec<u64> {
        let body = &self.content.body()[8..];
        body.chunks(8).map(|mark| u64::from_le_bytes(mark.try_into().unwrap())).collect()
    }
}

impl Edge {
    pub(crate) fn new(
        store: Store,
        services: Services,
        seed: Seed,
        rules: Rules,
        tasks: Tasks,
    ) -> Rc<Self> {
        let settings = Settings { bytes_max: 16 << 20, changes_max: 12, rules };
        let cache = Cache::new(settings);
        cache.begin(STORE, store.epoch(), store.clock.at(store.closed));
        Rc::new(Self {
            cache,
            store: RefCell::new(store),
            services,
            seed: RefCell::new(seed),
            tasks,
            rules,
            memory: RefCell::default(),
            marks: Cell::new(0),
            disowned: RefCell::default(),
            steps: Cell::new(0),
            executed: RefCell::default(),
        })
    }

    fn call(service: &str, path: String) -> Call {
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

    fn leaf(space: usize, keys: (u64, u64)) -> Arc<Call> {
        Arc::new(Self::call("store", format!("{space}/{}/{}", keys.0, keys.1)))
    }

    fn service_call(
        &self,
        context: Context,
        service: u64,
        argument: u64,
        release: u64,
    ) -> Arc<Call> {
        let program = self.services.program(service, argument, release);
        let mut call = Self::call(&format!("s{service}"), argument.to_string());
        call.release = release.to_string().into();
        let declared = program.declares.iter();
        call.state = declared
            .map(|name| (STATES[*name].into(), context.state[*name].to_string().into()))
            .collect();
        Arc::new(call)
    }

    /// A request from outside.
    pub(crate) async fn request(
        self: &Rc<Self>,
        context: Context,
        service: u64,
        argument: u64,
    ) -> Answer {
        let release = self.serve(context, Self::leaf(RELEASES, (service, service)), None).await;
        let number = release_of(release.number());
        let call = self.service_call(context, service, argument, number);
        let mut answer = self.serve(context, call, None).await;
        // What the client is told holds only while the same release is in force.
        if let (Ok(fact), Ok(release)) = (&mut answer.fact, &release.fact) {
            fact.validity = fact.validity.intersect(release.validity).unwrap();
        }
        answer
    }

    /// Executes once more what may be known already, to compare.
    pub(crate) async fn shadow(self: Rc<Self>, context: Context, service: u64, argument: u64) {
        let release = self.serve(context, Self::leaf(RELEASES, (service, service)), None).await;
        let number = release_of(release.number());
        let call = self.service_call(context, service, argument, number);
        let execute = Execute { prior: None, line: None, since: self.cache.since() };
        self.execute(context, &call, execute).await;
    }

    fn serve(
        self: &Rc<Self>,
        context: Context,
        call: Arc<Call>,
        above: Option<Arc<Line>>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answer>>> {
        let edge = Rc::clone(self);
        let context = Context { depth: context.depth + 1, ..context };
        Box::pin(async move {
            if context.depth > DEPTH_MAX {
                let content = content(StatusCode::LOOP_DETECTED, 0, &[]);
                return Answer { content, fact: Err(Unstorable::Status) };
            }
            let mut serve = Serve::new(Arc::clone(&call), context.at, above);
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
                        let answer = edge.serve(context, nested, serve.line()).await;
                        serve.settled(&edge.cache, answer.fact)
                    }
                    Action::Execute(execute) => {
                        let answer = edge.execute(context, &call, execute).await;
                        serve.executed(answer.fact.as_ref().map_err(|why| *why));
                        return answer;
                    }
                    Action::TimedOut => panic!("no service here takes too long"),
                }
            }
        })
    }

    async fn execute(
        self: &Rc<Self>,
        context: Context,
        call: &Arc<Call>,
        execute: Execute,
    ) -> Answer {
        if &*call.service == "store" {
            self.ask(context, call, execute.since).await
        } else {
            self.run(context, call, execute).await
        }
    }

    /// Asks the origin.
    async fn ask(&self, context: Context, call: &Arc<Call>, since: Since) -> Answer {
        elsewhere().await;
        let mut parts = call.path.split('/').map(|part| part.parse::<u64>().unwrap());
        let (space, first, last) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let space = usize::try_from(space).unwrap();
        let (answer, validity, epoch) = {
            let store = self.store.borrow();
            let answer = if first == last {
                folded_value(store.get(space, first, context.tick))
            } else {
                folded_scan(&store.scan(space, (first, last), context.tick))
            };
            (answer, store.validity(space, (first, last), context.tick), store.epoch)
        };
        elsewhere().await;
        let content = content(StatusCode::OK, answer, &[]);
        // What another epoch says is no input of this request.
        if epoch != context.epoch && self.rules.hold(Rule::EpochMatches) {
            return Answer { content, fact: Err(Unstorable::OtherEpoch) };
        }
        let Some(number) = self.cache.space(STORE, SPACES[space]) else {
            return Answer { content, fact: Err(Unstorable::NoValidity) };
        };
        let reach = if first == last {
            Reach::Key(Fingerprint::of(&key(first)))
        } else {
            let to = Bound::Included(key(last).into());
            Reach::Range(Arc::new(KeyRange { from: key(first).into(), to }))
        };
        let trace = Trace::leaf(call.key(), content.hash(), number, reach);
        let fact = Fact { content: Arc::clone(&content), validity, trace };
        Answer { content, fact: self.cache.insert(call, fact, since) }
    }

    /// Has a service answer.
    async fn run(self: &Rc<Self>, context: Context, call: &Arc<Call>, execute: Execute) -> Answer {
        let service: u64 = call.service[1..].parse().unwrap();
        let argument: u64 = call.path.parse().unwrap();
        let release: u64 = call.release.parse().unwrap();
        self.executed.borrow_mut().push((context.root, service, argument));
        let program = self.services.program(service, argument, release);
        let id = CallId(self.seed.borrow_mut().next());
        let clock = program.sees_clock.then(|| bucket_validity(context.at));
        let start = Start {
            call: Arc::clone(call),
            at: context.at,
            nonce: id.0 ^ 1,
            constant: false,
            clock,
            line: execute.line,
            since: execute.since,
        };
        self.cache.begin_execution(id, start).unwrap();
        elsewhere().await;
        let answered = Rc::new(Cell::new(false));
        let run = Run { edge: Rc::clone(self), context, id, service, argument, answered };
        let (number, marks) = run.program(&program).await;
        let (status, answer) = match program.vice {
            Vice::Fails if self.seed.borrow_mut().once_in(3) => {
                let content = content(StatusCode::INTERNAL_SERVER_ERROR, number, &[self.mark()]);
                (Err(Unstorable::Status), content)
            }
            _ => (Ok(()), content(StatusCode::OK, number, &marks)),
        };
        let fact = self.cache.finish(id, call, status.map(|()| Arc::clone(&answer)));
        run.answered.set(true);
        if program.vice == Vice::ReadsAfterwards {
            self.tasks.spawn(async move { run.read_afterwards(marks).await });
        }
        Answer { content: answer, fact }
    }

    /// A mark for an answer that is nobody's truth.
    fn mark(&self) -> u64 {
        self.marks.set(self.marks.get() + 1);
        self.marks.get()
    }
}

/// One execution of a service.
struct Run {
    edge: Rc<Edge>,
    context: Context,
    id: CallId,
    service: u64,
    argument: u64,
    answered: Rc<Cell<bool>>,
}

impl Run {
    async fn program(&self, program: &Program) -> (u64, Vec<u64>) {
        let mut marks = Vec::new();
        let mut so_far = fold(self.service, self.argument);
        for step in &program.steps {
            so_far = match step {
                Step::Read { space, key } => {
                    fold(so_far, self.read(*space, (*key, *key), &mut marks).await)
                }
                Step::ReadWhatWasFound => {
                    let (space, key) = found(so_far);
                    fold(so_far, self.read(space, (key, key), &mut marks).await)
                }
                Step::Scan { space, keys } => {
                    fold(so_far, self.scan(*space, *keys, &mut marks).await)
                }
                Step::Call { service, argument } => {
                    fold(so_far, self.nested(*service, *argument, &mut marks).await)
                }
                Step::CallWhatWasFound { service } => {
                    let argument = so_far % ARGUMENTS;
                    fold(so_far, self.nested(*service, argument, &mut marks).await)
                }
                Step::Both { left, right } => {
                    let (mut one, mut other) = (Vec::new(), Vec::new());
                    let (left, right) = both(
                        self.nested(left.0, left.1, &mut one),
                        self.nested(right.0, right.1, &mut other),
                    )
                    .await;
                    marks.append(&mut one);
                    marks.append(&mut other);
                    fold(fold(so_far, left), right)
                }
                Step::OnlyIfOdd if so_far.is_multiple_of(2) => break,
                Step::OnlyIfOdd => so_far,
                Step::State { name } => fold(so_far, self.context.state[*name]),
                Step::Clock => fold(so_far, bucket(self.context.at)),
                Step::Forget => so_far % 2,
                Step::Hop { key } => {
                    let pointer = self.read(0, (*key, *key), &mut marks).await;
                    self.read(hopped(pointer), (*key, *key), &mut marks).await % 2
                }
                Step::Turn => {
                    let read = self.read(0, (0, 0), &mut marks).await;
                    let so_far = fold(so_far, read);
                    match asked_in_turn(self.service, read) {
                        Some(other) => fold(so_far, self.nested(other, 0, &mut marks).await),
                        None => so_far,
                    }
                }
            };
        }
        match program.vice {
            Vice::None | Vice::Fails => (so_far, marks),
            vice => self.sin(vice, so_far, marks).await,
        }
    }

    async fn sin(&self, vice: Vice, so_far: u64, mut marks: Vec<u64>) -> (u64, Vec<u64>) {
        let mut own = self.edge.mark();
        match vice {
            Vice::ReadsAfterwards => own |= UNTIL_DISOWNED,
            Vice::Wavers => own = WAVERING | self.edge.seed.borrow_mut().below(2),
            _ => {}
        }
        marks.push(own);
        match vice {
            Vice::DoesNotWait => {
                // The call is made and never awaited; whether its answer was there is chance.
                let (edge, id, context) = (Rc::clone(&self.edge), self.id, self.context);
                if let Some(arrived) = self.arrive() {
                    let Arrived { slot, line } = arrived;
                    let answered = Rc::clone(&self.answered);
                    self.edge.tasks.spawn(async move {
                        while !answered.get() {
                            elsewhere().await;
                        }
                        let call = Edge::leaf(0, (1, 1));
                        let answer = edge.serve(context, Arc::clone(&call), line).await;
                        let observed = Observed { key: call.key(), call, fact: answer.fact };
                        edge.cache.settle(id, slot, &observed);
                    });
                }
                (so_far, marks)
            }
            Vice::ReadsAfterwards => {
                let memory = self.edge.memory.borrow();
                let remembered = memory.get(&(self.service, self.argument)).copied();
                (fold(so_far, remembered.unwrap_or(0)), marks)
            }
            Vice::LosesContext => {
                self.edge.cache.taint_service(&format!("s{}", self.service));
                elsewhere().await;
                let store = self.edge.store.borrow();
                (fold(so_far, folded_value(store.get(0, 2, store.closed))), marks)
            }
            Vice::MakesUp | Vice::Wavers => (fold(so_far, own), marks),
            Vice::Writes => {
                self.edge.cache.taint(self.id, Unstorable::Write);
                (fold(so_far, own), marks)
            }
            Vice::None | Vice::Fails => (so_far, marks),
        }
    }

    /// After the answer: what the next answer will say.
    async fn read_afterwards(self, marks: Vec<u64>) {
        elsewhere().await;
        let now = self.edge.store.borrow().get(0, 3, self.context.tick);
        let place = (self.service, self.argument);
        self.edge.memory.borrow_mut().insert(place, folded_value(now));
        let nonce = self.id.0 ^ 1;
        let arrival = self.edge.cache.arrive(self.id, nonce, &format!("s{}", self.service));
        assert!(matches!(arrival, Arrival::Late(_)), "{arrival:?}");
        let steps = self.edge.steps.get();
        for mark in marks {
            self.edge.disowned.borrow_mut().entry(mark).or_insert(steps);
        }
    }

    fn arrive(&self) -> Option<Arrived> {
        let nonce = self.id.0 ^ 1;
        match self.edge.cache.arrive(self.id, nonce, &format!("s{}", self.service)) {
            Arrival::Input { slot, line, .. } => Some(Arrived { slot, line }),
            Arrival::Late(_) | Arrival::Unknown => None,
        }
    }

    async fn read(&self, space: usize, keys: (u64, u64), marks: &mut Vec<u64>) -> u64 {
        self.input(Edge::leaf(space, keys), marks).await
    }

    async fn scan(&self, space: usize, keys: (u64, u64), marks: &mut Vec<u64>) -> u64 {
        if keys.0 == keys.1 {
            // A range of one key, read as such.
            let value = self.read(space, keys, marks).await;
            let value = (value != folded_value(None)).then(|| value.saturating_sub(100));
            let found = value.map(|value| (keys.0, value));
            return folded_scan(&found.into_iter().collect::<Vec<_>>());
        }
        self.input(Edge::leaf(space, keys), marks).await
    }

    async fn nested(&self, service: u64, argument: u64, marks: &mut Vec<u64>) -> u64 {
        // Which release answers is an input of the caller, like what it answers.
        let release = self.input(Edge::leaf(RELEASES, (service, service)), marks).await;
        let release = release_of(release);
        self.input(self.edge.service_call(self.context, service, argument, release), marks).await
    }

    async fn input(&self, call: Arc<Call>, marks: &mut Vec<u64>) -> u64 {
        let arrived = self.arrive().expect("the execution is running");
        elsewhere().await;
        let answer = self.edge.serve(self.context, Arc::clone(&call), arrived.line).await;
        let (number, own) = (answer.number(), answer.marks());
        let observed = Observed { key: call.key(), call, fact: answer.fact };
        self.edge.cache.settle(self.id, arrived.slot, &observed);
        marks.extend(own);
        elsewhere().await;
        number
    }
}

struct Arrived {
    slot: asof_cache::Slot,
    line: Option<Arc<Line>>,
}

/// The release that a read of the releases names.
fn release_of(read: u64) -> u64 {
    // Where calls go round in a loop there is an answer of another kind: any release will do.
    if read == folded_value(None) { 0 } else { read.saturating_sub(100) }
}

pub(crate) fn key(number: u64) -> String {
    format!("key-{number}")
}

fn content(status: StatusCode, number: u64, marks: &[u64]) -> Arc<Content> {
    let mut body = number.to_le_bytes().to_vec();
    body.extend(marks.iter().flat_map(|mark| mark.to_le_bytes()));
    Content::new(status, [], body.into())
}
