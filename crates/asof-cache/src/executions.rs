//! Who is executing what, and what they were seen to read.
//!
//! Every attempt to have a service answer is one execution with a call id of its own. What
//! arrives with that id is an input of it. Whatever makes the answer unstorable is remembered by
//! its first reason, and passed on to whoever made the call.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use asof_time::{Timestamp, Validity};

use crate::abroad::{Abroad, Place};
use crate::cache::Since;
use crate::call::{Call, CallKey};
use crate::changes::SpaceId;
use crate::content::Content;
use crate::fact::{self, Fact, Input, Trace};
use crate::flights::Line;
use crate::limits;
use crate::outcome::Unstorable;
use crate::rules::{Rule, Rules};

/// Identity of one execution. Random, so that nobody outside can name one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CallId(pub u64);

/// The place of an input among those of one execution, given in order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(usize);

impl Slot {
    /// The place that has this number.
    pub const fn of_number(number: usize) -> Self {
        Self(number)
    }

    /// Its number, by which somebody elsewhere names it.
    pub const fn number(self) -> usize {
        self.0
    }
}

/// What an execution begins with.
#[derive(Debug)]
pub struct Start {
    /// What is executed.
    pub call: Arc<Call>,
    /// The moment at which.
    pub at: Timestamp,
    /// Goes out with the call id, and must come back with it.
    pub nonce: u64,
    /// Whether the route may be without inputs.
    pub constant: bool,
    /// The stretch of time over which the clock that the service is shown stands still.
    pub clock: Option<Validity>,
    /// The executions that are led above this one.
    pub line: Option<Arc<Line>>,
    /// When the execution was decided on.
    pub since: Since,
}

/// What a nested call came to, as an input of the one that made it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What was called.
    pub call: Arc<Call>,
    /// Its key.
    pub key: CallKey,
    /// What it said, or why nothing may be made of it.
    pub fact: Result<Fact, Unstorable>,
}

/// What a call that comes with a context is to the execution that it names.
#[derive(Debug)]
pub enum Arrival {
    /// An input of it.
    Input {
        /// Where to deliver what comes of it.
        slot: Slot,
        /// The moment of the execution.
        at: Timestamp,
        /// What is led above the new call.
        line: Option<Arc<Line>>,
        /// Whose hands the context was in.
        hands: Hands,
    },
    /// It came after the answer: what was stored of this call, if anything, is not to be trusted.
    Late(Option<Arc<Call>>),
    /// Nobody here knows of such an execution.
    Unknown,
}

/// Who used a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hands {
    /// The service that it was made for.
    Own,
    /// Another one. Whatever that one executes may have made the call as well.
    Others,
}

/// The table of executions.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    running: HashMap<CallId, Running>,
    by_service: HashMap<Box<str>, HashSet<CallId>>,
    /// With its nonce, and its call if a result of it was stored.
    finished: HashMap<CallId, (u64, Option<Arc<Call>>)>,
    finished_in_order: VecDeque<CallId>,
    rules: Rules,
}

#[derive(Debug)]
struct Running {
    start: Start,
    inputs: Vec<Place>,
    spaces: BTreeSet<SpaceId>,
    validity: Validity,
    clock: Validity,
    taint: Option<Unstorable>,
}

/// There is no place for another execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

impl Executions {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    pub(crate) fn begin(&mut self, id: CallId, start: Start) -> Result<(), TooMany> {
        if self.running.len() >= limits::RUNNING_MAX {
            return Err(TooMany);
        }
        let service = start.call.service.clone();
        self.by_service.entry(service).or_default().insert(id);
        self.running.insert(id, Running::new(start));
        Ok(())
    }

    /// A call arrived from `service` with the id and nonce of an execution.
    pub(crate) fn arrive(&mut self, id: CallId, nonce: u64, service: &str) -> Arrival {
        if let Some(running) = self.running.get_mut(&id) {
            if running.start.nonce != nonce {
                return Arrival::Unknown;
            }
            let leaked = *running.start.call.service != *service;
            if leaked {
                running.taint(Unstorable::LeakedContext);
            }
            let slot = running.reserve();
            let (at, line) = (running.start.at, running.start.line.clone());
            if leaked {
                // The call may as well be on behalf of something that this service executes.
                self.taint_service(service);
            }
            let hands = if leaked { Hands::Others } else { Hands::Own };
            return Arrival::Input { slot, at, line, hands };
        }
        match self.finished.get(&id) {
            Some((known, call)) if *known == nonce => Arrival::Late(call.clone()),
            _ => Arrival::Unknown,
        }
    }

