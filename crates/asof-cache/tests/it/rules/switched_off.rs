//! Each rule that can be switched off: the history that goes right with it and wrong without.

use asof_cache::{Action, Rule, Rules, Serve, Settings};
use asof_time::{Timestamp, Validity};

use super::story::{Route, Story, content, leaf};

/// The story ends as it should, at the beginning of time and at its end; without the rule it
/// does not.
fn needed(rule: Rule, right: &str, tell: impl Fn(&Story) -> String) {
    for base in [0, Timestamp::MAX.as_micros() - 100] {
        assert_eq!(tell(&Story::under(Rules::default(), base)), right, "from {base}");
        assert_ne!(tell(&Story::under(Rules::without(rule), base)), right, "without {rule:?}");
    }
}

/// A page that says what two keys say.
fn page_of_two(story: &Story) {
    story.service("page", |run| run.read("goods/a") + &run.read("goods/b"));
}

#[test]
fn an_answer_is_true_only_where_all_its_inputs_are() {
    needed(Rule::IntersectInputs, "AB", |story| {
        page_of_two(story);
        story.write(1, "goods/a", "a");
        story.write(1, "goods/b", "B");
        story.write(4, "goods/a", "A");
        story.tell(9);
        assert_eq!(story.says("page", 2), "aB");
        // The last thing that was read is true until 9; the first one is not.
        story.says("page", 8)
    });
}

#[test]
fn the_fast_path_sees_the_spaces_below_nested_calls() {
    needed(Rule::TransitiveSpaces, "new", |story| {
        story.service("page", |run| run.ask("part"));
        story.service("part", |run| run.read("goods/a"));
        story.write(1, "goods/a", "old");
        story.tell(2);
        assert_eq!(story.says("page", 2), "old");
        story.write(5, "goods/a", "new");
        story.tell(6);
        story.says("page", 6)
    });
}

#[test]
fn the_fast_path_sees_the_clocks_below_nested_calls() {
    needed(Rule::TransitiveClocks, "1", |story| {
        story.service("page", |run| run.ask("part"));
        let route = Route { sees_clock: true, ..Route::default() };
        story.declare("part", route, |run| {
            run.read("goods/a");
            run.clock()
        });
        story.tell(2);
        assert_eq!(story.says("page", 2), "0");
        // No data changed, but the hour did.
        story.tell(15);
        story.says("page", 15)
    });
}

#[test]
fn the_index_answers_only_for_what_it_has_seen_whole() {
    let tell = |rules| {
        let story = Story::with(Settings { changes_max: 1, rules, ..Settings::default() }, 0);
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "old");
        story.tell(2);
        assert_eq!(story.says("page", 2), "old");
        // There is room for one change: the second one pushes the first one out.
        story.write(3, "goods/a", "new");
        story.write(4, "goods/b", "other");
        story.tell(5);
        story.says("page", 5)
    };
    assert_eq!(tell(Rules::default()), "new");
    assert_eq!(tell(Rules::without(Rule::CoveredRange)), "old");
}

#[test]
fn a_feed_is_complete_up_to_its_through_and_no_further() {
    needed(Rule::FrontierIsThrough, "new", |story| {
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "old");
        story.tell(2);
        assert_eq!(story.says("page", 2), "old");
        // Closed at the store, and not told here yet.
        story.write(5, "goods/a", "new");
        story.tell(3);
        story.says("page", 5)
    });
}

#[test]
fn nested_calls_are_verified_in_order_and_only_those_that_the_service_would_make() {
    needed(Rule::RecordedOrder, "off, part ran once", |story| {
        story.service("page", |run| match &*run.read("flags/part") {
            "on" => run.ask("part"),
            flag => flag.to_owned(),
        });
        story.service("part", |run| run.read("goods/a"));
        story.write(1, "flags/part", "on");
        story.tell(2);
        story.says("page", 2);
        // Both change, but with the flag off nobody asks the part any more.
        story.write(5, "flags/part", "off");
        story.write(5, "goods/a", "dangerous");
        story.tell(6);
        let says = story.says("page", 6);
        let times = ["never", "once", "twice"][story.runs("part")];
        format!("{says}, part ran {times}")
    });
}

#[test]
fn equal_content_at_two_moments_says_nothing_about_the_time_between() {
    needed(Rule::EqualHashesBridgeNothing, "there", |story| {
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "here");
        story.tell(2);
        assert_eq!(story.says("page", 2), "here");
        story.write(3, "goods/a", "there");
        story.write(5, "goods/a", "here");
        story.tell(6);
        assert_eq!(story.says("page", 6), "here");
        story.says("page", 4)
    });
}

