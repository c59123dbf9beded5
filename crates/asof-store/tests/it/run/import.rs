//! Importing spaces, and taking them live.

use asof_store::{Backfill, SpaceName, Write};
use asof_time::Timestamp;
use std::time::Duration;

use super::{Run, assert_kind, bytes};
use crate::oracle::OracleCommit;
use crate::world::actor;

impl Run {
    pub(super) fn create_space(&mut self) {
        let name = self.space();
        let outcome = self.world.store.create_importing_space(&name, actor("an import"));
        if self.oracle.spaces.contains_key(&name) {
            return assert_kind(outcome, "Conflict");
        }
        outcome.expect("a new space");
        self.oracle.spaces.entry(name).or_default().importing = true;
    }

    pub(super) fn import(&mut self) {
        let Some((name, last)) = self
            .oracle
            .spaces
            .iter()
            .find(|(_, space)| space.importing)
            .map(|(name, space)| (name.clone(), space.last_at))
        else {
            return self.create_space();
        };
        // A store that was opened ahead of its clock lets the clock catch up before it writes.
        self.pass(self.world.closed().since(self.world.wall()));
        let wall = self.world.wall();
        let (mut batch, mut times, mut last) = (Vec::new(), Vec::new(), last);
        for _ in 0..=self.dice.below(3) {
            // Sometimes ahead of the clock, where it is clamped.
            let after = last.map_or(Some(Timestamp::MIN), Timestamp::next).expect("time goes on");
            let writes = self.backfill(&name);
            if writes.is_empty() {
                continue;
            }
            let asked = match self.dice.below(4) {
                0 => wall.saturating_add(self.seconds(1_000)),
                1 => after,
                _ => after.saturating_add(Duration::from_micros(self.dice.below(100))),
            };
            let taken = if asked > wall { wall.max(after) } else { asked };
            last = Some(taken);
            times.push(taken);
            self.numbers += 1;
            batch.push(Backfill {
                source_id: format!("history {}", self.numbers),
                at: asked,
                author: "history".into(),
                message: format!("history {}", self.numbers),
                writes: writes.into_iter().map(|write| (write.key, write.op)).collect(),
            });
        }
        let receipt = self.world.store.import(&name, batch.clone()).expect("imports");
        assert_eq!((receipt.imported, receipt.known), (batch.len() as u64, 0));
        let again = self.world.store.import(&name, batch.clone()).expect("imports");
        assert_eq!((again.imported, again.known), (0, batch.len() as u64));
        for (commit, effective) in batch.into_iter().zip(times) {
            let found = self.world.store.source(&name, &commit.source_id).expect("readable");
            let (id, found) = found.expect("its source id is kept");
            assert_eq!(found, effective);
            let writes = commit.writes.into_iter().map(|(key, op)| (name.clone(), key, bytes(&op)));
            let imported = OracleCommit {
                backfilled: true,
                opened: Vec::new(),
                message: commit.message,
                writes: writes.collect(),
            };
            self.sources.push((name.clone(), commit.source_id, (effective, id)));
            self.oracle.insert((effective, id), imported);
        }
        self.oracle.spaces.entry(name).or_default().last_at = last;
    }

    /// Writes into `space`, each of a key of its own that was not erased.
    fn backfill(&mut self, space: &SpaceName) -> Vec<Write> {
        let mut writes = self.writes();
        let mut seen = Vec::new();
        writes.retain(|write| {
            let new = !seen.contains(&write.key) && !self.oracle.is_erased(space, &write.key);
            seen.push(write.key.clone());
            new
        });
        writes
    }

    pub(super) fn go_live(&mut self) {
        let name = self.space();
        let before = self.world.closed();
        let outcome = self.world.store.go_live(&name, actor("the import is done"));
        match self.oracle.spaces.get(&name).cloned() {
            None => assert_kind(outcome, "UnknownSpace"),
            Some(known) if !known.importing => assert_kind(outcome, "Conflict"),
            Some(known) => {
                let receipt = outcome.expect("it goes live");
                assert!(receipt.effective > before, "going live is above closed");
                assert!(known.last_at.is_none_or(|last| receipt.effective > last));
                let commit = OracleCommit {
                    backfilled: false,
                    opened: vec![name],
                    message: "the import is done".into(),
                    writes: Vec::new(),
                };
                self.oracle.insert((receipt.effective, receipt.id), commit);
            }
        }
    }
}
