//! Random systems under random histories: every answer is what a run without a cache would give
//! at its moment. And with any rule of safety switched off, some answer is not.

mod edge;
mod judge;
mod seed;
mod tasks;
mod world;

use std::rc::Rc;

use asof_cache::{Begun, Rule, Rules};

use edge::{Context, Edge, STORE, key};
use judge::{Asked, Judge};
use seed::Seed;
use tasks::Tasks;
use world::{Clock, DATA, RELEASES, SERVICES, SPACES, Services, Store};

/// One run: a few hundred requests while the world changes.
fn run(number: u64, rules: Rules) -> Result<Tally, String> {
    let mut seed = Seed(number);
    let clock = Clock::starting(&mut seed);
    let weather = Weather {
        past: seed.once_in(2),
        forgets: !seed.once_in(3),
        restores: seed.once_in(3),
        vices: seed.once_in(2),
    };
    let services = Services::new(&mut seed, weather.vices);
    let tasks = Tasks::default();
    let own = Seed(seed.next());
    let edge = Edge::new(Store::new(clock), services, own, rules, tasks.clone());
    let judge = Rc::new(Judge::new(Rc::clone(&edge), weather));
    let mut roots = 0;
    for _ in 0..40 {
        change(&edge, &mut seed, weather);
        for _ in 0..=seed.below(3) {
            roots += 1;
            let Some(context) = resolve(&edge, &mut seed, weather, roots) else { continue };
            let (service, argument) = (seed.below(3), seed.below(world::ARGUMENTS));
            let asked = Asked { context, service, argument, begun: edge.steps.get() };
            tasks.spawn(Rc::clone(&judge).ask(asked));
        }
        if seed.once_in(4)
            && let Some(context) = resolve(&edge, &mut seed, weather, 0)
        {
            let (service, argument) = (seed.below(3), seed.below(world::ARGUMENTS));
            tasks.spawn(Rc::clone(&edge).shadow(context, service, argument));
        }
        let ended = tasks.run(&mut seed, |seed| {
            edge.steps.set(edge.steps.get() + 1);
            if seed.once_in(6) {
                told(&edge, seed);
            }
        });
        if !ended {
            return Err("somebody waits for ever".into());
        }
    }
    judge.verdict()?;
    Ok(Tally { roots, executed: edge.executed.borrow().len() as u64 })
}

/// What may happen in a run. All of it happens, but not in all runs: most of life is calm.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a coin of its own")]
pub(crate) struct Weather {
    /// Requests for moments of the past.
    past: bool,
    /// Evictions, restarts, gaps in the feed.
    forgets: bool,
    /// Restores of the store from a backup.
    restores: bool,
    /// Services that do what they should not, and erasures.
    vices: bool,
}

/// What a run did.
#[derive(Debug, Default)]
struct Tally {
    roots: u64,
    executed: u64,
}

/// Resolves a request's inputs, once and early.
fn resolve(edge: &Edge, seed: &mut Seed, weather: Weather, root: u64) -> Option<Context> {
    let store = edge.store.borrow();
    let through = edge.cache.index().through(STORE)?;
    let through = (0..=store.closed).rev().find(|tick| store.clock.at(*tick) <= through)?;
    let back = if weather.past && seed.once_in(3) { seed.below(through) } else { 0 };
    let tick = through - back;
    let state = [seed.below(2), seed.below(2)];
    Some(Context { root, tick, at: store.clock.at(tick), state, epoch: store.epoch, depth: 0 })
}

