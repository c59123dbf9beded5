//! What the index of changes knows, and that it says so when it does not.

use asof_cache::{Begun, ChangeIndex, Fingerprint, KeyRange, Reach, Seen, SpaceId, StoreId};
use asof_time::{Epoch, Timestamp};
use std::ops::Bound;

const STORE: StoreId = StoreId(3);

fn t(number: u64) -> Timestamp {
    Timestamp::from_micros(number).unwrap()
}

fn key(key: &str) -> Reach {
    Reach::Key(Fingerprint::of(key))
}

/// An index that follows one store from 10 on.
fn index(changes_max: usize) -> (ChangeIndex, SpaceId) {
    let mut index = ChangeIndex::new(changes_max);
    assert_eq!(index.begin(STORE, Epoch::from_random(1), t(10)), Begun::AfterGap);
    let space = index.space(STORE, "goods").unwrap();
    (index, space)
}

#[test]
fn it_says_when_a_key_changed_first() {
    let (mut index, space) = index(100);
    for at in [12, 14, 16] {
        index.changed(STORE, "goods", "a", t(at));
    }
    index.advance(STORE, t(20));
    let first = |after, to| index.first_change(space, &key("a"), t(after), t(to));
    assert_eq!(first(10, 20), Seen::ChangedAt(t(12)));
    assert_eq!(first(12, 20), Seen::ChangedAt(t(14)), "what is after is after");
    assert_eq!(first(13, 14), Seen::ChangedAt(t(14)), "and up to is inclusive");
    assert_eq!(first(14, 15), Seen::Unchanged);
    assert_eq!(first(16, 20), Seen::Unchanged);
    assert_eq!(index.first_change(space, &key("b"), t(10), t(20)), Seen::Unchanged);
}

#[test]
fn before_its_beginning_and_after_its_end_it_knows_nothing() {
    let (mut index, space) = index(100);
    index.changed(STORE, "goods", "b", t(15));
    index.advance(STORE, t(20));
    assert_eq!(index.first_change(space, &key("a"), t(9), t(20)), Seen::Unknown);
    assert_eq!(index.first_change(space, &key("a"), t(10), t(21)), Seen::Unknown);
    assert!(!index.unchanged(&[space], t(15), t(21)));
    assert!(index.unchanged(&[space], t(15), t(20)));
}

#[test]
fn after_a_gap_it_knows_nothing_of_the_time_before() {
    let (mut index, space) = index(100);
    index.changed(STORE, "goods", "b", t(12));
    index.advance(STORE, t(15));
    assert_eq!(index.begin(STORE, Epoch::from_random(1), t(30)), Begun::AfterGap);
    index.advance(STORE, t(40));
    assert_eq!(index.first_change(space, &key("a"), t(13), t(40)), Seen::Unknown);
    assert_eq!(index.first_change(space, &key("a"), t(30), t(40)), Seen::Unchanged);
    assert!(!index.is_retired(space), "what was made of it is asked about, not thrown away");
}

#[test]
fn of_a_window_that_was_trimmed_it_still_knows_spaces_that_did_not_change() {
    let (mut index, space) = index(2);
    let quiet = index.space(STORE, "quiet").unwrap();
    for at in [12, 14, 16] {
        index.changed(STORE, "goods", "a", t(at));
    }
    index.advance(STORE, t(20));
    assert_eq!(index.len(), 2);
    assert_eq!(index.first_change(space, &key("b"), t(11), t(20)), Seen::Unknown);
    assert_eq!(index.first_change(space, &key("b"), t(12), t(20)), Seen::Unchanged);
    assert_eq!(index.first_change(quiet, &key("b"), t(10), t(20)), Seen::Unchanged);
    index.changed(STORE, "goods", "c", t(21));
    index.advance(STORE, t(22));
    assert_eq!(index.first_change(space, &key("b"), t(13), t(20)), Seen::Unknown);
    assert_eq!(index.first_change(space, &key("a"), t(14), t(20)), Seen::ChangedAt(t(16)));
}

