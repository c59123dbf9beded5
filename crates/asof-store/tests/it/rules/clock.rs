//! The clock is not trusted.

use std::time::Duration;

use asof_store::{ControlAction, Health};
use asof_time::Timestamp;

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, now, put};

const DAY: Duration = Duration::from_hours(24);

fn write() -> asof_store::CommitRequest {
    now(vec![put("s", "k", "1")])
}

fn is_read_only(world: &Stepped) -> bool {
    matches!(world.store.health(), Health::ReadOnly(_))
}

#[test]
fn a_clock_jump_while_running_turns_the_store_read_only() {
    let ten_years = 3_653 * DAY;
    for wall in [at(START).saturating_sub(DAY), at(START).saturating_add(ten_years)] {
        let world = Stepped::new(at(START));
        world.store.commit(write()).unwrap();
        let closed = world.closed();
        world.clock.set_wall(wall);
        assert_kind(world.store.commit(write()), "Unavailable");
        assert!(is_read_only(&world));
        assert_eq!(world.pass(SECOND), closed, "closed does not follow a clock in doubt");
        // Setting it right is not enough: who knows what it was.
        world.clock.set_wall(at(START).saturating_add(SECOND));
        assert_kind(world.store.commit(write()), "Unavailable");
        // A restart with the clock right is.
        let world = world.reopen();
        assert!(world.store.commit(write()).unwrap().effective > closed);
    }
}

#[test]
fn a_jump_within_the_limit_is_taken() {
    let world = Stepped::new(at(START));
    world.clock.advance_wall(Duration::from_mins(59));
    let ahead = world.store.commit(write()).unwrap();
    world.clock.set_wall(at(START));
    let next = world.store.commit(write()).unwrap();
    assert_eq!(Some(next.effective), ahead.effective.next());
}

#[test]
fn a_machine_that_slept_has_not_jumped() {
    let world = Stepped::new(at(START));
    // Both clocks go on while it sleeps.
    world.pass(30 * DAY);
    world.store.commit(write()).unwrap();
    // The boot-time clock alone going on is a wall clock that stood still.
    world.clock.advance_boot(DAY);
    assert_kind(world.store.commit(write()), "Unavailable");
}

#[test]
fn accepting_the_clock_is_audited_and_needs_a_reason() {
    let world = Stepped::new(at(START));
    assert_kind(world.store.accept_clock(actor("nothing is wrong")), "Conflict");
    let ahead = at(START).saturating_add(30 * DAY);
    world.clock.set_wall(ahead);
    world.store.tick().unwrap();
    assert!(is_read_only(&world));
    assert_kind(world.store.accept_clock(actor("")), "Invalid");
    assert!(is_read_only(&world));
    world.store.accept_clock(actor("it was wrong before")).unwrap();
    let records = world.store.control_log(0, 10).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].action, ControlAction::ClockAccepted);
    assert_eq!(records[0].by, actor("it was wrong before"));
    assert!(records[0].detail.contains("jumped"), "{}", records[0].detail);
    assert_eq!(world.store.commit(write()).unwrap().accepted, ahead);
}

#[test]
fn a_store_far_from_its_clock_starts_read_only() {
    let year = 367 * DAY;
    for wall in [at(START).saturating_sub(year), at(START).saturating_add(year)] {
        let world = Stepped::new(at(START));
        world.store.commit(write()).unwrap();
        let Stepped { clock, disk, store } = world;
        let closed = store.time().closed;
        drop(store);
        clock.set_wall(wall);
        let world = Stepped::open(&clock, disk).unwrap();
        assert!(is_read_only(&world));
        assert_kind(world.store.commit(write()), "Unavailable");
        assert_eq!(world.closed(), closed);
        world.store.accept_clock(actor("it stood in a cupboard")).unwrap();
        assert!(world.store.commit(write()).unwrap().effective > closed);
    }
}

#[test]
fn a_clock_behind_resumes_from_the_ceiling_with_an_alarm() {
    let world = Stepped::new(at(START));
    let told = world.pass(100 * SECOND);
    world.clock.set_wall(at(START));
    let world = world.crash(2);
    let inherited = world.closed();
    assert!(inherited >= told);
    assert!(matches!(world.store.health(), Health::Alarmed(_)), "{:?}", world.store.health());
    // One microsecond at a time, and without waiting.
    let before = world.wall();
    world.store.create_space(&crate::world::space("s"), actor("")).unwrap();
    let first = world.store.commit(write()).unwrap();
    let second = world.store.commit(write()).unwrap();
    assert!(first.effective > inherited);
    assert_eq!(Some(second.effective), first.effective.next());
    assert_eq!(world.wall(), before);
    // The alarm is over once the clock has caught up.
    world.pass(200 * SECOND);
    assert_eq!(world.store.health(), Health::Writable);
}

#[test]
fn accepting_a_clock_that_is_behind_leaves_the_alarm_on() {
    let world = Stepped::new(at(START));
    world.store.commit(write()).unwrap();
    world.clock.set_wall(at(START).saturating_sub(DAY));
    world.store.tick().unwrap();
    world.store.accept_clock(actor("daylight saving, sort of")).unwrap();
    // It writes, but a day's worth of timestamps is one microsecond apart: that is to be known.
    assert!(matches!(world.store.health(), Health::Alarmed(_)), "{:?}", world.store.health());
    world.pass(2 * DAY);
    assert_eq!(world.store.health(), Health::Writable);
}

#[test]
fn a_new_store_begins_at_its_clock_whatever_that_says() {
    for start in [Timestamp::MIN, at(1), Timestamp::MAX.saturating_sub(SECOND)] {
        let world = Stepped::new(start);
        assert_eq!(world.closed(), start);
        assert!(world.store.commit(write()).unwrap().effective > start);
        assert_eq!(world.reopen().store.health(), Health::Writable);
    }
}