/// The world changes, and the edge has its troubles.
fn change(edge: &Edge, seed: &mut Seed, weather: Weather) {
    for _ in 0..seed.below(3) {
        let writes = (0..seed.below(3)).map(|_| {
            let space =
                if seed.once_in(8) { RELEASES } else { usize::try_from(seed.below(DATA)).unwrap() };
            let keys = if space == RELEASES { SERVICES } else { world::KEYS };
            // Few values, so that they go and come back.
            let value = if seed.once_in(5) { None } else { Some(seed.below(2)) };
            (space, seed.below(keys), value)
        });
        let writes: Vec<_> = writes.collect();
        edge.store.borrow_mut().tick(&writes);
    }
    if seed.once_in(2) {
        told(edge, seed);
    }
    match seed.below(40) {
        0 if weather.forgets => edge.cache.clear(),
        1 if weather.forgets => gap(edge),
        2 | 12 | 13 if weather.restores => restore(edge, seed),
        3 if weather.vices && weather.forgets => erase(edge, seed),
        4..10 if weather.forgets => evict(edge, seed),
        _ => {}
    }
}

/// The feed tells some of what happened.
fn told(edge: &Edge, seed: &mut Seed) {
    let mut store = edge.store.borrow_mut();
    let upto = store.closed - seed.below(3).min(store.closed - 1);
    let clock = store.clock;
    edge.cache.tell(|index| {
        while store.untold.front().is_some_and(|(tick, ..)| *tick <= upto) {
            let (tick, space, number) = store.untold.pop_front().unwrap();
            index.changed(STORE, SPACES[space], &key(number), clock.at(tick));
        }
        let frontier = if edge.rules.hold(Rule::FrontierIsThrough) { upto } else { store.closed };
        index.advance(STORE, clock.at(frontier));
    });
}

/// The feed is lost, and taken up again later than where it was.
fn gap(edge: &Edge) {
    let mut store = edge.store.borrow_mut();
    store.untold.clear();
    store.closed += 1;
    let (epoch, at) = (store.epoch(), store.clock.at(store.closed));
    edge.cache.begin(STORE, epoch, at);
}

fn restore(edge: &Edge, seed: &mut Seed) {
    let mut store = edge.store.borrow_mut();
    let kept = store.closed - seed.below(5).min(store.closed - 1);
    store.restore(kept);
    let (epoch, at) = (store.epoch(), store.clock.at(store.closed));
    let begun = edge.cache.begin(STORE, epoch, at);
    assert!(begun == Begun::NewEpoch || !edge.rules.hold(Rule::EpochMatches));
}

fn erase(edge: &Edge, seed: &mut Seed) {
    let (space, number) = (usize::try_from(seed.below(DATA)).unwrap(), seed.below(world::KEYS));
    edge.store.borrow_mut().erase(space, number);
    edge.cache.erase(STORE, SPACES[space]);
}

/// Some result is dropped for want of memory.
fn evict(edge: &Edge, seed: &mut Seed) {
    let keys = edge.cache.keys();
    if !keys.is_empty() {
        let which = usize::try_from(seed.below(keys.len() as u64)).unwrap();
        edge.cache.evict(keys[which]);
    }
}

fn seeds(default: u64) -> u64 {
    std::env::var("ASOF_TEST_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_answer_is_what_a_run_without_a_cache_gives() {
    if let Ok(text) = std::env::var("ASOF_TEST_SEED") {
        run(text.parse().unwrap(), Rules::default()).unwrap();
        return;
    }
    let mut total = Tally::default();
    for number in 0..seeds(2_000) {
        match run(number, Rules::default()) {
            Ok(tally) => {
                total.roots += tally.roots;
                total.executed += tally.executed;
            }
            Err(wrong) => panic!(
                "{wrong}\nreplay: ASOF_TEST_SEED={number} cargo test -p asof-cache --test it oracle"
            ),
        }
    }
    println!("{total:?}");
    assert!(total.executed < total.roots * 3, "the cache is of no use: {total:?}");
}

#[test]
fn without_any_one_rule_some_answer_is_wrong() {
    let mut unnoticed = Vec::new();
    for rule in Rule::ALL {
        let broken = (0..seeds(8_000)).find_map(|number| {
            run(number, Rules::without(rule)).err().map(|wrong| (number, wrong))
        });
        match broken {
            Some((number, wrong)) => println!("{rule:?}: seed {number}: {wrong}"),
            None => unnoticed.push(rule),
        }
    }
    assert!(unnoticed.is_empty(), "nothing notices that these do not hold: {unnoticed:?}");
}
