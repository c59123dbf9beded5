//! Row values of releases: what a release is, and what it writes.

use asof_time::Timestamp;

use super::rows::VersionValue;
use super::{Decoder, Encoder};
use crate::prepare::{PreparedPut, PreparedWrite};
use crate::release::{
    Approval, Cancelled, Draft, Keys, Live, Plan, PlannedWrite, Release, ReleaseEvent,
    ReleaseState, RolledBack, Scheduled,
};
use crate::{Actor, ContentHash, ControlAction, Key, Precondition, Result, SpaceName};

const DRAFT: u8 = 0;
const SCHEDULED: u8 = 1;
const LIVE: u8 = 2;
const CANCELLED: u8 = 3;
const ROLLED_BACK: u8 = 4;

pub(crate) fn encode(release: &Release) -> Vec<u8> {
    let mut row = Encoder::default();
    let Release { name, created, plan, state, events } = release;
    row.text(name).moment(*created);
    row.moment(plan.at).text(&plan.message).byte(u8::from(plan.keys == Keys::Alone));
    row.number(plan.writes).number(plan.value_bytes).number(plan.planners.len() as u64);
    for planner in &plan.planners {
        row.text(planner);
    }
    match state {
        ReleaseState::Draft(_) => row.byte(DRAFT),
        ReleaseState::Scheduled(scheduled) => {
            row.byte(SCHEDULED).number(scheduled.commit().as_u64())
        }
        ReleaseState::Live(live) => row.byte(LIVE).number(live.commit().as_u64()),
        ReleaseState::Cancelled(cancelled) => {
            row.byte(CANCELLED);
            match cancelled.commit() {
                None => row.byte(0),
                Some(commit) => row.byte(1).number(commit.as_u64()),
            }
        }
        ReleaseState::RolledBack(back) => {
            let commit = state.commit().map_or(0, asof_time::Sequence::as_u64);
            row.byte(ROLLED_BACK).number(commit).number(back.by().as_u64()).moment(back.at())
        }
    };
    if let Some(approval) = state.approval() {
        match approval {
            Approval::NotNeeded => row.byte(0),
            Approval::Needed => row.byte(1),
            Approval::Given { by, at } => row.byte(2).text(by).moment(*at),
        };
    }
    row.number(events.len() as u64);
    for event in events {
        row.moment(event.at).text(&event.by.name).text(&event.by.reason);
        row.byte(event.action.code()).text(&event.detail);
    }
    row.finish()
}

pub(crate) fn decode(row: &[u8]) -> Result<Release> {
    let mut row = Decoder::new(row, "release");
    let (name, created) = (row.text()?.to_owned(), row.moment()?);
    let (at, message) = (row.moment()?, row.text()?.to_owned());
    let keys = match row.byte()? {
        0 => Keys::Shared,
        1 => Keys::Alone,
        _ => return Err(row.bad("holds its keys in an unknown way")),
    };
    let (writes, value_bytes) = (row.number()?, row.number()?);
    let planners =
        (0..row.count()?).map(|_| row.text().map(str::to_owned)).collect::<Result<_>>()?;
    let plan = Plan { at, message, keys, writes, value_bytes, planners };
    let state = match row.byte()? {
        DRAFT => ReleaseState::Draft(Draft::restore(approval(&mut row)?)),
        SCHEDULED => {
            let commit = row.sequence()?;
            ReleaseState::Scheduled(Scheduled::restore(approval(&mut row)?, commit))
        }
        LIVE => ReleaseState::Live(Live::restore(row.sequence()?)),
        CANCELLED => {
            let commit = if row.byte()? == 0 { None } else { Some(row.sequence()?) };
            ReleaseState::Cancelled(Cancelled::restore(commit))
        }
        ROLLED_BACK => {
            let (commit, by, at) = (row.sequence()?, row.sequence()?, row.moment()?);
            ReleaseState::RolledBack(RolledBack::restore(commit, by, at))
        }
        _ => return Err(row.bad("is in an unknown state")),
    };
    let events = (0..row.count()?).map(|_| event(&mut row)).collect::<Result<_>>()?;
    row.finish()?;
    Ok(Release { name, created, plan, state, events })
}

