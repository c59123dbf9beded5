//! Whether a result that was true once is true later, and where exactly.

use asof_cache::{Outcome, Rules, Settings};
use asof_time::{Epoch, Timestamp};

use super::story::{Route, STORE, Story, leaf};

#[test]
fn early_cutoff_holds_over_just_the_validity_that_was_proved() {
    let story = Story::new();
    story.service("page", |run| run.ask("part"));
    story.service("part", |run| run.read("goods/a").len().to_string());
    story.write(1, "goods/a", "old");
    story.tell(2);
    assert_eq!(story.says("page", 2), "3");
    // For a while it was longer; nobody asked then.
    story.write(4, "goods/a", "longer");
    story.write(6, "goods/a", "new");
    story.tell(8);
    let later = story.ask("page", 7);
    assert_eq!((&*later.says, later.how), ("3", Ok(Outcome::EarlyCutoff)));
    assert_eq!(story.runs("page"), 1);
    let validity = later.fact.unwrap().validity;
    assert_eq!((validity.from(), validity.last()), (story.t(6), story.t(7)));
    assert_eq!(story.says("page", 5), "6");
}

#[test]
fn until_is_written_where_the_index_has_seen_all_leaves() {
    let story = Story::new();
    story.service("page", |run| run.ask("part") + &run.read("names/b"));
    story.service("part", |run| run.read("goods/a"));
    story.write(1, "goods/a", "a");
    story.tell(2);
    story.says("page", 2);
    story.write(5, "goods/a", "A");
    story.tell(9);
    story.says("page", 9);
    let ended = story.cache.fact_at(story.call("page").key(), story.t(4)).unwrap();
    assert_eq!((ended.validity.last(), ended.validity.is_open()), (story.t(4), false));
}

#[test]
fn until_is_not_written_where_one_leaf_is_outside_the_index() {
    let settings = Settings { changes_max: 1, rules: Rules::default(), ..Settings::default() };
    let story = Story::with(settings, 0);
    story.service("page", |run| run.read("goods/a") + &run.read("names/b"));
    story.write(1, "goods/a", "a");
    story.tell(2);
    story.says("page", 2);
    // The index has room for the second change only: of the first it knows nothing.
    story.write(4, "names/b", "B");
    story.write(6, "goods/a", "A");
    story.tell(9);
    assert_eq!(story.says("page", 9), "AB");
    let key = story.call("page").key();
    assert!(story.cache.fact_at(key, story.t(3)).is_none(), "known through 2 and no further");
    assert_eq!(story.says("page", 5), "aB");
}

#[test]
fn what_came_back_after_a_gap_is_asked_about_and_not_assumed() {
    let story = Story::new();
    story.service("page", |run| run.read("goods/a"));
    story.write(1, "goods/a", "old");
    story.tell(2);
    story.says("page", 2);
    // The change at 4 is never told: the feed is taken up again at 5.
    story.write(4, "goods/a", "new");
    story.write(5, "other/a", "x");
    story.cache.begin(STORE, Epoch::from_random(1), story.t(5));
    story.tell(6);
    assert_eq!(story.says("page", 6), "new");
}

#[test]
fn an_evicted_nested_result_runs_its_parent() {
    let story = Story::new();
    story.service("page", |run| run.ask("part"));
    story.service("part", |run| run.read("goods/a"));
    story.tell(2);
    story.says("page", 2);
    story.cache.evict(story.call("part").key());
    story.write(4, "goods/b", "unrelated");
    story.tell(5);
    assert_eq!(story.ask("page", 5).how, Ok(Outcome::Miss));
    assert_eq!((story.runs("page"), story.runs("part")), (2, 2));
}

#[test]
fn only_what_made_room_counts_as_evicted() {
    let story = Story::with(Settings { bytes_max: 64 << 10, ..Settings::default() }, 0);
    story.service("page", |run| run.read("goods/a"));
    story.tell(2);
    for at in 3..20 {
        story.write(at, "goods/b", "unrelated");
        story.tell(at);
        story.says("page", at);
    }
    assert_eq!(story.cache.figures().evicted, 0, "it grew where it was");
    story.cache.keep_from(story.t(19));
    for number in 0..400 {
        story.service(Box::leak(format!("p{number}").into_boxed_str()), |run| run.read("goods/a"));
        story.says(&format!("p{number}"), 18);
    }
    let figures = story.cache.figures();
    assert!(figures.evicted > 0, "{figures:?}");
    assert_eq!(figures.evicted_inside_window, 0, "{figures:?}");
}

