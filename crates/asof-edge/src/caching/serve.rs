//! The way of one call: the cache says what is to be done next, and this does it.

use std::sync::Arc;

use asof_cache::{Action, Bypass, Call, Content, Execute, Fact, Line, Outcome, Serve, Unstorable};
use asof_listen::Soon;
use http::Response;

use super::Inner;
use super::level::Level;
use super::root::Root;
use super::routes::Known;
use super::trust::Treatment;
use super::warm::{Full, Place};
use crate::body::Body;
use crate::problem::{Problem, ProblemKind};
use crate::spans::Draft;

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) reply: Reply,
    pub(crate) fact: Result<Fact, Unstorable>,
    pub(crate) outcome: Outcome,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// All of it is here.
    Content(Arc<Content>),
    /// It is too large to be held, and passes through.
    Streamed(Response<Body>),
    /// There is no answer of the service.
    Problem(Problem),
}

impl Served {
    pub(crate) fn content(&self) -> Option<&Arc<Content>> {
        match &self.reply {
            Reply::Content(content) => Some(content),
            Reply::Streamed(_) | Reply::Problem(_) => None,
        }
    }

    pub(crate) fn problem(problem: Problem, why: Unstorable) -> Self {
        Self { reply: Reply::Problem(problem), fact: Err(why), outcome: Outcome::Unstorable(why) }
    }

    /// There is no answer of the service.
    pub(crate) fn unanswered(problem: Problem) -> Self {
        let why = match problem.kind {
            ProblemKind::GatewayTimeout => Unstorable::TimedOut,
            _ => Unstorable::Truncated,
        };
        Self::problem(problem, why)
    }

    pub(crate) fn streamed(response: Response<Body>) -> Self {
        let why = Unstorable::Oversize;
        let (reply, outcome) = (Reply::Streamed(response), Outcome::Unstorable(why));
        Self { reply, fact: Err(why), outcome }
    }

    /// Says of a span what came of it.
    pub(crate) fn tell(&self, draft: &mut Draft) {
        let outcome = self.outcome.as_str();
        match &self.reply {
            Reply::Content(content) => draft.answered(content.status().as_u16(), outcome),
            Reply::Streamed(response) => draft.answered(response.status().as_u16(), outcome),
            Reply::Problem(problem) => draft.unanswered(problem, outcome),
        }
    }

    /// As it is; a span has ended with it.
    pub(crate) fn ends(self, draft: Option<Draft>) -> Self {
        if let Some(mut draft) = draft {
            self.tell(&mut draft);
        }
        self
    }

    fn of(fact: Fact, outcome: Outcome) -> Self {
        Self { reply: Reply::Content(Arc::clone(&fact.content)), fact: Ok(fact), outcome }
    }
}

