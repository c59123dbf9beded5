//! How a store behaves.

use core::time::Duration;
use std::sync::Arc;

use asof_env::{Clock, Random, SystemClock, SystemRandom};
use asof_time::limits;

/// The settings of a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
    /// Largest value, in bytes.
    pub value_bytes_max: usize,
    /// How far ahead a commit may be scheduled.
    pub schedule_limit: Duration,
    /// How often closed moves when nothing is written.
    pub idle_tick: Duration,
    /// A jump of the wall clock past which the running store turns read-only.
    pub clock_jump_limit: Duration,
    /// A distance of the wall clock from the stored history past which a store starts read-only.
    pub clock_start_limit: Duration,
    /// Memory for pages of the store file, in bytes.
    pub cache_bytes: usize,
    /// How often retention looks for history to drop.
    pub retention_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            value_bytes_max: limits::VALUE_BYTES_MAX_DEFAULT,
            schedule_limit: limits::SCHEDULE_LIMIT_DEFAULT,
            idle_tick: limits::IDLE_TICK_DEFAULT,
            clock_jump_limit: limits::CLOCK_JUMP_LIMIT_DEFAULT,
            clock_start_limit: limits::CLOCK_START_LIMIT_DEFAULT,
            cache_bytes: 128 << 20,
            retention_interval: Duration::from_mins(10),
        }
    }
}
