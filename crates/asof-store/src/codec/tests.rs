use core::time::Duration;

use asof_time::Timestamp;

use super::rows::SpaceRecord;
use crate::{Erasable, ErrorKind, Retention, SpaceName, SpaceState};

fn space(every: Duration) -> SpaceRecord {
    SpaceRecord {
        name: SpaceName::new("s").unwrap(),
        state: SpaceState::Live { since: Timestamp::MIN },
        retention: Retention::Sparse { dense: Duration::from_secs(9), every },
        floor: Timestamp::MIN,
        sparse_since: Timestamp::MAX,
        erasable: Erasable::Yes,
    }
}

/// Retention divides by the interval: one of zero in a damaged row must not get that far.
#[test]
fn instants_that_are_no_distance_apart_are_refused() {
    let good = space(Duration::from_secs(1));
    assert_eq!(SpaceRecord::decode(&good.encode()).unwrap(), good);
    let error = SpaceRecord::decode(&space(Duration::ZERO).encode()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("no distance apart"), "{}", error.message());
}
