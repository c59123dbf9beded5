//! A closed read is a fact: whatever happens to the store, asking again gives the same bytes, or
//! says plainly that they are no longer kept.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use asof_env::storage::{DiskFile as _, OsFile, WhenMissing};
use asof_env::testing::SimDisk;
use asof_store::{ClearCap, DryRun, Erased, SetCap, Store};
use asof_time::Timestamp;

use crate::dice::{Dice, for_each_seed};
use crate::run::{Run, SECOND, WithRetention};
use crate::steps::{Stepped, options};
use crate::world::actor;

fn work(run: &mut Run, steps: usize) {
    for step in 0..steps {
        run.step();
        if step % 4 == 0 {
            run.check();
        }
    }
}

/// Nothing of what was ever told is refused, unless it was dropped or lies above the cap.
#[track_caller]
fn ask_again(run: &Run) {
    let (answered, refused) = run.recorder.ask_again(&run.world.store);
    let may_refuse = run.retention == WithRetention::Yes || run.world.store.cap().is_some();
    assert!(may_refuse || refused == 0);
    assert_eq!(answered + refused, run.recorder.len());
}

#[test]
fn closed_reads_stay_through_restarts_and_crashes() {
    let told = Cell::new(0);
    for_each_seed("closed_reads_stay_through_restarts_and_crashes", |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::No);
        for round in 0..4 {
            work(&mut run, 30);
            let closed = run.world.closed();
            run = if round % 2 == 0 { run.reopen() } else { run.crash(seed * 8 + round) };
            assert!(run.world.closed() >= closed, "closed never steps back");
            ask_again(&run);
            run.verify();
        }
        told.set(told.get() + run.recorder.len());
    });
    // One run alone may have a cap below all that it wrote from beginning to end.
    assert!(told.get() > 0, "something was told");
}

#[test]
fn closed_reads_stay_or_say_that_they_were_dropped() {
    for_each_seed("closed_reads_stay_or_say_that_they_were_dropped", |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::Yes);
        for round in 0..6 {
            work(&mut run, 20);
            // Long enough for a pass of retention, a step at a time.
            for _ in 0..12 {
                run.pass(SECOND);
                ask_again(&run);
            }
            if round % 2 == 1 {
                run = run.crash(seed * 8 + round);
                ask_again(&run);
            }
            run.verify();
        }
    });
}

#[test]
fn moving_the_cap_changes_no_answer() {
    for_each_seed("moving_the_cap_changes_no_answer", |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::No);
        work(&mut run, 60);
        for _ in 0..8 {
            let at = run.moment().min(run.world.closed());
            let replaces = run.world.store.time().cap;
            let request = SetCap { replaces, ..at.into() };
            run.world.store.set_cap(request, actor("roll back"), DryRun::No).expect("closed");
            assert_eq!(run.world.store.time().latest, at);
            ask_again(&run);
        }
        run.world.store.clear_cap(ClearCap::default(), actor("over"), DryRun::No).expect("capped");
        ask_again(&run);
    });
}

#[test]
fn a_restored_store_gives_the_same_answers_in_another_epoch() {
    for_each_seed("a_restored_store_gives_the_same_answers_in_another_epoch", |seed| {
        let mut run = Run::new(Dice::seed(seed), WithRetention::Yes);
        work(&mut run, 60);
        let mut backup = Vec::new();
        let before = run.world.store.backup(&mut backup, &mut |_| {}).expect("a backup");
        let (oracle, pins) = (run.oracle.clone(), run.pins.clone());
        // What the old timeline tells after its backup is nothing that the new one ever said.
        // A clock that was stepped back catches up meanwhile.
        run.pass(4 * SECOND);
        run.check();
        run.recorder.keep_up_to(before.closed);
        let told = run.world.closed();

        let restored = restore(&run.world, &backup);
        assert_ne!(restored.store.time().epoch, before.epoch);
        assert!(restored.closed() >= told, "the new epoch begins above what was told");
        run = run.restored(restored, oracle, pins);
        ask_again(&run);
        run.verify();
        work(&mut run, 30);
        ask_again(&run);
        run.verify();
    });
}

/// Restores into a folder and goes on with the file on a simulated disk.
fn restore(world: &Stepped, mut backup: &[u8]) -> Stepped {
    // Another clock reading gives another epoch.
    world.clock.advance(Duration::from_millis(1));
    let dir = tempfile::tempdir().expect("a folder");
    let settings = options(&world.clock);
    Store::restore(
        &mut backup,
        dir.path(),
        &settings,
        Erased::None,
        actor("disaster"),
        &mut |_| {},
    )
    .expect("restored");
    let path = dir.path().join("store.asof");
    let file = OsFile::open(&path, WhenMissing::Refuse).expect("the store's file");
    let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
    file.read_at(0, &mut bytes).expect("readable");
    Stepped::open(&world.clock, Arc::new(SimDisk::with_bytes(bytes))).expect("it opens")
}

#[test]
fn the_end_of_time_is_an_end_and_not_a_wrap() {
    let world = Stepped::new(Timestamp::MAX.saturating_sub(2 * SECOND));
    let put = || crate::world::now(vec![crate::world::put("s", "k", "v")]);
    let first = world.store.commit(put()).expect("before the end");
    assert_eq!(world.pass(10 * SECOND), Timestamp::MAX);
    let error = world.store.commit(put()).expect_err("no time is left");
    assert_eq!(error.kind(), asof_store::ErrorKind::Unavailable);
    let world = world.crash(3);
    assert_eq!(world.closed(), Timestamp::MAX);
    let view = world.store.view(asof_store::AsOf::Latest).expect("readable");
    let read = view.get(&crate::world::space("s"), &crate::world::key("k")).expect("readable");
    let through = asof_time::Validity::through(first.effective, Timestamp::MAX);
    assert_eq!(read.validity, through);
}