    /// A further place among the inputs of an execution, behind those that there are.
    pub(crate) fn reserve(&mut self, id: CallId) -> Option<Slot> {
        self.running.get_mut(&id).map(Running::reserve)
    }

    pub(crate) fn settle(&mut self, id: CallId, slot: Slot, observed: &Observed) {
        let rules = self.rules;
        if let Some(running) = self.running.get_mut(&id) {
            running.settle(slot, observed, rules);
        }
    }

    pub(crate) fn settle_abroad(&mut self, id: CallId, slot: Slot, abroad: Abroad) {
        let rules = self.rules;
        if let Some(running) = self.running.get_mut(&id) {
            running.settle_abroad(slot, abroad, rules);
        }
    }

    pub(crate) fn taint(&mut self, id: CallId, why: Unstorable) {
        if let Some(running) = self.running.get_mut(&id) {
            running.taint(why);
        }
    }

    /// A call without context came from this service: any execution of it may have made it.
    pub(crate) fn taint_service(&mut self, service: &str) {
        if !self.rules.hold(Rule::LostContextTaints) {
            return;
        }
        for id in self.by_service.get(service).into_iter().flatten() {
            if let Some(running) = self.running.get_mut(id) {
                running.taint(Unstorable::LostContext);
            }
        }
    }

    /// The service answered. Calls that still come with this id are late.
    pub(crate) fn finish(
        &mut self,
        id: CallId,
        answer: Result<Arc<Content>, Unstorable>,
    ) -> Result<(Fact, Since), Unstorable> {
        let running = self.remove(id).ok_or(Unstorable::Truncated)?;
        self.remember_finished(id, running.start.nonce);
        let since = running.start.since;
        Ok((running.finish(answer, self.rules)?, since))
    }

    /// A result of a finished execution was stored.
    pub(crate) fn stored(&mut self, id: CallId, call: &Arc<Call>) {
        if let Some((_, stored)) = self.finished.get_mut(&id) {
            *stored = Some(Arc::clone(call));
        }
    }

    /// The execution came to no answer.
    pub(crate) fn cancel(&mut self, id: CallId) {
        self.remove(id);
    }

    pub(crate) fn len(&self) -> usize {
        self.running.len()
    }

    fn remove(&mut self, id: CallId) -> Option<Running> {
        let running = self.running.remove(&id)?;
        let service = &running.start.call.service;
        if let Some(ids) = self.by_service.get_mut(service) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_service.remove(service);
            }
        }
        Some(running)
    }

    fn remember_finished(&mut self, id: CallId, nonce: u64) {
        if self.finished_in_order.len() >= limits::FINISHED_MAX
            && let Some(oldest) = self.finished_in_order.pop_front()
        {
            self.finished.remove(&oldest);
        }
        self.finished.insert(id, (nonce, None));
        self.finished_in_order.push_back(id);
    }
}

impl Running {
    fn new(start: Start) -> Self {
        let clock = start.clock.unwrap_or_else(fact::always);
        let inputs = start.clock.map(|bucket| Place::One(Input::Clock(bucket)));
        // A clock that shows another moment than that of the execution says nothing about it.
        let taint = (!clock.contains(start.at)).then_some(Unstorable::Contradiction);
        let inputs = inputs.into_iter().collect();
        Self { inputs, spaces: BTreeSet::new(), validity: clock, clock, taint, start }
    }

    /// The first reason is the one that is told.
    fn taint(&mut self, why: Unstorable) {
        self.taint.get_or_insert(why);
    }

    fn reserve(&mut self) -> Slot {
        if self.inputs.len() >= limits::INPUTS_MAX {
            self.taint(Unstorable::TooManyInputs);
            return Slot(usize::MAX);
        }
        self.inputs.push(Place::Open);
        Slot(self.inputs.len() - 1)
    }

