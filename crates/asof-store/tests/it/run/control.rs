//! Cap, pins, retention and the clock.

use asof_store::{ClearCap, DryRun, PinRequest, Retention};
use asof_time::Timestamp;
use std::time::Duration;

use super::{Run, WithRetention, assert_kind};
use crate::world::actor;

impl Run {
    pub(super) fn cap(&mut self) {
        let time = self.world.store.time();
        if time.cap.is_some() || self.dice.one_in(3) {
            let outcome =
                self.world.store.clear_cap(ClearCap::default(), actor("over"), DryRun::No);
            match time.cap {
                None => assert_kind(outcome, "Conflict"),
                Some(_) => assert_eq!(outcome.expect("cleared").after.cap, None),
            }
            return;
        }
        let at = self.moment();
        let outcome = self.world.store.set_cap(at, actor("roll back"), DryRun::No);
        if at > time.closed {
            assert_kind(outcome, "NotYetClosed");
        } else if at < time.floor {
            assert_kind(outcome, "BelowFloor");
        } else {
            assert_eq!(outcome.expect("set").after.cap, Some(at));
        }
    }

    pub(super) fn pin(&mut self) {
        let name = format!("pin {}", self.dice.below(3));
        if self.pins.contains_key(&name) && self.dice.one_in(2) {
            self.world.store.release_pin(&name, actor("done"), DryRun::No).expect("a live pin");
            self.pins.remove(&name);
            return;
        }
        let time = self.world.store.time();
        let at = self.moment();
        let request = PinRequest {
            by: None,
            name: name.clone(),
            owner: "model".into(),
            reason: String::new(),
            at: Some(at),
            ttl: self.seconds(20),
        };
        let outcome = self.world.store.create_pin(request, DryRun::No);
        if let Some(held) = self.pins.get(&name) {
            assert_eq!(outcome.expect("renewed").at, *held);
        } else if at > time.closed {
            assert_kind(outcome, "NotYetClosed");
        } else if at < time.floor {
            assert_kind(outcome, "BelowFloor");
        } else if time.cap.is_some_and(|cap| at > cap) {
            assert_kind(outcome, "AboveCap");
        } else {
            self.pins.insert(name, outcome.expect("pinned").at);
        }
    }

    pub(super) fn retain(&mut self) {
        if self.retention == WithRetention::No {
            return;
        }
        let name = self.space();
        let every = self.seconds(3);
        let policy = match self.dice.below(4) {
            0 => Retention::KeepAll,
            1 => Retention::KeepFor(self.seconds(12)),
            _ => Retention::Sparse { dense: self.seconds(8), every },
        };
        let outcome = self.world.store.set_retention(&name, policy, actor("space"), DryRun::No);
        let Some(known) = self.oracle.spaces.get_mut(&name) else {
            return assert_kind(outcome, "UnknownSpace");
        };
        outcome.expect("a policy");
        let floor = known.floor.unwrap_or(Timestamp::MIN);
        known.instants = match (policy, known.instants) {
            (Retention::Sparse { every, .. }, before) => {
                let every = every.as_secs() * 1_000_000;
                let kept = before.filter(|(old, _)| every.checked_rem(*old) == Some(0));
                Some((every, kept.map_or(floor, |(_, since)| since)))
            }
            _ => None,
        };
    }

    pub(super) fn step_clock_back(&mut self) {
        let back = Duration::from_millis(self.dice.below(3_000));
        self.clock().set_wall(self.world.wall().saturating_sub(back));
        self.world.store.tick().expect("open");
    }
}
