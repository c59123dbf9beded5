//! What is kept, and who holds it.

use std::time::Duration;

use asof_store::{
    AsOf, CommitRequest, Cursor, DryRun, ErrorKind, HistoryRange, LogRange, PinRequest, Retention,
    ScanRange, Source, WithValues,
};
use asof_time::{Sequence, Timestamp, Validity};

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, now, put, space};

fn moment(seconds: u64) -> Timestamp {
    at(START + seconds * 1_000_000)
}

/// Writes `k` at each whole second and a half, for `seconds`.
fn written(seconds: u64) -> Stepped {
    let world = Stepped::new(at(START));
    world.pass(Duration::from_millis(500));
    for n in 0..seconds {
        world.store.commit(now(vec![put("s", "k", &n.to_string())])).unwrap();
        world.pass(SECOND);
    }
    world
}

fn retain(world: &Stepped, retention: Retention) {
    world.store.set_retention(&space("s"), retention, actor("space"), DryRun::No).unwrap();
}

/// Lets a whole pass of retention go by.
fn sweep(world: &Stepped) {
    world.pass(4 * SECOND);
    for _ in 0..8 {
        world.store.tick().unwrap();
    }
}

fn pin(world: &Stepped, at: Timestamp, ttl: Duration) -> asof_store::Result<asof_store::Pin> {
    world.store.create_pin(
        PinRequest {
            by: None,
            name: "job".into(),
            owner: "batch".into(),
            reason: String::new(),
            at: Some(at),
            ttl,
        },
        DryRun::No,
    )
}

fn text(world: &Stepped, at: Timestamp) -> asof_store::Result<Option<String>> {
    let read = world.store.view(AsOf::At(at))?.get(&space("s"), &key("k"))?;
    assert!(read.validity.unwrap().contains(at));
    Ok(read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap()))
}

#[test]
fn a_floor_never_passes_a_pin() {
    let world = written(10);
    pin(&world, moment(4), Duration::from_secs(30)).unwrap();
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    assert_eq!(world.store.time().floor, moment(4));
    assert_eq!(text(&world, moment(4)).unwrap().unwrap(), "3");
    assert_kind(text(&world, moment(3)), "BelowFloor");
    // Once its time is over, the floor goes on.
    world.pass(40 * SECOND);
    sweep(&world);
    assert!(world.store.pins().is_empty());
    assert!(world.store.time().floor > moment(4));
}

#[test]
fn a_pin_whose_time_came_while_nobody_was_there_has_lapsed_when_the_store_opens() {
    let world = written(3);
    pin(&world, moment(1), 5 * SECOND).unwrap();
    let Stepped { clock, disk, store } = world;
    drop(store);
    clock.advance(6 * SECOND);
    let world = Stepped::open(&clock, disk).unwrap();
    assert!(world.store.pins().is_empty());
    assert_kind(world.store.release_pin("job", actor("done"), DryRun::No), "NotFound");
    // The name is free: what takes it is a new pin, which holds a moment of its own.
    assert_eq!(pin(&world, moment(2), SECOND).unwrap().at, moment(2));
}

#[test]
fn what_a_pin_holds_back_is_what_goes_once_it_is_gone() {
    let world = written(10);
    let held = |world: &Stepped| world.store.pins_held().unwrap();
    pin(&world, moment(4), Duration::from_secs(30)).unwrap();
    assert_eq!(held(&world)[0].1, 0, "all is kept anyway");
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    let (stored, back) = (usage(&world), held(&world)[0].1);
    assert!(back > 0 && back < stored, "{back} of {stored}");
    assert_eq!(world.store.held_at(moment(4)).unwrap(), back);
    world.store.release_pin("job", actor("done"), DryRun::No).unwrap();
    assert!(held(&world).is_empty());
    assert_eq!(world.store.held_at(moment(4)).unwrap(), back, "so would the next one there");
    // No time passes, so the floor goes where it was counted to go.
    for _ in 0..8 {
        world.store.tick().unwrap();
    }
    sweep(&world);
    assert!(stored - usage(&world) >= back);
}

fn usage(world: &Stepped) -> u64 {
    world.store.space_usage(&space("s")).unwrap().value_bytes
}

