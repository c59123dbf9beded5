//! Bad input is refused with a clear error and changes nothing.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::time::Duration;

use asof_env::storage::{DiskFile, OsFile, WhenMissing};
use asof_store::engine::{Batch, Durability, Engine as _, RedbEngine, RedbOptions};
use asof_store::{
    Actor, AsOf, Backfill, ClearCap, CommitRequest, ContentType, Cursor, DryRun, ErrorKind,
    HistoryRange, IdempotencyKey, Key, LogRange, Op, Options, PinRequest, Retention, ScanRange,
    SpaceName, Store, Value, WithValues,
};
use asof_time::{Timestamp, limits};

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, key, now, put, space};

/// Runs `bad`, which has to leave the store as it was.
#[track_caller]
fn refused<T: std::fmt::Debug>(
    world: &Stepped,
    kind: &str,
    bad: impl FnOnce(&Store) -> asof_store::Result<T>,
) {
    let seen = |store: &Store| {
        let log = LogRange { after: Cursor::START, spaces: None, limit: 100 };
        (
            store.spaces(),
            store.log(&log),
            store.pending(Cursor::START, 100),
            store.control_sequence(),
        )
    };
    let before = seen(&world.store);
    assert_kind(bad(&world.store), kind);
    assert_eq!(seen(&world.store), before);
}

fn world() -> Stepped {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    world
}

#[test]
fn names_and_keys_have_limits() {
    let long = "x".repeat(limits::KEY_BYTES_MAX);
    assert!(Key::new(&long).is_ok());
    assert_kind(Key::new(&format!("{long}x")), "TooLarge");
    assert_kind(Key::new(""), "Invalid");
    assert_kind(Key::from_bytes(b"\xff\xfe"), "Invalid");
    assert!(Key::new("a/b\0c\u{10ffff}").is_ok());
    let long = "x".repeat(limits::SPACE_NAME_BYTES_MAX);
    assert!(SpaceName::new(&long).is_ok());
    assert_kind(SpaceName::new(&format!("{long}x")), "TooLarge");
    for bad in ["", "Upper", "sp ace", "-a", ".a", "ä", "a/b", "a\0"] {
        assert_kind(SpaceName::new(bad), "Invalid");
    }
    assert_kind(IdempotencyKey::new(""), "Invalid");
    let long = "x".repeat(limits::IDEMPOTENCY_KEY_BYTES_MAX);
    assert!(IdempotencyKey::new(long.clone()).is_ok());
    assert_kind(IdempotencyKey::new(long + "x"), "TooLarge");
    assert_kind(ContentType::new(""), "Invalid");
    assert_kind(ContentType::new("text/plain\r\nSet-Cookie: x"), "Invalid");
}

#[test]
fn commits_have_limits() {
    let world = world();
    refused(&world, "Invalid", |store| store.commit(now(Vec::new())));
    let twice = vec![put("s", "k", "1"), put("s", "k", "2")];
    refused(&world, "Invalid", |store| store.commit(now(twice)));
    let author = "x".repeat(limits::AUTHOR_BYTES_MAX + 1);
    let by = CommitRequest { author, ..now(vec![put("s", "k", "1")]) };
    refused(&world, "TooLarge", |store| store.commit(by));
    let message = "x".repeat(limits::MESSAGE_BYTES_MAX + 1);
    let said = CommitRequest { message, ..now(vec![put("s", "k", "1")]) };
    refused(&world, "TooLarge", |store| store.commit(said));
    let value = "x".repeat(limits::VALUE_BYTES_MAX_DEFAULT + 1);
    refused(&world, "TooLarge", |store| store.commit(now(vec![put("s", "big", &value)])));
    let many = (0..=limits::COMMIT_WRITES_MAX).map(|n| put("s", &n.to_string(), "")).collect();
    refused(&world, "TooLarge", |store| store.commit(now(many)));
    let exact = &value[1..];
    world.store.commit(now(vec![put("s", "big", exact)])).unwrap();
}

#[test]
fn imports_have_limits() {
    let world = world();
    let history = |id: &str| Backfill {
        source_id: id.into(),
        at: at(1),
        author: String::new(),
        message: String::new(),
        writes: vec![(key("k"), Op::Put(Value::json("1")))],
    };
    world.store.create_importing_space(&space("h"), actor("")).unwrap();
    let long = "x".repeat(limits::SOURCE_ID_BYTES_MAX + 1);
    refused(&world, "TooLarge", |store| store.import(&space("h"), vec![history(&long)]));
    refused(&world, "Conflict", |store| store.import(&space("s"), vec![history("1")]));
    refused(&world, "UnknownSpace", |store| store.import(&space("no"), vec![history("1")]));
    refused(&world, "UnknownSpace", |store| store.go_live(&space("no"), actor("")));
    refused(&world, "Conflict", |store| store.create_space(&space("h"), actor("")));
}

