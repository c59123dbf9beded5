//! The engine on a disk that loses power, fails and rots.
//!
//! Every claim is checked against the same oracle: the state of the map after each batch.

use core::ops::{Bound, ControlFlow};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asof_env::storage::{DiskFile, OsFile, WhenMissing};
use asof_env::testing::{SeededRandom, SimDisk};
use asof_store::engine::{
    Batch, Direction, Durability, Engine, EngineError, RedbEngine, RedbOptions, WhenEmpty,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Small, so that pages leave the cache during a commit and reads come from the disk.
const OPTIONS: RedbOptions = RedbOptions {
    cache_bytes: 64 * 1024,
    when_empty: WhenEmpty::Create,
};
const BATCHES: usize = 30;

/// Batches with their durability, and the state after each; `states[0]` is the empty map.
struct Workload {
    batches: Vec<(Batch, Durability)>,
    states: Vec<Rows>,
}

fn workload(seed: u64) -> Workload {
    let random = SeededRandom::new(seed);
    let mut states = vec![Rows::new()];
    let mut batches = Vec::new();
    for number in 0..BATCHES {
        let mut rows = states[number].clone();
        let mut batch = Batch::default();
        for op in 0..random.below(12) + 1 {
            let key = format!("key {:03}", random.below(60)).into_bytes();
            let size = match (number % 7, op) {
                (3, 0) => 100 * 1024,
                _ => random.below(700),
            };
            if random.below(4) == 0 {
                rows.remove(&key);
                batch.delete(key);
            } else {
                let value = vec![u8::try_from(number).unwrap() + 1; usize::try_from(size).unwrap()];
                rows.insert(key.clone(), value.clone());
                batch.put(key, value);
            }
        }
        let durability = if number % 5 == 2 {
            Durability::Deferred
        } else {
            Durability::Durable
        };
        batches.push((batch, durability));
        states.push(rows);
    }
    Workload { batches, states }
}

/// Indices into the states that a restart may find.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Run {
    acknowledged: usize,
    attempted: Option<usize>,
    /// The durable batch before the acknowledged one.
    before: usize,
}

/// Opens the store on `disk` and commits until the end or the first error.
fn run(work: &Workload, disk: &Arc<SimDisk>) -> (Run, Option<RedbEngine>) {
    let mut run = Run {
        acknowledged: 0,
        attempted: None,
        before: 0,
    };
    let Ok(engine) = open(disk) else {
        return (run, None);
    };
    for (index, (batch, durability)) in work.batches.iter().enumerate() {
        let durable = *durability == Durability::Durable;
        if engine.commit(batch, *durability).is_err() {
            run.attempted = durable.then_some(index + 1);
            assert!(engine.snapshot().is_err(), "an engine that failed answers");
            break;
        }
        if durable {
            run.before = run.acknowledged;
            run.acknowledged = index + 1;
        }
    }
    (run, Some(engine))
}

fn open(disk: &Arc<SimDisk>) -> Result<RedbEngine, EngineError> {
    let file: Arc<dyn DiskFile> = Arc::<SimDisk>::clone(disk);
    RedbEngine::open(file, OPTIONS)
}

/// All rows, both ways and one by one.
fn rows(engine: &RedbEngine) -> Result<Rows, EngineError> {
    let snapshot = engine.snapshot()?;
    let all = (Bound::Unbounded, Bound::Unbounded);
    let mut rows = Rows::new();
    snapshot.scan(all, Direction::Forward, &mut |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    let mut backward = Rows::new();
    snapshot.scan(all, Direction::Backward, &mut |key, value| {
        backward.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    })?;
    assert_eq!(rows, backward);
    for number in 0..60 {
        let key = format!("key {number:03}").into_bytes();
        let mut found = None;
        snapshot.get(&key, &mut |value| found = Some(value.to_vec()))?;
        assert_eq!(found.as_ref(), rows.get(&key));
    }
    Ok(rows)
}

#[track_caller]
fn assert_recovers(work: &Workload, run: &Run, disk: &Arc<SimDisk>, story: &str) {
    let engine = open(disk).unwrap_or_else(|error| panic!("{story}: {error}"));
    let found = rows(&engine).unwrap();
    let whole = [Some(run.acknowledged), run.attempted];
    let state = whole
        .into_iter()
        .flatten()
        .find(|&state| work.states[state] == found);
    assert!(state.is_some(), "{story}: neither of {run:?}");
    drop(engine);
    let again = rows(&open(disk).unwrap_or_else(|error| panic!("{story}, again: {error}")));
    assert_eq!(
        again.unwrap(),
        found,
        "{story}: the second restart finds something else"
    );
}

#[test]
fn power_may_fail_at_any_operation() {
    let work = workload(1);
    let disk = Arc::new(SimDisk::new());
    let (all, engine) = run(&work, &disk);
    assert_eq!(all.acknowledged, BATCHES);
    drop(engine);
    let operations = disk.operations();
    assert!(operations > 300, "{operations}");
    let mut kept = BTreeSet::new();
    for cut in 0..operations {
        let disk = Arc::new(SimDisk::new());
        disk.lose_power_at(cut);
        let (run, engine) = run(&work, &disk);
        drop(engine);
        for seed in 0..3 {
            let story = format!("cut at operation {cut}, seed {seed}");
            let found = Arc::new(disk.after_crash(cut * 1_000 + seed));
            assert_recovers(&work, &run, &found, &story);
        }
        kept.insert(run.acknowledged);
    }
    assert!(kept.len() > BATCHES / 2);
}

#[test]
fn power_may_fail_again_while_recovering() {
    let work = workload(2);
    let total = {
        let disk = Arc::new(SimDisk::new());
        drop(run(&work, &disk));
        disk.operations()
    };
    for cut in (0..total).step_by(29) {
        let disk = Arc::new(SimDisk::new());
        disk.lose_power_at(cut);
        let (run, engine) = run(&work, &disk);
        drop(engine);
        for second in 0.. {
            let restarted = Arc::new(disk.after_crash(cut));
            restarted.lose_power_at(second);
            let opened = open(&restarted);
            // Recovered before the cut: opening has no more operations.
            let done = opened.is_ok() && !restarted.is_down();
            drop(opened);
            let found = Arc::new(restarted.after_crash(second));
            let story = format!("cut at operation {cut}, and at {second} of recovery");
            assert_recovers(&work, &run, &found, &story);
            if done {
                break;
            }
        }
    }
}
