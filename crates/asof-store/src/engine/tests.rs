//! What every engine does, against the map of the standard library.

use core::ops::Bound::{self, Excluded, Included, Unbounded};
use std::collections::BTreeMap;

use asof_env::testing::SimDisk;
use proptest::prelude::*;

use super::*;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn engines() -> [Arc<dyn Engine>; 2] {
    let options = RedbOptions { cache_bytes: 256 * 1024, ..RedbOptions::default() };
    let redb = RedbEngine::open(Arc::new(SimDisk::new()), options).unwrap();
    [Arc::new(MemoryEngine::new()), Arc::new(redb)]
}

fn batch(ops: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in ops {
        match value {
            Some(value) => batch.put(key.as_bytes().to_vec(), value.as_bytes().to_vec()),
            None => batch.delete(key.as_bytes().to_vec()),
        }
    }
    batch
}

fn scanned(
    snapshot: &dyn Snapshot,
    range: KeyRange<'_>,
    direction: Direction,
    most: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        rows.push((key.to_vec(), value.to_vec()));
        if rows.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    snapshot.scan(range, direction, &mut visit).unwrap();
    rows
}

#[test]
fn the_later_operation_on_a_key_wins() {
    for engine in engines() {
        let ops = [
            ("a", Some("1")),
            ("a", None),
            ("b", None),
            ("b", Some("2")),
            ("", Some("")),
            ("gone", None),
        ];
        engine.commit(&batch(&ops), Durability::Durable).unwrap();
        let snapshot = engine.snapshot().unwrap();
        let all = scanned(&*snapshot, (Unbounded, Unbounded), Direction::Forward, 0);
        let expected = [(vec![], vec![]), (b"b".to_vec(), b"2".to_vec())];
        assert_eq!(all, expected, "{engine:?}");
    }
}

#[test]
fn a_snapshot_is_not_moved_by_later_commits() {
    for engine in engines() {
        let before = engine.snapshot().unwrap();
        for durability in [Durability::Durable, Durability::Deferred] {
            let put = batch(&[("key", Some("value"))]);
            engine.commit(&put, durability).unwrap();
            assert!(!before.get(b"key", &mut |_| ()).unwrap(), "{engine:?}");
            let now = engine.snapshot().unwrap();
            assert!(now.get(b"key", &mut |value| assert_eq!(value, b"value")).unwrap());
            let delete = batch(&[("key", None)]);
            engine.commit(&delete, durability).unwrap();
            assert!(now.get(b"key", &mut |_| ()).unwrap(), "{engine:?}");
        }
    }
}

#[test]
fn ranges_with_no_key_in_them_are_empty_and_not_an_error() {
    for engine in engines() {
        let put = batch(&[("a", Some("")), ("b", Some("")), ("c", Some(""))]);
        engine.commit(&put, Durability::Durable).unwrap();
        let snapshot = engine.snapshot().unwrap();
        for range in [
            (Included(&b"c"[..]), Included(&b"a"[..])),
            (Excluded(&b"b"[..]), Excluded(&b"b"[..])),
            (Included(&b"b"[..]), Excluded(&b"b"[..])),
            (Excluded(&b"b"[..]), Included(&b"b"[..])),
            (Excluded(&b"c"[..]), Unbounded),
        ] {
            for direction in [Direction::Forward, Direction::Backward] {
                assert_eq!(scanned(&*snapshot, range, direction, 0), []);
            }
        }
    }
}

