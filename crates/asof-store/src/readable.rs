//! Which moments of a space can be read.

use asof_time::Timestamp;

use crate::codec::rows::SpaceRecord;
use crate::{Error, ErrorKind, Result, Retention};

/// The floor of a space and the instants kept below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Readable {
    floor: Timestamp,
    /// Distance of the instants in microseconds and from when on they are whole.
    instants: Option<(u64, Timestamp)>,
}

impl Readable {
    pub(crate) fn new(space: &SpaceRecord) -> Self {
        let instants = match space.retention {
            Retention::Sparse { every, .. } => {
                Some((every.as_secs().saturating_mul(1_000_000), space.sparse_since))
            }
            _ => None,
        };
        Self { floor: space.floor, instants }
    }

    pub(crate) fn floor(&self) -> Timestamp {
        self.floor
    }

    /// Refuses a moment that is no longer kept.
    pub(crate) fn check(&self, at: Timestamp) -> Result<()> {
        if at >= self.floor || self.is_instant(at) {
            return Ok(());
        }
        let floor = self.floor;
        let message = format!("as_of {at} is below the floor of the space, {floor}");
        Err(Error::new(ErrorKind::BelowFloor { floor }, message))
    }

    /// Whether `at` is one of the instants kept below the floor.
    pub(crate) fn is_instant(&self, at: Timestamp) -> bool {
        at < self.floor
            && self
                .instants
                .is_some_and(|(every, since)| at >= since && at.as_micros().is_multiple_of(every))
    }

    /// Whether a readable moment falls into `[from, until)`.
    pub(crate) fn reads(&self, from: Timestamp, until: Option<Timestamp>) -> bool {
        if until.is_none_or(|until| until > self.floor) {
            return true;
        }
        let Some((every, since)) = self.instants else {
            return false;
        };
        let first = from.max(since).as_micros().div_ceil(every).checked_mul(every);
        let first = first.and_then(Timestamp::from_micros);
        first.zip(until).is_some_and(|(first, until)| first < until)
    }
}