#[test]
fn an_input_that_became_unstorable_runs_its_parent() {
    let story = Story::new();
    story.service("page", |run| run.ask("part"));
    story.service("part", |run| {
        let says = run.read("goods/a");
        if says == "bad" {
            run.story.cache.taint(run.id, asof_cache::Unstorable::Status);
        }
        says
    });
    story.write(1, "goods/a", "good");
    story.tell(2);
    story.says("page", 2);
    story.write(4, "goods/a", "bad");
    story.tell(5);
    let page = story.ask("page", 5);
    assert_eq!((&*page.says, page.how), ("bad", Err(asof_cache::Unstorable::Contagion)));
    // And what was good stays.
    assert_eq!(story.ask("page", 2).how, Ok(Outcome::Hit));
}

#[test]
fn a_clock_ends_a_result_at_its_bucket_and_not_before() {
    let story = Story::new();
    let route = Route { sees_clock: true, ..Route::default() };
    story.declare("page", route, |run| run.read("goods/a") + &run.clock());
    story.tell(25);
    assert_eq!(story.says("page", 2), "none0");
    assert_eq!(story.ask("page", 9).how, Ok(Outcome::Hit));
    assert_eq!(story.says("page", 10), "none1");
    assert_eq!(story.says("page", 19), "none1");
    assert_eq!(story.runs("page"), 2);
}

#[test]
fn a_result_is_verified_at_the_very_last_moment() {
    let last = 10;
    let story = Story::under(Rules::default(), Timestamp::MAX.as_micros() - last);
    story.service("page", |run| run.read("goods/a"));
    story.write(1, "goods/a", "there");
    story.tell(2);
    story.says("page", 2);
    story.write(last, "goods/a", "gone");
    story.tell(last);
    assert_eq!(story.says("page", last - 1), "there");
    assert_eq!(story.says("page", last), "gone");
    assert_eq!(story.ask("page", last).how, Ok(Outcome::Hit));
}

#[test]
fn a_constant_is_true_at_every_moment() {
    let story = Story::new();
    let route = Route { constant: true, ..Route::default() };
    story.declare("motto", route, |_| "always".to_owned());
    story.says("motto", 5);
    let key = story.call("motto").key();
    for at in [Timestamp::MIN, Timestamp::MAX] {
        assert!(story.cache.fact_at(key, at).is_some(), "{at}");
    }
}

/// Two services a level, each of which asks both below it: few calls, and more ways down than
/// anybody can walk. Looking for the end of the old result once took all of them.
#[test]
fn the_end_of_a_result_is_not_looked_for_along_every_way_down() {
    const LEVELS: usize = 30;
    let story = Story::new();
    let names: Vec<[&'static str; 2]> = (0..=LEVELS)
        .map(|level| ["a", "b"].map(|side| &*format!("{level}{side}").leak()))
        .collect();
    for (level, pair) in names.iter().enumerate() {
        let below = names.get(level + 1).copied();
        for name in pair {
            story.service(name, move |run| match below {
                Some([left, right]) => (run.ask(left) + &run.ask(right)).len().min(9).to_string(),
                None => run.read("goods/a"),
            });
        }
    }
    story.service("page", |run| run.read("flags/x") + &run.ask("0a") + &run.ask("0b"));
    story.write(1, "flags/x", "on ");
    story.tell(2);
    story.says("page", 2);
    story.write(5, "flags/x", "off");
    story.tell(6);
    assert!(story.says("page", 6).starts_with("off"));
    assert_eq!(story.runs("page"), 2);
}

#[test]
fn a_range_that_a_new_key_enters_has_changed() {
    let story = Story::new();
    let call = leaf("goods/a");
    story.tell(2);
    let space = story.cache.space(STORE, "goods").unwrap();
    let range = asof_cache::KeyRange { from: "a".into(), to: std::ops::Bound::Unbounded };
    let reach = asof_cache::Reach::Range(range.into());
    let seen = |to| story.cache.index().first_change(space, &reach, story.t(2), story.t(to));
    story.write(4, "goods/A-before-it", "x");
    story.tell(5);
    assert_eq!(seen(5), asof_cache::Seen::Unchanged);
    story.write(6, "goods/zebra", "x");
    story.tell(7);
    assert_eq!(seen(7), asof_cache::Seen::ChangedAt(story.t(6)));
    assert_eq!(seen(5), asof_cache::Seen::Unchanged);
    drop(call);
}