fn approval(row: &mut Decoder<'_>) -> Result<Approval> {
    Ok(match row.byte()? {
        0 => Approval::NotNeeded,
        1 => Approval::Needed,
        2 => Approval::Given { by: row.text()?.to_owned(), at: row.moment()? },
        _ => return Err(row.bad("is approved in an unknown way")),
    })
}

fn event(row: &mut Decoder<'_>) -> Result<ReleaseEvent> {
    let at: Timestamp = row.moment()?;
    let by = Actor { name: row.text()?.to_owned(), reason: row.text()?.to_owned() };
    let action = ControlAction::from_code(row.byte()?)?;
    Ok(ReleaseEvent { at, by, action, detail: row.text()?.to_owned() })
}

const DELETED: u8 = 0;
const WITHOUT_VALUE: u8 = 1;
const WITH_VALUE: u8 = 2;

/// What a draft writes, its values with it.
pub(crate) fn encode_draft(writes: &[PreparedWrite]) -> Vec<u8> {
    let mut row = Encoder::default();
    row.number(writes.len() as u64);
    for PreparedWrite { space, put, .. } in writes {
        row.text(space.as_str()).text(put.key.as_str());
        match &put.content {
            None => row.byte(DELETED),
            Some((hash, len)) => {
                row.byte(WITH_VALUE).raw(hash.as_bytes()).number(*len);
                row.number(put.row.len() as u64).raw(&put.row)
            }
        };
    }
    row.finish()
}

/// What a release that is no draft writes; the values are in its commit.
pub(crate) fn encode_planned(writes: &[PlannedWrite]) -> Vec<u8> {
    let mut row = Encoder::default();
    row.number(writes.len() as u64);
    for write in writes {
        row.text(write.space.as_str()).text(write.key.as_str());
        match &write.content {
            None => row.byte(DELETED),
            Some((hash, len)) => row.byte(WITHOUT_VALUE).raw(hash.as_bytes()).number(*len),
        };
    }
    row.finish()
}

/// What a release writes, with or without its values.
pub(crate) fn decode_planned(row: &[u8]) -> Result<Vec<PlannedWrite>> {
    decode_writes(row, |space, key, content, _| Ok(PlannedWrite { space, key, content }))
}

/// What a draft writes.
pub(crate) fn decode_draft(row: &[u8]) -> Result<Vec<PreparedWrite>> {
    decode_writes(row, |space, key, content, value| {
        let row = match (&content, value) {
            (None, _) => VersionValue::encode_deleted(),
            (Some(_), Some(value)) => value.to_vec(),
            (Some(_), None) => return Err(Decoder::new(&[], "draft").bad("lacks a value")),
        };
        let put = PreparedPut { key, row, content };
        Ok(PreparedWrite { space, put, precondition: Precondition::None })
    })
}

fn decode_writes<T>(
    row: &[u8],
    make: impl Fn(SpaceName, Key, Option<(ContentHash, u64)>, Option<&[u8]>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut row = Decoder::new(row, "planned writes");
    let mut writes = Vec::new();
    for _ in 0..row.count()? {
        let space = SpaceName::new(row.text()?).map_err(|error| row.bad(error.message()))?;
        let key = Key::new(row.text()?).map_err(|error| row.bad(error.message()))?;
        let kind = row.byte()?;
        let content = match kind {
            DELETED => None,
            WITHOUT_VALUE | WITH_VALUE => {
                Some((ContentHash::from_bytes(row.array()?), row.number()?))
            }
            _ => return Err(row.bad("holds a write of an unknown kind")),
        };
        let value = if kind == WITH_VALUE {
            let len = row.count()?;
            Some(row.raw(len)?)
        } else {
            None
        };
        writes.push(make(space, key, content, value)?);
    }
    row.finish()?;
    Ok(writes)
}
