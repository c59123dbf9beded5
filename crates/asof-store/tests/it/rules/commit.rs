//! Who gets which timestamp, and what a commit is refused for.

use std::time::Duration;

use asof_store::{
    AsOf, CommitRequest, ContentHash, DryRun, ErrorKind, IdempotencyKey, Precondition, Write,
};
use asof_time::Timestamp;

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

fn when(value: Precondition, write: Write) -> Write {
    Write { precondition: value, ..write }
}

fn keyed(name: &str, request: CommitRequest) -> CommitRequest {
    CommitRequest { idempotency: Some(IdempotencyKey::new(name).unwrap()), ..request }
}

fn text(world: &Stepped, as_of: AsOf, name: &str) -> Option<String> {
    let read = world.store.view(as_of).unwrap().get(&space("s"), &key(name)).unwrap();
    read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap())
}

#[test]
fn a_now_commit_never_lands_on_or_below_last() {
    let world = Stepped::new(at(START));
    let mut last = world.closed();
    for n in 0..5 {
        // The clock stands still, then steps back.
        let receipt = world.store.commit(now(vec![put("s", "k", &n.to_string())])).unwrap();
        assert!(receipt.effective > last);
        last = receipt.effective;
        world.clock.set_wall(at(START - n * 1_000));
    }
}

#[test]
fn a_future_commit_does_not_raise_last() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let future = at(START).saturating_add(60 * SECOND);
    world.store.commit(later(future, vec![put("s", "k", "later")])).unwrap();
    let receipt = world.store.commit(now(vec![put("s", "k", "now")])).unwrap();
    assert!(receipt.effective < future);
    // Also not through a restart, which reads where the log ends.
    let world = world.reopen();
    let receipt = world.store.commit(now(vec![put("s", "k", "now")])).unwrap();
    assert!(receipt.effective < future);
    assert!(world.closed() < future);
}

#[test]
fn a_past_effective_time_is_refused_and_the_bound_is_told() {
    let world = Stepped::new(at(START));
    let last = world.store.commit(now(vec![put("s", "k", "1")])).unwrap().effective;
    for past in [Timestamp::MIN, last.prev().unwrap(), last] {
        let error = world.store.commit(later(past, vec![put("s", "k", "2")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InThePast { last });
    }
    let next = last.next().unwrap();
    assert_eq!(world.store.commit(later(next, vec![put("s", "k", "2")])).unwrap().effective, next);
}

#[test]
fn a_commit_beyond_the_schedule_limit_is_refused() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let furthest = world.closed().saturating_add(Duration::from_hours(400 * 24));
    let write = || vec![put("s", "k", "1")];
    assert_kind(world.store.commit(later(furthest.next().unwrap(), write())), "Invalid");
    world.store.commit(later(furthest, write())).unwrap();
}

#[test]
fn order_within_one_timestamp_is_by_sequence() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let moment = at(START).saturating_add(SECOND);
    let first = world.store.commit(later(moment, vec![put("s", "k", "first")])).unwrap();
    let second = world.store.commit(later(moment, vec![put("s", "k", "second")])).unwrap();
    assert!(first.id < second.id);
    // An amendment keeps the id, and with it the place in the order.
    let amendment = asof_store::Amendment {
        writes: Some(vec![put("s", "k", "first, amended")]),
        ..asof_store::Amendment::default()
    };
    world.store.amend(first.id, amendment, actor("")).unwrap();
    world.pass(2 * SECOND);
    assert_eq!(text(&world, AsOf::At(moment), "k").unwrap(), "second");
}

#[test]
fn idempotency_is_looked_up_before_every_other_check() {
    let world = Stepped::new(at(START));
    let absent = vec![when(Precondition::Absent, put("s", "k", "1"))];
    let future = at(START).saturating_add(SECOND);
    let first = keyed("precondition", now(absent));
    let second = keyed("past", later(future, vec![put("s", "l", "1")]));
    let receipts = [&first, &second].map(|r| world.store.commit((*r).clone()).unwrap());
    world.pass(5 * SECOND);
    // By now the key is there, and the moment has passed.
    for (request, receipt) in [first, second].into_iter().zip(receipts) {
        let again = world.store.commit(request.clone()).unwrap();
        assert_eq!(again, asof_store::Receipt { replayed: true, ..receipt });
        let unkeyed = CommitRequest { idempotency: None, ..request };
        world.store.commit(unkeyed).unwrap_err();
    }
}

#[test]
fn a_repeated_request_is_answered_even_where_a_limit_has_shrunk_since() {
    let world = Stepped::new(at(START));
    let request = keyed("big", now(vec![put("s", "k", "more than four bytes")]));
    let receipt = world.store.commit(request.clone()).unwrap();
    let Stepped { clock, disk, store } = world;
    drop(store);
    let small = asof_store::Options { value_bytes_max: 4, ..crate::steps::options(&clock) };
    let world = Stepped::open_with(&clock, disk, small).unwrap();
    assert_eq!(world.store.commit(request.clone()).unwrap().id, receipt.id);
    let unkeyed = CommitRequest { idempotency: None, ..request };
    assert_kind(world.store.commit(unkeyed), "TooLarge");
}

#[test]
fn the_same_key_for_another_request_is_a_conflict() {
    let world = Stepped::new(at(START));
    let request = keyed("key", now(vec![put("s", "k", "1")]));
    world.store.commit(request.clone()).unwrap();
    let others = [
        CommitRequest { message: "why".into(), ..request.clone() },
        CommitRequest { writes: vec![put("s", "k", "2")], ..request.clone() },
        CommitRequest { writes: vec![delete("s", "k")], ..request.clone() },
        CommitRequest { writes: vec![put("t", "k", "1")], ..request },
    ];
    for other in others {
        assert_kind(world.store.commit(other), "Conflict");
    }
}

