//! Timed releases: every state that can be reached, and what each leads to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use asof_env::testing::SimDisk;
use asof_store::{
    Actor, Amendment, Approval, Approving, AsOf, ControlAction, Cursor, DryRun, Key, Keys, Later,
    Op, Operator, Release, ReleaseAmendment, ReleaseRequest, Result, Retention, SpaceName, Value,
};
use asof_time::Timestamp;

use crate::run::{SECOND, assert_kind};
use crate::steps::Stepped;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

fn soon(seconds: u32) -> Timestamp {
    at(START).saturating_add(seconds * SECOND)
}

pub(crate) fn operator(name: &str) -> Operator {
    let actor = Actor { name: name.to_owned(), reason: "release".to_owned() };
    Operator { actor, principal: name.to_owned() }
}

fn op(name: &str, value: Option<&str>) -> (SpaceName, Key, Op) {
    let op = value.map_or(Op::Delete, |value| Op::Put(Value::binary(value.as_bytes().to_vec())));
    (space("s"), key(name), op)
}

pub(crate) fn spring(seconds: u32, approving: Approving) -> ReleaseRequest {
    ReleaseRequest {
        name: "spring".into(),
        at: soon(seconds),
        message: "new prices".into(),
        approving,
        keys: Keys::Shared,
        writes: vec![op("k", Some("new")), op("gone", None), op("fresh", Some("1"))],
    }
}

/// A store in which `k` and `gone` hold something.
fn world() -> Stepped {
    let world = Stepped::new(at(START));
    world.store.commit(now(vec![put("s", "k", "old"), put("s", "gone", "there")])).unwrap();
    world
}

fn text(world: &Stepped, as_of: AsOf, name: &str) -> Option<String> {
    let read = world.store.view(as_of).unwrap().get(&space("s"), &key(name)).unwrap();
    read.value.map(|version| String::from_utf8(version.bytes.to_vec()).unwrap())
}

fn release(world: &Stepped) -> Release {
    world.store.release("spring").unwrap().0
}

/// What can be done to a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Amend,
    ApproveOwn,
    ApproveOther,
    Schedule,
    Cancel,
    RollBack,
    Wait,
}

const DEEDS: [Deed; 7] = [
    Deed::Amend,
    Deed::ApproveOwn,
    Deed::ApproveOther,
    Deed::Schedule,
    Deed::Cancel,
    Deed::RollBack,
    Deed::Wait,
];

fn does(world: &Stepped, deed: Deed) -> Result<()> {
    let store = &world.store;
    let name = "spring";
    match deed {
        Deed::Amend => {
            let message = Some("amended".to_owned());
            let amendment = ReleaseAmendment { message, ..ReleaseAmendment::default() };
            store.amend_release(name, amendment, operator("ada"), DryRun::No).map(drop)
        }
        Deed::ApproveOwn => store.approve_release(name, operator("ada"), DryRun::No).map(drop),
        Deed::ApproveOther => store.approve_release(name, operator("bob"), DryRun::No).map(drop),
        Deed::Schedule => store.schedule_release(name, actor("go"), DryRun::No).map(drop),
        Deed::Cancel => store.cancel_release(name, actor("no"), DryRun::No).map(drop),
        Deed::RollBack => {
            let back = store.roll_back_release(name, Later::Refuse, actor("bad"), DryRun::No);
            back.map(drop)
        }
        Deed::Wait => {
            world.pass(60 * SECOND);
            Ok(())
        }
    }
}

/// A state as the story tells it: its name, how far its approval is, whether its time has come.
type Place = (&'static str, &'static str, bool);

fn place(world: &Stepped) -> Place {
    let release = release(world);
    let approval = match release.state.approval() {
        None => "-",
        Some(Approval::NotNeeded) => "not needed",
        Some(Approval::Needed) => "needed",
        Some(Approval::Given { .. }) => "given",
    };
    (release.state.as_str(), approval, release.plan.at <= world.closed())
}

/// Where `deed` leads from `place`; `None` where it is refused.
fn leads_to(place: Place, deed: Deed) -> Option<Place> {
    let (state, approval, come) = place;
    Some(match (state, approval, deed) {
        ("scheduled", _, Deed::Wait) => ("live", "-", true),
        (_, _, Deed::Wait) => (state, approval, true),
        ("draft" | "scheduled", "given", Deed::Amend) => ("draft", "needed", come),
        ("draft" | "scheduled", _, Deed::Amend) => place,
        ("draft", "needed", Deed::ApproveOther) => ("draft", "given", come),
        ("draft", "not needed" | "given", Deed::Schedule) if !come => ("scheduled", approval, come),
        ("draft" | "scheduled", _, Deed::Cancel) => ("cancelled", "-", come),
        ("live", _, Deed::RollBack) => ("rolled-back", "-", come),
        _ => return None,
    })
}

