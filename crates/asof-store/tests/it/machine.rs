//! All reachable states of the cap, of a mark and of a revert, walked: from each state every action
//! is done on a real store, and what it answers and leaves is held against a few lines that say
//! what is allowed. Nothing else is reachable.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use asof_store::{
    AsOf, BadCommits, ClearCap, Confirm, Conflicts, DryRun, Effective, Result, Revert,
    RevertTarget, SetCap,
};
use asof_time::{Sequence, Timestamp};

use crate::run::SECOND;
use crate::steps::Stepped;
use crate::world::{START, actor, at, key, now, put, space};

/// Where a cap is: below the bad commit, or at a moment that shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Where {
    Low,
    High,
}

/// Whether a cap ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Ends {
    ByHand,
    Later,
    /// Its time is over.
    Now,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct State {
    cap: Option<(Where, Ends)>,
    marked: bool,
    reverted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Set(Where, Ends),
    /// From, to.
    Replace(Where, Where, BadCommits),
    Clear(BadCommits),
    /// Only a cap at this place.
    ClearAt(Where),
    Mark,
    Unmark,
    Revert,
    /// Longer than a cap may live.
    Pass,
    /// The power fails, and the store is opened again.
    Crash,
}

fn actions() -> Vec<Action> {
    use Action::{Clear, ClearAt, Crash, Mark, Pass, Replace, Revert, Set, Unmark};
    use BadCommits::{Refuse, Show};
    use Where::{High, Low};
    let mut all = vec![Mark, Unmark, Revert, Pass, Crash, Clear(Refuse), Clear(Show)];
    for to in [Low, High] {
        all.extend([Set(to, Ends::ByHand), Set(to, Ends::Later), ClearAt(to)]);
        for from in [Low, High] {
            all.extend([Replace(from, to, Refuse), Replace(from, to, Show)]);
        }
    }
    all
}

