//! Which moments a result answers for, and how results are joined.

use asof_cache::{Cache, ContentHash, Fact, Outcome, Reach, Settings, Since, Trace, Unstorable};
use asof_time::{End, Timestamp, Validity};

use super::story::{STORE, Story, content, leaf};

#[test]
fn a_hit_is_by_interval_so_a_new_moment_does_not_empty_the_cache() {
    let story = Story::new();
    story.service("page", |run| run.read("goods/a"));
    story.write(1, "goods/a", "first");
    story.write(10, "goods/a", "second");
    story.tell(20);
    assert_eq!(story.ask("page", 15).how, Ok(Outcome::Miss));
    assert_eq!(story.ask("page", 10).how, Ok(Outcome::Hit));
    assert_eq!(story.ask("page", 20).how, Ok(Outcome::Hit));
    // Time goes on, and something else changes.
    story.write(30, "other/a", "x");
    story.tell(40);
    assert_eq!(story.ask("page", 40).how, Ok(Outcome::Verified));
    // The past is another fact about the same call, and neither replaces the other.
    assert_eq!(story.says("page", 9), "first");
    assert_eq!(story.ask("page", 1).how, Ok(Outcome::Hit));
    assert_eq!(story.ask("page", 35).how, Ok(Outcome::Hit));
    assert_eq!(story.runs("page"), 2);
}

#[test]
fn a_moment_before_all_that_is_known_is_no_hit() {
    let story = Story::new();
    story.service("page", |run| run.read("goods/a"));
    story.write(5, "goods/a", "there");
    story.tell(9);
    assert_eq!(story.says("page", 5), "there");
    assert_eq!(story.says("page", 4), "none");
}

/// Facts about one call, put in by hand.
struct Shelf {
    story: Story,
}

impl Shelf {
    fn new() -> Self {
        Self { story: Story::new() }
    }

    fn put(&self, says: &str, validity: Validity) -> Result<Fact, Unstorable> {
        self.put_since(says, validity, self.story.cache.since())
    }

    fn put_since(&self, says: &str, validity: Validity, since: Since) -> Result<Fact, Unstorable> {
        let cache: &Cache = &self.story.cache;
        let call = self.story.call("page");
        let space = cache.space(STORE, "goods").unwrap();
        let content = content(says);
        let hash: ContentHash = content.hash();
        let trace = Trace::leaf(leaf("goods/a").key(), hash, space, Reach::Space);
        cache.insert(&call, Fact { content, validity, trace }, since)
    }

    fn until(&self, from: u64, until: u64) -> Validity {
        Validity::until(self.story.t(from), self.story.t(until)).unwrap()
    }

    fn through(&self, from: u64, through: u64) -> Validity {
        Validity::through(self.story.t(from), self.story.t(through)).unwrap()
    }

    fn held(&self) -> Vec<Validity> {
        let facts = self.story.cache.facts(self.story.call("page").key());
        facts.iter().map(|fact| fact.validity).collect()
    }
}

#[test]
fn results_are_joined_only_where_they_touch() {
    let shelf = Shelf::new();
    shelf.put("same", shelf.until(1, 3)).unwrap();
    // One moment lies between: at 3 it may have been another.
    shelf.put("same", shelf.until(4, 6)).unwrap();
    assert_eq!(shelf.held(), [shelf.until(1, 3), shelf.until(4, 6)]);
    assert!(shelf.story.cache.fact_at(shelf.story.call("page").key(), shelf.story.t(3)).is_none());
    // The missing moment closes the gap.
    let kept = shelf.put("same", shelf.until(3, 4)).unwrap();
    assert_eq!(kept.validity, shelf.until(1, 6));
    assert_eq!(shelf.held(), [shelf.until(1, 6)]);
}

#[test]
fn a_known_end_is_kept_when_results_are_joined() {
    let shelf = Shelf::new();
    shelf.put("same", shelf.through(1, 5)).unwrap();
    shelf.put("same", shelf.until(3, 6)).unwrap();
    assert_eq!(shelf.held(), [shelf.until(1, 6)]);
    shelf.put("same", shelf.through(2, 5)).unwrap();
    assert_eq!(shelf.held(), [shelf.until(1, 6)]);
}

