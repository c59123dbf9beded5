//! Who gets which timestamp, and what may be called closed.
//!
//! The sequencer is arithmetic over a handful of numbers: it touches neither clock nor disk. Its
//! invariant: `closed <= last`, `closed <= ceiling`, and nothing accepted from now on takes effect
//! at or below `last`.

use core::time::Duration;

use asof_time::limits::CEILING_AHEAD;
use asof_time::{Sequence, Timestamp};

use crate::{Error, ErrorKind, Result};

/// The state of assignment. Copied before a group of commits and put back if the group fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sequencer {
    /// The largest of the inherited ceiling, closed, and the last now-assigned timestamp.
    last: Timestamp,
    closed: Timestamp,
    /// The durable promise that closed was never published above it.
    ceiling: Timestamp,
    /// The last sequence given out.
    sequence: Sequence,
}

impl Sequencer {
    /// Takes over after a predecessor that may have published up to `ceiling`: all of that is
    /// closed, since every commit that it acknowledged is durable.
    pub(crate) fn resume(ceiling: Timestamp, sequence: Sequence) -> Self {
        Self { last: ceiling, closed: ceiling, ceiling, sequence }
    }

    pub(crate) fn last(&self) -> Timestamp {
        self.last
    }

    pub(crate) fn closed(&self) -> Timestamp {
        self.closed
    }

    pub(crate) fn ceiling(&self) -> Timestamp {
        self.ceiling
    }

    /// The last sequence given out.
    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    pub(crate) fn next_sequence(&mut self) -> Result<Sequence> {
        self.sequence = self
            .sequence
            .next()
            .ok_or_else(|| Error::unavailable("all sequence numbers of this store are used up"))?;
        Ok(self.sequence)
    }

    /// The timestamp of a commit for now.
    pub(crate) fn assign_now(&mut self, clock: Timestamp) -> Result<Timestamp> {
        let next = self.last.next().ok_or_else(|| {
            Error::unavailable("the last timestamp of all, in the year 2255, is used up")
        })?;
        self.last = clock.max(next);
        Ok(self.last)
    }

    /// Whether a commit may take effect at the future moment `at`.
    pub(crate) fn check_future(
        &self,
        at: Timestamp,
        clock: Timestamp,
        schedule_limit: Duration,
    ) -> Result<()> {
        if at <= self.last {
            return Err(Error::new(
                ErrorKind::InThePast { last: self.last },
                format!(
                    "effective time {at} is not above {}, the last one given out; ask for now or \
                     for a future time",
                    self.last
                ),
            ));
        }
        let furthest = clock.max(self.last).saturating_add(schedule_limit);
        if at > furthest {
            return Err(Error::invalid(format!(
                "effective time {at} is beyond the schedule limit of {} days, which ends at \
                 {furthest}",
                schedule_limit.as_secs() / 86_400
            )));
        }
        Ok(())
    }

    /// Whether a pending commit at `effective` may still be changed.
    pub(crate) fn check_pending(&self, effective: Timestamp) -> Result<()> {
        if effective <= self.last {
            return Err(Error::new(
                ErrorKind::InThePast { last: self.last },
                format!(
                    "the commit took effect at {effective}, which is not above {}: write a new \
                     commit instead",
                    self.last
                ),
            ));
        }
        Ok(())
    }

    /// The ceiling that must be durable before `upto` is published, where the present one is
    /// not high enough or nearly reached.
    pub(crate) fn ceiling_wanted(&self, upto: Timestamp) -> Option<Timestamp> {
        let wanted = upto.saturating_add(CEILING_AHEAD);
        // Each extension of an idle store is a sync of its own, so most of one is used up first.
        let reserve = upto.saturating_add(CEILING_AHEAD / 8);
        (self.ceiling < reserve && wanted > self.ceiling).then_some(wanted)
    }

    /// Notes that `ceiling` is durable.
    pub(crate) fn ceiling_is_durable(&mut self, ceiling: Timestamp) {
        self.ceiling = ceiling;
    }

    /// Publishes closed up to `upto`, and raises `last` with it in the same step. Every commit
    /// that touches a time at or below `upto` must be durable.
    ///
    /// # Panics
    ///
    /// Where `upto` is above the durable ceiling: a crash could then forget that it was closed.
    pub(crate) fn publish(&mut self, upto: Timestamp) {
        assert!(upto <= self.ceiling, "closed {upto} stays at or below ceiling {}", self.ceiling);
        self.closed = self.closed.max(upto);
        self.last = self.last.max(upto);
    }
}
