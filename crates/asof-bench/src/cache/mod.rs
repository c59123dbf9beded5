//! The core of the edge: what an entry costs, and what it costs to ask for one.

mod fill;
mod memory;
mod speed;

pub(crate) use memory::memory_here;

use crate::measure::Result;
use crate::report::Report;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Entries whose memory is measured.
    pub(crate) entries: u64,
    /// Entries that are asked for.
    pub(crate) asked: u64,
    /// Entries of the map whose probes are the measure of speed.
    pub(crate) map: u64,
}

/// Memory of an entry and of an input; time of a hit and of a verification.
pub(crate) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    memory::run(report, effort)?;
    speed::run(report, effort)
}
