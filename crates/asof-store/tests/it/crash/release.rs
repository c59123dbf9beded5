//! Power fails, and writes and syncs fail, while releases are planned, scheduled and changed.

use asof_store::{Approving, DryRun, ReleaseAmendment, ReleaseRequest};

use super::work::{Step, step};
use super::{any_sync_may_fail, any_write_may_fail, power_may_fail_anywhere};
use crate::rules::release::{operator, spring};
use crate::world::{actor, now, put};

/// Every transition but those that time makes, of one release that is approved and one that
/// needs no approval.
fn work() -> Vec<Step> {
    let amended =
        || ReleaseAmendment { message: Some("other words".into()), ..ReleaseAmendment::default() };
    let plain = || ReleaseRequest { name: "plain".into(), ..spring(3_600, Approving::NotNeeded) };
    vec![
        step(|store| store.commit(now(vec![put("s", "k", "old"), put("s", "gone", "there")]))),
        step(|store| {
            store.plan_release(spring(3_600, Approving::Needed), operator("ada"), DryRun::No)
        }),
        step(|store| store.approve_release("spring", operator("bob"), DryRun::No)),
        step(|store| store.schedule_release("spring", actor("go"), DryRun::No)),
        step(move |store| store.amend_release("spring", amended(), operator("ada"), DryRun::No)),
        step(move |store| store.plan_release(plain(), operator("ada"), DryRun::No)),
        step(|store| store.schedule_release("plain", actor("go"), DryRun::No)),
        step(move |store| store.amend_release("plain", amended(), operator("ada"), DryRun::No)),
        step(|store| store.cancel_release("plain", actor("no"), DryRun::No)),
        step(|store| store.cancel_release("spring", actor("no"), DryRun::No)),
    ]
}

#[test]
fn power_may_fail_at_any_operation_of_releases() {
    power_may_fail_anywhere(&work());
}

#[test]
fn any_write_or_sync_of_releases_may_fail() {
    let work = work();
    any_write_may_fail(&work);
    any_sync_may_fail(&work);
}
