use asof_store::{Error, ErrorKind};
use asof_time::{Epoch, Timestamp};

use super::Refusal;

/// Every kind of the store keeps its name on the wire, has an error status, and carries its
/// bound.
#[test]
fn kinds_keep_their_names_and_bounds() {
    let at = Timestamp::MAX;
    let epoch = Epoch::from_random(7);
    for (kind, status, bound) in [
        (ErrorKind::Invalid, 400, None),
        (ErrorKind::UnknownSpace, 404, None),
        (ErrorKind::StillImporting, 409, None),
        (ErrorKind::NotFound, 404, None),
        (ErrorKind::Conflict, 409, None),
        (ErrorKind::InThePast { last: at }, 409, Some("last")),
        (ErrorKind::NotYetClosed { closed: at }, 409, Some("closed")),
        (ErrorKind::BelowFloor { floor: at }, 410, Some("floor")),
        (ErrorKind::AboveCap { cap: at }, 409, Some("cap")),
        (ErrorKind::Erased, 410, None),
        (ErrorKind::WrongEpoch { epoch }, 409, Some("epoch")),
        (ErrorKind::TooLarge { limit: 9 }, 413, Some("limit")),
        (ErrorKind::Unavailable, 503, None),
        (ErrorKind::Corrupt, 500, None),
    ] {
        let mut refusal = Refusal::from(Error::new(kind, "because"));
        assert_eq!(refusal.name().as_str(), kind.as_str());
        let json = serde_json::to_value(refusal.problem_mut()).unwrap();
        assert_eq!(json["detail"], "because");
        for name in ["last", "closed", "floor", "cap", "epoch", "limit"] {
            assert_eq!(json.get(name).is_some(), bound == Some(name), "{kind:?}");
        }
        let response = refusal.into_response();
        assert_eq!(response.status(), status, "{kind:?}");
        let waits = matches!(status, 503) || matches!(kind, ErrorKind::NotYetClosed { .. });
        assert_eq!(response.headers().contains_key("retry-after"), waits);
    }
}