#[test]
fn reads_have_limits() {
    let world = world();
    let view = world.store.view(AsOf::Latest).unwrap();
    for (limit, kind) in [(0, "Invalid"), (limits::PAGE_ENTRIES_MAX + 1, "TooLarge")] {
        let range =
            ScanRange { prefix: String::new(), after: None, limit, values: WithValues::Omit };
        assert_kind(view.scan(&space("s"), &range), kind);
        let range = HistoryRange { from: Timestamp::MIN, before: None, limit };
        assert_kind(view.history(&space("s"), &key("k"), &range), kind);
        let range = LogRange { after: Cursor::START, spaces: None, limit };
        assert_kind(world.store.log(&range), kind);
        assert_kind(world.store.feed(Cursor::START, None, limit), kind);
        assert_kind(world.store.diff(&space("s"), at(1), at(2), None, limit), kind);
    }
    assert_kind(world.store.diff(&space("s"), at(2), at(1), None, 1), "Invalid");
    let many = vec![(space("s"), key("k")); limits::MULTI_KEYS_MAX + 1];
    assert_kind(view.get_many(&many), "TooLarge");
    for bad in ["", "1.2", "1.2.3.4", "x.1.1", "9007199254740992.0.0", "-1.0.0"] {
        assert_kind(bad.parse::<Cursor>(), "Invalid");
    }
}

#[test]
fn control_has_limits() {
    let world = world();
    let ahead = world.closed().next().unwrap();
    let by = || actor("a reason");
    refused(&world, "Invalid", |store| store.set_cap(at(1), Actor::default(), DryRun::No));
    refused(&world, "NotYetClosed", |store| store.set_cap(ahead, by(), DryRun::No));
    refused(&world, "Conflict", |store| store.clear_cap(ClearCap::default(), by(), DryRun::No));
    refused(&world, "NotFound", |store| store.release_pin("no", by(), DryRun::No));
    refused(&world, "NotFound", |store| store.revoke_token("no", by()));
    let pin = PinRequest {
        by: None,
        name: "job".into(),
        owner: "me".into(),
        reason: String::new(),
        at: None,
        ttl: SECOND,
    };
    let bad = [
        ("NotYetClosed", PinRequest { at: Some(ahead), ..pin.clone() }),
        ("Invalid", PinRequest { name: String::new(), ..pin.clone() }),
        ("Invalid", PinRequest { owner: String::new(), ..pin.clone() }),
        ("Invalid", PinRequest { ttl: Duration::ZERO, ..pin.clone() }),
        ("Invalid", PinRequest { ttl: limits::PIN_TTL_MAX + SECOND, ..pin.clone() }),
        ("TooLarge", PinRequest { reason: "x".repeat(1_025), ..pin.clone() }),
    ];
    for (kind, request) in bad {
        refused(&world, kind, |store| store.create_pin(request, DryRun::No));
    }
    world.store.create_pin(pin.clone(), DryRun::No).unwrap();
    let other = PinRequest { owner: "you".into(), ..pin };
    refused(&world, "Conflict", |store| store.create_pin(other, DryRun::No));
    for retention in [
        Retention::KeepFor(Duration::ZERO),
        Retention::KeepFor(Duration::from_millis(1_500)),
        Retention::Sparse { dense: SECOND, every: Duration::ZERO },
    ] {
        let set = |store: &Store| store.set_retention(&space("s"), retention, by(), DryRun::No);
        refused(&world, "Invalid", set);
    }
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would_be() {
    let world = world();
    world.pass(10 * SECOND);
    let (time, sequence) = (world.store.time(), world.store.control_sequence());
    let trial = world.store.set_cap(at(START), actor("what if"), DryRun::Yes).unwrap();
    assert_eq!(trial.after.latest, at(START));
    let keep = Retention::KeepFor(SECOND);
    let floor = world.store.set_retention(&space("s"), keep, actor("what if"), DryRun::Yes);
    assert_eq!(floor.unwrap(), time.closed.saturating_sub(SECOND));
    assert_eq!((world.store.time(), world.store.control_sequence()), (time, sequence));
    let world = world.crash(1);
    assert_eq!((world.store.cap(), world.store.control_sequence()), (None, sequence));
}

#[test]
fn a_folder_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let error = Store::open(dir.path(), Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("another process"), "{error}");
    drop(store);
    Store::open(dir.path(), Options::default()).unwrap();
}

#[test]
fn a_closed_store_refuses_writes_and_goes_on_reading() {
    let world = world();
    world.store.close();
    assert_kind(world.store.commit(now(vec![put("s", "k", "2")])), "Unavailable");
    let view = world.store.view(AsOf::Latest).unwrap();
    assert!(view.get(&space("s"), &key("k")).unwrap().value.is_some());
    world.store.close();
}

#[test]
fn an_emptied_store_file_is_not_taken_for_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path(), Options::default()).unwrap());
    let file = OsFile::open(&dir.path().join("store.asof"), WhenMissing::Refuse).unwrap();
    file.set_len(0).unwrap();
    drop(file);
    assert_kind(Store::open(dir.path(), Options::default()), "Corrupt");
}

#[test]
fn a_store_written_by_a_newer_layout_says_so() {
    let Stepped { clock, disk, store } = world();
    drop(store);
    // The layout is the first number of the identity row.
    let engine = RedbEngine::open(disk.clone(), RedbOptions::default()).unwrap();
    let mut identity = Vec::new();
    let row = b"midentity".to_vec();
    let read = &mut |value: &[u8]| identity = value.to_vec();
    assert!(engine.snapshot().unwrap().get(&row, read).unwrap());
    identity[0] += 1;
    let mut batch = Batch::default();
    batch.put(row, identity);
    engine.commit(&batch, Durability::Durable).unwrap();
    drop(engine);
    let error = Store::open_file(disk, crate::steps::options(&clock)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("newer asof"), "{error}");
}
