//! What time it is, by two clocks.

use core::fmt::Debug;
use core::time::Duration;

use asof_time::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Time since the machine booted, sleep included. Nobody can set it, so it is what the wall
/// clock is held against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BootTime(Duration);

impl BootTime {
    /// The moment `since_boot` after the machine booted.
    pub const fn new(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// How long after `earlier`; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// `later` after this moment.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// A source of time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock. It may be wrong and may jump.
    fn wall(&self) -> Timestamp;

    /// The boot-time clock. It only goes forward.
    fn boot(&self) -> BootTime;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);
}

/// The clocks of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        let now = clock_gettime(ClockId::Realtime);
        // A clock set before 1970 or past 2255 reads as the end of the range; the guards of the
        // store refuse it there.
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec))
        else {
            return Timestamp::MIN;
        };
        let micros = seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
    }

    fn boot(&self) -> BootTime {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        BootTime(Duration::new(seconds, nanos))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the crate that may sleep")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}
