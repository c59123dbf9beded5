//! Erasing a key: everything that it ever held goes, and it says so from then on.

use asof_store::{
    Approving, AsOf, CommitRequest, ControlAction, Cursor, DryRun, Erasable, Erase, EraseOutcome,
    Erased, ErrorKind, FeedItem, HistoryRange, IdempotencyKey, Known, Later, LogRange, PinRequest,
    ReleaseRequest, Result, Retention, ScanRange, Store, Touched, WithValues, Write, Written,
};
use asof_time::Timestamp;
use std::time::Duration;

use super::operate::revert_of;
use super::release::{operator, spring};
use crate::run::{SECOND, assert_kind};
use crate::steps::{Stepped, options};
use crate::world::{START, actor, at, delete, key, later, now, put, space};

const SECRET: &str = "Ada Lovelace, 12 St James's Square";

pub(crate) fn asking(name: &str) -> Erase {
    Erase { space: space("s"), key: key(name), versions: None, known: Known::Must }
}

pub(crate) fn erase(store: &Store, name: &str) -> Result<EraseOutcome> {
    let dry = store.erase(&asking(name), actor("she asked us to"), DryRun::Yes)?;
    let request = Erase { versions: Some(dry.versions), ..asking(name) };
    store.erase(&request, actor("she asked us to"), DryRun::No)
}

/// A store in which `ada` was written thrice, once with another key and once deleted.
fn world() -> Stepped {
    let world = Stepped::new(at(START));
    let keyed = CommitRequest {
        idempotency: Some(IdempotencyKey::new("once").unwrap()),
        ..now(vec![put("s", "ada", SECRET), put("s", "bob", "b")])
    };
    world.store.commit(keyed).unwrap();
    for write in [delete("s", "ada"), put("s", "ada", "again"), put("t", "ada", "of t")] {
        world.pass(SECOND);
        world.store.commit(now(vec![write])).unwrap();
    }
    world.pass(SECOND);
    world
}

fn releasing(writes: Vec<Write>) -> ReleaseRequest {
    let writes = writes.into_iter().map(|write| (write.space, write.key, write.op)).collect();
    ReleaseRequest { writes, ..spring(60, Approving::NotNeeded) }
}

fn everything(values: WithValues) -> ScanRange {
    ScanRange { prefix: String::new(), after: None, limit: 100, values }
}