#[test]
fn what_lies_below_a_result_is_rebuilt_whenever_it_is_extended() {
    needed(Rule::RebuildOnExtension, "0 items", |story| {
        story.service("page", |run| run.ask("part") + " items");
        story.service("part", |run| run.read(&(run.read("flags/shelf") + "/items")));
        story.write(1, "flags/shelf", "left");
        story.write(1, "left/items", "3");
        story.write(1, "right/items", "3");
        story.tell(2);
        story.says("page", 2);
        // The other shelf holds as many: the page is the same, and depends on another space.
        story.write(3, "flags/shelf", "right");
        story.tell(4);
        assert_eq!(story.says("page", 4), "3 items");
        assert_eq!(story.runs("page"), 1, "early cutoff");
        story.write(5, "right/items", "0");
        story.tell(6);
        story.says("page", 6)
    });
}

#[test]
fn a_result_ends_with_the_first_of_its_inputs() {
    needed(Rule::SmallestFirstChange, "aB", |story| {
        story.service("page", |run| {
            let second = run.read("goods/b");
            run.read("goods/a") + &second
        });
        story.write(1, "goods/a", "a");
        story.write(1, "goods/b", "b");
        story.tell(2);
        assert_eq!(story.says("page", 2), "ab");
        story.write(3, "goods/b", "B");
        story.write(6, "goods/a", "A");
        story.tell(7);
        assert_eq!(story.says("page", 7), "AB");
        story.says("page", 4)
    });
}

#[test]
fn an_input_that_cannot_be_asked_again_means_that_its_parent_runs() {
    needed(Rule::UnissuableMeansRun, "new", |story| {
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "old");
        story.tell(2);
        assert_eq!(story.says("page", 2), "old");
        story.cache.evict(leaf("goods/a").key());
        story.write(3, "goods/a", "new");
        story.tell(4);
        story.says("page", 4)
    });
}

#[test]
fn what_was_made_of_an_unstorable_answer_is_unstorable() {
    needed(Rule::Contagion, "draw 2", |story| {
        story.service("page", |run| run.ask("dice"));
        // It reads nothing, and says another thing every time.
        story.service("dice", |run| format!("draw {}", run.story.runs("dice")));
        story.tell(2);
        assert_eq!(story.says("page", 2), "draw 1");
        story.says("page", 2)
    });
}

#[test]
fn a_nested_call_may_use_only_the_state_that_its_parent_declares() {
    needed(Rule::StateIsDeclared, "dark", |story| {
        story.service("page", |run| run.ask("part"));
        let route = Route { declares_theme: true, ..Route::default() };
        story.declare("part", route, |run| {
            run.read("goods/a");
            run.theme().to_owned()
        });
        story.tell(2);
        assert_eq!(story.says("page", 2), "light");
        story.theme.set("dark");
        story.says("page", 2)
    });
}

#[test]
fn an_answer_without_inputs_is_kept_only_where_that_is_declared() {
    needed(Rule::InputsOrConstant, "draw 2", |story| {
        story.service("dice", |run| format!("draw {}", run.story.runs("dice")));
        let route = Route { constant: true, ..Route::default() };
        story.declare("motto", route, |_| "fear no cache".to_owned());
        story.says("motto", 2);
        story.says("motto", 90);
        assert_eq!(story.runs("motto"), 1);
        story.says("dice", 2);
        story.says("dice", 2)
    });
}

#[test]
fn a_service_that_answers_before_its_inputs_are_there_is_not_kept() {
    needed(Rule::AllInputsSettled, "guess 2", |story| {
        story.service("page", |run| {
            run.read("goods/a");
            run.arrive();
            format!("guess {}", run.story.runs("page"))
        });
        story.says("page", 2);
        story.says("page", 2)
    });
}

#[test]
fn a_call_after_the_answer_drops_what_was_kept_and_all_above_it() {
    needed(Rule::LateCallsDrop, "page and part ran twice", |story| {
        story.service("page", |run| run.ask("part"));
        story.service("part", |run| run.read("goods/a"));
        story.tell(2);
        story.says("page", 2);
        // The executions are numbered: the page is 1, the part that it asks is 2.
        let late = story.cache.arrive(asof_cache::CallId(2), 7, "part");
        assert!(matches!(late, asof_cache::Arrival::Late(Some(_))));
        story.says("page", 2);
        match (story.runs("page"), story.runs("part")) {
            (2, 2) => "page and part ran twice".to_owned(),
            other => format!("{other:?}"),
        }
    });
}