#[test]
fn a_floor_never_passes_the_cap() {
    let world = written(10);
    world.store.set_cap(moment(4), actor("roll back"), DryRun::No).unwrap();
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    assert_eq!(world.store.time().floor, moment(4));
    assert_eq!(text(&world, moment(4)).unwrap().unwrap(), "3");
}

#[test]
fn a_pin_or_cap_below_the_floor_is_refused() {
    let world = written(10);
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    let floor = world.store.time().floor;
    let below = floor.prev().unwrap();
    assert_eq!(pin(&world, below, SECOND).unwrap_err().kind(), ErrorKind::BelowFloor { floor });
    let cap = world.store.set_cap(below, actor("roll back"), DryRun::No);
    assert_eq!(cap.unwrap_err().kind(), ErrorKind::BelowFloor { floor });
    pin(&world, floor, SECOND).unwrap();
}

#[test]
fn a_floor_is_durable_before_anything_below_it_is_deleted() {
    let world = written(10);
    retain(&world, Retention::KeepFor(SECOND));
    world.clock.advance(4 * SECOND);
    for tick in 0..10 {
        world.store.tick().unwrap();
        for seed in 0..4 {
            let image = std::sync::Arc::new(world.disk.after_crash(tick * 10 + seed));
            let found = Stepped::open(&world.clock, image).unwrap();
            for seconds in 0..12 {
                match text(&found, moment(seconds)) {
                    Ok(value) => {
                        let n = seconds.checked_sub(1).map(|n| n.min(9).to_string());
                        assert_eq!(value, n);
                    }
                    Err(error) => assert_eq!(error.kind().as_str(), "BelowFloor"),
                }
            }
        }
    }
}

#[test]
fn no_answer_begins_below_the_floor_without_a_retained_row() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1"), put("s", "kept", "1")])).unwrap();
    world.pass(SECOND);
    world.store.commit(now(vec![delete("s", "k")])).unwrap();
    world.pass(20 * SECOND);
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    let info = world.store.space(&space("s")).unwrap();
    let view = world.store.view(AsOf::Latest).unwrap();
    // The key was deleted, then forgotten: all that is known is that it is absent since the floor.
    for name in ["k", "never"] {
        let read = view.get(&space("s"), &key(name)).unwrap();
        assert_eq!(read.value, None);
        assert_eq!(read.validity.unwrap().from(), info.floor);
    }
    let kept = view.get(&space("s"), &key("kept")).unwrap();
    assert_eq!(kept.validity.unwrap().from(), kept.value.unwrap().effective);
    assert_eq!(world.store.space_usage(&space("s")).unwrap().versions, 1);
}

#[test]
fn sparse_instants_are_readable_exactly_there_and_speak_for_themselves_alone() {
    let world = written(20);
    retain(&world, Retention::Sparse { dense: 4 * SECOND, every: 5 * SECOND });
    sweep(&world);
    let floor = world.store.time().floor;
    let view = |at| world.store.view(AsOf::At(at)).unwrap();
    for seconds in (0..20).filter(|seconds| moment(*seconds) < floor) {
        let read = view(moment(seconds)).get(&space("s"), &key("k"));
        if !(START / 1_000_000 + seconds).is_multiple_of(5) {
            assert_eq!(read.unwrap_err().kind(), ErrorKind::BelowFloor { floor });
            continue;
        }
        let read = read.unwrap();
        let value = read.value.map(|version| version.bytes.to_vec());
        assert_eq!(value, seconds.checked_sub(1).map(|n| n.to_string().into_bytes()));
        assert_eq!(read.validity, Some(Validity::instant(moment(seconds))));
        let next = moment(seconds).next().unwrap();
        assert_kind(view(next).get(&space("s"), &key("k")), "BelowFloor");
    }
}

#[test]
fn a_denser_policy_does_not_claim_instants_that_were_dropped() {
    let world = written(20);
    retain(&world, Retention::Sparse { dense: 4 * SECOND, every: 10 * SECOND });
    sweep(&world);
    retain(&world, Retention::Sparse { dense: 4 * SECOND, every: 5 * SECOND });
    sweep(&world);
    let multiples = (0..15).filter(|n| (START / 1_000_000 + n).is_multiple_of(5));
    for seconds in multiples {
        assert_kind(text(&world, moment(seconds)), "BelowFloor");
    }
}

