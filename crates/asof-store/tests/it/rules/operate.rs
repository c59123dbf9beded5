//! Operating on time: the cap with its blast radius, and commits marked bad.

use std::time::Duration;

use asof_store::{
    AsOf, BadCommits, CapMove, ClearCap, Confirm, Conflicts, ControlAction, Cursor, DryRun,
    Effective, ErrorKind, Extent, Health, Key, LogRange, Receipt, Result, Revert, RevertTarget,
    SetCap, SpaceName, Touched, Write,
};
use asof_time::{Sequence, Timestamp};

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

/// A store in which `a` and `b` hold good values, then a second, then a bad commit.
pub(super) fn incident() -> (Stepped, Timestamp, Receipt) {
    let world = Stepped::new(at(START));
    let good = vec![put("s", "a", "good a"), put("s", "b", "good b"), put("t", "c", "good c")];
    world.store.commit(now(good)).unwrap();
    let before = world.pass(SECOND);
    let bad = vec![put("s", "a", "bad a"), delete("s", "b"), put("s", "new", "bad new")];
    let bad = world.store.commit(now(bad)).unwrap();
    world.pass(SECOND);
    (world, before, bad)
}

pub(super) fn text(world: &Stepped, as_of: AsOf, space_name: &str, name: &str) -> Option<String> {
    let read = world.store.view(as_of).unwrap().get(&space(space_name), &key(name)).unwrap();
    read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap())
}

fn set(world: &Stepped, request: impl Into<SetCap>) -> Result<CapMove> {
    world.store.set_cap(request, actor("roll back"), DryRun::No)
}

fn clear(world: &Stepped, request: ClearCap) -> Result<CapMove> {
    world.store.clear_cap(request, actor("mended"), DryRun::No)
}

pub(super) fn write(world: &Stepped, writes: Vec<Write>) -> Receipt {
    let receipt = world.store.commit(now(writes)).unwrap();
    world.pass(SECOND);
    receipt
}

pub(super) fn revert_of(commit: Sequence) -> Revert {
    Revert {
        target: RevertTarget::Commit(commit),
        space: None,
        effective: Effective::Now,
        conflicts: Conflicts::Refuse,
        keep: Vec::new(),
        restore: Vec::new(),
        confirm: Confirm::default(),
    }
}

pub(super) fn place(space_name: &str, name: &str) -> (SpaceName, Key) {
    (space(space_name), key(name))
}

pub(super) fn audit(world: &Stepped) -> Vec<(ControlAction, String)> {
    let records = world.store.control_log(0, 1_000).unwrap();
    records.into_iter().map(|record| (record.action, record.detail)).collect()
}

#[test]
fn a_cap_says_what_it_touches_before_and_when_it_is_set() {
    let (world, before, bad) = incident();
    let trial = world.store.set_cap(before, actor("roll back"), DryRun::Yes).unwrap();
    assert_eq!((trial.before.cap, trial.after.cap), (None, Some(before)));
    assert_eq!((trial.blast.keys, trial.blast.extent), (3, Extent::Whole));
    assert_eq!((trial.blast.bytes_before, trial.blast.bytes_after), (12, 12));
    let [of_s] = &trial.blast.spaces[..] else { panic!("only one space: {:?}", trial.blast) };
    assert_eq!((&of_s.space, of_s.keys), (&space("s"), 3));
    let sample: Vec<_> = trial
        .blast
        .sample
        .iter()
        .map(|change| {
            let text = |glance: &Option<asof_store::Glance>| {
                glance.as_ref().and_then(|glance| glance.excerpt.clone()).unwrap_or_default()
            };
            (change.key.as_str(), text(&change.before), text(&change.after))
        })
        .collect();
    assert_eq!(
        sample,
        [
            ("a", "bad a".into(), "good a".into()),
            ("b", String::new(), "good b".into()),
            ("new", "bad new".into(), String::new()),
        ]
    );
    assert_eq!(world.store.cap(), None, "a dry run sets none");
    let done = set(&world, before).unwrap();
    assert_eq!(done, trial);
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
    assert!(audit(&world).pop().unwrap().1.contains("3 keys answer differently"));
    // Clearing shows what is seen again: the same, the other way round.
    let back = world.store.clear_cap(ClearCap::default(), actor("over"), DryRun::Yes).unwrap();
    assert_eq!(back.blast.keys, 3);
    assert_eq!((back.blast.bytes_before, back.blast.bytes_after), (12, 12));
    assert!(bad.effective > before);
}

#[test]
fn what_was_written_and_put_back_is_no_difference() {
    let (world, before, _) = incident();
    write(&world, vec![put("s", "a", "good a"), put("s", "b", "good b"), delete("s", "new")]);
    let trial = world.store.set_cap(before, actor("what if"), DryRun::Yes).unwrap();
    assert_eq!((trial.blast.keys, trial.blast.sample.len()), (0, 0));
}

