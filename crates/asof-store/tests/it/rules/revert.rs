//! Taking commits back.

use asof_store::{
    AsOf, Backfill, Conflicts, ControlAction, DryRun, Effective, ErrorKind, Retention, Revert,
    RevertTarget,
};
use asof_time::{Sequence, Timestamp};

use super::operate::{audit, incident, place, revert_of, text, write};
use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, put, space};

#[test]
fn a_revert_puts_back_what_was_before() {
    let (world, _, bad) = incident();
    let trial = world.store.revert(&revert_of(bad.id), actor("wrong"), DryRun::Yes).unwrap();
    assert_eq!((trial.keys, trial.conflicts, trial.receipt), (3, 0, None));
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "bad a");
    let done = world.store.revert(&revert_of(bad.id), actor("wrong"), DryRun::No).unwrap();
    for (name, value) in [("a", Some("good a")), ("b", Some("good b")), ("new", None)] {
        assert_eq!(text(&world, AsOf::Latest, "s", name).as_deref(), value);
    }
    let commit = world.store.commit_by_id(done.receipt.unwrap().id).unwrap();
    assert_eq!(commit.message, format!("Revert of commit {}\n\nwrong", bad.id));
    assert_eq!(audit(&world).pop().unwrap().0, ControlAction::CommitReverted);
    // Once more there is nothing to do, and nothing is written.
    let records = world.store.control_sequence();
    let again = world.store.revert(&revert_of(bad.id), actor("wrong"), DryRun::No).unwrap();
    assert_eq!((again.keys, again.unchanged, again.receipt), (0, 3, None));
    assert_eq!(world.store.control_sequence(), records);
}

#[test]
fn a_revert_does_nothing_until_each_conflict_is_decided() {
    let (world, _, bad) = incident();
    let later = write(&world, vec![put("s", "a", "later a"), put("s", "new", "later new")]);
    let listed = world.store.revert(&revert_of(bad.id), actor("x"), DryRun::Yes).unwrap();
    assert_eq!((listed.keys, listed.conflicts), (1, 2));
    assert!(listed.in_conflict.iter().all(|conflict| conflict.by == later.id));
    let error = world.store.revert(&revert_of(bad.id), actor("x"), DryRun::No).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(text(&world, AsOf::Latest, "s", "b"), None, "nothing was done");
    let one = Revert { keep: vec![place("s", "new")], ..revert_of(bad.id) };
    assert_kind(world.store.revert(&one, actor("x"), DryRun::No), "Conflict");
    let unknown = Revert { keep: vec![place("s", "other")], ..revert_of(bad.id) };
    assert_kind(world.store.revert(&unknown, actor("x"), DryRun::No), "Invalid");
    let both = Revert { restore: vec![place("s", "new")], ..one.clone() };
    assert_kind(world.store.revert(&both, actor("x"), DryRun::No), "Invalid");
    let decided = Revert { restore: vec![place("s", "a")], ..one };
    let done = world.store.revert(&decided, actor("x"), DryRun::No).unwrap();
    assert_eq!((done.keys, done.kept), (2, 1));
    for (name, value) in [("a", "good a"), ("b", "good b"), ("new", "later new")] {
        assert_eq!(text(&world, AsOf::Latest, "s", name).unwrap(), value);
    }
}

#[test]
fn conflicts_may_all_stay_as_they_are() {
    let (world, _, bad) = incident();
    write(&world, vec![put("s", "a", "later a")]);
    let skipping = Revert { conflicts: Conflicts::Keep, ..revert_of(bad.id) };
    let done = world.store.revert(&skipping, actor("x"), DryRun::No).unwrap();
    assert_eq!((done.keys, done.kept), (2, 1));
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "later a");
    assert_eq!(text(&world, AsOf::Latest, "s", "b").unwrap(), "good b");
}

#[test]
fn a_range_is_taken_back_in_one_space_or_in_all() {
    let (world, before, _) = incident();
    write(&world, vec![put("s", "a", "worse a"), put("t", "c", "bad c")]);
    let range = RevertTarget::Range { after: before, through: world.closed() };
    let only = Revert { target: range, space: Some(space("t")), ..revert_of(Sequence::ZERO) };
    let done = world.store.revert(&only, actor("x"), DryRun::No).unwrap();
    assert_eq!(done.keys, 1);
    assert_eq!(text(&world, AsOf::Latest, "t", "c").unwrap(), "good c");
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "worse a");
    let all = Revert { space: None, ..only };
    let done = world.store.revert(&all, actor("x"), DryRun::No).unwrap();
    assert_eq!((done.keys, done.unchanged), (3, 1));
    assert_eq!(world.store.blast(before, world.closed()).unwrap().keys, 0);
    for target in [
        RevertTarget::Range { after: before, through: before },
        RevertTarget::Range { after: before, through: before.prev().unwrap() },
    ] {
        let empty = Revert { target, ..all.clone() };
        assert_kind(world.store.revert(&empty, actor("x"), DryRun::No), "Invalid");
    }
    let through = world.closed().next().unwrap();
    let open = Revert { target: RevertTarget::Range { after: before, through }, ..all };
    assert_kind(world.store.revert(&open, actor("x"), DryRun::No), "NotYetClosed");
}

