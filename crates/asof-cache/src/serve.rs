//! The way of one call, from the question to the answer, as steps that somebody else takes.
//!
//! A [`Serve`] says what is to be done next; the shell does it and comes back with what came of
//! it. So the shell waits, and this decides.

use std::sync::Arc;

use asof_time::Timestamp;

use crate::cache::{Cache, Since};
use crate::call::{Call, CallKey};
use crate::content::Content;
use crate::fact::Fact;
use crate::flights::{Joined, Landed, Landing, Lead, Line, Ticket};
use crate::outcome::{Outcome, Unstorable};
use crate::rules::Rule;
use crate::verify::{Look, Step, Verification};

/// One call on its way.
#[derive(Debug)]
pub struct Serve {
    call: Arc<Call>,
    key: CallKey,
    at: Timestamp,
    above: Option<Arc<Line>>,
    lead: Option<Lead>,
    alone: bool,
    /// When what is known here was looked up, or its execution decided on.
    since: Since,
    waits: u32,
    verification: Option<Verification>,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Action {
    /// Nothing: this is the answer.
    Answer(Fact, Outcome),
    /// Await the ticket, then [`Serve::landed`].
    Wait(Ticket),
    /// Serve this call at the same moment, then [`Serve::settled`].
    Settle(Arc<Call>),
    /// Execute the call, then [`Serve::executed`].
    Execute(Execute),
    /// Nothing, and there is no answer: the execution that was waited for timed out, and so has the
    /// wait.
    TimedOut,
}

/// An execution that is to be made.
#[derive(Debug)]
pub struct Execute {
    /// What was true at the last moment before: an origin may be asked whether it still is.
    pub prior: Option<Arc<Content>>,
    /// What the calls below it carry.
    pub line: Option<Arc<Line>>,
    /// When it was decided on.
    pub since: Since,
}

/// How often somebody waits for others before executing alone.
const WAITS_MAX: u32 = 4;

impl Serve {
    /// The way of `call` at `at`, below the executions of `above`.
    pub fn new(call: Arc<Call>, at: Timestamp, above: Option<Arc<Line>>) -> Self {
        let key = call.key();
        let (lead, verification) = (None, None);
        let since = Since::default();
        Self { call, key, at, above, lead, alone: false, since, waits: 0, verification }
    }

    /// The key of the call.
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// The call.
    pub fn call(&self) -> &Arc<Call> {
        &self.call
    }

    /// What is to be done first.
    pub fn begin(&mut self, cache: &Cache) -> Action {
        self.since = cache.since();
        match cache.known_at(self.key, self.at, 0) {
            Look::Fact(fact, outcome) => Action::Answer(fact, outcome),
            Look::Other(_) | Look::Nothing => self.join(cache),
        }
    }

    /// The leader is back, with a result that may be shared or without; `None` if it was waited
    /// for too long.
    pub fn landed(&mut self, cache: &Cache, landed: Option<Landed>) -> Action {
        let shared = cache.rules().hold(Rule::SharedWithinValidity);
        self.waits += 1;
        self.alone = self.waits >= WAITS_MAX;
        match landed.map(|Landed(landing)| landing) {
            // What was dropped before this call was asked is not for it, whoever still holds it.
            Some(Landing::Shared(fact, since))
                if (fact.validity.contains(self.at) || !shared)
                    && cache.may_share(&fact, since, self.since) =>
            {
                Action::Answer(fact, Outcome::Coalesced)
            }
            Some(Landing::Shared(..) | Landing::Abandoned) => self.begin(cache),
            // It was waited as long as the service may take. All of them asking at once what it
            // could not answer one would hold it down, and their clients twice as long.
            Some(Landing::NotShared(Unstorable::TimedOut)) => Action::TimedOut,
            // What one execution could not share, the next one cannot either: no more queues.
            Some(Landing::NotShared(_)) | None => {
                self.alone = true;
                self.join(cache)
            }
        }
    }

    /// The nested call was served.
    pub fn settled(&mut self, cache: &Cache, fact: Result<Fact, Unstorable>) -> Action {
        let Some(verification) = &mut self.verification else { return self.execute(cache) };
        let step = verification.step(cache, Some(fact), 0);
        self.take(cache, step)
    }

    /// The call was executed. Others who wait for it share the fact, if there is one.
    pub fn executed(self, fact: Result<&Fact, Unstorable>) {
        let Some(lead) = self.lead else { return };
        match fact {
            Ok(fact) => lead.land(fact.clone(), self.since),
            Err(why) => lead.refuse(why),
        }
    }

    fn join(&mut self, cache: &Cache) -> Action {
        if !self.alone && self.lead.is_none() {
            match cache.flights().join(self.key, self.above.as_ref()) {
                Joined::Lead(lead) => self.lead = Some(lead),
                Joined::Follow(ticket) => return Action::Wait(ticket),
                Joined::Alone => self.alone = true,
            }
        }
        self.verify(cache)
    }

    /// Looks once more, since another leader may just have landed, and verifies in earnest.
    fn verify(&mut self, cache: &Cache) -> Action {
        let since = cache.since();
        self.since = since;
        let entry = match cache.known_at(self.key, self.at, 0) {
            Look::Fact(fact, outcome) => return self.answer(fact, outcome),
            Look::Nothing => return self.execute(cache),
            Look::Other(entry) => entry,
        };
        let open = entry.at_or_before(self.at).filter(|held| held.validity().is_open());
        let Some(held) = open else { return self.execute(cache) };
        let mut verification = Verification::new(self.key, self.at, since, held.fact());
        let step = verification.step(cache, None, 0);
        self.verification = Some(verification);
        self.take(cache, step)
    }

    fn take(&mut self, cache: &Cache, step: Step) -> Action {
        match step {
            Step::True(fact, outcome) => self.answer(fact, outcome),
            Step::Settle(call) => Action::Settle(call),
            Step::Run => self.execute(cache),
        }
    }

    fn answer(&mut self, fact: Fact, outcome: Outcome) -> Action {
        if let Some(lead) = self.lead.take() {
            lead.land(fact.clone(), self.since);
        }
        Action::Answer(fact, outcome)
    }

    fn execute(&mut self, cache: &Cache) -> Action {
        let entry = cache.entry(self.key);
        let prior =
            entry.and_then(|entry| Some(Arc::clone(entry.at_or_before(self.at)?.content())));
        let line = self.lead.as_ref().map(|lead| Arc::clone(lead.line()));
        let (line, since) = (line.or_else(|| self.above.clone()), cache.since());
        self.since = since;
        Action::Execute(Execute { prior, line, since })
    }

    /// What the calls that are served on the way of this one carry.
    pub fn line(&self) -> Option<Arc<Line>> {
        let own = self.lead.as_ref().map(|lead| Arc::clone(lead.line()));
        own.or_else(|| self.above.clone())
    }
}