#[test]
fn a_history_below_the_floor_is_not_made_of_what_happens_to_be_kept() {
    let world = written(20);
    retain(&world, Retention::Sparse { dense: 4 * SECOND, every: 5 * SECOND });
    sweep(&world);
    let view = world.store.view(AsOf::Latest).unwrap();
    let floor = world.store.time().floor;
    for seconds in 0..20 {
        let range = HistoryRange { from: Timestamp::MIN, before: Some(moment(seconds)), limit: 10 };
        let page = view.history(&space("s"), &key("k"), &range).unwrap();
        for version in page.versions {
            // Versions in between were dropped, so no two kept ones bound an interval.
            let validity = version.validity.unwrap();
            assert!(validity.last() >= floor, "{validity:?}, but the floor is {floor:?}");
        }
    }
    let instant = (5..20).map(moment).find(|at| text(&world, *at).is_ok()).unwrap();
    let view = world.store.view(AsOf::At(instant)).unwrap();
    let before = Some(instant.saturating_sub(4 * SECOND));
    let range = HistoryRange { from: Timestamp::MIN, before, limit: 10 };
    let page = view.history(&space("s"), &key("k"), &range).unwrap();
    assert!(page.versions.is_empty(), "another version was true at the instant: {page:?}");
}

#[test]
fn a_preview_below_the_floor_is_refused_like_any_read() {
    let world = written(20);
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    let view = world.store.view(AsOf::Preview(moment(5))).unwrap();
    // It would be answered "absent" of a key that held a value then.
    assert_kind(view.get(&space("s"), &key("k")), "BelowFloor");
    let range =
        ScanRange { prefix: String::new(), after: None, limit: 10, values: WithValues::Omit };
    assert_kind(view.scan(&space("s"), &range), "BelowFloor");
}

#[test]
fn the_last_commit_of_a_forgotten_log_is_gone_and_not_damage() {
    let world = written(3);
    let last = world.store.commit(now(vec![put("s", "k", "last")])).unwrap().id;
    world.pass(20 * SECOND);
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    let first = Sequence::new(2).unwrap();
    for id in [first, last] {
        let error = world.store.commit_by_id(id).unwrap_err();
        let floor = world.store.time().floor;
        let kind = error.kind();
        assert!([ErrorKind::NotFound, ErrorKind::BelowFloor { floor }].contains(&kind), "{error}");
        let outcome = world.store.cancel(id, actor("late"));
        let kind = outcome.unwrap_err().kind();
        assert_ne!(kind, ErrorKind::Corrupt);
    }
    // Numbers go on from the last one given out, also after a restart.
    let world = world.reopen();
    assert!(world.store.commit(now(vec![put("s", "k", "next")])).unwrap().id > last);
}

#[test]
fn a_log_that_is_no_longer_whole_says_so() {
    let world = written(10);
    retain(&world, Retention::KeepFor(SECOND));
    world.store.commit(now(vec![put("whole", "k", "1")])).unwrap();
    sweep(&world);
    let floor = world.store.time().floor;
    let log = |after, spaces| world.store.log(&LogRange { after, spaces, limit: 100 });
    let error = log(Cursor::START, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BelowFloor { floor });
    log(Cursor::after_snapshot(floor, 0), None).unwrap();
    // Of a space that keeps everything, everything is there.
    let page = log(Cursor::START, Some(vec![space("whole")])).unwrap();
    assert_eq!(page.commits.len(), 2);
}

#[test]
fn a_commit_without_writes_is_kept_as_long_as_the_space_of_its_source() {
    let world = written(3);
    let source = Source { space: space("whole"), id: "empty".into(), at: at(START) };
    let empty = CommitRequest { source: Some(source), ..now(Vec::new()) };
    let id = world.store.commit(empty).unwrap().id;
    world.pass(20 * SECOND);
    retain(&world, Retention::KeepFor(SECOND));
    sweep(&world);
    assert_eq!(world.store.commit_by_id(id).unwrap().source.unwrap().id, "empty");
}
