//! Going through the keys of a space, looking at each at one or more moments.
//!
//! Versions of a key lie together, newest first. A short history is cheapest read row by row, a
//! long one by seeking over it; so the walk reads on for a few rows and then seeks.

use core::ops::{Bound, ControlFlow};

use asof_time::{Sequence, Timestamp};
use bytes::Bytes;

use super::point::first_after;
use super::{Content, WithValues};
use crate::codec::keys::{VersionRow, VersionsOf};
use crate::codec::rows::{VersionValue, stored_content_type};
use crate::engine::{Direction, Snapshot};
use crate::state::scan;
use crate::{Key, Result};

/// Rows of no use read in a row before a seek is cheaper.
const STRIDE: usize = 8;

/// A walk over the keys of one space.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) rows: &'a dyn Snapshot,
    /// The moments to look at, latest first.
    pub(super) moments: &'a [Timestamp],
    /// How far to look for the version after the latest moment.
    pub(super) through: Timestamp,
    pub(super) values: WithValues,
}

/// One key, seen at each moment of the walk.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) key: Key,
    /// What was found at each moment; `None` where the key had not been written yet.
    pub(super) found: Vec<Option<Found>>,
    /// Effective timestamp of the first version after the latest moment.
    pub(super) until: Option<Timestamp>,
}

/// The version at some moment.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) effective: Timestamp,
    pub(super) commit: Sequence,
    pub(super) content: Holding,
    pub(super) value: Option<Bytes>,
}

/// What a key holds at some moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Holding {
    Value(Content),
    Nothing,
    /// Nobody knows any more.
    Erased,
}

/// A key while its versions go by.
struct Present {
    escaped: Vec<u8>,
    seen: Seen,
    /// Rows of no use since the last one of use.
    idle: usize,
}

impl Walk<'_> {
    /// Visits the keys whose rows lie in `[start, end)`, in order, until `visit` breaks.
    pub(super) fn run(
        &self,
        start: Vec<u8>,
        end: &[u8],
        visit: &mut dyn FnMut(Seen) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut position = start;
        let mut present: Option<Present> = None;
        loop {
            let mut jump = None;
            let range = (Bound::Included(position.as_slice()), Bound::Excluded(end));
            scan(self.rows, range, Direction::Forward, |row, value| {
                match self.step(&mut present, row, value, visit)? {
                    Step::On => return Ok(ControlFlow::Continue(())),
                    Step::Jump(to) => jump = Some(to),
                    Step::Stop => present = None,
                }
                Ok(ControlFlow::Break(()))
            })?;
            match jump {
                Some(to) => position = to,
                None => break,
            }
        }
        if let Some(last) = present {
            let _ = visit(last.seen);
        }
        Ok(())
    }

    fn step(
        &self,
        present: &mut Option<Present>,
        row: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(Seen) -> ControlFlow<()>,
    ) -> Result<Step> {
        let version = VersionRow::parse(row)?;
        if present.as_ref().is_none_or(|present| present.escaped != version.escaped) {
            let seen = Seen { key: version.key()?, found: Vec::new(), until: None };
            let next = Present { escaped: version.escaped.to_vec(), seen, idle: 0 };
            if let Some(done) = present.replace(next)
                && visit(done.seen).is_break()
            {
                return Ok(Step::Stop);
            }
        }
        match present {
            Some(present) => self.look(present, &version, value),
            None => Ok(Step::On),
        }
    }

    /// Takes from one version what the moments want of it.
    fn look(&self, key: &mut Present, version: &VersionRow<'_>, value: &[u8]) -> Result<Step> {
        let seen = &mut key.seen;
        let wanted = self.moments.get(seen.found.len()..).unwrap_or_default();
        let answers = wanted.iter().take_while(|moment| version.effective <= **moment).count();
        if answers > 0 {
            let found = found(version, value, self.values)?;
            seen.found.extend(core::iter::repeat_n(Some(found), answers));
            key.idle = 0;
            return Ok(Step::On);
        }
        if seen.found.is_empty() && version.effective <= self.through {
            seen.until = Some(version.effective);
        }
        key.idle += 1;
        if key.idle < STRIDE {
            return Ok(Step::On);
        }
        key.idle = 0;
        let versions = VersionsOf::new(version.space, &seen.key);
        match wanted.first() {
            None => Ok(Step::Jump(versions.end())),
            Some(moment) => {
                if seen.found.is_empty() {
                    seen.until = first_after(self.rows, &versions, *moment, self.through)?;
                }
                Ok(Step::Jump(versions.at(*moment)))
            }
        }
    }
}

enum Step {
    On,
    Jump(Vec<u8>),
    Stop,
}

impl Seen {
    /// What was found at the moment with this index.
    pub(super) fn at(&mut self, index: usize) -> Option<Found> {
        self.found.get_mut(index).and_then(Option::take)
    }
}

fn found(version: &VersionRow<'_>, value: &[u8], values: WithValues) -> Result<Found> {
    let (content, value) = match VersionValue::decode(value)? {
        VersionValue::Deleted => (Holding::Nothing, None),
        VersionValue::Erased { .. } => (Holding::Erased, None),
        VersionValue::Put { hash, content_type, bytes } => {
            let content_type = stored_content_type(content_type)?;
            let content = Content { hash, content_type, bytes: bytes.len() as u64 };
            let value = match values {
                WithValues::Include => Some(Bytes::copy_from_slice(bytes)),
                WithValues::Omit => None,
            };
            (Holding::Value(content), value)
        }
    };
    Ok(Found { effective: version.effective, commit: version.sequence, content, value })
}