impl Inner {
    /// Answers `call` at the moment of `root`, below the executions of `above`.
    pub(crate) fn serve<'s>(
        self: &'s Arc<Self>,
        root: &Arc<Root>,
        call: Arc<Call>,
        above: Option<Arc<Line>>,
        level: Level,
    ) -> Soon<'s, Served> {
        if level.depth >= root.plan.limits.call_depth {
            let detail = format!("calls are nested more than {} deep", level.depth);
            let problem = Problem::new(ProblemKind::Loop, detail);
            return Soon::now(Served::problem(problem, Unstorable::Status));
        }
        if root.is_preview() {
            let root = Arc::clone(root);
            return Soon::later(async move { self.preview(&root, &call, above, &level).await });
        }
        if root.plan.stores.contains_key(&*call.service) {
            return self.look(root, call, above, level, None);
        }
        let known = root.routes.find(&call.service, &call.method, &call.path);
        // Made under another configuration: nobody can ask it again as it was.
        let Some(known) = known.filter(|known| known.digest == call.route) else {
            let problem = Problem::new(ProblemKind::NoSuchRoute, "the route has changed");
            return Soon::now(Served::problem(problem, Unstorable::NoValidity));
        };
        match known.trust.treatment(&known.route) {
            Treatment::Serve => self.look(root, call, above, level, Some(known)),
            Treatment::Observe(why) => {
                let (root, known) = (Arc::clone(root), Arc::clone(known));
                Soon::later(
                    async move { self.observe(&root, call, above, &level, &known, why).await },
                )
            }
            Treatment::Pass(why) => {
                let (root, known) = (Arc::clone(root), Arc::clone(known));
                Soon::later(async move {
                    let execute = Execute { prior: None, line: above, since: self.cache.since() };
                    let taint = Some(Unstorable::NoValidity);
                    let served = self.execute(&root, &call, &known, execute, &level, taint).await;
                    Served { outcome: Outcome::Bypass(why), ..served }
                })
            }
        }
    }

    fn look<'s>(
        self: &'s Arc<Self>,
        root: &Arc<Root>,
        call: Arc<Call>,
        above: Option<Arc<Line>>,
        level: Level,
        known: Option<&Arc<Known>>,
    ) -> Soon<'s, Served> {
        let mut serve = Serve::new(Arc::clone(&call), root.at, above);
        match serve.begin(&self.cache) {
            Action::Answer(fact, outcome) => {
                Soon::now(self.found(root, &call, known, level.depth, fact, outcome))
            }
            action => {
                let (root, known) = (Arc::clone(root), known.cloned());
                Soon::later(async move {
                    self.go_on(&root, call, serve, action, &level, known.as_ref()).await
                })
            }
        }
    }

    /// What the cache had an answer to.
    fn found(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        known: Option<&Arc<Known>>,
        depth: u32,
        fact: Fact,
        outcome: Outcome,
    ) -> Served {
        if let Some(known) = known {
            known.trust.held();
            self.shadow(root, call, known, depth);
        }
        Served::of(fact, outcome)
    }

    /// Takes the steps that the cache says, until there is an answer.
    async fn go_on(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: Arc<Call>,
        mut serve: Serve,
        first: Action,
        level: &Level,
        known: Option<&Arc<Known>>,
    ) -> Served {
        let mut action = first;
        loop {
            action = match action {
                Action::Answer(fact, outcome) => {
                    return self.found(root, &call, known, level.depth, fact, outcome);
                }
                Action::Wait(ticket) => {
                    // A leader's service may dribble for long: nobody waits for that.
                    let landed = tokio::time::timeout(root.patience, ticket).await;
                    serve.landed(&self.cache, landed.ok().flatten())
                }
                Action::Settle(nested) => {
                    let line = serve.line();
                    let served = self.serve(root, nested, line, level.deeper()).await;
                    serve.settled(&self.cache, served.fact)
                }
                Action::Execute(execute) => {
                    let Ok(_place) = self.place(root, known, level.depth).await else {
                        serve.executed(Err(Unstorable::Truncated));
                        return Served::problem(still_warming_up(), Unstorable::Truncated);
                    };
                    let served = match known {
                        Some(known) => self.execute(root, &call, known, execute, level, None).await,
                        None => self.ask(root, &call, execute, level).await,
                    };
                    serve.executed(served.fact.as_ref().map_err(|why| *why));
                    return served;
                }
                Action::TimedOut => {
                    let detail = format!(
                        "`{}` did not answer in time when another request asked it the same",
                        call.service
                    );
                    let problem = Problem::new(ProblemKind::GatewayTimeout, detail);
                    return Served::unanswered(problem);
                }
            }
        }
    }

    /// A place for an execution. Calls of services have the one of the client's request, and reads
    /// of stores need none.
    async fn place(
        &self,
        root: &Root,
        known: Option<&Arc<Known>>,
        depth: u32,
    ) -> Result<Place<'_>, Full> {
        if depth > 0 || known.is_none() {
            return Ok(Place::default());
        }
        self.warm_up.enter(&root.plan.limits, || self.clock.boot()).await
    }

    /// Executes, and compares with what would have been answered.
    async fn observe(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: Arc<Call>,
        above: Option<Arc<Line>>,
        level: &Level,
        known: &Arc<Known>,
        why: Bypass,
    ) -> Served {
        let held = self.held(&call, root);
        let execute = Execute { prior: None, line: above, since: self.cache.since() };
        let served = self.execute(root, &call, known, execute, level, None).await;
        self.compare(known, held.as_ref(), &served);
        Served { outcome: Outcome::Bypass(why), ..served }
    }

    /// What would be answered without executing anything.
    fn held(&self, call: &Arc<Call>, root: &Root) -> Option<Fact> {
        match Serve::new(Arc::clone(call), root.at, None).begin(&self.cache) {
            Action::Answer(fact, _) => Some(fact),
            Action::Wait(_) | Action::Settle(_) | Action::Execute(_) | Action::TimedOut => None,
        }
    }

    fn compare(&self, known: &Arc<Known>, held: Option<&Fact>, served: &Served) {
        let (Some(held), Some(content)) = (held, served.content()) else { return };
        known.trust.held();
        if held.content.hash() == content.hash() {
            known.trust.agreed();
        } else if served.fact.is_ok() {
            known.trust.mismatched();
            self.quarantine(known, "the service answered otherwise than the cache would have");
        }
    }

    /// Executes a share of the hits once more, unseen, and compares.
    pub(crate) fn shadow(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        known: &Arc<Known>,
        depth: u32,
    ) {
        if known.route.shadow <= 0.0 || !self.draws(known.route.shadow) {
            return;
        }
        let Ok(place) = Arc::clone(&self.shadows).try_acquire_owned() else { return };
        self.metrics.shadows.inc();
        let (inner, root) = (Arc::clone(self), Arc::clone(root));
        let (call, known) = (Arc::clone(call), Arc::clone(known));
        // Nobody asked for it, and who asked is long answered: it is in nobody's trace.
        let level = Level { depth, span: Some(Arc::new(root.span().unsampled())) };
        tokio::spawn(async move {
            let held = inner.held(&call, &root);
            let execute = Execute { prior: None, line: None, since: inner.cache.since() };
            let served = inner.execute(&root, &call, &known, execute, &level, None).await;
            inner.compare(&known, held.as_ref(), &served);
            drop(place);
        });
    }

    /// True for this share of the times.
    fn draws(&self, share: f64) -> bool {
        // 2^32 parts are fine enough, and exact in a float.
        let part = u32::try_from(self.draw.next() >> 32).unwrap_or_default();
        f64::from(part) < share * f64::from(u32::MAX)
    }

    /// Holds a route back, and drops what it answered and all that was made of that.
    pub(crate) fn quarantine(&self, known: &Known, why: &str) {
        if known.trust.quarantine(why) {
            tracing::error!(route = known.name, why, "a route is quarantined");
            self.metrics.quarantines.inc();
        }
        self.cache.drop_where(|call| call.route == known.digest);
        self.peers.disown(&self.cache);
    }
}

fn still_warming_up() -> Problem {
    let detail = "the edge has just started, and services are busy with what it does not hold yet";
    Problem::new(ProblemKind::Overloaded, detail)
}
