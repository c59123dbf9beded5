//! The whole of Asof in one thread, and what it says held against what is true.
//!
//! A number decides everything: real stores (`asof-store`, on disks and clocks that are simulated)
//! are written to, capped, erased from, retained, lose power and are restored; their feeds come to
//! edges as the server says them (`asof_server::messages`) and are heard as an edge hears them
//! (`asof_edge::hearing`), late and with connections lost; services answer through the real cache
//! (`asof_cache`). What is simulated is only what lies between: sockets, threads and time.
//!
//! Each answer is compared with a run without any cache, over a model of the store, at the moment
//! and in the timeline that it was made at. [`run`] is one run; one that fails says what happened
//! up to there.

mod edge;
mod judge;
mod link;
mod program;
mod rules;
mod seed;
mod source;
mod tasks;
mod truth;

use core::time::Duration;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use asof_time::Timestamp;

use edge::{Edge, Sources, Wanted};
use judge::Judge;
use program::{ARGUMENTS, SERVICES, Services};
use seed::Seed;
use source::{Source, Weather};
use tasks::Tasks;

pub use judge::Tally;
pub use rules::{OF_CACHE, Off, Seam};

/// Rounds of a run: in each something happens, and a few clients ask.
const ROUNDS: u64 = 60;

/// What went wrong in a run, after which history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// What.
    pub what: String,
    /// What happened up to there: nothing later is needed to see it.
    pub history: Vec<String>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.history {
            writeln!(f, "  {event}")?;
        }
        write!(f, "{}", self.what)
    }
}

/// One run, with one of the rules switched off if so wanted.
///
/// # Errors
///
/// What was not as it should be, first.
///
/// # Panics
///
/// Where a store cannot be opened again, or refuses what it must not refuse.
pub fn run(number: u64, off: Option<Off>) -> Result<Tally, Wrong> {
    World::new(number, off).run()
}

struct World {
    seed: Seed,
    sources: Sources,
    edges: Vec<Rc<Edge>>,
    judge: Rc<Judge>,
    tasks: Tasks,
    weather: Weather,
    history: RefCell<Vec<String>>,
    wrong: RefCell<Option<String>>,
}

impl World {
    fn new(number: u64, off: Option<Off>) -> Self {
        let seed = Seed::new(number);
        // Near the end of time as often as elsewhere.
        let start = match seed.below(3) {
            0 => Timestamp::from_micros(1_700_000_000_000_000).unwrap_or(Timestamp::MIN),
            1 => Timestamp::MIN,
            _ => Timestamp::MAX.saturating_sub(Duration::from_hours(2)),
        };
        let spaces = if seed.once_in(2) { vec![vec![0, 1, 2]] } else { vec![vec![0, 1], vec![2]] };
        let stores = (0..).zip(spaces).map(|(n, spaces)| Source::new(start, n, spaces));
        let sources: Sources = Rc::new(RefCell::new(stores.collect()));
        let services = Rc::new(Services::new(&seed));
        let edge = || Edge::new(Rc::clone(&sources), Rc::clone(&services), off);
        let edges = (0..=seed.below(2)).map(|_| edge()).collect();
        let weather = Weather {
            busy: seed.once_in(2),
            caps: seed.once_in(2),
            erases: seed.once_in(3),
            restores: seed.once_in(2),
        };
        let (judge, tasks) = (Rc::default(), Tasks::default());
        let (history, wrong) = (RefCell::default(), RefCell::default());
        Self { seed, sources, edges, judge, tasks, weather, history, wrong }
    }