#[test]
fn an_idempotency_key_outlives_a_crash_and_a_cancelled_commit() {
    let world = Stepped::new(at(START));
    let future = at(START).saturating_add(SECOND);
    let request = keyed("key", later(future, vec![put("s", "k", "1")]));
    let receipt = world.store.commit(request.clone()).unwrap();
    world.store.cancel(receipt.id, actor("")).unwrap();
    let world = world.crash(1);
    let again = world.store.commit(request).unwrap();
    assert!(again.replayed && again.id == receipt.id);
    // The commit is still cancelled: repeating the request does not bring it back.
    world.pass(2 * SECOND);
    assert_eq!(text(&world, AsOf::Latest, "k"), None);
}

#[test]
fn a_precondition_is_judged_against_the_state_just_before() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let (soon, late) = (at(START).saturating_add(SECOND), at(START).saturating_add(2 * SECOND));
    let present = || vec![when(Precondition::Present, put("s", "k", "2"))];
    world.store.commit(later(soon, vec![put("s", "k", "1")])).unwrap();
    // Now it is not there, when the second one takes effect it will be.
    assert_kind(world.store.commit(now(present())), "Conflict");
    world.store.commit(later(late, present())).unwrap();
    // In one timestamp, the earlier sequence has happened.
    let absent = vec![when(Precondition::Absent, put("s", "k", "3"))];
    assert_kind(world.store.commit(later(soon, absent.clone())), "Conflict");
    world.store.commit(later(soon.prev().unwrap(), absent)).unwrap();
}

#[test]
fn a_precondition_sees_what_its_own_group_staged() {
    let world = Stepped::new(at(START));
    let absent = || now(vec![when(Precondition::Absent, put("s", "k", "1"))]);
    let (sender, outcomes) = std::sync::mpsc::sync_channel(2);
    for _ in 0..2 {
        let sender = sender.clone();
        let done = move |outcome: asof_store::Result<_>| sender.send(outcome.is_ok()).unwrap();
        world.store.submit(absent(), Box::new(done));
    }
    let won = [outcomes.recv().unwrap(), outcomes.recv().unwrap()];
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[test]
fn preconditions_do_not_see_the_cap() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let before = world.pass(SECOND);
    let first = world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    world.store.set_cap(before, actor("roll back"), DryRun::No).unwrap();
    assert_eq!(text(&world, AsOf::Latest, "k"), None);
    let write = |precondition| now(vec![when(precondition, put("s", "k", "2"))]);
    assert_kind(world.store.commit(write(Precondition::Absent)), "Conflict");
    assert_kind(world.store.commit(write(Precondition::UnchangedSince(before))), "Conflict");
    let unchanged = Precondition::UnchangedSince(first.effective);
    world.store.commit(write(unchanged)).unwrap();
}

#[test]
fn each_precondition_holds_where_it_says() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    world.store.commit(now(vec![put("s", "gone", "1")])).unwrap();
    world.store.commit(now(vec![delete("s", "gone")])).unwrap();
    let hash = |text: &str| Precondition::HashIs(ContentHash::of(text.as_bytes()));
    let cases = [
        ("k", Precondition::Absent, false),
        ("k", Precondition::Present, true),
        ("k", hash("1"), true),
        ("k", hash("2"), false),
        ("gone", Precondition::Absent, true),
        ("gone", Precondition::Present, false),
        ("gone", hash("1"), false),
        ("gone", Precondition::UnchangedSince(at(START)), false),
        ("never", Precondition::Absent, true),
        ("never", Precondition::UnchangedSince(Timestamp::MIN), true),
    ];
    for (name, precondition, holds) in cases {
        // In a commit that is refused for another reason, so that nothing changes.
        let request = now(vec![
            when(precondition, put("s", name, "x")),
            when(Precondition::Present, put("s", "not there", "x")),
        ]);
        let error = world.store.commit(request).unwrap_err();
        assert_eq!(error.message().contains("not there"), holds, "{name} {precondition:?}");
    }
}

#[test]
fn a_refused_commit_leaves_nothing_behind() {
    let world = Stepped::new(at(START));
    let impossible = when(Precondition::Present, put("new", "k", "1"));
    assert_kind(world.store.commit(now(vec![put("other", "k", "1"), impossible])), "Conflict");
    assert!(world.store.spaces().is_empty());
    assert_eq!(world.store.control_sequence(), 0);
    // Not even a number: the first commit that is taken opens its space with the first id.
    let receipt = world.store.commit(now(vec![put("s", "k", "1")])).unwrap();
    assert_eq!(receipt.id.as_u64(), 2);
}

#[test]
fn an_outcome_is_remembered_for_a_week_and_then_forgotten() {
    let world = Stepped::new(at(START));
    let request = keyed("key", now(vec![put("s", "k", "1")]));
    let first = world.store.commit(request.clone()).unwrap();
    let sweep = || {
        for _ in 0..6 {
            world.pass(4 * SECOND);
        }
    };
    world.pass(Duration::from_hours(7 * 24 - 1));
    sweep();
    assert_eq!(world.store.commit(request.clone()).unwrap().id, first.id);
    world.pass(Duration::from_hours(2));
    sweep();
    let second = world.store.commit(request.clone()).unwrap();
    assert!(!second.replayed && second.id > first.id);
    // The new outcome is not forgotten with the old one.
    sweep();
    assert_eq!(world.store.commit(request).unwrap().id, second.id);
    assert_eq!(world.store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}
