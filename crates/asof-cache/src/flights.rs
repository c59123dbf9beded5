//! One execution for everybody who asks the same at the same time.
//!
//! Whoever asks first leads; the others wait. A leader that goes away without a result releases
//! them. Nobody waits for an execution that, through calls of its own, waits for them.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::cache::Since;
use crate::call::CallKey;
use crate::fact::Fact;
use crate::outcome::Unstorable;
use crate::rules::{Rule, Rules};

/// One execution that others may wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct FlightId(u64);

/// The flights that are led above a call, innermost first.
#[derive(Debug)]
pub struct Line {
    flight: FlightId,
    above: Option<Arc<Line>>,
}

/// Those under way.
#[derive(Clone, Debug)]
pub(crate) struct Flights {
    table: Arc<Mutex<Table>>,
    rules: Rules,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    by_key: HashMap<CallKey, FlightId>,
    flights: HashMap<FlightId, Flight>,
    /// For each flight, those that some call below its leader waits for, and how many calls do.
    waits: HashMap<FlightId, HashMap<FlightId, usize>>,
}

#[derive(Debug, Default)]
struct Flight {
    followers: usize,
    landed: Option<Landing>,
    wakers: HashMap<u64, Waker>,
}

/// How a flight ended.
#[derive(Clone, Debug)]
pub struct Landed(pub(crate) Landing);

#[derive(Clone, Debug)]
pub(crate) enum Landing {
    /// A fact, and up to when nothing that it is made of had been dropped.
    Shared(Fact, Since),
    /// The leader was executed, and what came of it may not be shared.
    NotShared(Unstorable),
    /// The leader went away.
    Abandoned,
}

/// What to do about a call that is not in the cache.
#[derive(Debug)]
pub(crate) enum Joined {
    /// Nobody else is at it.
    Lead(Lead),
    /// Somebody is: wait for them.
    Follow(Ticket),
    /// Somebody is, and waits for us.
    Alone,
}

/// The duty to execute. Dropped without a result it releases the followers.
#[derive(Debug)]
pub(crate) struct Lead {
    flights: Flights,
    key: CallKey,
    line: Arc<Line>,
}

/// A wait for the leader. What comes of it is for `Serve::landed`.
#[derive(Debug)]
pub struct Ticket {
    flights: Flights,
    flight: FlightId,
    line: Option<Arc<Line>>,
    number: u64,
}

impl Flights {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { table: Arc::default(), rules }
    }

    pub(crate) fn join(&self, key: CallKey, line: Option<&Arc<Line>>) -> Joined {
        let mut table = self.lock();
        let Some(flight) = table.by_key.get(&key).copied() else {
            let flight = table.number();
            let flight = FlightId(flight);
            table.by_key.insert(key, flight);
            table.flights.insert(flight, Flight::default());
            let line = Arc::new(Line { flight, above: line.cloned() });
            return Joined::Lead(Lead { flights: self.clone(), key, line });
        };
        let above: HashSet<FlightId> = Line::flights(line).collect();
        if self.rules.hold(Rule::WaitsHaveNoCycle) && table.reaches(flight, &above) {
            return Joined::Alone;
        }
        for waiting in above {
            *table.waits.entry(waiting).or_default().entry(flight).or_default() += 1;
        }
        if let Some(flight) = table.flights.get_mut(&flight) {
            flight.followers += 1;
        }
        let number = table.number();
        Joined::Follow(Ticket { flights: self.clone(), flight, line: line.cloned(), number })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        // Every change of the table is whole before anything in it can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, lead: &Lead, landing: Landing) {
        let wakers = {
            let mut table = self.lock();
            let id = lead.line.flight;
            table.by_key.remove(&lead.key);
            table.waits.remove(&id);
            let Some(flight) = table.flights.get_mut(&id) else { return };
            flight.landed = Some(landing);
            let wakers = std::mem::take(&mut flight.wakers);
            if flight.followers == 0 {
                table.flights.remove(&id);
            }
            wakers
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

impl Table {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether `flight` is one of `goals`, or waits for one, however far.
    fn reaches(&self, flight: FlightId, goals: &HashSet<FlightId>) -> bool {
        let (mut seen, mut next) = (HashSet::new(), vec![flight]);
        while let Some(flight) = next.pop() {
            if goals.contains(&flight) {
                return true;
            }
            if seen.insert(flight) {
                next.extend(self.waits.get(&flight).into_iter().flat_map(HashMap::keys));
            }
        }
        false
    }
}

impl Line {
    fn flights(line: Option<&Arc<Self>>) -> impl Iterator<Item = FlightId> {
        std::iter::successors(line, |line| line.above.as_ref()).map(|line| line.flight)
    }

    /// How many executions are led above.
    pub fn depth(line: Option<&Arc<Self>>) -> usize {
        Self::flights(line).count()
    }
}

impl Lead {
    /// What the calls below this execution carry.
    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// The execution came to a result that may be shared.
    pub(crate) fn land(self, fact: Fact, since: Since) {
        self.flights.land(&self, Landing::Shared(fact, since));
    }

    /// The execution came to none.
    pub(crate) fn refuse(self, why: Unstorable) {
        self.flights.land(&self, Landing::NotShared(why));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // After `land` the flight is gone or has landed already, and this changes nothing.
        let landed = {
            let table = self.flights.lock();
            table.flights.get(&self.line.flight).is_none_or(|flight| flight.landed.is_some())
        };
        if !landed {
            self.flights.land(self, Landing::Abandoned);
        }
    }
}

impl Future for Ticket {
    type Output = Option<Landed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut table = self.flights.lock();
        let Some(flight) = table.flights.get_mut(&self.flight) else { return Poll::Ready(None) };
        if let Some(landing) = &flight.landed {
            return Poll::Ready(Some(Landed(landing.clone())));
        }
        flight.wakers.insert(self.number, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.flights.lock();
        for waiting in Line::flights(self.line.as_ref()) {
            let Some(waits) = table.waits.get_mut(&waiting) else { continue };
            let Some(count) = waits.get_mut(&self.flight) else { continue };
            *count -= 1;
            if *count == 0 {
                waits.remove(&self.flight);
                if waits.is_empty() {
                    table.waits.remove(&waiting);
                }
            }
        }
        if let Some(flight) = table.flights.get_mut(&self.flight) {
            flight.followers -= 1;
            flight.wakers.remove(&self.number);
            if flight.followers == 0 && flight.landed.is_some() {
                table.flights.remove(&self.flight);
            }
        }
    }
}

#[cfg(test)]
#[path = "flights_tests.rs"]
mod tests;
