//! What a caller sees: writes, reads, and the intervals over which answers are true.

use std::time::Duration;

use asof_store::{AsOf, ErrorKind, HistoryRange, ScanRange, WithValues};
use asof_time::{Timestamp, Validity};

use crate::world::{World, actor, delete, key, later, now, put, space};

const SECOND: Duration = Duration::from_secs(1);

fn scan(prefix: &str, limit: usize) -> ScanRange {
    ScanRange { prefix: prefix.into(), after: None, limit, values: WithValues::Include }
}

#[test]
fn a_value_is_true_from_its_commit_until_the_next() {
    let world = World::new();
    let first = world.commit(now(vec![put("prices", "apple", "1")])).unwrap();
    world.pass(SECOND);
    let second = world.commit(now(vec![put("prices", "apple", "2")])).unwrap();
    let closed = world.pass(SECOND);

    let view = world.store.view(AsOf::At(first.effective)).unwrap();
    let read = view.get(&space("prices"), &key("apple")).unwrap();
    assert_eq!(&read.value.unwrap().bytes[..], b"1");
    assert_eq!(read.validity, Validity::until(first.effective, second.effective));

    let view = world.store.view(AsOf::Latest).unwrap();
    let read = view.get(&space("prices"), &key("apple")).unwrap();
    assert_eq!(&read.value.unwrap().bytes[..], b"2");
    assert_eq!(read.validity, Validity::through(second.effective, closed));
}

#[test]
fn absence_has_its_validity_too() {
    let world = World::new();
    world.commit(now(vec![put("prices", "pear", "1")])).unwrap();
    let closed = world.pass(SECOND);
    let apple = world.commit(now(vec![put("prices", "apple", "1")])).unwrap();

    let view = world.store.view(AsOf::At(closed)).unwrap();
    let read = view.get(&space("prices"), &key("apple")).unwrap();
    assert_eq!(read.value, None);
    assert_eq!(read.validity, Validity::until(Timestamp::MIN, apple.effective));
}

#[test]
fn a_page_is_true_where_all_of_its_keys_are_the_absent_ones_too() {
    let world = World::new();
    let a = world.commit(now(vec![put("s", "a", "1"), put("s", "c", "1")])).unwrap();
    world.pass(SECOND);
    let gone = world.commit(now(vec![delete("s", "c")])).unwrap();
    let closed = world.pass(SECOND);
    let b = world.commit(now(vec![put("s", "b", "1")])).unwrap();
    world.pass(SECOND);

    let page =
        world.store.view(AsOf::At(closed)).unwrap().scan(&space("s"), &scan("", 10)).unwrap();
    assert_eq!(page.value.entries.len(), 1);
    assert_eq!(page.validity, Validity::until(gone.effective, b.effective));
    assert_eq!(page.value.entries[0].validity.unwrap().from(), a.effective);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let world = World::new();
    let keys: Vec<String> = (0..25).map(|n| format!("k/{n:02}")).collect();
    world.commit(now(keys.iter().map(|k| put("s", k, k)).collect())).unwrap();
    world.commit(now(vec![put("s", "other", "x")])).unwrap();
    let view = world.store.view(AsOf::Latest).unwrap();
    let (mut range, mut seen) = (scan("k/", 10), Vec::new());
    loop {
        let page = view.scan(&space("s"), &range).unwrap().value;
        seen.extend(page.entries.iter().map(|entry| entry.key.to_string()));
        match page.next {
            Some(next) => range.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, keys);
}

#[test]
fn a_history_is_newest_first_and_without_gaps() {
    let world = World::new();
    let mut effective = Vec::new();
    for n in 0..30 {
        let write = if n % 5 == 4 { delete("s", "k") } else { put("s", "k", &n.to_string()) };
        effective.push(world.commit(now(vec![write])).unwrap().effective);
        world.pass(SECOND);
    }
    let view = world.store.view(AsOf::Latest).unwrap();
    let mut range = HistoryRange { from: Timestamp::MIN, before: None, limit: 7 };
    let mut versions = Vec::new();
    loop {
        let page = view.history(&space("s"), &key("k"), &range).unwrap();
        versions.extend(page.versions);
        match page.next {
            Some(next) => range.before = Some(next),
            None => break,
        }
    }
    versions.reverse();
    assert_eq!(versions.iter().map(|v| v.effective).collect::<Vec<_>>(), effective);
    for pair in versions.windows(2) {
        assert_eq!(pair[0].validity, Validity::until(pair[0].effective, pair[1].effective));
    }
    assert!(versions[4].content.is_none());
}

#[test]
fn a_scheduled_commit_takes_effect_at_its_time_and_not_before() {
    let world = World::new();
    let first = world.commit(now(vec![put("s", "k", "old")])).unwrap();
    let when = first.effective.saturating_add(60 * SECOND);
    world.commit(later(when, vec![put("s", "k", "new")])).unwrap();
    assert_eq!(world.text(AsOf::Latest, "s", "k").unwrap(), "old");
    assert_eq!(world.text(AsOf::Preview(when), "s", "k").unwrap(), "new");
    world.pass(61 * SECOND);
    assert_eq!(world.text(AsOf::Latest, "s", "k").unwrap(), "new");
    assert_eq!(world.text(AsOf::At(when.prev().unwrap()), "s", "k").unwrap(), "old");
    let view = world.store.view(AsOf::At(first.effective)).unwrap();
    let read = view.get(&space("s"), &key("k")).unwrap();
    assert_eq!(read.validity, Validity::until(first.effective, when));
}

#[test]
fn a_diff_names_what_differs_and_nothing_else() {
    let world = World::new();
    world
        .commit(now(vec![put("s", "same", "1"), put("s", "gone", "1"), put("s", "back", "1")]))
        .unwrap();
    let from = world.pass(SECOND);
    world
        .commit(now(vec![delete("s", "gone"), put("s", "new", "1"), put("s", "back", "2")]))
        .unwrap();
    world.commit(now(vec![put("s", "back", "1")])).unwrap();
    let to = world.pass(SECOND);
    let page = world.store.diff(&space("s"), from, to, None, 10).unwrap();
    let keys: Vec<_> = page.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["gone", "new"]);
}

#[test]
fn a_read_above_closed_says_where_closed_is() {
    let world = World::new();
    let closed = world.store.time().closed;
    let error = world.store.view(AsOf::At(Timestamp::MAX)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotYetClosed { closed });
}

#[test]
fn an_empty_page_of_an_unknown_space_is_refused() {
    let world = World::new();
    let view = world.store.view(AsOf::Latest).unwrap();
    let error = view.get(&space("nowhere"), &key("k")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownSpace);
    world.store.create_space(&space("nowhere"), actor("")).unwrap();
    let view = world.store.view(AsOf::Latest).unwrap();
    assert_eq!(view.get(&space("nowhere"), &key("k")).unwrap().value, None);
}
