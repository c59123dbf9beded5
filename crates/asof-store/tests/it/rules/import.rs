//! Spaces that are importing, and their going live.

use std::time::Duration;

use asof_store::{
    AsOf, Backfill, CommitRequest, Cursor, ErrorKind, LogRange, Op, Source, SpaceState, Value,
};
use asof_time::{Timestamp, Validity};

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, key, now, put, space};

fn history(id: &str, when: Timestamp, value: &str) -> Backfill {
    Backfill {
        source_id: id.into(),
        at: when,
        author: "somebody".into(),
        message: String::new(),
        writes: vec![(key("k"), Op::Put(Value::binary(value.as_bytes().to_vec())))],
    }
}

fn importing(world: &Stepped) {
    world.store.create_importing_space(&space("h"), actor("import")).unwrap();
}

fn get(world: &Stepped, as_of: AsOf) -> asof_store::Result<(Option<String>, Option<Validity>)> {
    let read = world.store.view(as_of)?.get(&space("h"), &key("k"))?;
    let text = read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap());
    Ok((text, read.validity))
}

#[test]
fn unknown_and_importing_spaces_have_no_answer_and_no_validity() {
    let world = Stepped::new(at(START));
    assert_kind(get(&world, AsOf::Latest), "UnknownSpace");
    importing(&world);
    world.store.import(&space("h"), vec![history("1", at(5), "1")]).unwrap();
    for as_of in [AsOf::Latest, AsOf::At(at(5)), AsOf::Preview(at(5))] {
        assert_kind(get(&world, as_of), "StillImporting");
    }
    let (from, to) = (at(1), at(9));
    assert_kind(world.store.diff(&space("h"), from, to, None, 10), "StillImporting");
    assert_kind(world.store.commit(now(vec![put("h", "k", "2")])), "StillImporting");
    let everything = LogRange { after: Cursor::START, spaces: None, limit: 10 };
    assert!(world.store.log(&everything).unwrap().commits.is_empty());
    let (id, _) = world.store.source(&space("h"), "1").unwrap().unwrap();
    assert_kind(world.store.commit_by_id(id), "StillImporting");
}

#[test]
fn going_live_is_one_event_above_all_history() {
    let world = Stepped::new(at(START));
    importing(&world);
    let batch = (1..5).map(|n| history(&n.to_string(), at(n * 10), &n.to_string())).collect();
    world.store.import(&space("h"), batch).unwrap();
    let before = world.pass(SECOND);
    let live = world.store.go_live(&space("h"), actor("done")).unwrap();
    assert!(live.effective > before);
    assert_eq!(
        world.store.space(&space("h")).unwrap().state,
        SpaceState::Live { since: live.effective }
    );
    let until = |from, to| Validity::until(at(from), at(to));
    assert_eq!(get(&world, AsOf::At(at(9))).unwrap(), (None, until(0, 10)));
    assert_eq!(get(&world, AsOf::At(at(15))).unwrap(), (Some("1".into()), until(10, 20)));
    assert_kind(world.store.go_live(&space("h"), actor("again")), "Conflict");
    let late = world.store.import(&space("h"), vec![history("9", at(99), "9")]);
    assert_kind(late, "Conflict");
}

#[test]
fn import_times_in_the_future_are_clamped_to_now_and_keep_their_order() {
    let world = Stepped::new(at(START));
    importing(&world);
    let far = at(START).saturating_add(Duration::from_hours(1));
    let ids = ["a", "b", "c"];
    let batch = ids.iter().map(|id| history(id, far, id)).collect();
    world.store.import(&space("h"), batch).unwrap();
    let places = ids.map(|id| world.store.source(&space("h"), id).unwrap().unwrap().1);
    assert_eq!(places, [at(START), at(START + 1), at(START + 2)]);
    let live = world.store.go_live(&space("h"), actor("done")).unwrap();
    assert!(live.effective > at(START + 2));
    // All of it is in the past by the time anybody can read it.
    assert!(world.closed() >= live.effective);
    assert_eq!(get(&world, AsOf::Latest).unwrap().0.unwrap(), "c");
}

#[test]
fn history_that_does_not_go_forward_is_refused_whole() {
    let world = Stepped::new(at(START));
    importing(&world);
    let batch = vec![history("1", at(5), "1"), history("2", at(5), "2")];
    let error = world.store.import(&space("h"), batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("commit 1 of the import"), "{error}");
    assert_eq!(world.store.source(&space("h"), "1").unwrap(), None);
}

#[test]
fn source_ids_are_kept_after_going_live() {
    let world = Stepped::new(at(START));
    importing(&world);
    world.store.import(&space("h"), vec![history("old", at(5), "1")]).unwrap();
    world.store.go_live(&space("h"), actor("done")).unwrap();
    let world = world.reopen();
    let from = |id: &str, value: &str| CommitRequest {
        source: Some(Source { space: space("h"), id: id.into(), at: at(START) }),
        ..now(vec![put("h", "k", value)])
    };
    let known = world.store.commit(from("old", "again")).unwrap();
    assert!(known.replayed && known.effective == at(5));
    let new = world.store.commit(from("new", "2")).unwrap();
    assert!(!new.replayed && new.effective > at(START));
    assert_eq!(world.store.commit(from("new", "2")).unwrap().id, new.id);
    assert_eq!(get(&world, AsOf::Latest).unwrap().0.unwrap(), "2");
}

#[test]
fn a_source_commit_writes_into_its_own_space_at_now() {
    let world = Stepped::new(at(START));
    let source = Some(Source { space: space("h"), id: "1".into(), at: at(START) });
    let elsewhere = CommitRequest { source: source.clone(), ..now(vec![put("s", "k", "1")]) };
    assert_kind(world.store.commit(elsewhere), "Invalid");
    let soon = at(START).saturating_add(SECOND);
    let future = CommitRequest { source, ..crate::world::later(soon, vec![put("h", "k", "1")]) };
    assert_kind(world.store.commit(future), "Invalid");
}