#[test]
fn of_two_operators_at_once_the_second_is_told() {
    let (world, before, _) = incident();
    set(&world, before).unwrap();
    // Both looked at the store without a cap.
    let error = set(&world, before).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("set at") && error.message().contains("tester"), "{error}");
    let earlier = before.prev().unwrap();
    assert_kind(set(&world, earlier), "Conflict");
    // Whoever saw it says so, and moves it; whoever saw the old one cannot clear the new one.
    set(&world, SetCap { replaces: Some(before), ..earlier.into() }).unwrap();
    assert_kind(clear(&world, ClearCap { at: Some(before), ..ClearCap::default() }), "Conflict");
    assert_eq!(world.store.time().cap, Some(earlier));
    clear(&world, ClearCap { at: Some(earlier), ..ClearCap::default() }).unwrap();
    assert_kind(set(&world, SetCap { replaces: Some(earlier), ..before.into() }), "Conflict");
    assert_kind(clear(&world, ClearCap::default()), "Conflict");
}

#[test]
fn a_cap_is_cleared_when_its_time_is_over() {
    let (world, before, _) = incident();
    for ttl in [Duration::ZERO, Duration::from_hours(400 * 24)] {
        assert_kind(set(&world, SetCap { ttl: Some(ttl), ..before.into() }), "Invalid");
    }
    set(&world, SetCap { ttl: Some(10 * SECOND), ..before.into() }).unwrap();
    let world = world.crash(3);
    world.pass(9 * SECOND);
    assert_eq!(world.store.time().cap, Some(before));
    world.pass(SECOND);
    assert_eq!(world.store.time().cap, None);
    let (action, detail) = audit(&world).pop().unwrap();
    assert_eq!(action, ControlAction::CapExpired);
    assert!(!detail.contains("late"), "{detail}");
}

#[test]
fn a_cap_whose_time_is_over_while_the_store_is_down_ends_when_it_is_back_and_says_so() {
    let (world, before, _) = incident();
    set(&world, SetCap { ttl: Some(10 * SECOND), ..before.into() }).unwrap();
    let Stepped { clock, disk, store } = world;
    drop(store);
    clock.advance(100 * SECOND);
    let world = Stepped::open(&clock, disk).unwrap();
    assert_eq!(world.store.time().cap, None);
    let (action, detail) = audit(&world).pop().unwrap();
    assert_eq!(action, ControlAction::CapExpired);
    assert!(detail.contains("90 s late"), "{detail}");
}

#[test]
fn a_cap_shows_no_bad_commit_by_itself_when_its_time_is_over() {
    let (world, before, bad) = incident();
    set(&world, SetCap { ttl: Some(10 * SECOND), ..before.into() }).unwrap();
    world.store.mark_bad(bad.id, actor("wrong prices")).unwrap();
    world.pass(20 * SECOND);
    assert_eq!(world.store.time().cap, Some(before));
    let Health::Alarmed(alarm) = world.store.health() else { panic!("somebody must be told") };
    assert!(alarm.contains(&format!("commit {}", bad.id)), "{alarm}");
    // Once it is reverted the cap goes, and the alarm with it.
    world.store.revert(&revert_of(bad.id), actor("wrong prices"), DryRun::No).unwrap();
    world.pass(2 * SECOND);
    assert_eq!(world.store.time().cap, None);
    world.pass(SECOND);
    assert_eq!(world.store.health(), Health::Writable);
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
}

#[test]
fn nothing_shows_a_bad_commit_unless_told_to() {
    let (world, before, bad) = incident();
    set(&world, before).unwrap();
    world.store.mark_bad(bad.id, actor("wrong prices")).unwrap();
    assert_kind(world.store.mark_bad(bad.id, actor("again")), "Conflict");
    let world = world.crash(5);
    let error = clear(&world, ClearCap::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("wrong prices"), "{error}");
    let after = bad.effective;
    assert_kind(set(&world, SetCap { replaces: Some(before), ..after.into() }), "Conflict");
    // Lower it may always go.
    let lower = before.prev().unwrap();
    set(&world, SetCap { replaces: Some(before), ..lower.into() }).unwrap();
    let told = ClearCap { bad: BadCommits::Show, ..ClearCap::default() };
    clear(&world, told).unwrap();
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "bad a");
    // Without the mark it is a commit like any other.
    set(&world, before).unwrap();
    world.store.unmark_bad(bad.id, actor("it was right")).unwrap();
    assert_kind(world.store.unmark_bad(bad.id, actor("again")), "NotFound");
    clear(&world, ClearCap::default()).unwrap();
    assert_eq!(world.store.bad_commits(), []);
}

