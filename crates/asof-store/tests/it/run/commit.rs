//! Commits, and making them again.

use asof_store::{
    CommitRequest, ContentHash, Effective, IdempotencyKey, Precondition, Receipt, Source,
    SpaceName, Write,
};
use asof_time::{Sequence, Timestamp};
use std::fmt::Debug;
use std::time::Duration;

use super::{Run, assert_kind, effects};
use crate::oracle::{OracleCommit, Place};

impl Run {
    pub(super) fn commit(&mut self) {
        let mut request = CommitRequest {
            writes: self.writes(),
            author: "model".into(),
            message: format!("commit {}", self.numbers),
            ..CommitRequest::default()
        };
        match self.dice.below(8) {
            0..=2 => {
                let ahead = match self.dice.below(3) {
                    0 => Duration::from_micros(self.dice.below(4)),
                    _ => Duration::from_millis(self.dice.below(9_000)),
                };
                request.effective = Effective::At(self.world.wall().saturating_add(ahead));
            }
            3 => {
                let of = self.space();
                request.writes.retain(|write| write.space == of);
                let id = format!("source {}", self.dice.below(12));
                request.source = Some(Source { space: of, id, at: self.world.wall() });
            }
            _ => {}
        }
        if self.dice.one_in(3) {
            let name = format!("key {}", self.numbers);
            request.idempotency = Some(IdempotencyKey::new(name).expect("a key"));
        }
        self.ask(&request);
    }

    /// Asks for a commit, and holds the outcome against what the oracle expects.
    pub(super) fn ask(&mut self, request: &CommitRequest) {
        let expected = self.expect(request);
        let outcome = self.world.store.commit(request.clone());
        match (&outcome, expected) {
            (Ok(receipt), Expected::Taken { effective, opened }) => {
                self.take(request, *receipt, effective, opened);
            }
            (Ok(receipt), Expected::Known(place)) => {
                assert!(receipt.replayed);
                assert_eq!((receipt.effective, receipt.id), place);
            }
            (Err(error), Expected::Refused(kind)) => {
                assert_eq!(error.kind().as_str(), kind, "{error}");
            }
            (outcome, expected) => panic!("{expected:?}, not {outcome:?}, for {request:?}"),
        }
    }

    fn expect(&self, request: &CommitRequest) -> Expected {
        if request.writes.is_empty() && request.source.is_none() {
            return Expected::Refused("Invalid");
        }
        if let Some(source) = &request.source {
            let known =
                self.sources.iter().find(|(s, id, _)| *s == source.space && *id == source.id);
            if let Some((.., place)) = known {
                return Expected::Known(*place);
            }
        }
        if self.writes_erased(&request.writes) {
            return Expected::Refused("Erased");
        }
        let spaces = request.writes.iter().map(|write| &write.space);
        let mut opened = Vec::new();
        for name in spaces.chain(request.source.as_ref().map(|source| &source.space)) {
            match self.oracle.spaces.get(name) {
                Some(known) if known.importing => return Expected::Refused("StillImporting"),
                Some(_) => {}
                None if opened.contains(name) => {}
                None => opened.push(name.clone()),
            }
        }
        opened.sort();
        let mut now = self.next_now();
        let mut last = self.world.closed();
        if !opened.is_empty() {
            (last, now) = (now, now.next().expect("time has not ended"));
        }
        let effective = match request.effective {
            Effective::Now => now,
            Effective::At(at) if at <= last => return Expected::Refused("InThePast"),
            Effective::At(at) => at,
        };
        let holds = |write: &Write| {
            let before =
                self.oracle.just_before(&write.space, &write.key, (effective, Sequence::MAX));
            judge(write.precondition, before)
        };
        if !request.writes.iter().all(holds) {
            return Expected::Refused("Conflict");
        }
        Expected::Taken { effective, opened }
    }

    pub(super) fn take(
        &mut self,
        request: &CommitRequest,
        receipt: Receipt,
        effective: Timestamp,
        opened: Vec<SpaceName>,
    ) {
        assert!(!receipt.replayed);
        assert_eq!(receipt.effective, effective);
        let place = (receipt.effective, receipt.id);
        if !opened.is_empty() {
            let id = Sequence::new(receipt.id.as_u64() - 1).expect("an id before it");
            let opening = self.world.store.commit_by_id(id).expect("the opening is in the log");
            assert_eq!(opening.opened, opened);
            let commit = OracleCommit {
                backfilled: false,
                opened,
                message: opening.message,
                writes: Vec::new(),
            };
            self.oracle.insert((opening.effective, id), commit);
        }
        if let Some(source) = &request.source {
            self.sources.push((source.space.clone(), source.id.clone(), place));
        }
        let commit = OracleCommit {
            backfilled: false,
            opened: Vec::new(),
            message: request.message.clone(),
            writes: effects(&request.writes),
        };
        self.oracle.insert(place, commit);
        if request.idempotency.is_some() {
            self.repeatable.push((request.clone(), receipt));
        }
    }

    /// Makes a request again that was made with an idempotency key.
    pub(super) fn repeat(&mut self) {
        let index = self.dice.index(self.forgotten.len());
        if let Some(request) = self.forgotten.get(index).cloned().filter(|_| self.dice.one_in(4)) {
            // Nobody is told any more whether it is the same request.
            return assert_kind(self.world.store.commit(request), "Erased");
        }
        let index = self.dice.index(self.repeatable.len());
        let Some((request, receipt)) = self.repeatable.get(index).cloned() else {
            return self.commit();
        };
        if self.dice.one_in(4) {
            let message = "another request under the same key".to_owned();
            let other = CommitRequest { message, ..request };
            assert_kind(self.world.store.commit(other), "Conflict");
        } else {
            let again = self.world.store.commit(request).expect("a repeated request");
            // A restored store tells it as a part of its own timeline.
            let epoch = self.world.store.time().epoch;
            let expected = Receipt { replayed: true, epoch, ..receipt };
            assert_eq!(again, expected);
        }
    }
}

/// What the oracle makes of a request.
#[derive(Debug)]
enum Expected {
    Taken { effective: Timestamp, opened: Vec<SpaceName> },
    Known(Place),
    Refused(&'static str),
}

fn judge(precondition: Precondition, before: Option<(Place, Option<Vec<u8>>)>) -> bool {
    let written = before.as_ref().map(|(place, _)| place.0);
    let value = before.and_then(|(_, value)| value);
    match precondition {
        Precondition::None => true,
        Precondition::Absent => value.is_none(),
        Precondition::Present => value.is_some(),
        Precondition::HashIs(hash) => value.is_some_and(|value| ContentHash::of(&value) == hash),
        Precondition::UnchangedSince(since) => written.is_none_or(|written| written <= since),
    }
}
