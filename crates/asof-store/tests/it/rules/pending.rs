//! Cancelling and amending what has not taken effect yet.

use asof_store::{Amendment, AsOf, Cursor, ErrorKind, Precondition, Receipt, Write};
use asof_time::Timestamp;

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, key, later, now, put, space};

fn soon(seconds: u32) -> Timestamp {
    at(START).saturating_add(seconds * SECOND)
}

fn scheduled(world: &Stepped, seconds: u32) -> Receipt {
    world.store.commit(later(soon(seconds), vec![put("s", "k", "pending")])).unwrap()
}

fn moved_to(at: Timestamp) -> Amendment {
    Amendment { effective: Some(at), ..Amendment::default() }
}

fn text(world: &Stepped, as_of: AsOf) -> Option<String> {
    let read = world.store.view(as_of).unwrap().get(&space("s"), &key("k")).unwrap();
    read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap())
}

#[test]
fn a_cancel_at_or_below_last_is_refused() {
    let world = Stepped::new(at(START));
    let receipt = scheduled(&world, 5);
    // Exactly at its time it has taken effect.
    let last = world.pass(5 * SECOND);
    assert_eq!(last, receipt.effective);
    let error = world.store.cancel(receipt.id, actor("too late")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InThePast { last });
    assert_eq!(text(&world, AsOf::Latest).unwrap(), "pending");
}

#[test]
fn an_amendment_whose_old_or_new_time_is_at_or_below_last_is_refused() {
    let world = Stepped::new(at(START));
    let (old, new) = (scheduled(&world, 5), scheduled(&world, 50));
    let last = world.pass(5 * SECOND);
    for (id, to) in [(old.id, soon(60)), (new.id, last), (new.id, Timestamp::MIN)] {
        let error = world.store.amend(id, moved_to(to), actor("late")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InThePast { last });
    }
    let message = Amendment { message: Some("new words".into()), ..Amendment::default() };
    assert_kind(world.store.amend(old.id, message, actor("late")), "InThePast");
    world.store.amend(new.id, moved_to(last.next().unwrap()), actor("in time")).unwrap();
}

#[test]
fn a_cancelled_commit_leaves_no_version_behind() {
    let world = Stepped::new(at(START));
    let first = world.store.commit(now(vec![put("s", "k", "old")])).unwrap();
    let receipt = scheduled(&world, 5);
    world.store.cancel(receipt.id, actor("no")).unwrap();
    assert_eq!(text(&world, AsOf::Preview(soon(6))).unwrap(), "old");
    let world = world.crash(1);
    let closed = world.pass(10 * SECOND);
    let read = world.store.view(AsOf::Latest).unwrap().get(&space("s"), &key("k")).unwrap();
    assert_eq!(read.validity, asof_time::Validity::through(first.effective, closed));
    assert_kind(world.store.commit_by_id(receipt.id), "NotFound");
    assert!(world.store.pending(Cursor::START, 10).unwrap().commits.is_empty());
}

#[test]
fn an_amended_commit_is_only_at_its_new_time() {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "old")])).unwrap();
    let receipt = scheduled(&world, 5);
    world.store.amend(receipt.id, moved_to(soon(8)), actor("later")).unwrap();
    world.pass(6 * SECOND);
    assert_eq!(text(&world, AsOf::Latest).unwrap(), "old");
    world.pass(2 * SECOND);
    assert_eq!(text(&world, AsOf::Latest).unwrap(), "pending");
    assert_eq!(world.store.commit_by_id(receipt.id).unwrap().effective, soon(8));
}

#[test]
fn an_amendment_does_not_judge_its_precondition_against_itself() {
    let world = Stepped::new(at(START));
    world.store.create_space(&space("s"), actor("")).unwrap();
    let absent = |value: &str| Write { precondition: Precondition::Absent, ..put("s", "k", value) };
    let receipt = world.store.commit(later(soon(5), vec![absent("1")])).unwrap();
    let rewrite = |write| Amendment { writes: Some(vec![write]), ..moved_to(soon(6)) };
    world.store.amend(receipt.id, rewrite(absent("2")), actor("again")).unwrap();
    let present = Write { precondition: Precondition::Present, ..absent("3") };
    assert_kind(world.store.amend(receipt.id, rewrite(present), actor("no")), "Conflict");
    world.pass(7 * SECOND);
    assert_eq!(text(&world, AsOf::Latest).unwrap(), "2");
}

#[test]
fn an_unknown_commit_can_be_neither_amended_nor_cancelled() {
    let world = Stepped::new(at(START));
    let nobody = asof_time::Sequence::new(99).unwrap();
    assert_kind(world.store.cancel(nobody, actor("")), "NotFound");
    assert_kind(world.store.amend(nobody, Amendment::default(), actor("")), "NotFound");
    let receipt = scheduled(&world, 5);
    let nothing = Amendment { writes: Some(Vec::new()), ..Amendment::default() };
    assert_kind(world.store.amend(receipt.id, nothing, actor("")), "Invalid");
    let elsewhere =
        Amendment { writes: Some(vec![put("nowhere", "k", "")]), ..Amendment::default() };
    assert_kind(world.store.amend(receipt.id, elsewhere, actor("")), "UnknownSpace");
}

#[test]
fn amending_and_cancelling_are_audited() {
    let world = Stepped::new(at(START));
    let receipt = scheduled(&world, 5);
    world.store.amend(receipt.id, moved_to(soon(6)), actor("later")).unwrap();
    world.store.cancel(receipt.id, actor("never")).unwrap();
    let log = world.store.control_log(1, 10).unwrap();
    let told: Vec<_> = log.iter().map(|r| (r.action.as_str(), r.by.reason.as_str())).collect();
    assert_eq!(told, [("commit-amended", "later"), ("commit-cancelled", "never")]);
    assert!(log.iter().all(|record| record.subject == receipt.id.to_string()));
}
