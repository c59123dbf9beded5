//! Power fails, and writes and syncs fail, while releases are planned, scheduled and changed.

use std::sync::Arc;

use asof_env::testing::SimDisk;
use asof_store::{Approving, DryRun, ReleaseAmendment, ReleaseRequest, Result, Store};

use super::work::Step;
use super::{assert_recovers, assert_survives, notes, start};
use crate::rules::release::{operator, spring};
use crate::world::{actor, now, put};

fn step<T: 'static>(work: impl Fn(&Store) -> Result<T> + 'static) -> Step {
    Box::new(move |store| work(store).map(|_| ()))
}

/// Every transition but those that time makes, of one release that is approved and one that
/// needs no approval.
fn work() -> Vec<Step> {
    let amended =
        || ReleaseAmendment { message: Some("other words".into()), ..ReleaseAmendment::default() };
    let plain = || ReleaseRequest { name: "plain".into(), ..spring(3_600, Approving::NotNeeded) };
    vec![
        step(|store| store.commit(now(vec![put("s", "k", "old"), put("s", "gone", "there")]))),
        step(|store| store.plan_release(spring(3_600, Approving::Needed), operator("ada"))),
        step(|store| store.approve_release("spring", operator("bob"))),
        step(|store| store.schedule_release("spring", actor("go"))),
        step(move |store| store.amend_release("spring", amended(), operator("ada"))),
        step(move |store| store.plan_release(plain(), operator("ada"))),
        step(|store| store.schedule_release("plain", actor("go"))),
        step(move |store| store.amend_release("plain", amended(), operator("ada"))),
        step(|store| store.cancel_release("plain", actor("no"), DryRun::No)),
        step(|store| store.cancel_release("spring", actor("no"), DryRun::No)),
    ]
}

#[test]
fn power_may_fail_at_any_operation_of_releases() {
    let work = work();
    let (notes, disk) = notes(&work);
    let operations = disk.operations();
    assert!(operations > 50, "{operations}");
    for cut in 0..operations {
        let disk = SimDisk::new();
        disk.lose_power_at(cut);
        let mut attempt = start(disk);
        attempt.go(&work, |_| {});
        drop(attempt.store.take());
        let image = Arc::new(attempt.disk.after_crash(cut));
        assert_recovers(&attempt, &notes, image, &format!("cut at operation {cut}"));
    }
}

#[test]
fn any_write_or_sync_of_releases_may_fail() {
    let work = work();
    let (notes, disk) = notes(&work);
    for n in 0..disk.writes() {
        let disk = SimDisk::new();
        disk.fail_write_at(n);
        assert_survives(&work, &notes, disk, &format!("the disk is full at write {n}"));
    }
    for n in 0..disk.syncs() {
        let disk = SimDisk::new();
        disk.fail_sync_at(n);
        assert_survives(&work, &notes, disk, &format!("sync {n} fails"));
    }
}