#[test]
fn a_range_sees_the_keys_in_it_and_no_others() {
    let (mut index, space) = index(100);
    for (name, at) in [("b", 12), ("d", 14), ("f", 16)] {
        index.changed(STORE, "goods", name, t(at));
    }
    index.advance(STORE, t(20));
    let first = |from: &str, to: Bound<&str>| {
        let to = match to {
            Bound::Included(key) => Bound::Included(key.into()),
            Bound::Excluded(key) => Bound::Excluded(key.into()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let range = KeyRange { from: from.into(), to };
        index.first_change(space, &Reach::Range(range.into()), t(10), t(20))
    };
    assert_eq!(first("a", Bound::Unbounded), Seen::ChangedAt(t(12)));
    assert_eq!(first("c", Bound::Excluded("d")), Seen::Unchanged);
    assert_eq!(first("c", Bound::Included("d")), Seen::ChangedAt(t(14)));
    assert_eq!(first("d", Bound::Included("d")), Seen::ChangedAt(t(14)));
    assert_eq!(first("d", Bound::Excluded("d")), Seen::Unchanged, "a range of nothing");
    assert_eq!(
        first("z", Bound::Included("a")),
        Seen::Unchanged,
        "and one that ends before it begins"
    );
    assert_eq!(first("g", Bound::Unbounded), Seen::Unchanged);
}

#[test]
fn a_range_with_too_many_changes_is_not_walked() {
    let (mut index, space) = index(10_000);
    for number in 0..2_000 {
        index.changed(STORE, "goods", &format!("key-{number:05}"), t(12));
    }
    index.advance(STORE, t(20));
    let range =
        |from: &str| Reach::Range(KeyRange { from: from.into(), to: Bound::Unbounded }.into());
    assert_eq!(index.first_change(space, &range("a"), t(12), t(20)), Seen::Unchanged);
    assert_eq!(index.first_change(space, &range("a"), t(11), t(20)), Seen::Unknown);
    assert_eq!(
        index.first_change(space, &range("key-01990"), t(11), t(20)),
        Seen::ChangedAt(t(12))
    );
}

#[test]
fn a_change_of_a_whole_space_is_one_of_every_key_and_range() {
    let (mut index, space) = index(100);
    index.changed_whole(STORE, "goods", t(14));
    index.advance(STORE, t(20));
    let range = KeyRange { from: "x".into(), to: Bound::Unbounded };
    for reach in [key("a"), Reach::Range(range.into())] {
        assert_eq!(index.first_change(space, &reach, t(11), t(20)), Seen::ChangedAt(t(14)));
        assert_eq!(index.first_change(space, &reach, t(14), t(20)), Seen::Unchanged);
    }
    assert_eq!(index.first_change(space, &Reach::Space, t(11), t(20)), Seen::Unknown);
    assert_eq!(index.first_change(space, &Reach::Space, t(14), t(20)), Seen::Unchanged);
}

#[test]
fn a_store_that_nobody_follows_has_no_spaces() {
    let (mut index, space) = index(100);
    assert_eq!(index.space(StoreId(9), "goods"), None);
    index.changed(StoreId(9), "goods", "a", t(12));
    assert!(index.is_empty());
    assert!(!index.is_retired(space));
}

#[test]
fn another_epoch_has_other_spaces() {
    let (mut index, old) = index(100);
    index.advance(STORE, t(20));
    assert_eq!(index.begin(STORE, Epoch::from_random(2), t(15)), Begun::NewEpoch);
    index.advance(STORE, t(30));
    assert!(index.is_retired(old));
    assert_eq!(index.first_change(old, &key("a"), t(15), t(30)), Seen::Unknown);
    assert!(!index.unchanged(&[old], t(20), t(30)));
    let new = index.space(STORE, "goods").unwrap();
    assert_ne!(old, new);
    assert_eq!(index.first_change(new, &key("a"), t(15), t(30)), Seen::Unchanged);
}

/// The changes of a space went with its number, and the new number claimed to know them.
#[test]
fn a_space_that_was_erased_in_part_answers_only_for_what_comes_after() {
    let (mut index, old) = index(100);
    index.changed(STORE, "goods", "a", t(14));
    index.advance(STORE, t(20));
    index.retire(STORE, "goods");
    index.advance(STORE, t(30));
    assert!(index.is_retired(old));
    let new = index.space(STORE, "goods").unwrap();
    assert_ne!(old, new);
    assert_eq!(index.first_change(new, &key("a"), t(12), t(30)), Seen::Unknown);
    assert!(!index.unchanged(&[new], t(12), t(30)));
    assert_eq!(index.first_change(new, &key("a"), t(20), t(30)), Seen::Unchanged);
}

/// A feed that breaks off again and again tells the same changes anew, from where it likes; for a
/// moment the list of a key was out of order, and a search in it missed what lay behind.
#[test]
fn what_a_feed_tells_again_in_pieces_hides_nothing() {
    let (mut index, space) = index(100);
    for at in [12, 18] {
        index.changed(STORE, "goods", "a", t(at));
    }
    index.advance(STORE, t(20));
    for _ in 0..3 {
        assert_eq!(index.begin(STORE, Epoch::from_random(1), t(11)), Begun::Resumed);
        index.changed(STORE, "goods", "a", t(12));
        for after in [12, 13, 17] {
            let seen = index.first_change(space, &key("a"), t(after), t(20));
            assert_eq!(seen, Seen::ChangedAt(t(18)), "after {after}");
        }
    }
}

#[test]
fn its_frontier_never_steps_back() {
    let (mut index, _) = index(100);
    index.advance(STORE, t(20));
    index.advance(STORE, t(15));
    assert_eq!(index.through(STORE), Some(t(20)));
    assert_eq!(index.epoch(STORE), Some(Epoch::from_random(1)));
}

#[test]
fn the_ends_of_time_are_moments_too() {
    let mut index = ChangeIndex::new(100);
    index.begin(STORE, Epoch::from_random(1), Timestamp::MIN);
    let space = index.space(STORE, "goods").unwrap();
    index.changed(STORE, "goods", "a", Timestamp::MAX);
    index.advance(STORE, Timestamp::MAX);
    let first = |after, to| index.first_change(space, &key("a"), after, to);
    assert_eq!(first(Timestamp::MIN, Timestamp::MAX), Seen::ChangedAt(Timestamp::MAX));
    assert_eq!(first(Timestamp::MIN, Timestamp::MAX.prev().unwrap()), Seen::Unchanged);
    assert_eq!(first(Timestamp::MAX, Timestamp::MAX), Seen::Unchanged);
}