fn check(world: &Stepped, story: &str) {
    let (release, planned) = world.store.release("spring").unwrap();
    let pending = world.store.pending(Cursor::START, 10).unwrap().commits;
    let is_scheduled = release.state.as_str() == "scheduled";
    assert_eq!(pending.len(), usize::from(is_scheduled), "{story}");
    assert_eq!(planned.len(), 3, "{story}: what was planned is kept");
    let preview = text(world, AsOf::Preview(Timestamp::MAX), "k").unwrap();
    let shown = matches!(release.state.as_str(), "scheduled" | "live");
    assert_eq!(preview == "new", shown, "{story}");
    let present = if release.state.as_str() == "live" { "new" } else { "old" };
    assert_eq!(text(world, AsOf::Latest, "k").unwrap(), present, "{story}");
    let audit = world.store.control_log(0, 1_000).unwrap();
    let told = audit.iter().filter(|record| record.subject == "spring");
    let told: Vec<_> = told.map(|record| (record.at, record.action)).collect();
    let kept: Vec<_> = release.events.iter().map(|event| (event.at, event.action)).collect();
    assert_eq!(told, kept, "{story}: the release and the audit agree");
    let problems = world.store.verify(&mut |_| {}).unwrap().problems;
    assert_eq!(problems, [""; 0], "{story}");
}

#[test]
fn no_state_that_can_be_reached_has_a_transition_that_is_not_in_the_picture() {
    for approving in [Approving::NotNeeded, Approving::Needed] {
        let begin = |path: &[Deed]| {
            let world = world();
            world.store.plan_release(spring(50, approving), operator("ada"), DryRun::No).unwrap();
            for deed in path {
                does(&world, *deed).unwrap();
            }
            world
        };
        let mut reached: BTreeMap<Place, Vec<Deed>> = BTreeMap::new();
        let mut to_visit = VecDeque::from([Vec::new()]);
        while let Some(path) = to_visit.pop_front() {
            let from = place(&begin(&path));
            if reached.contains_key(&from) {
                continue;
            }
            for deed in DEEDS {
                let world = begin(&path);
                let story = format!("{approving:?} {path:?} {from:?} {deed:?}");
                let outcome = does(&world, deed);
                let to = place(&world);
                if let Some(expected) = leads_to(from, deed) {
                    assert!(outcome.is_ok(), "{story}: {outcome:?}");
                    assert_eq!(to, expected, "{story}");
                } else {
                    assert!(outcome.is_err(), "{story}");
                    assert_eq!(to, from, "{story}: what is refused changes nothing");
                }
                check(&world, &story);
                let again = world.reopen();
                assert_eq!(place(&again), to, "{story}: and so it is after a restart");
                if outcome.is_ok() {
                    to_visit.push_back([&path[..], &[deed]].concat());
                }
            }
            reached.insert(from, path);
        }
        let states: std::collections::BTreeSet<_> = reached.keys().map(|(s, ..)| *s).collect();
        assert_eq!(states.len(), 5, "{states:?}");
    }
}

#[test]
fn a_release_is_live_in_all_of_its_keys_at_its_microsecond() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    world.pass(9 * SECOND);
    let before = AsOf::At(at(soon(5).as_micros() - 1));
    let at_time = AsOf::At(soon(5));
    let three = |as_of| ["k", "gone", "fresh"].map(|name| text(&world, as_of, name));
    let old = [Some("old".to_owned()), Some("there".to_owned()), None];
    let new = [Some("new".to_owned()), None, Some("1".to_owned())];
    assert_eq!((three(before), three(at_time)), (old.clone(), new));

    let dry = world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::Yes);
    assert_eq!(dry.unwrap().0.state.as_str(), "rolled-back");
    assert_eq!(release(&world).state.as_str(), "live", "a dry run changes nothing");
    world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::No).unwrap();
    assert_eq!(three(AsOf::Latest), old, "deleted keys are back, new ones are gone");
}

#[test]
fn a_release_whose_time_comes_while_the_store_is_down_took_effect_at_its_time_and_says_so() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    let Stepped { clock, disk, store } = world;
    drop(store);
    clock.advance(60 * SECOND);
    let world = Stepped::open(&clock, disk).unwrap();
    world.store.tick().unwrap();
    assert_eq!(text(&world, AsOf::At(at(soon(5).as_micros() - 1)), "k").unwrap(), "old");
    assert_eq!(text(&world, AsOf::At(soon(5)), "k").unwrap(), "new");
    let release = release(&world);
    let last = release.events.last().unwrap();
    assert_eq!((release.state.as_str(), last.action), ("live", ControlAction::ReleaseLive));
    assert!(last.detail.contains("55 s later: the store did not run then"), "{}", last.detail);
    assert!(last.detail.contains(&soon(5).to_string()), "{}", last.detail);
}

