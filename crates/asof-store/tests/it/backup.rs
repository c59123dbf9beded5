//! Backups: consistent while writers go on, whole or refused.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use asof_env::testing::SeededRandom;
use asof_store::{AsOf, Erased, ErrorKind, Options, ScanRange, Store, WithValues};

use crate::run::{SECOND, assert_kind};
use crate::steps::{Stepped, options};
use crate::world::{START, World, actor, at, later, now, put, space};

fn backup(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    let summary = store.backup(&mut bytes, &mut |_| {}).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    bytes
}

fn filled() -> Stepped {
    let world = Stepped::new(at(START));
    for n in 0..20 {
        let value = n.to_string().repeat(100);
        world.store.commit(now(vec![put("a", &format!("k{}", n % 6), &value)])).unwrap();
    }
    let soon = at(START).saturating_add(60 * SECOND);
    world.store.commit(later(soon, vec![put("a", "pending", "1")])).unwrap();
    world
}

fn restore(mut backup: &[u8], dir: &std::path::Path, options: &Options) -> asof_store::Result<()> {
    let (erased, by) = (Erased::NotSaid, actor("test"));
    Store::restore(&mut backup, dir, options, erased, by, &mut |_| {}).map(|_| ())
}

fn page(store: &Store, as_of: AsOf) -> String {
    let range =
        ScanRange { prefix: String::new(), after: None, limit: 1_000, values: WithValues::Include };
    let page = store.view(as_of).unwrap().scan(&space("a"), &range).unwrap().value;
    let rows = page.entries.into_iter().map(|entry| (entry.key, entry.effective, entry.value));
    format!("{:?}", rows.collect::<Vec<_>>())
}

#[test]
fn a_backup_taken_while_writers_go_on_is_one_moment() {
    let world = World::new();
    world.commit(now(vec![put("a", "x", "0"), put("a", "y", "0")])).unwrap();
    let stop = AtomicBool::new(false);
    let (bytes, summary) = std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                // Both or neither: a backup in between would tear them apart.
                let n = n.to_string();
                world.commit(now(vec![put("a", "x", &n), put("a", "y", &n)])).unwrap();
            }
        });
        let mut bytes = Vec::new();
        let mut slow = Slow(&mut bytes);
        let summary = world.store.backup(&mut slow, &mut |_| {}).unwrap();
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        (bytes, summary)
    });
    let dir = tempfile::tempdir().unwrap();
    let settings = options(&world.clock);
    restore(&bytes, dir.path(), &settings).unwrap();
    let restored = Store::open(dir.path(), settings).unwrap();
    assert_eq!(restored.verify(&mut |_| {}).unwrap().problems, [""; 0]);
    let at_closed = AsOf::At(summary.closed);
    assert_eq!(page(&restored, at_closed), page(&world.store, at_closed));
    let [x, y] = ["x", "y"].map(|name| {
        let view = restored.view(AsOf::Latest).unwrap();
        view.get(&space("a"), &crate::world::key(name)).unwrap().value.unwrap().bytes
    });
    assert_eq!(x, y);
}

/// Lets others work between any two writes.
struct Slow<'a>(&'a mut Vec<u8>);

impl Write for Slow<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::thread::yield_now();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_restore_opens_a_new_epoch_above_wall_time() {
    let world = filled();
    let bytes = backup(&world.store);
    let told = world.pass(30 * SECOND);
    let dir = tempfile::tempdir().unwrap();
    let settings =
        Options { random: std::sync::Arc::new(SeededRandom::new(99)), ..options(&world.clock) };
    restore(&bytes, dir.path(), &settings).unwrap();
    let restored = Store::open(dir.path(), settings).unwrap();
    let time = restored.time();
    assert_ne!(time.epoch, world.store.time().epoch);
    assert!(time.closed >= told, "nothing that was told after the backup is taken up again");
    assert!(restored.commit(now(vec![put("a", "k0", "new")])).unwrap().effective > told);
    let log = restored.control_log(0, 100).unwrap();
    assert_eq!(log.last().unwrap().action.as_str(), "store-restored");
    // What was scheduled is still to come.
    let pending = restored.pending(asof_store::Cursor::START, 10).unwrap();
    assert_eq!(pending.commits.len(), 1);
}

#[test]
fn a_damaged_or_cut_backup_is_refused_and_leaves_no_store() {
    let world = filled();
    let bytes = backup(&world.store);
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("restored");
    let settings = options(&world.clock);
    let refused = |bytes: &[u8], story: &str| {
        let error = restore(bytes, &dir, &settings).expect_err(story);
        let kinds = [ErrorKind::Corrupt, ErrorKind::Invalid];
        assert!(kinds.contains(&error.kind()), "{story}: {error}");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "{story}: something is left");
    };
    for offset in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
        let mut damaged = bytes.clone();
        damaged[offset] ^= 0x10;
        refused(&damaged, &format!("flipped at {offset}"));
        refused(&bytes[..offset], &format!("cut at {offset}"));
    }
    refused(&bytes[..bytes.len() - 1], "its last byte is missing");
    refused(b"%PDF-1.7 this is something else, and long enough to be read", "foreign");
    restore(&bytes, &dir, &settings).unwrap();
}

#[test]
fn a_backup_of_a_newer_version_says_so() {
    let world = filled();
    let mut bytes = backup(&world.store);
    bytes[7] = b'2';
    let dir = tempfile::tempdir().unwrap();
    let error = restore(&bytes, dir.path(), &options(&world.clock)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("newer"), "{error}");
}

#[test]
fn a_restore_into_a_folder_with_a_store_is_refused_and_leaves_it_alone() {
    let world = filled();
    let bytes = backup(&world.store);
    let dir = tempfile::tempdir().unwrap();
    let settings = options(&world.clock);
    let there = Store::open(dir.path(), settings.clone()).unwrap();
    there.commit(now(vec![put("a", "mine", "1")])).unwrap();
    let before = page(&there, AsOf::Latest);
    assert_kind(restore(&bytes, dir.path(), &settings), "Conflict");
    drop(there);
    assert_kind(restore(&bytes, dir.path(), &settings), "Conflict");
    let there = Store::open(dir.path(), settings).unwrap();
    assert_eq!(page(&there, AsOf::Latest), before);
}

#[test]
fn a_restore_that_was_cut_short_is_not_taken_for_a_store() {
    let world = filled();
    let bytes = backup(&world.store);
    let dir = tempfile::tempdir().unwrap();
    let settings = options(&world.clock);
    // Killed between two frames: whoever reports progress goes away.
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut source = bytes.as_slice();
        let _ = Store::restore(
            &mut source,
            dir.path(),
            &settings,
            Erased::None,
            actor("test"),
            &mut |_| panic!("gone"),
        );
    }));
    assert!(killed.is_err());
    let store = Store::open(dir.path(), settings).unwrap();
    assert!(store.spaces().is_empty(), "a new store, not a part of another: {:?}", store.spaces());
}

#[test]
fn a_sink_that_fails_is_said_to() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let world = filled();
    assert_kind(world.store.backup(&mut Full, &mut |_| {}), "Unavailable");
    assert_eq!(world.store.health(), asof_store::Health::Writable);
}