#[test]
fn a_visitor_that_panics_does_not_stop_the_engine() {
    for engine in engines() {
        let put = batch(&[("a", Some("1"))]);
        engine.commit(&put, Durability::Durable).unwrap();
        let snapshot = engine.snapshot().unwrap();
        let panicking = std::panic::AssertUnwindSafe(|| {
            snapshot.get(b"a", &mut |_| panic!("the visitor's own"))
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert!(engine.snapshot().unwrap().get(b"a", &mut |_| ()).unwrap());
    }
}

#[test]
fn a_value_longer_than_a_group_of_pages_comes_back() {
    let disk = Arc::new(SimDisk::new());
    let value: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let open = || {
        let file = Arc::<SimDisk>::clone(&disk);
        RedbEngine::open(file, RedbOptions::default()).unwrap()
    };
    let engine = open();
    let mut put = Batch::default();
    put.put(b"long".to_vec(), value.clone());
    engine.commit(&put, Durability::Durable).unwrap();
    drop(engine);
    let engine = open();
    let same = |read: &[u8]| assert!(read == value);
    assert!(engine.snapshot().unwrap().get(b"long", &mut |read| same(read)).unwrap());
    // The file shrinks and grows again.
    let before = engine.disk_bytes().unwrap();
    engine.commit(&batch(&[("long", None)]), Durability::Durable).unwrap();
    drop(engine);
    let engine = open();
    assert!(engine.disk_bytes().unwrap() < before / 4);
    engine.commit(&put, Durability::Durable).unwrap();
    drop(engine);
    assert!(open().snapshot().unwrap().get(b"long", &mut |read| same(read)).unwrap());
}

#[test]
fn memory_fails_when_told_to_and_opens_anew_without_the_batch() {
    let engine = MemoryEngine::new();
    engine.commit(&batch(&[("a", Some("1"))]), Durability::Durable).unwrap();
    let full = EngineError::Io("disk full".to_owned());
    engine.fail_next_commit(full.clone());
    let second = batch(&[("b", Some("2"))]);
    assert_eq!(engine.commit(&second, Durability::Durable), Err(full.clone()));
    assert_eq!(engine.snapshot().unwrap_err(), full);
    let again = engine.reopen().snapshot().unwrap();
    assert!(again.get(b"a", &mut |_| ()).unwrap());
    assert!(!again.get(b"b", &mut |_| ()).unwrap());
}

type Op = (Vec<u8>, Option<Vec<u8>>);

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), Just(1), Just(255)], 0..5)
}

fn ops() -> impl Strategy<Value = (Vec<Op>, bool)> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..2_000));
    (prop::collection::vec((key(), value), 0..20), any::<bool>())
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![Just(Unbounded), key().prop_map(Included), key().prop_map(Excluded),]
}

fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_engine_is_an_ordered_map(
        batches in prop::collection::vec(ops(), 1..12),
        ranges in prop::collection::vec((bound(), bound(), 0..6_usize), 1..10),
    ) {
        for engine in engines() {
            let mut model = Rows::new();
            for (ops, durable) in &batches {
                let mut batch = Batch::default();
                for (key, value) in ops {
                    if let Some(value) = value {
                        model.insert(key.clone(), value.clone());
                        batch.put(key.clone(), value.clone());
                    } else {
                        model.remove(key);
                        batch.delete(key.clone());
                    }
                }
                let durability =
                    if *durable { Durability::Durable } else { Durability::Deferred };
                engine.commit(&batch, durability).unwrap();
            }
            let snapshot = engine.snapshot().unwrap();
            for (from, to, most) in &ranges {
                let range = (borrowed(from), borrowed(to));
                let within = |key: &Vec<u8>| {
                    core::ops::RangeBounds::<[u8]>::contains(&range, key.as_slice())
                };
                let mut expected: Vec<_> =
                    model.clone().into_iter().filter(|(key, _)| within(key)).collect();
                let first = |rows: &[(Vec<u8>, Vec<u8>)]| {
                    rows.iter().take(if *most == 0 { usize::MAX } else { *most })
                        .cloned().collect::<Vec<_>>()
                };
                let forward = scanned(&*snapshot, range, Direction::Forward, *most);
                prop_assert_eq!(forward, first(&expected));
                expected.reverse();
                let backward = scanned(&*snapshot, range, Direction::Backward, *most);
                prop_assert_eq!(backward, first(&expected));
            }
            for (key, value) in &model {
                let mut found = None;
                snapshot.get(key, &mut |value| found = Some(value.to_vec())).unwrap();
                prop_assert_eq!(found.as_ref(), Some(value));
            }
        }
    }
}
