//! What cannot be brought about from outside: two keys with one fingerprint.

use super::*;

fn t(number: u64) -> Timestamp {
    Timestamp::from_micros(number).unwrap()
}

fn space() -> Space {
    Space::new(StoreId(0), t(10))
}

impl Space {
    /// As `remember`, with a fingerprint that is given.
    fn remember_as(&mut self, key: &str, print: Fingerprint, at: Timestamp) {
        self.remember(key, at);
        let changes = self.ordered.get_mut(key).unwrap();
        let own = core::mem::replace(&mut changes.print, print);
        self.stamps.remove(&own);
        note(self.stamps.entry(print).or_default(), at);
    }
}

fn range(from: &str, to: &str) -> Reach {
    Reach::Range(KeyRange { from: from.into(), to: Bound::Included(to.into()) }.into())
}

#[test]
fn two_keys_with_one_fingerprint_are_asked_about_together() {
    let (mut space, print) = (space(), Fingerprint::of("one"));
    space.remember_as("one", print, t(12));
    space.remember_as("other", print, t(14));
    let key = Reach::Key(print);
    assert_eq!(space.first_change(&key, t(10), t(20)), Seen::ChangedAt(t(12)));
    assert_eq!(space.first_change(&key, t(12), t(20)), Seen::ChangedAt(t(14)));
}

#[test]
fn of_two_keys_with_one_fingerprint_the_one_forgotten_does_not_hide_the_other() {
    let (mut space, print) = (space(), Fingerprint::of("one"));
    space.remember_as("one", print, t(12));
    space.remember_as("other", print, t(14));
    space.forget(Some("one"), t(12));
    assert_eq!(space.first_change(&range("a", "z"), t(12), t(20)), Seen::ChangedAt(t(14)));
    assert_eq!(space.first_change(&range("one", "one"), t(12), t(20)), Seen::Unchanged);
    space.forget(Some("other"), t(14));
    assert_eq!(space.first_change(&range("a", "z"), t(14), t(20)), Seen::Unchanged);
    assert!(space.ordered.is_empty() && space.stamps.is_empty(), "nothing is left behind");
}

#[test]
fn moments_are_noted_in_order_and_once() {
    let mut all = VecDeque::new();
    for at in [12, 18, 11, 12, 18, 15] {
        note(&mut all, t(at));
    }
    assert_eq!(all, [t(11), t(12), t(15), t(18)]);
    assert_eq!(first_in(&all, t(12), t(14)), None);
    assert_eq!(first_in(&all, t(12), t(15)), Some(t(15)));
}

#[test]
fn a_change_that_was_told_twice_is_forgotten_with_the_last_of_them() {
    let mut space = space();
    for at in [12, 12, 14] {
        space.remember("a", t(at));
    }
    space.forget(Some("a"), t(12));
    space.forget(Some("a"), t(12));
    let key = Reach::Key(Fingerprint::of("a"));
    assert_eq!(space.first_change(&key, t(12), t(20)), Seen::ChangedAt(t(14)));
    assert_eq!(space.first_change(&range("a", "a"), t(12), t(20)), Seen::ChangedAt(t(14)));
}

#[test]
fn a_change_of_the_whole_is_forgotten_by_its_moment() {
    let mut space = space();
    space.remember_whole(t(12));
    space.remember_whole(t(14));
    space.forget(None, t(12));
    let key = Reach::Key(Fingerprint::of("a"));
    assert_eq!(space.first_change(&key, t(12), t(20)), Seen::ChangedAt(t(14)));
}
