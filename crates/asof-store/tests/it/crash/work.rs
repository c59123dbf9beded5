//! One piece of work with every kind of change in it.

use std::time::Duration;

use asof_store::{
    Amendment, Backfill, ClearCap, CommitRequest, Confirm, Conflicts, DryRun, Effective,
    IdempotencyKey, PinRequest, Result, Retention, Revert, RevertTarget, SetCap, Store,
};
use asof_time::{Sequence, Timestamp};

use crate::run::SECOND;
use crate::world::{START, actor, at, delete, key, later, now, put, space};

pub(super) type Step = Box<dyn Fn(&Store) -> Result<()>>;

pub(super) fn step<T: 'static>(work: impl Fn(&Store) -> Result<T> + 'static) -> Step {
    Box::new(move |store| work(store).map(|_| ()))
}

fn commit(request: CommitRequest) -> Step {
    step(move |store| store.commit(request.clone()))
}

fn id(number: u64) -> Sequence {
    Sequence::new(number).expect("an id")
}

fn backfill(n: u64) -> Backfill {
    Backfill {
        source_id: format!("source {n}"),
        at: at(n * 1_000),
        author: "history".into(),
        message: format!("history {n}"),
        writes: vec![(key(&format!("h{}", n % 3)), put("x", "x", &n.to_string()).op)],
    }
}

fn taking_back(number: u64) -> Revert {
    Revert {
        target: RevertTarget::Commit(id(number)),
        space: None,
        effective: Effective::Now,
        conflicts: Conflicts::Refuse,
        keep: Vec::new(),
        restore: Vec::new(),
        confirm: Confirm::default(),
    }
}

/// Every kind of change. A tenth of a second passes before each.
pub(super) fn work() -> Vec<Step> {
    let soon = |millis: u64| at(START).saturating_add(Duration::from_millis(millis));
    let big = "x".repeat(9_000);
    let once = CommitRequest {
        idempotency: Some(IdempotencyKey::new("once").expect("a key")),
        ..now(vec![put("a", "once", "1")])
    };
    let by = || actor("crash");
    let pin = |name: &str, ttl| {
        let request = PinRequest {
            by: None,
            name: name.into(),
            owner: "tester".into(),
            reason: String::new(),
            at: Some(Timestamp::MIN),
            ttl,
        };
        step(move |store| store.create_pin(request.clone(), DryRun::No))
    };
    let amendment = Amendment {
        effective: Some(soon(4_000)),
        message: Some("moved".into()),
        writes: Some(vec![put("a", "k", "moved"), put("b", "new", "moved")]),
    };
    vec![
        // Holds all history, so that opening the store has nothing to drop.
        pin("hold", Duration::from_hours(1)),
        commit(now(vec![put("a", "k", "1")])),
        commit(now(vec![put("a", "k", "2"), put("b", "k", &big), put("c", "k", "1")])),
        commit(later(soon(2_500), vec![put("a", "k", "later"), put("b", "k", "later")])),
        commit(later(soon(3_000), vec![put("a", "gone", "never")])),
        step(move |store| store.amend(id(5), amendment.clone(), by())),
        step(move |store| store.cancel(id(6), by())),
        commit(once),
        step(move |store| store.create_importing_space(&space("x"), by())),
        step(|store| store.import(&space("x"), (1..5).map(backfill).collect())),
        step(|store| store.import(&space("x"), (3..9).map(backfill).collect())),
        step(move |store| store.go_live(&space("x"), by())),
        step(move |store| {
            let policy = Retention::KeepFor(SECOND);
            store.set_retention(&space("x"), policy, by(), DryRun::No)
        }),
        step(move |store| store.set_cap(store.time().closed, by(), DryRun::No)),
        pin("job", Duration::from_hours(1)),
        pin("brief", Duration::from_millis(250)),
        step(move |store| store.mark_bad(id(3), by())),
        step(move |store| {
            let at = store.cap().map_or(Timestamp::MIN, |cap| cap.at);
            let request = SetCap { replaces: Some(at), ttl: Some(SECOND), ..at.into() };
            store.set_cap(request, by(), DryRun::No)
        }),
        step(move |store| store.revert(&taking_back(4), by(), DryRun::No)),
        step(move |store| store.unmark_bad(id(3), by())),
        step(move |store| store.mark_bad(id(4), by())),
        step(move |store| store.clear_cap(ClearCap::default(), by(), DryRun::No)),
        // It lapses by itself, in a tick.
        step(move |store| {
            let request = SetCap { ttl: Some(SECOND / 4), ..store.time().closed.into() };
            store.set_cap(request, by(), DryRun::No)
        }),
        step(Store::tick),
        step(Store::tick),
        step(Store::tick),
        commit(now(vec![delete("a", "k"), delete("a", "never"), put("c", "k", "3")])),
        step(move |store| store.release_pin("job", by(), DryRun::No)),
        step(move |store| {
            let policy = Retention::Sparse { dense: SECOND, every: SECOND };
            store.set_retention(&space("a"), policy, by(), DryRun::No)
        }),
        step(Store::tick),
        commit(now(vec![put("a", "k", "last")])),
        step(Store::tick),
    ]
}