#[test]
fn keys_that_were_written_later_stand_in_the_way_of_a_roll_back() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    world.pass(6 * SECOND);
    world.store.commit(now(vec![put("s", "k", "later")])).unwrap();
    let refused = world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::No);
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("`k` of `s` by"), "{refused}");
    assert_eq!(text(&world, AsOf::Latest, "gone"), None, "nothing is done");
    world.store.roll_back_release("spring", Later::Keep, actor("bad"), DryRun::No).unwrap();
    assert_eq!(text(&world, AsOf::Latest, "k").unwrap(), "later");
    assert_eq!(text(&world, AsOf::Latest, "gone").unwrap(), "there");
    assert_eq!(text(&world, AsOf::Latest, "fresh"), None);
}

#[test]
fn what_came_due_since_closed_last_moved_stands_in_the_way_of_a_roll_back_too() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    world.store.commit(crate::world::later(soon(8), vec![put("s", "k", "planned")])).unwrap();
    world.pass(6 * SECOND);
    // The time of the other commit comes, and closed has not followed the clock yet.
    world.clock.advance(4 * SECOND);
    let refused = world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::No);
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("`k` of `s` by"), "{refused}");
    world.store.roll_back_release("spring", Later::Keep, actor("bad"), DryRun::No).unwrap();
    assert_eq!(text(&world, AsOf::Latest, "k").unwrap(), "planned");
}

#[test]
fn what_is_no_longer_kept_is_not_made_up_by_a_roll_back() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    world.pass(6 * SECOND);
    let keep = Retention::KeepFor(SECOND);
    world.store.set_retention(&space("s"), keep, actor("space"), DryRun::No).unwrap();
    for _ in 0..12 {
        world.pass(4 * SECOND);
    }
    let refused = world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::No);
    assert_kind(refused, "BelowFloor");
    assert_eq!(release(&world).state.as_str(), "live");
    assert_eq!(world.store.release("spring").unwrap().1.len(), 3, "the plan is still known");
}

#[test]
fn a_release_that_wants_its_keys_for_itself_has_them() {
    let world = world();
    let other = world.store.commit(later(soon(90), vec![put("s", "k", "other")])).unwrap();
    let alone = ReleaseRequest { keys: Keys::Alone, ..spring(50, Approving::NotNeeded) };
    world.store.plan_release(alone, operator("ada"), DryRun::No).unwrap();
    let refused = world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap_err();
    assert!(refused.message().contains(&format!("commit {} is scheduled", other.id)), "{refused}");
    world.store.cancel(other.id, actor("room")).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();

    // Nothing is scheduled on its keys after it either, by a new commit or a changed one.
    let refused = world.store.commit(later(soon(20), vec![put("s", "k", "other")]));
    assert!(refused.unwrap_err().message().contains("for itself"));
    let free = world.store.commit(later(soon(20), vec![put("s", "free", "1")])).unwrap();
    let writes = Some(vec![delete("s", "gone")]);
    let amendment = Amendment { writes, ..Amendment::default() };
    assert_kind(world.store.amend(free.id, amendment, actor("no")), "Conflict");
    // Its own amendment is no conflict, and neither is a commit for now.
    let writes = Some(vec![op("k", Some("newer")), op("free2", Some("1"))]);
    let amendment = ReleaseAmendment { writes, ..ReleaseAmendment::default() };
    world.store.amend_release("spring", amendment, operator("ada"), DryRun::No).unwrap();
    world.store.commit(now(vec![put("s", "k", "today")])).unwrap();
    world.pass(60 * SECOND);
    assert_eq!(text(&world, AsOf::Latest, "k").unwrap(), "newer");
    world.store.commit(later(soon(200), vec![put("s", "k", "again")])).unwrap();
}

#[test]
fn the_commit_of_a_release_is_not_changed_on_its_own() {
    let world = world();
    world
        .store
        .plan_release(spring(50, Approving::NotNeeded), operator("ada"), DryRun::No)
        .unwrap();
    let release = world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    let commit = release.state.commit().unwrap();
    let refused = world.store.cancel(commit, actor("sneaky")).unwrap_err();
    assert!(refused.message().contains("asof release cancel spring"), "{refused}");
    assert_kind(world.store.amend(commit, Amendment::default(), actor("sneaky")), "Conflict");
    // Amended as a release, the commit moves with it.
    let amendment = ReleaseAmendment { at: Some(soon(70)), ..ReleaseAmendment::default() };
    world.store.amend_release("spring", amendment, operator("ada"), DryRun::No).unwrap();
    let pending = world.store.pending(Cursor::START, 10).unwrap().commits;
    assert_eq!((pending[0].id, pending[0].effective), (commit, soon(70)));
    assert_eq!(pending[0].message, "release spring: new prices");
}