fn kind_of<T: core::fmt::Debug>(outcome: Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

#[test]
fn an_erased_key_is_erased_at_every_moment_and_by_every_way_to_read_it() {
    let world = world();
    let store = &world.store;
    let done = erase(store, "ada").unwrap();
    assert_eq!((done.versions, done.bytes), (3, SECRET.len() as u64 + 5));
    world.pass(SECOND);
    let closed = world.closed();
    let moments = [Timestamp::MIN, at(START), at(START).saturating_add(SECOND), closed];
    for as_of in moments.map(AsOf::At).into_iter().chain([AsOf::Preview(Timestamp::MAX)]) {
        let view = store.view(as_of).unwrap();
        assert_eq!(kind_of(view.get(&space("s"), &key("ada"))), ErrorKind::Erased);
        let both = [(space("s"), key("bob")), (space("s"), key("ada"))];
        assert_eq!(kind_of(view.get_many(&both)), ErrorKind::Erased);
        let range = HistoryRange { from: Timestamp::MIN, before: None, limit: 10 };
        assert_eq!(kind_of(view.history(&space("s"), &key("ada"), &range)), ErrorKind::Erased);
        // A listing says which key it cannot tell of, and is whole otherwise.
        let page = view.scan(&space("s"), &everything(WithValues::Include)).unwrap().value;
        assert_eq!(page.erased, [key("ada")]);
        assert!(page.entries.iter().all(|entry| entry.key == key("bob")));
    }
    let diff = store.diff(&space("s"), Timestamp::MIN, closed, None, 10).unwrap();
    assert_eq!(diff.erased, [key("ada")]);
    assert_eq!(diff.entries.len(), 1);
    let log = LogRange { after: Cursor::START, spaces: Some(vec![space("s")]), limit: 100 };
    let writes: Vec<_> =
        store.log(&log).unwrap().commits.into_iter().flat_map(|c| c.writes).collect();
    assert_eq!(writes.len(), 4, "what was written is still to be seen, but not what it was");
    for write in writes {
        assert_eq!(write.content == Written::Erased, write.key == key("ada"));
    }
    // The key of that name in another space is another key.
    let other = store.view(AsOf::Latest).unwrap().get(&space("t"), &key("ada")).unwrap();
    assert_eq!(&other.value.unwrap().bytes[..], b"of t");
    let usage = store.space_usage(&space("s")).unwrap();
    assert_eq!((usage.keys, usage.versions, usage.erased_keys, usage.value_bytes), (1, 1, 1, 1));
    assert_eq!(store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}

#[test]
fn pages_go_past_erased_keys_one_by_one() {
    let world = Stepped::new(at(START));
    let writes = |n: &str| -> Vec<Write> {
        (0..6).map(|k| put("s", &format!("k{k}"), &format!("{k}{n}"))).collect()
    };
    world.store.commit(now(writes("a"))).unwrap();
    let before = world.pass(SECOND);
    world.store.commit(now(writes("b"))).unwrap();
    world.pass(SECOND);
    for name in ["k0", "k2", "k3", "k5"] {
        erase(&world.store, name).unwrap();
    }
    let view = world.store.view(AsOf::Latest).unwrap();
    for limit in 1..8 {
        let (mut listed, mut after) = (Vec::new(), None);
        let (mut differing, mut diff_after) = (Vec::new(), None);
        loop {
            let range = ScanRange { limit, after, ..everything(WithValues::Omit) };
            let page = view.scan(&space("s"), &range).unwrap().value;
            assert!(page.entries.len() + page.erased.len() <= limit);
            listed.extend(page.entries.into_iter().map(|entry| (entry.key, false)));
            listed.extend(page.erased.into_iter().map(|key| (key, true)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let (from, to) = (before, world.closed());
            let page = world.store.diff(&space("s"), from, to, diff_after.as_ref(), limit).unwrap();
            differing.extend(page.entries.into_iter().map(|entry| (entry.key, false)));
            differing.extend(page.erased.into_iter().map(|key| (key, true)));
            diff_after = page.next;
            if diff_after.is_none() {
                break;
            }
        }
        listed.sort();
        differing.sort();
        let all = [(0, true), (1, false), (2, true), (3, true), (4, false), (5, true)];
        let all = all.map(|(n, erased)| (key(&format!("k{n}")), erased));
        assert_eq!(listed, all, "limit {limit}");
        assert_eq!(differing, all, "limit {limit}");
    }
}

#[test]
fn an_erased_key_is_never_written_again() {
    let world = world();
    let store = &world.store;
    let soon = world.wall().saturating_add(60 * SECOND);
    let pending = store.commit(later(soon, vec![put("s", "bob", "soon")])).unwrap();
    erase(store, "ada").unwrap();
    for write in [put("s", "ada", "x"), delete("s", "ada")] {
        assert_kind(store.commit(now(vec![write.clone()])), "Erased");
        assert_kind(store.commit(later(soon, vec![write.clone()])), "Erased");
        let amendment =
            asof_store::Amendment { writes: Some(vec![write.clone()]), ..Default::default() };
        assert_kind(store.amend(pending.id, amendment, actor("x")), "Erased");
        let release = releasing(vec![write]);
        assert_kind(store.plan_release(release, operator("ada"), DryRun::No), "Erased");
    }
    let whole = now(vec![put("s", "bob", "not alone"), put("s", "ada", "x")]);
    assert_kind(store.commit(whole), "Erased");
    world.pass(SECOND);
    let bob = store.view(AsOf::Latest).unwrap().get(&space("s"), &key("bob")).unwrap();
    assert_eq!(&bob.value.unwrap().bytes[..], b"b", "nothing of such a commit is done");
}

#[test]
fn a_dry_run_says_what_goes_and_changes_nothing() {
    let world = world();
    let store = &world.store;
    let pin = |name: &str, at| PinRequest {
        by: None,
        name: name.into(),
        owner: "batch".into(),
        reason: "a report".into(),
        at: Some(at),
        ttl: Duration::from_hours(1),
    };
    store.create_pin(pin("sees it", at(START).saturating_add(SECOND / 2)), DryRun::No).unwrap();
    store
        .create_pin(
            pin("it was deleted then", at(START).saturating_add(3 * SECOND / 2)),
            DryRun::No,
        )
        .unwrap();
    let soon = world.wall().saturating_add(60 * SECOND);
    let pending = store.commit(later(soon, vec![put("s", "ada", "soon")])).unwrap();
    let release = releasing(vec![put("s", "ada", "draft")]);
    store.plan_release(release, operator("bob"), DryRun::No).unwrap();
    let records = store.control_sequence();

    let dry = store.erase(&asking("ada"), actor("why"), DryRun::Yes).unwrap();
    let versions = (dry.versions, dry.bytes, dry.first, dry.last);
    assert_eq!(versions.0, 4);
    assert_eq!(versions.1, SECRET.len() as u64 + 5 + 4);
    assert!(versions.2 <= Some(at(START).saturating_add(SECOND)) && versions.3 == Some(soon));
    let pins: Vec<_> = dry.pins.iter().map(|pin| pin.name.as_str()).collect();
    assert_eq!(pins, ["sees it"]);
    assert_eq!((dry.pending, dry.releases), (vec![pending.id], vec!["spring".to_owned()]));
    assert_eq!((dry.erasable, dry.erasure), (Erasable::No, None));
    assert_eq!(store.control_sequence(), records);

    // It takes the second word, a reason, and a key that there is.
    let by = || actor("why");
    let without = kind_of(store.erase(&asking("ada"), by(), DryRun::No));
    assert_eq!(without, ErrorKind::Unconfirmed { touched: Touched::Versions(4) });
    let less = Erase { versions: Some(3), ..asking("ada") };
    assert_eq!(kind_of(store.erase(&less, by(), DryRun::No)), without);
    assert_kind(store.erase(&asking("ada"), actor(""), DryRun::Yes), "Invalid");
    assert_kind(store.erase(&asking("adda"), by(), DryRun::Yes), "NotFound");
    let elsewhere = Erase { space: space("nowhere"), ..asking("ada") };
    assert_kind(store.erase(&elsewhere, by(), DryRun::Yes), "UnknownSpace");
    assert_eq!(store.control_sequence(), records);

    // A pin does not hold it back, and what is pending goes on without the key.
    let done = erase(store, "ada").unwrap();
    assert_eq!((done.versions, done.bytes), (versions.0, versions.1));
    world.pass(100 * SECOND);
    let log = store.commit_by_id(pending.id).unwrap();
    assert_eq!((log.effective, log.writes[0].content), (soon, Written::Erased));
    let (release, writes) = store.release("spring").unwrap();
    assert_eq!((release.plan.writes, release.plan.value_bytes, writes.len()), (0, 0, 0));
    assert_eq!(store.pins().len(), 2);
    assert_kind(store.erase(&asking("ada"), by(), DryRun::Yes), "Erased");
    assert_eq!(store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}

#[test]
fn the_audit_and_the_feed_tell_of_it_without_the_value() {
    let world = world();
    let store = &world.store;
    let start = Cursor { control: store.control_sequence(), ..Cursor::START };
    erase(store, "ada").unwrap();
    world.pass(SECOND);
    let page = store.feed(start, None, 100).unwrap();
    let first: Vec<_> = page.items.into_iter().map(|(_, item)| item).collect();
    // Before any commit, so that whoever was away drops it before there is anything newer.
    let [FeedItem::Control(foreseen), FeedItem::Control(erased), FeedItem::Commit(_), ..] =
        &first[..]
    else {
        panic!("{first:?}");
    };
    assert_eq!(foreseen.action, ControlAction::SpaceErasable);
    assert_eq!((erased.action, erased.subject.as_str()), (ControlAction::KeyErased, "s/ada"));
    assert_eq!(erased.by, actor("she asked us to"));
    assert_eq!(erased.detail, "3 versions, 39 bytes, in 3 commits; for ever");
    assert!(!format!("{first:?}").contains("Lovelace"));
    let [listed] = &store.erasures(0, 10).unwrap()[..] else { panic!("one erasure") };
    assert_eq!((listed.sequence, &listed.key, listed.versions), (erased.sequence, &key("ada"), 3));
    assert_eq!(store.erasures(listed.sequence, 10).unwrap(), []);
    assert_eq!(store.space(&space("s")).unwrap().erasable, Erasable::Yes);
}

#[test]
fn nothing_on_the_way_to_the_key_tells_its_value_or_a_hash_of_it() {
    let world = world();
    let request = CommitRequest {
        idempotency: Some(IdempotencyKey::new("once").unwrap()),
        ..now(vec![put("s", "ada", SECRET), put("s", "bob", "b")])
    };
    assert!(world.store.commit(request.clone()).unwrap().replayed);
    erase(&world.store, "ada").unwrap();
    // Asked again it does not say whether the request is the same one.
    assert_kind(world.store.commit(request.clone()), "Erased");
    let other = CommitRequest { message: "another".into(), ..request };
    assert_kind(world.store.commit(other), "Erased");
    // Not in a backup either.
    let hash = *blake3::hash(SECRET.as_bytes()).as_bytes();
    let mut backup = Vec::new();
    world.store.backup(&mut backup, &mut |_| {}).unwrap();
    let holds = |what: &[u8]| backup.windows(what.len()).any(|window| window == what);
    assert!(!holds(b"Lovelace") && !holds(&hash) && holds(b"of t"));
}

#[test]
fn a_revert_and_a_cap_pass_by_what_was_erased() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "ada", "a"), put("s", "bob", "a")])).unwrap();
    let before = world.pass(SECOND);
    let bad = world.store.commit(now(vec![put("s", "ada", "b"), put("s", "bob", "b")])).unwrap();
    world.pass(SECOND);
    erase(&world.store, "ada").unwrap();
    let blast = world.store.blast(world.closed(), before).unwrap();
    assert_eq!((blast.keys, blast.sample.len()), (1, 1));
    let done = world.store.revert(&revert_of(bad.id), actor("wrong"), DryRun::No).unwrap();
    assert_eq!((done.keys, done.conflicts), (1, 0));
    assert_eq!(world.store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}

#[test]
fn what_retention_has_left_of_a_key_goes_too() {
    let world = Stepped::new(at(START));
    // Kept for the sake of `t`, which keeps everything.
    world.store.commit(now(vec![put("s", "ada", SECRET), put("t", "x", "1")])).unwrap();
    world.pass(SECOND);
    world.store.commit(now(vec![delete("s", "ada")])).unwrap();
    let policy = Retention::KeepFor(SECOND);
    world.store.set_retention(&space("s"), policy, actor("space"), DryRun::No).unwrap();
    for _ in 0..12 {
        world.pass(SECOND);
    }
    assert_eq!(world.store.space_usage(&space("s")).unwrap().versions, 0, "it is gone");
    erase(&world.store, "ada").unwrap();
    let mut backup = Vec::new();
    world.store.backup(&mut backup, &mut |_| {}).unwrap();
    let hash = *blake3::hash(SECRET.as_bytes()).as_bytes();
    assert!(!backup.windows(32).any(|window| window == hash), "nor is its hash in the log");
    for _ in 0..12 {
        world.pass(SECOND);
    }
    let read = world.store.view(AsOf::Latest).unwrap().get(&space("s"), &key("ada"));
    assert_eq!(kind_of(read), ErrorKind::Erased, "retention leaves the mark alone");
    assert_eq!(world.store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}

#[test]
fn a_scheduled_release_goes_on_without_the_key() {
    let world = world();
    let store = &world.store;
    let writes = vec![put("s", "ada", "secret"), put("s", "carl", "public")];
    let release = releasing(writes);
    store.plan_release(release, operator("bob"), DryRun::No).unwrap();
    store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    erase(store, "ada").unwrap();
    let moved = asof_store::ReleaseAmendment {
        at: Some(world.wall().saturating_add(90 * SECOND)),
        ..Default::default()
    };
    store.amend_release("spring", moved, operator("bob"), DryRun::No).unwrap();
    world.pass(100 * SECOND);
    world.pass(SECOND);
    let carl = store.view(AsOf::Latest).unwrap().get(&space("s"), &key("carl")).unwrap();
    assert_eq!(&carl.value.unwrap().bytes[..], b"public");
    store.roll_back_release("spring", Later::default(), actor("no"), DryRun::No).unwrap();
    assert_eq!(store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}

#[test]
fn a_restored_backup_is_refused_until_it_is_said_what_was_erased_since() {
    let world = world();
    world.store.set_erasable(&space("s"), actor("personal data")).unwrap();
    assert_kind(world.store.set_erasable(&space("s"), actor("once more")), "Conflict");
    let mut backup = Vec::new();
    world.store.backup(&mut backup, &mut |_| {}).unwrap();
    world.store.commit(now(vec![put("new", "later", "x")])).unwrap();
    world.pass(SECOND);
    let later = Erase { space: space("new"), versions: Some(1), ..asking("later") };
    world.store.erase(&later, actor("her too"), DryRun::No).unwrap();
    erase(&world.store, "ada").unwrap();
    let list = world.store.erasures(0, 10).unwrap();
    assert_eq!(list.len(), 2);

    let restore = |erased: Erased<'_>| {
        let dir = tempfile::tempdir().unwrap();
        let (by, mut source) = (actor("disaster"), backup.as_slice());
        let settings = options(&world.clock);
        let summary = Store::restore(&mut source, dir.path(), &settings, erased, by, &mut |_| {})?;
        let store = Store::open(dir.path(), settings)?;
        Ok::<_, asof_store::Error>((
            summary,
            store.view(AsOf::Latest)?.get(&space("s"), &key("ada")),
            store,
            dir,
        ))
    };
    let error = restore(Erased::NotSaid).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("`s`"), "{error}");
    let (summary, read, ..) = restore(Erased::None).unwrap();
    assert_eq!((summary.erased, read.is_ok()), (0, true), "as the operator says");

    let (summary, read, store, _dir) = restore(Erased::These(&list)).unwrap();
    assert_eq!((summary.erased, summary.erased_before, summary.unknown_spaces), (1, 0, 1));
    assert_eq!(kind_of(read), ErrorKind::Erased);
    let last = store.control_log(0, 100).unwrap().pop().unwrap();
    assert_eq!(last.action, ControlAction::KeyErased);
    assert!(last.by.reason.contains("she asked us to"), "{last:?}");
    assert_eq!(store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
    let mut again = Vec::new();
    store.backup(&mut again, &mut |_| {}).unwrap();
    assert!(!again.windows(8).any(|window| window == b"Lovelace"));
}

#[test]
fn history_that_is_imported_may_not_bring_an_erased_key_back() {
    let world = Stepped::new(at(START));
    let store = &world.store;
    store.create_importing_space(&space("s"), actor("x")).unwrap();
    let backfill = |n: u64, name: &str| asof_store::Backfill {
        source_id: format!("{n}"),
        at: at(n),
        author: String::new(),
        message: String::new(),
        writes: vec![(key(name), put("s", "x", SECRET).op)],
    };
    store.import(&space("s"), vec![backfill(1, "ada"), backfill(2, "bob")]).unwrap();
    erase(store, "ada").unwrap();
    let error = store.import(&space("s"), vec![backfill(3, "bob"), backfill(4, "ada")]);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Erased);
    assert!(error.message().starts_with("commit 1 of the import"), "{error}");
    store.go_live(&space("s"), actor("done")).unwrap();
    let page = store.view(AsOf::Latest).unwrap();
    let page = page.scan(&space("s"), &everything(WithValues::Omit)).unwrap().value;
    assert_eq!((page.entries.len(), page.erased), (1, vec![key("ada")]));
    assert_eq!(store.verify(&mut |_| {}).unwrap().problems, [""; 0]);
}
