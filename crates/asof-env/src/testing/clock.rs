//! A clock that is set by hand.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use asof_time::Timestamp;

use crate::{BootTime, Clock};

/// A clock that moves only when told to.
///
/// The wall clock and the boot-time clock move apart, as those of a machine do when someone sets
/// the time.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Now>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    wall: Timestamp,
    boot: BootTime,
}

impl ManualClock {
    /// A machine that booted at `wall`.
    pub const fn new(wall: Timestamp) -> Self {
        let boot = BootTime::new(Duration::ZERO);
        Self { now: Mutex::new(Now { wall, boot }) }
    }

    /// Moves the wall clock to `wall`, forwards or back, as an operator would.
    pub fn set_wall(&self, wall: Timestamp) {
        self.now().wall = wall;
    }

    /// Moves the boot-time clock alone by `duration`: the wall clock stood still meanwhile.
    pub fn advance_boot(&self, duration: Duration) {
        let mut now = self.now();
        now.boot = now.boot.after(duration);
    }

    /// Moves the wall clock alone by `duration`: someone set it ahead.
    pub fn advance_wall(&self, duration: Duration) {
        let mut now = self.now();
        now.wall = now.wall.saturating_add(duration);
    }

    /// Time passes: both clocks move by `duration`.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.now();
        now.wall = now.wall.saturating_add(duration);
        now.boot = now.boot.after(duration);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.now().wall
    }

    fn boot(&self) -> BootTime {
        self.now().boot
    }

    /// Returns at once, `duration` later.
    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}
