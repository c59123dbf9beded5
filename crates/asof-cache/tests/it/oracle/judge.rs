//! Compares what clients were told with what is true.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use asof_cache::Fact;
use asof_time::Validity;

use super::Weather;
use super::edge::{Answer, Context, Edge, UNTIL_DISOWNED, WAVERING};
use super::world::{Store, Truth};

pub(crate) struct Judge {
    edge: Rc<Edge>,
    weather: Weather,
    wrong: RefCell<Vec<String>>,
    /// To whom a mark was given first.
    given: RefCell<HashMap<u64, u64>>,
    /// What was kept for a question, and where it was said to be true.
    kept: RefCell<HashMap<Question, Vec<(Validity, u64)>>>,
}

/// Service, argument, and the values of the state.
type Question = (u64, u64, [u64; 2]);

/// What a client asks.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) context: Context,
    pub(crate) service: u64,
    pub(crate) argument: u64,
    /// The step at which it was asked.
    pub(crate) begun: u64,
}

impl Judge {
    pub(crate) fn new(edge: Rc<Edge>, weather: Weather) -> Self {
        let (wrong, given, kept) = Default::default();
        Self { edge, weather, wrong, given, kept }
    }

    pub(crate) fn verdict(&self) -> Result<(), String> {
        self.wrong.borrow().first().map_or(Ok(()), |first| Err(first.clone()))
    }

    pub(crate) async fn ask(self: Rc<Self>, asked: Asked) {
        let Asked { context, service, argument, .. } = asked;
        let answer = self.edge.request(context, service, argument).await;
        if let Err(wrong) = self.judge(asked, &answer) {
            let wrong = format!("s{service}/{argument} at {}: {wrong}", context.tick);
            self.wrong.borrow_mut().push(wrong);
        }
    }

    fn judge(&self, asked: Asked, answer: &Answer) -> Result<(), String> {
        let marks = answer.marks();
        for mark in &marks {
            self.judge_mark(asked, answer, *mark)?;
        }
        self.judge_steadiness(asked, answer)?;
        let store = self.edge.store.borrow();
        if !marks.is_empty() || asked.context.epoch != store.epoch {
            return Ok(());
        }
        let (right, calls) = self.truth(&store, asked, asked.context.tick);
        if answer.number() != right {
            return Err(format!("{:x} instead of {right:x}", answer.number()));
        }
        match &answer.fact {
            Ok(fact) if !self.weather.vices => self.judge_fact(asked, fact, right, &calls),
            _ => Ok(()),
        }
    }

    /// What is nobody's truth is given to one client, and to nobody once it is known for that.
    fn judge_mark(&self, asked: Asked, answer: &Answer, mark: u64) -> Result<(), String> {
        if mark & WAVERING != 0 {
            return Ok(());
        }
        if let Some(step) = self.edge.disowned.borrow().get(&mark) {
            if *step >= asked.begun {
                return Ok(());
            }
            return Err(format!("made of {mark}, which a late call had disowned"));
        }
        if mark & UNTIL_DISOWNED != 0 {
            return Ok(());
        }
        let first = *self.given.borrow_mut().entry(mark).or_insert(asked.context.root);
        if first != asked.context.root && answer.fact.is_ok() {
            return Err(format!("made of {mark}, which was nobody's truth, for the second time"));
        }
        Ok(())
    }

    /// What was kept once is what is said ever after, whatever the service says by now.
    fn judge_steadiness(&self, asked: Asked, answer: &Answer) -> Result<(), String> {
        let forgets = self.weather.forgets || self.weather.restores;
        if forgets || !self.edge.disowned.borrow().is_empty() {
            return Ok(());
        }
        let Ok(fact) = &answer.fact else { return Ok(()) };
        let mut kept = self.kept.borrow_mut();
        let kept = kept.entry((asked.service, asked.argument, asked.context.state)).or_default();
        let (said, validity) = (answer.number(), fact.validity);
        let other = kept
            .iter()
            .find(|(known, number)| *number != said && known.intersect(validity).is_some());
        if let Some((known, number)) = other {
            return Err(format!("{said:x} {validity}, and before {number:x} {known}"));
        }
        kept.push((validity, said));
        Ok(())
    }

    /// What is claimed of other moments is true there too, and nothing was executed on the way
    /// that a run without a cache would not have executed.
    fn judge_fact(
        &self,
        asked: Asked,
        fact: &Fact,
        said: u64,
        calls: &BTreeSet<(u64, u64)>,
    ) -> Result<(), String> {
        let store = self.edge.store.borrow();
        if !fact.validity.contains(asked.context.at) {
            return Err(format!("valid {}, which does not hold the moment", fact.validity));
        }
        let mut claimed = (0..=store.closed).filter(|t| fact.validity.contains(store.clock.at(*t)));
        if let Some(tick) = claimed.find(|tick| self.truth(&store, asked, *tick).0 != said) {
            return Err(format!("claimed {} and wrong at {tick}", fact.validity));
        }
        let executed = self.edge.executed.borrow();
        let own = executed.iter().filter(|(root, ..)| *root == asked.context.root);
        let mut own = own.map(|(_, service, argument)| (*service, *argument));
        match own.find(|call| !calls.contains(call)) {
            Some((service, argument)) => {
                Err(format!("s{service}/{argument} was executed, which nobody calls"))
            }
            None => Ok(()),
        }
    }

    fn truth(&self, store: &Store, asked: Asked, at: u64) -> (u64, BTreeSet<(u64, u64)>) {
        let services = &self.edge.services;
        let state = asked.context.state;
        let mut truth = Truth { store, services, at, state, calls: BTreeSet::new() };
        let right = truth.of(asked.service, asked.argument);
        (right, truth.calls)
    }
}
