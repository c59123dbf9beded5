//! Inputs that another edge answered: what they were made of counts, as if it were read here.

use asof_cache::{Abroad, Arrival, Fingerprint, Input, Outcome, Slot, Unstorable};
use asof_time::Validity;

use super::story::{Run, STORE, Story, content, leaf};

/// The input that the key `place` is, with what it says.
fn key(story: &Story, place: &str, says: &str) -> Input {
    let (space, key) = place.split_once('/').unwrap();
    let space = story.cache.space(STORE, space).unwrap();
    let (call, hash) = (leaf(place).key(), content(says).hash());
    Input::Key { call, hash, space, print: Fingerprint::of(key) }
}

/// What another edge tells of a call below which these keys were read.
fn abroad(story: &Story, inputs: Vec<Input>, from: u64, through: u64) -> Abroad {
    let validity = Validity::through(story.t(from), story.t(through)).unwrap();
    Abroad { state: Vec::new(), inputs, validity }
}

/// A page that reads one key here and asks for a part at another edge, where two are read.
fn page(story: &Story) -> Run<'_> {
    story.service("page", |run| run.read("goods/a"));
    story.write(1, "goods/a", "x");
    story.tell(3);
    let run = story.begin("page", 3);
    let Arrival::Input { slot, .. } = run.arrive() else { panic!("it is running") };
    run.read("goods/a");
    let below = vec![key(story, "parts/b", "none"), key(story, "parts/c", "none")];
    story.cache.settle_abroad(run.id, slot, abroad(story, below, 2, 3));
    run
}

#[test]
fn the_leaves_below_a_call_to_another_edge_are_inputs_in_its_place() {
    let story = Story::new();
    let fact = page(&story).finish("done").fact.unwrap();
    let calls: Vec<_> = fact.trace.inputs().iter().filter_map(Input::call).collect();
    assert_eq!(calls, ["parts/b", "parts/c", "goods/a"].map(|place| leaf(place).key()));
    assert_eq!(fact.validity, Validity::through(story.t(2), story.t(3)).unwrap());
    // What lies beside them does not matter.
    story.write(5, "parts/d", "new");
    story.tell(6);
    let known = story.ask("page", 6);
    assert_eq!((known.says.as_str(), known.how), ("done", Ok(Outcome::Verified)));
    // One of them does: the page is not known to be the same.
    story.write(8, "parts/c", "new");
    story.tell(9);
    assert_eq!((story.says("page", 9).as_str(), story.runs("page")), ("x", 1));
    assert_eq!(story.says("page", 7), "done");
}

#[test]
fn an_answer_of_another_edge_that_is_not_there_yet_leaves_the_page_unfinished() {
    let story = Story::new();
    story.service("page", |_| String::new());
    story.tell(2);
    let run = story.begin("page", 2);
    run.arrive();
    assert_eq!(run.finish("done").how, Err(Unstorable::Unfinished));
    // It comes too late, and for a place that never was.
    story.cache.settle_abroad(run.id, Slot::of_number(0), abroad(&story, Vec::new(), 0, 2));
    let run = story.begin("page", 2);
    story.cache.settle_abroad(run.id, Slot::of_number(7), abroad(&story, Vec::new(), 0, 2));
    assert_eq!(run.finish("done").how, Err(Unstorable::NoInputs));
}

#[test]
fn what_the_answer_of_another_edge_is_and_is_not_true_for_counts() {
    let story = Story::new();
    let told = |mut told: Abroad, change: fn(&Story, &mut Abroad)| {
        story.service("page", |_| String::new());
        story.tell(9);
        let run = story.begin("page", 9);
        let Arrival::Input { slot, .. } = run.arrive() else { panic!("it is running") };
        change(&story, &mut told);
        story.cache.settle_abroad(run.id, slot, told);
        run.finish("done").how
    };
    let plain = || abroad(&story, vec![key(&story, "parts/b", "none")], 1, 9);
    assert_eq!(
        told(plain(), |_, abroad| abroad.state.push("theme".into())),
        Err(Unstorable::UndeclaredState)
    );
    assert_eq!(
        told(plain(), |story, abroad| {
            abroad.validity = Validity::until(story.t(1), story.t(9)).unwrap();
        }),
        Err(Unstorable::Contradiction)
    );
    // Two edges that read one key at one moment and saw two things.
    assert_eq!(
        told(plain(), |story, abroad| abroad.inputs.push(key(story, "parts/b", "other"))),
        Err(Unstorable::Contradiction)
    );
    assert_eq!(told(plain(), |_, _| {}), Ok(Outcome::Miss));
}

#[test]
fn what_is_told_of_a_call_are_the_leaves_below_it_each_once() {
    let story = Story::new();
    story.service("top", |run| format!("{}{}", run.ask("left"), run.ask("right")));
    story.service("left", |run| format!("{}{}", run.read("s/one"), run.read("s/two")));
    story.service("right", |run| format!("{}{}", run.read("s/two"), run.read("t/three")));
    story.tell(2);
    let fact = story.ask("top", 2).fact.unwrap();
    let leaves = |most| story.cache.leaves(&fact, story.t(2), most);
    let calls: Vec<_> = leaves(3).unwrap().iter().filter_map(Input::call).collect();
    assert_eq!(calls, ["s/one", "s/two", "t/three"].map(|place| leaf(place).key()));
    assert!(leaves(2).is_none(), "more than are wanted");
    story.cache.evict(story.call("right").key());
    assert!(leaves(3).is_none(), "nobody knows any more what is below");
}