    fn settle(&mut self, slot: Slot, observed: &Observed, rules: Rules) {
        let Some(place) = self.inputs.get_mut(slot.0) else { return };
        let fact = match &observed.fact {
            Ok(fact) => fact,
            Err(_) if !rules.hold(Rule::Contagion) => {
                *place = Place::One(Input::Clock(fact::always()));
                return;
            }
            Err(why) => {
                let why = match why {
                    Unstorable::Write | Unstorable::NoValidity => *why,
                    _ => Unstorable::Contagion,
                };
                return self.taint(why);
            }
        };
        *place = Place::One(fact.as_input(observed.key));
        if rules.hold(Rule::StateIsDeclared) && !self.start.call.declares_state_of(&observed.call) {
            self.taint(Unstorable::UndeclaredState);
        }
        if rules.hold(Rule::TransitiveSpaces) || fact.is_leaf(observed.key) {
            self.spaces.extend(fact.trace.spaces().iter().copied());
        }
        if rules.hold(Rule::TransitiveClocks) {
            self.narrow_clock(fact.trace.clock());
        }
        if rules.hold(Rule::IntersectInputs) {
            self.narrow(fact.validity);
        } else {
            self.validity = fact.validity;
        }
    }

    fn settle_abroad(&mut self, slot: Slot, abroad: Abroad, rules: Rules) {
        let Some(place) = self.inputs.get_mut(slot.0) else { return };
        let Abroad { state, inputs, validity } = abroad;
        let undeclared = |name: &str| !self.start.call.state.iter().any(|(own, _)| **own == *name);
        let undeclared = state.iter().any(|name| undeclared(name));
        let spaces = inputs.iter().filter_map(Input::place).map(|(space, _)| space);
        self.spaces.extend(spaces);
        let clocks: Vec<Validity> = inputs.iter().filter_map(Input::clock).collect();
        *place = Place::Several(inputs.into());
        for clock in clocks {
            self.narrow_clock(clock);
        }
        self.narrow(validity);
        if undeclared && rules.hold(Rule::StateIsDeclared) {
            self.taint(Unstorable::UndeclaredState);
        }
    }

    fn narrow(&mut self, other: Validity) {
        match self.validity.intersect(other).filter(|both| both.contains(self.start.at)) {
            Some(both) => self.validity = both,
            None => self.taint(Unstorable::Contradiction),
        }
    }

    fn narrow_clock(&mut self, other: Validity) {
        match self.clock.intersect(other) {
            Some(both) => self.clock = both,
            None => self.taint(Unstorable::Contradiction),
        }
    }

    fn finish(
        mut self,
        answer: Result<Arc<Content>, Unstorable>,
        rules: Rules,
    ) -> Result<Fact, Unstorable> {
        if rules.hold(Rule::AllInputsSettled)
            && self.inputs.iter().any(|place| matches!(place, Place::Open))
        {
            self.taint(Unstorable::Unfinished);
        }
        let constant = self.start.constant || !rules.hold(Rule::InputsOrConstant);
        if self.inputs.is_empty() && !constant {
            self.taint(Unstorable::NoInputs);
        }
        if let Some(why) = self.taint {
            return Err(why);
        }
        let content = answer?;
        let inputs = distinct(self.inputs.into_iter().flat_map(Place::into_inputs))?;
        if inputs.len() > limits::INPUTS_MAX {
            return Err(Unstorable::TooManyInputs);
        }
        let trace = Arc::new(Trace::new(inputs, &self.spaces, self.clock));
        Ok(Fact { content, validity: self.validity, trace })
    }
}

/// The same input twice is one, since both were read at one moment; with two answers, though,
/// nobody knows which of them the result is made of.
fn distinct(all: impl Iterator<Item = Input>) -> Result<Vec<Input>, Unstorable> {
    let mut seen = HashMap::new();
    let mut distinct = Vec::new();
    for input in all {
        let (Some(call), Some(said)) = (input.call(), input.hash()) else {
            distinct.push(input);
            continue;
        };
        match seen.insert(call, said) {
            None => distinct.push(input),
            Some(before) if before != said => return Err(Unstorable::Contradiction),
            Some(_) => {}
        }
    }
    Ok(distinct)
}

#[cfg(test)]
#[path = "executions_tests.rs"]
mod tests;
