//! One execution for everybody who asks the same at the same time.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use asof_cache::{Action, Landed, Serve, Ticket, Unstorable};

use super::story::Story;

/// What a ticket comes to without waiting.
pub(super) fn now(ticket: Ticket) -> Option<Landed> {
    let mut ticket = pin!(ticket);
    match ticket.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(landed) => landed,
        Poll::Pending => panic!("the leader is still under way"),
    }
}

/// A leader that executes, and a follower that waits for it.
fn two(story: &Story) -> (Serve, Serve, Ticket) {
    story.service("page", |run| run.read("goods/a"));
    story.write(1, "goods/a", "old");
    story.tell(9);
    let mut leader = Serve::new(story.call("page"), story.t(2), None);
    let Action::Execute(_) = leader.begin(&story.cache) else { panic!() };
    let mut follower = Serve::new(story.call("page"), story.t(3), None);
    let Action::Wait(ticket) = follower.begin(&story.cache) else { panic!() };
    (leader, follower, ticket)
}

#[test]
fn followers_share_what_the_leader_found() {
    let story = Story::new();
    let (leader, mut follower, ticket) = two(&story);
    let run = story.begin("page", 2);
    let says = run.read("goods/a");
    leader.executed(Ok(&run.finish(&says).fact.unwrap()));
    let Action::Answer(fact, outcome) = follower.landed(&story.cache, now(ticket)) else {
        panic!()
    };
    assert_eq!((&fact.content.body()[..], outcome.as_str()), (&b"old"[..], "coalesced"));
}

#[test]
fn a_leader_that_failed_releases_its_followers_to_execute_alone() {
    let story = Story::new();
    let (leader, mut follower, ticket) = two(&story);
    leader.executed(Err(Unstorable::Status));
    let action = follower.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
    // Nobody queues behind one that goes alone.
    let mut third = Serve::new(story.call("page"), story.t(3), None);
    assert!(matches!(third.begin(&story.cache), Action::Execute(_)));
}

#[test]
fn who_waited_for_a_leader_that_timed_out_does_not_begin_anew() {
    let story = Story::new();
    let (leader, mut follower, ticket) = two(&story);
    leader.executed(Err(Unstorable::TimedOut));
    let action = follower.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::TimedOut), "{action:?}");
    // Whoever comes after it tries again: the service may be well by then.
    let mut third = Serve::new(story.call("page"), story.t(3), None);
    assert!(matches!(third.begin(&story.cache), Action::Execute(_)));
}

#[test]
fn after_a_leader_that_went_away_one_follower_leads_and_the_others_follow() {
    let story = Story::new();
    let (leader, mut second, ticket) = two(&story);
    let mut third = Serve::new(story.call("page"), story.t(3), None);
    let Action::Wait(other) = third.begin(&story.cache) else { panic!() };
    drop(leader);
    let action = second.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
    let action = third.landed(&story.cache, now(other));
    assert!(matches!(action, Action::Wait(_)), "{action:?}");
}

#[test]
fn who_has_waited_long_enough_executes_alone() {
    let story = Story::new();
    let (_leader, mut follower, _ticket) = two(&story);
    // The wait is bounded by the shell, which says so.
    let action = follower.landed(&story.cache, None);
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
}

#[test]
fn leaders_that_go_away_one_after_the_other_do_not_keep_anybody_waiting_for_ever() {
    let story = Story::new();
    let (leader, mut follower, mut ticket) = two(&story);
    drop(leader);
    for _ in 0..3 {
        // Another one is quicker every time, and goes away as well.
        let mut quicker = Serve::new(story.call("page"), story.t(4), None);
        let Action::Execute(_) = quicker.begin(&story.cache) else { panic!() };
        ticket = match follower.landed(&story.cache, now(ticket)) {
            Action::Wait(ticket) => ticket,
            other => panic!("{other:?}"),
        };
        drop(quicker);
    }
    let mut quicker = Serve::new(story.call("page"), story.t(4), None);
    let Action::Execute(_) = quicker.begin(&story.cache) else { panic!() };
    let action = follower.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
}

#[test]
fn what_was_dropped_before_somebody_asked_is_not_given_to_them_by_a_leader_who_has_it_still() {
    let story = Story::new();
    let (leader, _before, _waiting) = two(&story);
    let run = story.begin("page", 2);
    let says = run.read("goods/a");
    let wrong = run.finish(&says).fact.unwrap();
    // Between the answer and its landing a late call shows that it is wrong.
    run.arrive();
    let mut after = Serve::new(story.call("page"), story.t(2), None);
    let Action::Wait(ticket) = after.begin(&story.cache) else { panic!() };
    leader.executed(Ok(&wrong));
    let action = after.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
}

#[test]
fn what_was_erased_before_somebody_asked_is_not_given_to_them_either() {
    let story = Story::new();
    let (leader, _before, _waiting) = two(&story);
    let run = story.begin("page", 2);
    let says = run.read("goods/a");
    let erased = run.finish(&says).fact.unwrap();
    story.cache.erase(super::story::STORE, "goods");
    let mut after = Serve::new(story.call("page"), story.t(2), None);
    let Action::Wait(ticket) = after.begin(&story.cache) else { panic!() };
    leader.executed(Ok(&erased));
    let action = after.landed(&story.cache, now(ticket));
    assert!(matches!(action, Action::Execute(_)), "{action:?}");
}