#[test]
fn only_what_took_effect_can_be_marked_bad() {
    let (world, ..) = incident();
    let soon = world.closed().saturating_add(SECOND);
    let pending = world.store.commit(later(soon, vec![put("s", "a", "soon")])).unwrap();
    let error = world.store.mark_bad(pending.id, actor("no")).unwrap_err();
    assert!(error.message().contains("cancel it"), "{error}");
    assert_kind(world.store.mark_bad(Sequence::new(999).unwrap(), actor("no")), "NotFound");
    assert_kind(world.store.mark_bad(pending.id, actor("")), "Invalid");
    assert_eq!(world.store.bad_commits(), []);
}

#[test]
fn what_a_cap_holds_back_is_read_only_by_whoever_asks_for_it_by_name() {
    let (world, before, bad) = incident();
    set(&world, before).unwrap();
    let (cap, at) = (before, bad.effective);
    let kind = |result: Result<_>| result.map(|_: asof_store::View| ()).unwrap_err().kind();
    assert_eq!(kind(world.store.view(AsOf::At(at))), ErrorKind::AboveCap { cap });
    assert_eq!(text(&world, AsOf::Beyond(at), "s", "a").unwrap(), "bad a");
    let closed = world.closed();
    let above = closed.next().unwrap();
    assert_eq!(kind(world.store.view(AsOf::Beyond(above))), ErrorKind::NotYetClosed { closed });
    // A fact is a fact: it has its validity.
    let view = world.store.view(AsOf::Beyond(at)).unwrap();
    let validity = view.get(&space("s"), &key("a")).unwrap().validity.unwrap();
    assert_eq!((validity.from(), validity.is_open()), (bad.effective, true));
    let s = space("s");
    assert_kind(world.store.diff(&s, before, at, None, 9), "AboveCap");
    let diff = world.store.diff(&s, before, AsOf::Beyond(at), None, 9).unwrap();
    assert_eq!(diff.entries.len(), 3);
    let range = LogRange { after: Cursor::after_snapshot(before, 0), spaces: None, limit: 9 };
    assert_eq!(world.store.log(&range).unwrap().commits, []);
    let held_back = world.store.log_beyond_cap(&range).unwrap().commits;
    assert_eq!(held_back.iter().map(|commit| commit.id).collect::<Vec<_>>(), [bad.id]);
}

#[test]
fn many_keys_take_a_second_word() {
    let (world, before, bad) = incident();
    let ask = |keys| Confirm { above: 2, keys };
    let with = |keys| SetCap { confirm: ask(keys), ..before.into() };
    let error = set(&world, with(None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unconfirmed { touched: Touched::Keys(3) });
    assert!(error.message().contains("`3-keys`"), "{error}");
    assert_kind(set(&world, with(Some(2))), "Unconfirmed");
    assert_eq!(world.store.cap(), None);
    // Looking takes no word, and says which one it will be.
    assert_eq!(world.store.set_cap(with(None), actor("x"), DryRun::Yes).unwrap().blast.keys, 3);
    set(&world, with(Some(3))).unwrap();
    assert_kind(
        clear(&world, ClearCap { confirm: ask(None), ..ClearCap::default() }),
        "Unconfirmed",
    );
    clear(&world, ClearCap { confirm: ask(Some(3)), ..ClearCap::default() }).unwrap();
    let revert = |keys| Revert { confirm: ask(keys), ..revert_of(bad.id) };
    assert_kind(world.store.revert(&revert(None), actor("x"), DryRun::No), "Unconfirmed");
    world.store.revert(&revert(Some(3)), actor("x"), DryRun::No).unwrap();
}

#[test]
fn a_second_word_holds_while_writers_go_on_a_little() {
    let world = Stepped::new(at(START));
    let before = world.pass(SECOND);
    let many: Vec<Write> = (0..33).map(|n| put("s", &n.to_string(), "new")).collect();
    write(&world, many);
    let with = |keys| SetCap { confirm: Confirm { above: 10, keys: Some(keys) }, ..before.into() };
    assert_kind(set(&world, with(29)), "Unconfirmed");
    set(&world, with(30)).unwrap();
}

#[test]
fn the_way_out_of_an_incident_is_cap_revert_clear() {
    let (world, before, bad) = incident();
    set(&world, before).unwrap();
    world.store.mark_bad(bad.id, actor("wrong prices")).unwrap();
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
    assert_kind(clear(&world, ClearCap::default()), "Conflict");
    world.store.revert(&revert_of(bad.id), actor("wrong prices"), DryRun::No).unwrap();
    let back = clear(&world, ClearCap::default()).unwrap();
    assert_eq!(back.blast.keys, 0, "readers notice nothing");
    assert_eq!(text(&world, AsOf::Latest, "s", "a").unwrap(), "good a");
    // What was is what it was.
    assert_eq!(text(&world, AsOf::At(bad.effective), "s", "a").unwrap(), "bad a");
}