#[test]
fn a_revert_may_take_effect_later() {
    let (world, _, bad) = incident();
    let soon = world.closed().saturating_add(10 * SECOND);
    // What is pending up to then is there by then.
    world.store.commit(later(soon.prev().unwrap(), vec![put("s", "b", "planned b")])).unwrap();
    let planned = Revert { effective: Effective::At(soon), ..revert_of(bad.id) };
    assert_kind(world.store.revert(&planned, actor("x"), DryRun::No), "Conflict");
    let planned = Revert { keep: vec![place("s", "b")], ..planned };
    let done = world.store.revert(&planned, actor("x"), DryRun::No).unwrap();
    assert_eq!(done.receipt.unwrap().effective, soon);
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "bad a");
    world.pass(11 * SECOND);
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
    assert_eq!(text(&world, AsOf::Latest, "s", "b").unwrap(), "planned b");
    // What is pending is cancelled and not reverted.
    let soon = world.closed().saturating_add(SECOND);
    let pending = world.store.commit(later(soon, vec![put("s", "a", "soon")])).unwrap();
    let error = world.store.revert(&revert_of(pending.id), actor("x"), DryRun::No).unwrap_err();
    assert!(error.message().contains("cancel it"), "{error}");
}

#[test]
fn a_revert_for_now_sees_what_came_due_since_closed_last_moved() {
    let (world, _, bad) = incident();
    let soon = world.closed().saturating_add(SECOND);
    let planned = world.store.commit(later(soon, vec![put("s", "a", "planned a")])).unwrap();
    // Its time comes, and closed has not followed the clock yet.
    world.clock.advance(2 * SECOND);
    let listed = world.store.revert(&revert_of(bad.id), actor("x"), DryRun::Yes).unwrap();
    assert_eq!((listed.keys, listed.conflicts), (2, 1));
    assert_eq!(listed.in_conflict.first().unwrap().by, planned.id);
    let error = world.store.revert(&revert_of(bad.id), actor("x"), DryRun::No).unwrap_err();
    assert!(error.message().contains("keys in conflict: 1"), "{error}");
    let decided = Revert { restore: vec![place("s", "a")], ..revert_of(bad.id) };
    let done = world.store.revert(&decided, actor("x"), DryRun::No).unwrap();
    assert_eq!(done.keys, 3);
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
    assert_eq!(text(&world, AsOf::At(soon), "s", "a").unwrap(), "planned a");
}

#[test]
fn what_is_no_longer_kept_cannot_be_put_back() {
    let (world, before, bad) = incident();
    let keep = Retention::KeepFor(SECOND);
    world.store.set_retention(&space("s"), keep, actor("space"), DryRun::No).unwrap();
    world.pass(10 * SECOND);
    world.store.tick().unwrap();
    assert!(world.store.time().floor > before);
    let outcome = world.store.revert(&revert_of(bad.id), actor("x"), DryRun::No).unwrap_err();
    assert!(
        matches!(outcome.kind(), ErrorKind::BelowFloor { .. } | ErrorKind::NotFound),
        "{outcome}"
    );
    let error = world.store.blast(before, world.closed()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BelowFloor { .. }), "{error}");
}

#[test]
fn a_deletion_at_the_beginning_of_time_is_nothing_to_put_back() {
    let world = Stepped::new(at(START));
    world.store.create_importing_space(&space("s"), actor("x")).unwrap();
    let backfill = Backfill {
        source_id: "1".into(),
        at: Timestamp::MIN,
        author: String::new(),
        message: String::new(),
        writes: vec![(key("k"), delete("s", "k").op)],
    };
    world.store.import(&space("s"), vec![backfill]).unwrap();
    world.store.go_live(&space("s"), actor("x")).unwrap();
    // Long enough for a pass of retention, which leaves nothing of it.
    for _ in 0..12 {
        world.pass(SECOND);
    }
    assert_eq!(world.store.space_usage(&space("s")).unwrap().versions, 0);
    let id = world.store.source(&space("s"), "1").unwrap().unwrap().0;
    let done = world.store.revert(&revert_of(id), actor("x"), DryRun::No).unwrap();
    assert_eq!((done.unchanged, done.keys, done.receipt), (1, 0, None));
}
