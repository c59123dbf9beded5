//! The engine on a disk that loses power, fails and rots.
//!
//! Every claim is checked against the same oracle: the state of the map after each batch.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

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
const OPTIONS: RedbOptions = RedbOptions { cache_bytes: 64 * 1024, when_empty: WhenEmpty::Create };
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
        for op in 0..=random.below(11) {
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
        let durability = if number % 5 == 2 { Durability::Deferred } else { Durability::Durable };
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
    let mut run = Run { acknowledged: 0, attempted: None, before: 0 };
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
    let state = whole.into_iter().flatten().find(|&state| work.states[state] == found);
    assert!(state.is_some(), "{story}: neither of {run:?}");
    drop(engine);
    let again = rows(&open(disk).unwrap_or_else(|error| panic!("{story}, again: {error}")));
    assert_eq!(again.unwrap(), found, "{story}: the second restart finds something else");
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

/// A file as the first half of a workload leaves it.
struct Left {
    work: Workload,
    run: Run,
    bytes: Vec<u8>,
}

fn left_clean(seed: u64) -> Left {
    let work = workload(seed);
    let disk = Arc::new(SimDisk::new());
    let (run, engine) = run(&work, &disk);
    drop(engine);
    let bytes = disk.bytes();
    Left { work, run, bytes }
}

/// The process was killed after its last batch: what it wrote is in the page cache and arrives.
fn left_killed(seed: u64) -> Left {
    let work = workload(seed);
    let disk = Arc::new(SimDisk::new());
    let (run, engine) = run(&work, &disk);
    let bytes = disk.bytes();
    drop(engine);
    Left { work, run, bytes }
}

/// Opens a damaged image: the rows found, or the error, which has to be `Corrupt`.
#[track_caller]
fn read_damaged(bytes: Vec<u8>, story: &str) -> Option<Rows> {
    let disk = Arc::new(SimDisk::with_bytes(bytes));
    let found = open(&disk).and_then(|engine| rows(&engine));
    match found {
        Ok(rows) => Some(rows),
        Err(EngineError::Corrupt(_)) => None,
        Err(error) => panic!("{story}: {error:?}"),
    }
}

/// Every byte of the first three pages that is in use, every byte of redb's header, and a sample
/// of the rest.
fn offsets(len: usize, random: &SeededRandom) -> Vec<usize> {
    let fixed = [0, 4_096, 8_192].into_iter();
    let mut offsets: Vec<usize> = fixed.flat_map(|page| page..page + 512).collect();
    for _ in 0..700 {
        offsets.push(usize::try_from(random.below(len as u64)).unwrap());
    }
    // The seals in use of the first group.
    offsets.extend((12_288..12_288 + 8 * 64).step_by(3));
    offsets
}

#[test]
fn a_flipped_byte_after_a_clean_close_is_never_a_wrong_row() {
    let left = left_clean(3);
    let expected = &left.work.states[BATCHES];
    let random = SeededRandom::new(3);
    let (mut refused, mut right) = (0, 0);
    for offset in offsets(left.bytes.len(), &random) {
        let mut bytes = left.bytes.clone();
        bytes[offset] ^= 1 << random.below(8);
        let story = format!("byte {offset} flipped");
        match read_damaged(bytes, &story) {
            Some(found) => {
                assert!(found == *expected, "{story}: other rows");
                assert!(offset >= 12_288 || offset % 4_096 >= 512, "{story}: unseen");
                right += 1;
            }
            None => refused += 1,
        }
    }
    // Pages that are free, or seals of such, are not read.
    assert!(refused > 512 * 3 && right > 50, "{refused} {right}");
}

#[test]
fn many_flipped_bytes_or_a_lost_page_are_never_a_wrong_row() {
    let left = left_clean(4);
    let expected = &left.work.states[BATCHES];
    let random = SeededRandom::new(4);
    let pages = left.bytes.len() as u64 / 4_096;
    for round in 0..400 {
        let mut bytes = left.bytes.clone();
        let mut flip = |from: usize, count: u64, value: Option<u8>| {
            for byte in bytes.iter_mut().skip(from).take(usize::try_from(count).unwrap()) {
                *byte = value.unwrap_or(*byte ^ 0x55);
            }
        };
        match round % 3 {
            0 => {
                for _ in 0..random.below(20) + 2 {
                    flip(usize::try_from(random.below(pages * 4_096)).unwrap(), 1, None);
                }
            }
            // A page, or a sector, that reads as zeros.
            1 => flip(usize::try_from(random.below(pages) * 4_096).unwrap(), 4_096, Some(0)),
            _ => flip(usize::try_from(random.below(pages * 8) * 512).unwrap(), 512, Some(0)),
        }
        let story = format!("round {round}");
        if let Some(found) = read_damaged(bytes, &story) {
            assert!(found == *expected, "{story}: other rows");
        }
    }
}

#[test]
fn a_file_cut_short_is_refused() {
    let left = left_clean(5);
    let mut lengths: Vec<usize> = (1..12_288).step_by(97).collect();
    lengths.extend((12_288..left.bytes.len()).step_by(2_048 - 7));
    lengths.extend([512, 4_096, 8_192, 12_288, left.bytes.len() - 1]);
    for len in lengths {
        let found = read_damaged(left.bytes[..len].to_vec(), &format!("cut to {len}"));
        assert!(found.is_none(), "cut to {len}");
    }
    let empty = Arc::new(SimDisk::new());
    let refuse = RedbOptions { when_empty: WhenEmpty::Refuse, ..OPTIONS };
    let refused = RedbEngine::open(empty, refuse).unwrap_err();
    assert!(matches!(refused, EngineError::Corrupt(_)));
    // Something appended by a careless copy is not part of the store.
    let mut longer = left.bytes;
    longer.extend([7; 10_000]);
    assert_eq!(read_damaged(longer, "longer").as_ref(), left.work.states.last());
}

#[test]
fn damage_after_a_kill_is_seen_as_damage_and_not_as_a_cut_commit() {
    let left = left_killed(6);
    let expected = &left.work.states[left.run.acknowledged];
    let random = SeededRandom::new(6);
    let mut refused = 0;
    for offset in offsets(left.bytes.len(), &random).into_iter().step_by(3) {
        let mut bytes = left.bytes.clone();
        bytes[offset] ^= 0x10;
        match read_damaged(bytes, &format!("byte {offset} flipped")) {
            Some(found) => assert!(found == *expected, "byte {offset}: other rows"),
            None => refused += 1,
        }
    }
    assert!(refused > 512, "{refused}");
}

#[test]
fn damage_after_a_power_failure_loses_at_most_the_last_commit_wholly() {
    let work = workload(7);
    let random = SeededRandom::new(7);
    let total = {
        let disk = Arc::new(SimDisk::new());
        drop(run(&work, &disk));
        disk.operations()
    };
    let mut refused = 0;
    for cut in (total / 2..total).step_by(7) {
        let disk = Arc::new(SimDisk::new());
        disk.lose_power_at(cut);
        let (run, engine) = run(&work, &disk);
        drop(engine);
        for seed in 0..6 {
            let mut bytes = disk.after_crash(seed).bytes();
            let offset = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[offset] ^= 4;
            let story = format!("cut at {cut}, byte {offset} flipped");
            let Some(found) = read_damaged(bytes, &story) else {
                refused += 1;
                continue;
            };
            let mut allowed = vec![run.before, run.acknowledged];
            allowed.extend(run.attempted);
            assert!(
                allowed.iter().any(|&state| work.states[state] == found),
                "{story}: none of {run:?}"
            );
        }
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_newer_format_is_named_and_another_file_is_refused() {
    let left = left_clean(8);
    let mut bytes = left.bytes.clone();
    bytes[16] = 2;
    // The checksum of a newer version, made as the format says.
    let checksum = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes[..504], u64::MAX);
    bytes[504..512].copy_from_slice(&checksum.to_le_bytes());
    let disk = Arc::new(SimDisk::with_bytes(bytes));
    let newer = EngineError::NewerFormat { found: 2, supported: 1 };
    assert_eq!(open(&disk).unwrap_err(), newer);
    assert_eq!(read_damaged(b"[package]\n".to_vec(), "text"), None);
    assert_eq!(read_damaged(b"redb\x1a\x0a".repeat(9_000), "redb itself"), None);
}

#[test]
fn a_full_disk_or_a_failed_sync_loses_no_acknowledged_batch() {
    let work = workload(9);
    let (writes, syncs) = {
        let disk = Arc::new(SimDisk::new());
        drop(run(&work, &disk));
        (disk.writes(), disk.syncs())
    };
    let full = (0..writes).step_by(17).map(|write| (Some(write), None));
    let failing = (0..syncs).step_by(3).map(|sync| (None, Some(sync)));
    for (write, sync) in full.chain(failing) {
        let disk = Arc::new(SimDisk::new());
        if let Some(write) = write {
            disk.fail_write_at(write);
        }
        if let Some(sync) = sync {
            disk.fail_sync_at(sync);
        }
        let (run, engine) = run(&work, &disk);
        drop(engine);
        let story = format!("write {write:?} or sync {sync:?} failed");
        if run.acknowledged < BATCHES {
            // The process goes on and opens anew; or the machine goes down first.
            let crashed = Arc::new(disk.after_crash(write.or(sync).unwrap()));
            assert_recovers(&work, &run, &disk, &story);
            assert_recovers(&work, &run, &crashed, &format!("{story}, then power"));
        }
    }
}

#[test]
fn deferred_batches_are_made_durable_by_the_next_durable_one_and_by_closing() {
    let disk = Arc::new(SimDisk::new());
    let engine = open(&disk).unwrap();
    let put = |key: &str| {
        let mut batch = Batch::default();
        batch.put(key.into(), b"value".to_vec());
        batch
    };
    engine.commit(&put("a"), Durability::Deferred).unwrap();
    assert_eq!(rows(&engine).unwrap().len(), 1, "visible at once");
    let kept = |disk: &SimDisk| {
        let image = Arc::new(disk.after_crash(1));
        let found = rows(&open(&image).unwrap()).unwrap();
        found.into_keys().map(|key| String::from_utf8(key).unwrap()).collect::<String>()
    };
    assert_eq!(kept(&disk), "");
    engine.commit(&Batch::default(), Durability::Durable).unwrap();
    assert_eq!(kept(&disk), "a");
    engine.commit(&put("b"), Durability::Deferred).unwrap();
    assert_eq!(kept(&disk), "a");
    drop(engine);
    assert_eq!(kept(&disk), "ab");
}

#[test]
fn deferred_batches_pile_up_neither_in_memory_nor_on_disk() {
    let disk = Arc::new(SimDisk::new());
    let engine = open(&disk).unwrap();
    let mut largest = 0;
    for number in 0..1_500_u32 {
        let mut batch = Batch::default();
        batch.put((number % 50).to_le_bytes().to_vec(), vec![1; 500]);
        engine.commit(&batch, Durability::Deferred).unwrap();
        if number == 300 {
            largest = engine.disk_bytes().unwrap();
        }
    }
    assert!(engine.disk_bytes().unwrap() <= largest, "the file grows");
}

#[test]
fn a_held_snapshot_does_not_move_and_releases_its_pages() {
    let disk = Arc::new(SimDisk::new());
    let engine = open(&disk).unwrap();
    let put = |value: u32| {
        let mut batch = Batch::default();
        batch.put(b"key".to_vec(), value.to_le_bytes().repeat(10_000));
        engine.commit(&batch, Durability::Durable).unwrap();
    };
    put(0);
    let held = engine.snapshot().unwrap();
    (1..20).for_each(put);
    let mut first = None;
    held.get(b"key", &mut |value| {
        first = value.first_chunk::<4>().copied();
    })
    .unwrap();
    assert_eq!(first, Some([0; 4]));
    drop(held);
    let settled = engine.disk_bytes().unwrap();
    (20..200).for_each(put);
    assert!(engine.disk_bytes().unwrap() <= settled, "pages are not reused");
}

#[test]
fn on_a_real_file_one_opens_and_the_other_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let work = workload(10);
    {
        let file = Arc::new(OsFile::open(&path, WhenMissing::Create).unwrap());
        let engine = RedbEngine::open(file, RedbOptions::default()).unwrap();
        for (batch, durability) in &work.batches {
            engine.commit(batch, *durability).unwrap();
        }
        assert!(OsFile::open(&path, WhenMissing::Refuse).is_err());
        let snapshot = engine.snapshot().unwrap();
        drop(engine);
        assert!(snapshot.get(b"none", &mut |_| ()).is_ok(), "it outlives the engine");
    }
    let file = Arc::new(OsFile::open(&path, WhenMissing::Refuse).unwrap());
    let engine = RedbEngine::open(file, RedbOptions::default()).unwrap();
    assert_eq!(Some(&rows(&engine).unwrap()), work.states.last());
}