#[test]
fn what_was_approved_and_is_amended_is_approved_again_with_its_values() {
    let world = world();
    world.store.plan_release(spring(50, Approving::Needed), operator("ada"), DryRun::No).unwrap();
    let own = world.store.approve_release("spring", operator("ada"), DryRun::No).unwrap_err();
    assert!(own.message().contains("approved by somebody else"), "{own}");
    world.store.approve_release("spring", operator("bob"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    let amendment = ReleaseAmendment { at: Some(soon(70)), ..ReleaseAmendment::default() };
    world.store.amend_release("spring", amendment, operator("bob"), DryRun::No).unwrap();
    assert!(world.store.pending(Cursor::START, 10).unwrap().commits.is_empty());
    assert_kind(world.store.schedule_release("spring", actor("go"), DryRun::No), "Conflict");
    let own = world.store.approve_release("spring", operator("bob"), DryRun::No);
    assert_kind(own, "Conflict");
    world.store.approve_release("spring", operator("eve"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    world.pass(80 * SECOND);
    assert_eq!(text(&world, AsOf::Latest, "k").unwrap(), "new");
    assert_eq!(text(&world, AsOf::Latest, "gone"), None);
}

#[test]
fn a_name_is_used_once_and_a_time_must_be_to_come() {
    let world = world();
    let past = ReleaseRequest { at: world.closed(), ..spring(5, Approving::NotNeeded) };
    assert_kind(world.store.plan_release(past, operator("ada"), DryRun::No), "InThePast");
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    assert_kind(
        world.store.plan_release(spring(9, Approving::NotNeeded), operator("ada"), DryRun::No),
        "Conflict",
    );
    world.store.cancel_release("spring", actor("no"), DryRun::No).unwrap();
    assert_kind(
        world.store.plan_release(spring(9, Approving::NotNeeded), operator("ada"), DryRun::No),
        "Conflict",
    );
    let nothing = ReleaseRequest {
        name: "empty".into(),
        writes: Vec::new(),
        ..spring(9, Approving::NotNeeded)
    };
    assert_kind(world.store.plan_release(nothing, operator("ada"), DryRun::No), "Invalid");
    assert_kind(world.store.release("unknown"), "NotFound");

    // A draft whose time passes is no release; it says what to do.
    let late = ReleaseRequest { name: "late".into(), ..spring(9, Approving::NotNeeded) };
    world.store.plan_release(late, operator("ada"), DryRun::No).unwrap();
    world.pass(20 * SECOND);
    assert_kind(world.store.schedule_release("late", actor("go"), DryRun::No), "InThePast");
    let amendment = ReleaseAmendment { at: Some(soon(90)), ..ReleaseAmendment::default() };
    world.store.amend_release("late", amendment, operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("late", actor("go"), DryRun::No).unwrap();
}

#[test]
fn power_may_fail_at_any_operation_of_a_roll_back_or_of_a_time_that_comes() {
    let world = world();
    world.store.plan_release(spring(5, Approving::NotNeeded), operator("ada"), DryRun::No).unwrap();
    world.store.schedule_release("spring", actor("go"), DryRun::No).unwrap();
    let Stepped { clock, disk, store } = world;
    drop(store);
    clock.advance(60 * SECOND);
    let bytes = disk.bytes();
    // The first tick notes that it is live; then it is rolled back.
    let work = |disk: Arc<SimDisk>| {
        let world = Stepped::open(&clock, disk)?;
        let back = world.store.roll_back_release("spring", Later::Refuse, actor("bad"), DryRun::No);
        back.map(|_| world)
    };
    let whole = Arc::new(SimDisk::with_bytes(bytes.clone()));
    work(whole.clone()).unwrap();
    let (mut live, mut back) = (0, 0);
    for cut in 0..whole.operations() {
        let broken = Arc::new(SimDisk::with_bytes(bytes.clone()));
        broken.lose_power_at(cut);
        let acknowledged = work(broken.clone()).is_ok();
        let world = Stepped::open(&clock, Arc::new(broken.after_crash(cut))).unwrap();
        let story = format!("cut at operation {cut}");
        check(&world, &story);
        match release(&world).state.as_str() {
            "live" => live += 1,
            "rolled-back" => back += 1,
            other => panic!("{story}: {other}"),
        }
        assert!(!acknowledged || release(&world).state.as_str() == "rolled-back", "{story}");
    }
    assert!(live > 0 && back > 0, "{live} {back}");
}
