//! Holds the wall clock against the boot-time clock, which nobody can set.

use core::time::Duration;

use asof_env::{BootTime, Clock};
use asof_time::Timestamp;

/// Notices that the wall clock jumped between two looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockGuard {
    limit: Duration,
    wall: Timestamp,
    boot: BootTime,
}

/// What the clock says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// It went on as the boot-time clock did.
    Steady(Timestamp),
    /// It moved by more than the limit against the boot-time clock, from where it should be.
    Jumped { expected: Timestamp, found: Timestamp },
}

impl ClockGuard {
    pub(crate) fn new(clock: &dyn Clock, limit: Duration) -> Self {
        Self { limit, wall: clock.wall(), boot: clock.boot() }
    }

    /// Looks at the clocks. A steady reading becomes what the next one is held against, so that
    /// slow correction of the clock over days is no jump; after a jump the old one stays.
    pub(crate) fn read(&mut self, clock: &dyn Clock) -> Reading {
        let (wall, boot) = (clock.wall(), clock.boot());
        let expected = self.wall.saturating_add(boot.since(self.boot));
        if wall.since(expected).max(expected.since(wall)) > self.limit {
            return Reading::Jumped { expected, found: wall };
        }
        (self.wall, self.boot) = (wall, boot);
        Reading::Steady(wall)
    }
}