    fn run(self) -> Result<Tally, Wrong> {
        // Edges that just began have nothing to say.
        for _ in 0..20 {
            self.edge_event();
        }
        for _ in 0..ROUNDS {
            for _ in 0..self.seed.below(3) {
                self.store_event();
            }
            for _ in 0..self.seed.below(6) {
                self.edge_event();
            }
            for _ in 0..self.seed.below(4) {
                self.request();
            }
            let busy = if self.weather.busy { 2 } else { 6 };
            let ended = self.tasks.run(&self.seed, || match self.seed.below(4 * busy) {
                0 => self.store_event(),
                1..4 => self.edge_event(),
                _ => {}
            });
            let never = (!ended).then(|| "somebody waits for ever".to_owned());
            let wrong = self.wrong.borrow_mut().take().or_else(|| self.judge.wrong()).or(never);
            if let Some(what) = wrong {
                return Err(Wrong { what, history: self.history.take() });
            }
        }
        let executed = self.edges.iter().map(|edge| edge.executed.get()).sum();
        Ok(Tally { executed, ..self.judge.tally.get() })
    }

    fn note(&self, what: String) {
        if !what.is_empty() && self.judge.wrong().is_none() {
            self.history.borrow_mut().push(what);
        }
    }

    fn store_event(&self) {
        let mut sources = self.sources.borrow_mut();
        let place = self.seed.index(sources.len());
        let Some(source) = sources.get_mut(place) else { return };
        let epoch = source.time().epoch;
        let fell = source.away;
        match source.event(&self.seed, self.weather) {
            Ok(said) => {
                let is_cut = said.contains("the power fails") || source.time().epoch != epoch;
                if is_cut || (source.away && !fell) {
                    // Whoever was connected is not any more.
                    for edge in &self.edges {
                        edge.links
                            .borrow_mut()
                            .get_mut(place)
                            .into_iter()
                            .for_each(link::Link::lose);
                    }
                }
                if !said.is_empty() {
                    self.note(format!("store {place}: {said}"));
                }
            }
            Err(wrong) => {
                self.wrong.borrow_mut().get_or_insert(wrong);
            }
        }
    }

    fn edge_event(&self) {
        let number = self.seed.index(self.edges.len());
        let Some(edge) = self.edges.get(number) else { return };
        let mut links = edge.links.borrow_mut();
        let place = self.seed.index(links.len());
        let sources = self.sources.borrow();
        let Some((link, source)) = links.get_mut(place).zip(sources.get(place)) else { return };
        match self.seed.below(30) {
            0 => {
                link.lose();
                self.note(format!("edge {number} loses store {place}"));
            }
            2 => {
                link.give_up();
                self.note(format!("edge {number} gives up following store {place}"));
            }
            1 => {
                if let Some(key) = self.seed.pick(&edge.cache.keys()) {
                    edge.cache.evict(*key);
                }
            }
            _ => {
                let before = link.heard;
                let done = link.event(&self.seed, source, &edge.cache, &|seam| edge.holds(seam));
                if let Err(wrong) = done {
                    self.wrong.borrow_mut().get_or_insert(wrong);
                }
                if let Some(heard) = link.heard.filter(|heard| Some(*heard) != before) {
                    let through = heard.through.as_micros();
                    let cap = heard.cap.map(Timestamp::as_micros);
                    self.note(format!("edge {number} hears store {place}: {through}, cap {cap:?}"));
                }
            }
        }
    }

    /// A client asks an edge.
    fn request(&self) {
        let number = self.seed.index(self.edges.len());
        let Some(edge) = self.edges.get(number) else { return };
        let sources = self.sources.borrow();
        let written = self.seed.once_in(3).then(|| self.seed.pick(&sources)?.written).flatten();
        let asked = self.seed.once_in(4).then(|| self.moment(&sources)).flatten();
        let wanted = Wanted { written, asked };
        let call = (self.seed.below(SERVICES), self.seed.below(ARGUMENTS));
        self.note(format!("edge {number} is asked for s{}/{}, {wanted:?}", call.0, call.1));
        self.tasks.spawn(Rc::clone(&self.judge).ask(Rc::clone(edge), wanted, call));
    }

    /// A moment worth asking about: one at which something was written, or just before.
    fn moment(&self, sources: &[Source]) -> Option<Timestamp> {
        let source = self.seed.pick(sources)?;
        let moments = source.timeline(source.time().epoch)?.moments();
        let moments: Vec<Timestamp> = moments.into_iter().collect();
        let at = *self.seed.pick(&moments)?;
        if self.seed.once_in(3) { at.prev() } else { Some(at) }
    }
}
