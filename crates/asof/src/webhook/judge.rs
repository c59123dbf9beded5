//! What an answer means, and how long to wait after a failure.

use core::time::Duration;

use http::StatusCode;

/// How long to wait after the first failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// How long to wait at most, however often it failed.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// What an answer means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// The message was taken.
    Taken,
    /// It is sent again.
    Again,
    /// Whoever was told wants nothing more: 410, as Standard Webhooks has it.
    Gone,
}

/// What an answer with `status` means.
pub(crate) fn judge(status: StatusCode) -> Verdict {
    match status {
        StatusCode::GONE => Verdict::Gone,
        status if status.is_success() => Verdict::Taken,
        _ => Verdict::Again,
    }
}

/// How long to wait after so many failures on end: twice as long each time, with up to half of it
/// left out by the number drawn, so that several do not come back at the same time.
pub(crate) fn pause(failures: u32, drawn: u64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let whole = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
    let half = whole / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(drawn % spread.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_taken_and_only_410_ends_it() {
        for (status, verdict) in [
            (200, Verdict::Taken),
            (204, Verdict::Taken),
            (301, Verdict::Again),
            (400, Verdict::Again),
            (404, Verdict::Again),
            (410, Verdict::Gone),
            (500, Verdict::Again),
        ] {
            assert_eq!(judge(StatusCode::from_u16(status).unwrap()), verdict, "{status}");
        }
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_never_nothing() {
        assert_eq!(pause(1, 0), Duration::from_millis(500));
        assert_eq!(pause(1, 500), Duration::from_secs(1));
        assert_eq!(pause(4, 0), Duration::from_secs(4));
        for failures in [1, 9, 10, 40, u32::MAX] {
            for drawn in [0, 1, 12_345, u64::MAX] {
                let pause = pause(failures, drawn);
                assert!((PAUSE_MIN / 2..=PAUSE_MAX).contains(&pause), "{failures}: {pause:?}");
            }
        }
    }
}