#[test]
fn what_runs_while_wrong_results_are_dropped_is_not_kept() {
    needed(Rule::DropsReachWhatRuns, "page ran twice", |story| {
        story.service("part", |run| run.read("goods/a"));
        story.service("page", |run| {
            let part = run.ask("part");
            if run.story.runs("page") == 1 {
                run.story.cache.drop_with_ancestors(&[run.story.call("part").key()]);
            }
            part
        });
        story.tell(2);
        story.says("page", 2);
        story.says("page", 2);
        format!("page ran {}", ["never", "once", "twice"][story.runs("page")])
    });
}

#[test]
fn a_call_without_context_taints_what_its_service_is_executing() {
    needed(Rule::LostContextTaints, "guess 2", |story| {
        story.service("page", |run| {
            run.read("goods/a");
            run.story.cache.taint_service("page");
            format!("guess {}", run.story.runs("page"))
        });
        story.says("page", 2);
        story.says("page", 2)
    });
}

#[test]
fn nothing_of_another_epoch_matches() {
    needed(Rule::EpochMatches, "none", |story| {
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "lost in the restore");
        story.tell(2);
        story.says("page", 2);
        story.restore(5);
        story.says("page", 2)
    });
}

#[test]
fn what_was_erased_is_dropped_with_all_that_was_made_of_it() {
    needed(Rule::ErasureDrops, "none", |story| {
        story.service("page", |run| run.ask("part"));
        story.service("part", |run| run.read("people/a"));
        story.write(1, "people/a", "a name");
        story.tell(2);
        assert_eq!(story.says("page", 2), "a name");
        story.forget_history_of("people/a");
        story.cache.erase(super::story::STORE, "people");
        story.says("page", 2)
    });
}

#[test]
fn an_execution_is_shared_only_where_its_answer_is_true() {
    needed(Rule::SharedWithinValidity, "executes", |story| {
        story.service("page", |run| run.read("goods/a"));
        story.write(1, "goods/a", "old");
        story.write(5, "goods/a", "new");
        story.tell(9);
        let call = story.call("page");
        let mut leader = Serve::new(call.clone(), story.t(2), None);
        let Action::Execute(_) = leader.begin(&story.cache) else { panic!() };
        let mut follower = Serve::new(call, story.t(9), None);
        let Action::Wait(ticket) = follower.begin(&story.cache) else { panic!() };
        let run = story.begin("page", 2);
        let says = run.read("goods/a");
        leader.executed(Ok(&run.finish(&says).fact.unwrap()));
        let landed = super::coalescing::now(ticket);
        match follower.landed(&story.cache, landed) {
            Action::Answer(..) => "is given what was true at 2".to_owned(),
            Action::Execute(_) => "executes".to_owned(),
            other => format!("{other:?}"),
        }
    });
}

#[test]
fn nobody_waits_for_whom_they_keep_waiting() {
    needed(Rule::WaitsHaveNoCycle, "goes alone", |story| {
        // One asks the page, which asks the part; another asks the part, which asks the page.
        let (page, part) = (story.call("page"), story.call("part"));
        let mut one = Serve::new(page.clone(), story.t(2), None);
        let Action::Execute(_) = one.begin(&story.cache) else { panic!() };
        let mut other = Serve::new(part.clone(), story.t(3), None);
        let Action::Execute(_) = other.begin(&story.cache) else { panic!() };
        let mut below_one = Serve::new(part, story.t(2), one.line());
        let Action::Wait(_waiting) = below_one.begin(&story.cache) else { panic!() };
        let mut below_other = Serve::new(page, story.t(3), other.line());
        match below_other.begin(&story.cache) {
            Action::Execute(_) => "goes alone".to_owned(),
            Action::Wait(_) => "waits for ever".to_owned(),
            other => format!("{other:?}"),
        }
    });
}

#[test]
fn two_answers_for_one_moment_are_a_contradiction() {
    needed(Rule::OverlapsAgree, "unstorable-contradiction", |story| {
        let call = story.call("page");
        let read = leaf("goods/a");
        story.tell(2);
        let space = story.cache.space(super::story::STORE, "goods").unwrap();
        let insert = |says: &str, from, until| {
            let reach = asof_cache::Reach::Space;
            let content = content(says);
            let trace = asof_cache::Trace::leaf(read.key(), content.hash(), space, reach);
            let validity = Validity::until(story.t(from), story.t(until)).unwrap();
            let fact = asof_cache::Fact { content, validity, trace };
            story.cache.insert(&call, fact, story.cache.since())
        };
        insert("yes", 1, 5).unwrap();
        match insert("no", 4, 9) {
            Ok(_) => "kept".to_owned(),
            Err(why) => why.to_string(),
        }
    });
}
