//! Power fails, and writes and syncs fail, while keys are erased.

use asof_store::{Approving, CommitRequest, DryRun, Erase, IdempotencyKey, PinRequest};
use std::time::Duration;

use super::work::{Step, step};
use super::{any_sync_may_fail, any_write_may_fail, power_may_fail_anywhere};
use crate::rules::erase::asking;
use crate::rules::release::{operator, spring};
use crate::world::{START, actor, at, delete, later, now, put, space};

fn erase(name: &'static str) -> Step {
    step(move |store| {
        let dry = store.erase(&asking(name), actor("asked to"), DryRun::Yes)?;
        let request = Erase { versions: Some(dry.versions), ..asking(name) };
        store.erase(&request, actor("asked to"), DryRun::No)
    })
}

/// Keys in commits with others, with an idempotency key, pending, under a pin, and in a release:
/// what is noted of the store shows each of these.
fn work() -> Vec<Step> {
    let keyed = CommitRequest {
        idempotency: Some(IdempotencyKey::new("once").expect("a key")),
        ..now(vec![put("s", "k", &"x".repeat(9_000)), put("s", "h0", "stays")])
    };
    let again = keyed.clone();
    let soon = at(START).saturating_add(Duration::from_hours(1));
    vec![
        step(move |store| store.commit(keyed.clone())),
        step(|store| store.commit(now(vec![delete("s", "k"), put("t", "k", "stays")]))),
        step(move |store| store.commit(later(soon, vec![put("s", "k", "never")]))),
        step(|store| {
            store.create_pin(
                PinRequest {
                    by: None,
                    name: "job".into(),
                    owner: "tester".into(),
                    reason: String::new(),
                    at: Some(store.time().closed),
                    ttl: Duration::from_hours(1),
                },
                DryRun::No,
            )
        }),
        step(|store| {
            store.plan_release(spring(3_600, Approving::NotNeeded), operator("ada"), DryRun::No)
        }),
        erase("k"),
        // Refused, and the store goes on.
        step(move |store| {
            assert!(store.commit(again.clone()).is_err(), "it is refused");
            store.commit(now(vec![put("s", "h1", "1")]))
        }),
        step(|store| store.set_erasable(&space("t"), actor("foreseen"))),
        erase("h1"),
    ]
}

#[test]
fn power_may_fail_at_any_operation_of_erasures() {
    power_may_fail_anywhere(&work());
}

#[test]
fn any_write_or_sync_of_erasures_may_fail() {
    let work = work();
    any_write_may_fail(&work);
    any_sync_may_fail(&work);
}
