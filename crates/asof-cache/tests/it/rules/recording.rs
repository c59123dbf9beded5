//! What an execution is seen to read, and what keeps its answer from being kept.

use asof_cache::{Arrival, CallId, Start, Unstorable};
use asof_time::Validity;

use super::story::{Story, leaf};

/// A page that is being executed, and has read one key.
fn running(story: &Story) -> super::story::Run<'_> {
    story.service("page", |run| run.read("goods/a"));
    story.tell(2);
    let run = story.begin("page", 2);
    run.read("goods/a");
    run
}

#[test]
fn retries_are_executions_of_their_own_and_a_cancelled_one_is_forgotten() {
    let story = Story::new();
    let first = running(&story);
    story.cache.cancel(first.id);
    let retry = story.begin("page", 2);
    assert_ne!(first.id, retry.id);
    // What the first attempt still sends is nobody's input, and disowns nothing.
    assert!(matches!(first.arrive(), Arrival::Unknown));
    retry.read("goods/a");
    retry.finish("done").fact.unwrap();
    assert!(matches!(first.arrive(), Arrival::Unknown));
    assert_eq!(story.cache.figures().entries, 2);
}

#[test]
fn a_context_in_the_hands_of_another_service_taints_the_execution() {
    let story = Story::new();
    let run = running(&story);
    let arrival = story.cache.arrive(run.id, 7, "thief");
    assert!(matches!(arrival, Arrival::Input { .. }));
    assert_eq!(run.finish("done").how, Err(Unstorable::LeakedContext));
}

#[test]
fn a_wrong_nonce_names_no_execution_running_or_finished() {
    let story = Story::new();
    let run = running(&story);
    assert!(matches!(story.cache.arrive(run.id, 8, "page"), Arrival::Unknown));
    run.finish("done").fact.unwrap();
    assert!(matches!(story.cache.arrive(run.id, 8, "page"), Arrival::Unknown));
    assert_eq!(story.cache.figures().entries, 2, "nobody can have it dropped by guessing");
    assert!(matches!(run.arrive(), Arrival::Late(Some(_))));
}

#[test]
fn more_inputs_than_are_kept_are_too_many() {
    let story = Story::new();
    let run = running(&story);
    for _ in 0..asof_cache::limits::INPUTS_MAX {
        run.arrive();
    }
    assert_eq!(run.finish("done").how, Err(Unstorable::TooManyInputs));
}

#[test]
fn more_executions_than_there_are_places_are_refused() {
    let story = Story::new();
    story.service("page", |_| String::new());
    let start = || Start {
        call: story.call("page"),
        at: story.t(1),
        nonce: 0,
        constant: false,
        clock: None,
        line: None,
        since: story.cache.since(),
    };
    for number in 0..asof_cache::limits::RUNNING_MAX as u64 {
        story.cache.begin_execution(CallId(number), start()).unwrap();
    }
    assert!(story.cache.begin_execution(CallId(u64::MAX), start()).is_err());
    story.cache.cancel(CallId(0));
    assert!(story.cache.begin_execution(CallId(u64::MAX), start()).is_ok());
}

#[test]
fn two_answers_to_one_question_within_one_execution_are_a_contradiction() {
    let story = Story::new();
    story.write(1, "goods/a", "yes");
    let run = running(&story);
    // The leaf is evicted, and the store says something else for the same moment.
    story.cache.evict(leaf("goods/a").key());
    story.write(1, "goods/a", "no");
    run.read("goods/a");
    assert_eq!(run.finish("yes and no").how, Err(Unstorable::Contradiction));
}

#[test]
fn the_same_question_twice_is_one_input() {
    let story = Story::new();
    let run = running(&story);
    run.read("goods/a");
    let fact = run.finish("done").fact.unwrap();
    assert_eq!(fact.trace.inputs().len(), 1);
}

#[test]
fn inputs_that_are_never_true_together_are_a_contradiction() {
    let story = Story::new();
    story.write(1, "goods/a", "x");
    let run = running(&story);
    let other = leaf("goods/b");
    let Arrival::Input { slot, .. } = run.arrive() else { panic!() };
    // Somebody answers for another moment than the one of the execution.
    let mut fact = story.cache.fact_at(leaf("goods/a").key(), story.t(2)).unwrap();
    fact.validity = Validity::until(story.t(7), story.t(8)).unwrap();
    run.settle(slot, other, Ok(fact));
    assert_eq!(run.finish("done").how, Err(Unstorable::Contradiction));
}

#[test]
fn a_clock_that_shows_another_time_than_that_of_the_execution_is_not_believed() {
    let story = Story::new();
    story.service("page", |_| String::new());
    let start = Start {
        call: story.call("page"),
        at: story.t(50),
        nonce: 0,
        constant: true,
        clock: Validity::until(story.t(10), story.t(20)),
        line: None,
        since: story.cache.since(),
    };
    story.cache.begin_execution(CallId(1), start).unwrap();
    let answer = story.cache.finish(CallId(1), &story.call("page"), Ok(super::story::content("x")));
    assert_eq!(answer.unwrap_err(), Unstorable::Contradiction);
}

#[test]
fn the_first_reason_is_the_one_that_is_told() {
    let story = Story::new();
    let run = running(&story);
    story.cache.taint(run.id, Unstorable::Write);
    story.cache.taint(run.id, Unstorable::Status);
    assert_eq!(run.finish("done").how, Err(Unstorable::Write));
}

#[test]
fn an_input_of_a_space_that_was_erased_meanwhile_is_not_kept() {
    let story = Story::new();
    let run = running(&story);
    story.cache.erase(super::story::STORE, "goods");
    assert_eq!(run.finish("done").how, Err(Unstorable::OtherEpoch));
}

#[test]
fn a_further_place_is_one_more_input_to_be_settled() {
    let story = Story::new();
    let run = running(&story);
    let id = run.id;
    assert!(story.cache.reserve(id).is_some());
    assert_eq!(run.finish("done").how, Err(Unstorable::Unfinished));
    assert!(story.cache.reserve(id).is_none(), "what has ended reads nothing");
}