#[test]
fn a_contradiction_at_insertion_is_told_and_changes_nothing() {
    let shelf = Shelf::new();
    shelf.put("yes", shelf.through(1, 5)).unwrap();
    for validity in [shelf.through(5, 9), shelf.until(0, 2), shelf.until(0, 20)] {
        assert_eq!(shelf.put("no", validity).unwrap_err(), Unstorable::Contradiction);
    }
    assert_eq!(shelf.held(), [shelf.through(1, 5)]);
    shelf.put("no", shelf.through(6, 9)).unwrap();
    assert_eq!(shelf.held().len(), 2);
}

#[test]
fn the_first_and_the_last_moment_are_moments_like_others() {
    let shelf = Shelf { story: Story::new() };
    shelf.put("first", Validity::instant(Timestamp::MIN)).unwrap();
    shelf.put("last", Validity::instant(Timestamp::MAX)).unwrap();
    let key = shelf.story.call("page").key();
    let at = |at| shelf.story.cache.fact_at(key, at).map(|fact| fact.content.hash());
    assert_eq!(at(Timestamp::MIN), Some(content("first").hash()));
    assert_eq!(at(Timestamp::MAX), Some(content("last").hash()));
    assert_eq!(at(Timestamp::MIN.next().unwrap()), None);
    assert_eq!(at(Timestamp::MAX.prev().unwrap()), None);
    // Up to the last moment for certain is not the same as through it.
    let until = Validity::until(shelf.story.t(5), Timestamp::MAX).unwrap();
    shelf.put("long", until).unwrap();
    assert_eq!(at(Timestamp::MAX.prev().unwrap()), Some(content("long").hash()));
    assert_eq!(shelf.held()[1].end(), End::Until(Timestamp::MAX));
}

/// Sixty-four facts fit; the oldest came last and was called a contradiction, which quarantines
/// a route for nothing.
#[test]
fn an_old_answer_for_which_there_is_no_room_is_true_all_the_same() {
    let shelf = Shelf::new();
    for number in 1..=64 {
        shelf.put(&number.to_string(), shelf.until(number * 10, number * 10 + 1)).unwrap();
    }
    let kept = shelf.put("oldest", shelf.until(1, 2)).unwrap();
    assert_eq!(kept.validity, shelf.until(1, 2));
    assert_eq!(shelf.held().len(), 64, "it keeps its newest");
    assert_eq!(shelf.held()[0], shelf.until(10, 11));
}

#[test]
fn what_was_begun_before_a_drop_is_disowned() {
    let shelf = Shelf::new();
    let since = shelf.story.cache.since();
    shelf.story.cache.drop_with_ancestors(&[leaf("goods/b").key()]);
    let refused = shelf.put_since("x", shelf.until(1, 2), since).unwrap_err();
    assert_eq!(refused, Unstorable::Disowned);
}

/// The weight is what bounds the memory, so it is near what is really held.
#[test]
fn the_weight_grows_by_about_what_an_entry_needs() {
    let story = Story::with(Settings { bytes_max: 64 << 20, ..Settings::default() }, 0);
    story.tell(2);
    let space = story.cache.space(STORE, "goods").unwrap();
    for number in 0..10_000 {
        let call = leaf(&format!("goods/{number:06}"));
        let content = content(&"x".repeat(100));
        let trace = Trace::leaf(call.key(), content.hash(), space, Reach::Space);
        let validity = Validity::instant(story.t(1));
        story.cache.insert(&call, Fact { content, validity, trace }, story.cache.since()).unwrap();
    }
    let figures = story.cache.figures();
    assert_eq!(figures.entries, 10_000);
    let each = figures.bytes / figures.entries;
    // The body and the call are about 400 of it.
    assert!((500..900).contains(&each), "{each}");
}
