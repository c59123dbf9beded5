//! Erasing a key: everything that holds one of its values, or a hash of one, in one batch.

use core::ops::ControlFlow;
use std::collections::{BTreeMap, BTreeSet};

use asof_time::{Sequence, Timestamp};

use super::Stage;
use crate::codec::keys::{self, SpaceId, VersionRow, VersionsOf};
use crate::codec::releases;
use crate::codec::rows::{ErasureRecord, LogRecord, Outcome, SpaceRecord, VersionValue};
use crate::erase::{self, Erasure, Plan};
use crate::release::{PlannedWrite, Release, ReleaseState};
use crate::view::log;
use crate::{Actor, ControlAction, Erasable, Error, ErrorKind, Key, Result, SpaceName, Written};

/// What is put in place of what held a value, and what goes.
#[derive(Default)]
struct Changes {
    puts: Vec<(Vec<u8>, Vec<u8>)>,
    deletes: Vec<Vec<u8>>,
    releases: Vec<Release>,
    versions: u64,
    bytes: u64,
}

impl Stage<'_> {
    /// Refuses to write keys that were erased.
    pub(super) fn check_not_erased<'w>(
        &self,
        writes: impl Iterator<Item = (&'w SpaceName, &'w Key)>,
    ) -> Result<()> {
        if self.state.erased.is_empty() {
            return Ok(());
        }
        for (name, key) in writes {
            let Some((space, _)) = self.state.space(name) else {
                continue;
            };
            if self.state.erased.contains_key(&space)
                && let Some(mark) = self.get(&VersionsOf::new(space, key).mark())?
            {
                return Err(erase::was_erased(key, &mark)?);
            }
        }
        Ok(())
    }

    /// Erases a key; `None` where the control state is no longer what the plan rests on.
    pub(crate) fn erase(&mut self, plan: &Plan, by: Actor) -> Result<Option<Erasure>> {
        if self.state.control_sequence != plan.control_sequence {
            return Ok(None);
        }
        let (space, key) = (plan.space, &plan.key);
        let name = self.state.name_of(space)?.clone();
        let mut changes = Changes::default();
        let mut commits = plan.mentioned.clone();
        self.find_versions(&VersionsOf::new(space, key), &mut commits, &mut changes)?;
        let Some(accepted) = self.rewrite_commits(&commits, plan, &mut changes)? else {
            return Ok(None);
        };
        self.forget_requests(&accepted, &mut changes)?;
        for hash in &plan.requests {
            self.forget_request(hash, &plan.lost, &mut changes)?;
        }
        for release in &plan.releases {
            self.rewrite_release(release, &name, key, &mut changes)?;
        }

        // From here on nothing refuses.
        let Changes { puts, deletes, releases, versions, bytes } = changes;
        for row in deletes {
            self.delete(row);
        }
        for (row, value) in puts {
            self.put(row, value);
        }
        for release in releases {
            self.put(keys::release(&release.name), releases::encode(&release));
            self.state_mut().releases.insert(release.name.clone(), release.into());
        }
        self.foresee_erasure(space, &name, &by)?;
        let subject = format!("{name}/{key}");
        let commits = commits.len();
        let detail = format!("{versions} versions, {bytes} bytes, in {commits} commits; for ever");
        self.record(ControlAction::KeyErased, by.clone(), subject, detail);
        let (sequence, at) = (self.state.control_sequence, self.clock);
        let mark = VersionsOf::new(space, key).mark();
        self.put(mark, VersionValue::encode_erased(sequence, at));
        let record = ErasureRecord { space, key: key.clone(), at, by, versions, bytes };
        self.put(keys::erasure(sequence), record.encode());
        *self.state_mut().erased.entry(space).or_default() += 1;
        Ok(Some(Erasure::new(sequence, name, record)))
    }

    /// Says from here on that answers of a space do not stay for ever.
    pub(crate) fn set_erasable(&mut self, name: &SpaceName, by: &Actor) -> Result<()> {
        let (space, record) = self.state.known_space(name)?;
        if record.erasable == Erasable::Yes {
            return Err(Error::conflict(format!("keys of space `{name}` may be erased already")));
        }
        self.foresee_erasure(space, name, by)
    }

    fn foresee_erasure(&mut self, space: SpaceId, name: &SpaceName, by: &Actor) -> Result<()> {
        let (_, record) = self.state.known_space(name)?;
        if record.erasable == Erasable::No {
            let record = SpaceRecord { erasable: Erasable::Yes, ..record.as_ref().clone() };
            self.put_space(space, record);
            let detail = "no answer is told to stay for ever from here on".to_owned();
            self.record(ControlAction::SpaceErasable, by.clone(), name.to_string(), detail);
        }
        Ok(())
    }

    fn find_versions(
        &self,
        versions: &VersionsOf,
        commits: &mut BTreeSet<Sequence>,
        changes: &mut Changes,
    ) -> Result<()> {
        let first = versions.row(Timestamp::MAX, Sequence::MAX);
        self.each_row(&first, &versions.end(), &mut |row, value| {
            changes.versions += 1;
            erase::check_count(changes.versions)?;
            changes.bytes += erase::bytes_of(value)?;
            commits.insert(VersionRow::parse(row)?.sequence);
            changes.deletes.push(row.to_vec());
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Takes out of the log what the commits wrote; returns when they were accepted. `None` where one
    /// is lost that the plan still found.
    fn rewrite_commits(
        &self,
        commits: &BTreeSet<Sequence>,
        plan: &Plan,
        changes: &mut Changes,
    ) -> Result<Option<BTreeMap<Timestamp, BTreeSet<Sequence>>>> {
        let mut accepted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for id in commits {
            let (effective, mut record) = match log::find(&self.state, |row| self.get(row), *id) {
                Ok(found) => found,
                // Retention has dropped it.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if plan.lost.contains(id) {
                        continue;
                    }
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            accepted.entry(record.accepted).or_default().insert(*id);
            blank(&mut record, plan.space, &plan.key);
            changes.puts.push((keys::log(effective, *id), record.encode()));
        }
        Ok(Some(accepted))
    }

    /// Forgets the hashes of the requests that the commits were made by.
    fn forget_requests(
        &self,
        accepted: &BTreeMap<Timestamp, BTreeSet<Sequence>>,
        changes: &mut Changes,
    ) -> Result<()> {
        for (at, commits) in accepted {
            let (start, end) = keys::idempotency_order_at(*at);
            self.each_row(&start, &end, &mut |row, _| {
                let (_, hash) = keys::parse_idempotency_order(row)?;
                self.forget_request(&hash, commits, changes)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    /// Forgets the hash of a request, if it made one of `commits`.
    fn forget_request(
        &self,
        idempotency: &[u8; 16],
        commits: &BTreeSet<Sequence>,
        changes: &mut Changes,
    ) -> Result<()> {
        let row = keys::idempotency(idempotency);
        let outcome = self.get(&row)?.map(|value| Outcome::decode(&value)).transpose()?;
        if let Some(outcome) = outcome
            && commits.contains(&outcome.place.sequence)
        {
            let outcome = Outcome { request: None, ..outcome };
            changes.puts.push((row, outcome.encode()));
        }
        Ok(())
    }

    /// Takes a key out of what a release writes.
    fn rewrite_release(
        &self,
        release: &str,
        space: &SpaceName,
        key: &Key,
        changes: &mut Changes,
    ) -> Result<()> {
        let (Some(row), Some(release)) =
            (self.get(&keys::planned(release))?, self.state.releases.get(release))
        else {
            return Err(Error::corrupt(format!("release `{release}` lacks its planned writes")));
        };
        let stays = |write: &PlannedWrite| write.space != *space || write.key != *key;
        let mut planned = releases::decode_planned(&row)?;
        planned.retain(stays);
        let mut release = release.as_ref().clone();
        release.plan.writes = planned.len() as u64;
        release.plan.value_bytes =
            planned.iter().filter_map(|write| write.content).map(|(_, bytes)| bytes).sum();
        let row = if let ReleaseState::Draft(_) = release.state {
            let mut draft = releases::decode_draft(&row)?;
            draft.retain(|write| write.space != *space || write.put.key != *key);
            releases::encode_draft(&draft)
        } else {
            releases::encode_planned(&planned)
        };
        changes.puts.push((keys::planned(&release.name), row));
        changes.releases.push(release);
        Ok(())
    }
}

/// Leaves of a write that it was there.
fn blank(record: &mut LogRecord, space: SpaceId, key: &Key) {
    let written = record.writes.iter_mut();
    for write in written.filter(|write| write.space == space && write.key == *key) {
        write.content = Written::Erased;
    }
}