/// What an action leads to: the next state and the entry in the audit, or the refusal.
type Outcome = core::result::Result<(State, Option<&'static str>), &'static str>;

/// Whether clearing the cap would show the bad commit to readers who do not see it.
fn hides_bad(state: State) -> bool {
    state.marked && !state.reverted && matches!(state.cap, Some((Where::Low, _)))
}

fn allowed(state: State, action: Action) -> Outcome {
    let with = |cap| State { cap, ..state };
    match action {
        Action::Set(..) if state.cap.is_some() => Err("Conflict"),
        Action::Set(place, ends) => Ok((with(Some((place, ends))), Some("cap-set"))),
        Action::Replace(from, to, bad) => match state.cap {
            Some((place, _)) if place == from => {
                // At the high place the bad commit is seen whether it is reverted or not.
                let shows = state.marked && from == Where::Low && to == Where::High;
                if shows && bad == BadCommits::Refuse {
                    return Err("Conflict");
                }
                Ok((with(Some((to, Ends::ByHand))), Some("cap-set")))
            }
            _ => Err("Conflict"),
        },
        Action::Clear(bad) => match state.cap {
            None => Err("Conflict"),
            Some(_) if hides_bad(state) && bad == BadCommits::Refuse => Err("Conflict"),
            Some(_) => Ok((with(None), Some("cap-cleared"))),
        },
        Action::ClearAt(place) => match state.cap {
            Some((found, _)) if found == place => allowed(state, Action::Clear(BadCommits::Refuse)),
            _ => Err("Conflict"),
        },
        Action::Mark if state.marked => Err("Conflict"),
        Action::Mark => Ok((State { marked: true, ..state }, Some("commit-marked-bad"))),
        Action::Unmark if !state.marked => Err("NotFound"),
        Action::Unmark => Ok((State { marked: false, ..state }, Some("commit-unmarked-bad"))),
        Action::Revert if state.reverted => Ok((state, None)),
        Action::Revert => Ok((State { reverted: true, ..state }, Some("commit-reverted"))),
        Action::Pass => match state.cap {
            Some((place, Ends::Later | Ends::Now)) => Ok(expire(state, place)),
            _ => Ok((state, None)),
        },
        Action::Crash => match state.cap {
            Some((place, Ends::Now)) => Ok(expire(state, place)),
            _ => Ok((state, None)),
        },
    }
}

fn expire(state: State, place: Where) -> (State, Option<&'static str>) {
    if hides_bad(state) {
        return (State { cap: Some((place, Ends::Now)), ..state }, None);
    }
    (State { cap: None, ..state }, Some("cap-expired"))
}

/// A store with a good value, and then a bad one.
struct Real {
    world: Stepped,
    low: Timestamp,
    high: Timestamp,
    bad: Sequence,
}

const LIVES: Duration = Duration::from_mins(1);

impl Real {
    fn new() -> Self {
        let world = Stepped::new(at(START));
        world.store.commit(now(vec![put("s", "k", "good")])).unwrap();
        let low = world.pass(SECOND);
        let bad = world.store.commit(now(vec![put("s", "k", "bad")])).unwrap().id;
        let high = world.pass(SECOND);
        world.pass(SECOND);
        Self { world, low, high, bad }
    }

    fn place(&self, place: Where) -> Timestamp {
        match place {
            Where::Low => self.low,
            Where::High => self.high,
        }
    }

    fn act(self, action: Action) -> (Self, Result<()>) {
        let by = || actor("a step");
        let store = &self.world.store;
        let done = match action {
            Action::Set(place, ends) => {
                let ttl = (ends == Ends::Later).then_some(LIVES);
                let request = SetCap { ttl, ..self.place(place).into() };
                store.set_cap(request, by(), DryRun::No).map(drop)
            }
            Action::Replace(from, to, bad) => {
                let replaces = Some(self.place(from));
                let request = SetCap { replaces, bad, ..self.place(to).into() };
                store.set_cap(request, by(), DryRun::No).map(drop)
            }
            Action::Clear(bad) => {
                let request = ClearCap { bad, ..ClearCap::default() };
                store.clear_cap(request, by(), DryRun::No).map(drop)
            }
            Action::ClearAt(place) => {
                let request = ClearCap { at: Some(self.place(place)), ..ClearCap::default() };
                store.clear_cap(request, by(), DryRun::No).map(drop)
            }
            Action::Mark => store.mark_bad(self.bad, by()).map(drop),
            Action::Unmark => store.unmark_bad(self.bad, by()).map(drop),
            Action::Revert => {
                let request = Revert {
                    target: RevertTarget::Commit(self.bad),
                    space: None,
                    effective: Effective::Now,
                    conflicts: Conflicts::Refuse,
                    keep: Vec::new(),
                    restore: Vec::new(),
                    confirm: Confirm::default(),
                };
                store.revert(&request, by(), DryRun::No).map(drop)
            }
            Action::Pass => {
                self.world.pass(2 * LIVES);
                Ok(())
            }
            Action::Crash => {
                let world = self.world.crash(1);
                // Past the ceiling that its predecessor left.
                world.pass(2 * SECOND);
                return (Self { world, ..self }, Ok(()));
            }
        };
        (self, done)
    }

    /// Number and action of the last entry in the audit.
    fn last_record(&self) -> (u64, &'static str) {
        let records = self.world.store.control_log(0, 1_000).unwrap();
        records.last().map_or((0, ""), |last| (last.sequence, last.action.as_str()))
    }

    /// Everything that readers and operators see is as the state says.
    #[track_caller]
    fn check(&self, state: State, story: &[Action]) {
        let store = &self.world.store;
        let cap = state.cap.map(|(place, _)| self.place(place));
        let time = store.time();
        assert_eq!(time.cap, cap, "{story:?}");
        assert_eq!(time.latest, cap.unwrap_or(time.closed), "{story:?}");
        assert_eq!(!store.bad_commits().is_empty(), state.marked, "{story:?}");
        let ends = store.cap().is_some_and(|cap| cap.expires.is_some());
        let wanted = matches!(state.cap, Some((_, Ends::Later | Ends::Now)));
        assert_eq!(ends, wanted, "{story:?}");
        let read = store.view(AsOf::Latest).unwrap().get(&space("s"), &key("k")).unwrap();
        let good = match state.cap {
            Some((place, _)) => place == Where::Low,
            None => state.reverted,
        };
        let shown = if good { "good" } else { "bad" };
        assert_eq!(&read.value.unwrap().bytes[..], shown.as_bytes(), "{story:?}");
        // What was is what it was.
        let read = store.view(AsOf::Beyond(self.high)).unwrap().get(&space("s"), &key("k"));
        assert_eq!(&read.unwrap().value.unwrap().bytes[..], b"bad", "{story:?}");
    }
}

fn replay(story: &[Action]) -> Real {
    story.iter().fold(Real::new(), |real, action| {
        let (real, done) = real.act(*action);
        done.unwrap_or_else(|error| panic!("{story:?}: {error}"));
        real
    })
}

#[test]
fn every_action_in_every_reachable_state_does_what_is_allowed_and_nothing_else() {
    let mut known: BTreeMap<State, Vec<Action>> = BTreeMap::new();
    let mut next = VecDeque::from([State::default()]);
    known.insert(State::default(), Vec::new());
    while let Some(state) = next.pop_front() {
        let path = known.get(&state).cloned().unwrap_or_default();
        for action in actions() {
            let real = replay(&path);
            let story = [&path[..], &[action]].concat();
            let before = real.last_record().0;
            let (real, done) = real.act(action);
            let (number, last) = real.last_record();
            match allowed(state, action) {
                Err(kind) => {
                    let error = done.expect_err("it is not allowed");
                    assert_eq!(error.kind().as_str(), kind, "{story:?}: {error}");
                    assert_eq!(number, before, "{story:?}: a refusal leaves no trace");
                    real.check(state, &story);
                }
                Ok((after, record)) => {
                    done.unwrap_or_else(|error| panic!("{story:?}: {error}"));
                    real.check(after, &story);
                    let found = (number > before).then_some(last);
                    assert_eq!(found, record, "{story:?}: the audit agrees");
                    assert!(number <= before + 1, "{story:?}");
                    if let std::collections::btree_map::Entry::Vacant(place) = known.entry(after) {
                        place.insert(story);
                        next.push_back(after);
                    }
                }
            }
        }
    }
    // None, or a cap at two places that ends in two ways, and a low one that is held back; each
    // with and without mark and revert.
    assert_eq!(known.len(), 5 * 4 + held_back(&known), "{known:#?}");
}

/// States in which the time of a cap is over: it was held back for a bad commit.
fn held_back(known: &BTreeMap<State, Vec<Action>>) -> usize {
    let held = known.keys().filter(|state| matches!(state.cap, Some((_, Ends::Now))));
    let held: Vec<&State> = held.collect();
    assert!(held.iter().all(|state| matches!(state.cap, Some((Where::Low, _)))), "{held:?}");
    assert!(!held.is_empty());
    held.len()
}
