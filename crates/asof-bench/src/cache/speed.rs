//! What it costs to ask: a hit beside a bare get, and a verification beside probes of a map.

use core::hint::black_box;
use std::collections::HashMap;
use std::sync::Arc;

use asof_cache::{Cache, CallKey, Outcome, Settings};
use asof_time::Timestamp;

use super::Effort;
use super::fill::{STORE, body, call, execute, follow, moment, space};
use crate::measure::{Result, Shuffle, alternate, busy, nanos_each};
use crate::report::{Bound, Comparison, Report, Unit};

const SPACES: u64 = 10;
const INPUTS: u64 = 10;
const PROBES: usize = 15;

/// A cache whose store goes on, one moment after the other.
struct Subject {
    cache: Cache,
    keys: Vec<CallKey>,
    now: u64,
}

pub(super) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    hit(report, effort)?;
    verify(report, effort)
}

/// A hit by interval beside a bare get of an `Arc` by the same key.
fn hit(report: &mut Report, effort: Effort) -> Result<()> {
    let subject = Subject::fill(effort.asked, 1)?;
    let bare = quick_cache::sync::Cache::<CallKey, Arc<[u8; 32]>, _, _>::with(
        subject.keys.len(),
        effort.asked * 2,
        quick_cache::UnitWeighter,
        std::collections::hash_map::RandomState::new(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    subject.keys.iter().for_each(|key| bare.insert(*key, Arc::new([0; 32])));
    let series = alternate(
        effort.rounds,
        || subject.ask(moment(0), Outcome::Hit),
        || {
            let (span, ()) = busy(|| {
                for key in &subject.keys {
                    black_box(bare.get(key).ok_or("an entry is missing")?);
                }
                Ok(())
            })?;
            Ok(nanos_each(span, subject.keys.len()))
        },
    )?;
    report.comparisons.push(Comparison {
        name: "cache/hit".to_owned(),
        what: "a hit by interval / a bare get of an Arc by quick_cache".to_owned(),
        bound: Bound::None,
        unit: Unit::Nanos,
        series,
    });
    Ok(())
}

/// Every round something else in each space changes, or nothing does, and all is asked for at the
/// new moment.
fn verify(report: &mut Report, effort: Effort) -> Result<()> {
    let map = Map::fill(effort.map);
    let mut changing = Subject::fill(effort.asked, INPUTS)?;
    changing.crowd(effort.map)?;
    let mut row = |name: &str, what: &str, bound, series| {
        let (name, what) = (name.to_owned(), what.to_owned());
        report.comparisons.push(Comparison { name, what, bound, unit: Unit::Nanos, series });
    };
    let series =
        alternate(effort.rounds, || changing.after_changes(), || map.probe(PROBES, effort.asked))?;
    row(
        "cache/verify/10",
        "10 inputs, other keys of their spaces changed / 15 probes of a HashMap of 1 M",
        Bound::AtMost(1.0),
        series,
    );
    drop(changing);
    let mut few = Subject::fill(effort.asked, INPUTS)?;
    let series = alternate(effort.rounds, || few.later(), || map.probe(PROBES, effort.asked))?;
    row(
        "cache/verify/10/fast",
        "10 inputs, nothing in their spaces changed / 15 probes of a HashMap of 1 M",
        Bound::AtMost(1.0),
        series,
    );
    // As many entries on both sides, or they would differ in what the processor has at hand.
    let (share, inputs) = (effort.asked / 100, 1_000);
    let (mut few, mut many) = (Subject::fill(share, INPUTS)?, Subject::fill(share, inputs)?);
    let series = alternate(effort.rounds, || few_times(&mut many), || few_times(&mut few))?;
    row(
        "cache/verify/1000/fast",
        "1,000 inputs in 10 spaces, nothing there changed / 10 inputs in 10 spaces",
        Bound::AtMost(1.5),
        series,
    );
    Ok(())
}

/// Few entries are gone through quickly: often enough to be measured.
fn few_times(subject: &mut Subject) -> Result<f64> {
    const TIMES: u32 = 20;
    let mut sum = 0.0;
    for _ in 0..TIMES {
        sum += subject.later()?;
    }
    Ok(sum / f64::from(TIMES))
}

impl Subject {
    fn fill(entries: u64, inputs: u64) -> Result<Self> {
        let bytes_max = entries * (4_096 + inputs * 256);
        let cache = Cache::new(Settings { bytes_max, changes_max: 1 << 22, ..Settings::default() });
        let spaces = follow(&cache, SPACES)?;
        let mut keys = Vec::new();
        for number in 0..entries {
            let call = call("pages", &format!("/page/{number:08}"));
            execute(&cache, &spaces, (number, inputs), &call, body(number, 100))?;
            keys.push(call.key());
        }
        let mut shuffle = Shuffle::new(entries);
        for place in 0..keys.len() {
            keys.swap(place, usize::try_from(shuffle.below(entries))?);
        }
        Ok(Self { cache, keys, now: 0 })
    }

    /// So many other keys have changed by now, spread over the spaces.
    fn crowd(&mut self, changes: u64) -> Result<()> {
        self.now += 1;
        let at = moment(self.now);
        self.cache.tell(|index| {
            for number in 0..changes {
                index.changed(STORE, &space(number % SPACES), &format!("other/{number}"), at);
            }
            index.advance(STORE, at);
        });
        self.ask(at, Outcome::Verified).map(drop)
    }

    /// Another key of each space changes.
    fn after_changes(&mut self) -> Result<f64> {
        self.now += 1;
        let at = moment(self.now);
        self.cache.tell(|index| {
            for number in 0..SPACES {
                index.changed(STORE, &space(number), "other", at);
            }
            index.advance(STORE, at);
        });
        self.ask(at, Outcome::Verified)
    }

    /// Time passes, and nothing changes.
    fn later(&mut self) -> Result<f64> {
        self.now += 1;
        let at = moment(self.now);
        self.cache.tell(|index| index.advance(STORE, at));
        self.ask(at, Outcome::Verified)
    }

    fn ask(&self, at: Timestamp, expected: Outcome) -> Result<f64> {
        let (span, ()) = busy(|| {
            for key in &self.keys {
                let (fact, outcome) = self.cache.lookup(*key, at).ok_or("not known")?;
                if black_box(fact).content.status().as_u16() != 200 || outcome != expected {
                    return Err(format!("{outcome} instead of {expected}").into());
                }
            }
            Ok(())
        })?;
        Ok(nanos_each(span, self.keys.len()))
    }
}

/// The standard map, as anybody would have it.
struct Map {
    held: HashMap<u64, u64>,
}

impl Map {
    fn fill(entries: u64) -> Self {
        Self { held: (0..entries).map(|number| (number, number)).collect() }
    }

    /// Nanoseconds for so many probes, each of a key that is there.
    fn probe(&self, probes: usize, times: u64) -> Result<f64> {
        let (mut shuffle, entries) = (Shuffle::new(1), self.held.len() as u64);
        let keys: Vec<u64> = (0..times * probes as u64).map(|_| shuffle.below(entries)).collect();
        let (span, ()) = busy(|| {
            for key in &keys {
                black_box(self.held.get(key).ok_or("a key is missing")?);
            }
            Ok(())
        })?;
        Ok(nanos_each(span, usize::try_from(times)?))
    }
}
