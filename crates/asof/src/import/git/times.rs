//! From committer times, which may say anything, to moments a store accepts.

use core::fmt;

use asof_time::Timestamp;

/// Says that there are fewer microseconds than commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoomError {
    commits: usize,
    room_micros: u64,
}

impl fmt::Display for NoRoomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commits do not fit into the {} microseconds up to now; is the clock right?",
            self.commits, self.room_micros
        )
    }
}

/// The moment of each commit, given its committer time in `seconds`, oldest first.
///
/// The moments are strictly increasing, after `after` (where commits of the same history were
/// given moments before) and at most `now`. Git promises none of this, so:
///
/// 1. A time before 1970 is read as 1970.
/// 2. A time ahead of `now` cannot be right. It is read as that of the next commit which is not
///    ahead, or as `now` where none follows. Taking `now` in every case would let one commit from
///    the year 2100 push all that follow it to this very second.
/// 3. Where times repeat or run backwards, a commit is pushed up to a microsecond after the one
///    before it.
/// 4. Where that passes `now`, the last commits are pulled down just as far as needed: the last
///    to `now`, the one before it to a microsecond earlier, and so on.
///
/// # Errors
///
/// [`NoRoomError`] if there are more commits than microseconds after `after` up to `now`.
pub(crate) fn assign_times(
    seconds: impl IntoIterator<Item = i64>,
    after: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Timestamp>, NoRoomError> {
    let mut micros: Vec<u64> = seconds.into_iter().map(saturating_micros).collect();
    let now = now.as_micros();
    let first = after.map_or(0, |after| after.as_micros() + 1);

    let room_micros = (now + 1).saturating_sub(first);
    if micros.len() as u64 > room_micros {
        return Err(NoRoomError { commits: micros.len(), room_micros });
    }

    let mut next_not_ahead = now;
    for time in micros.iter_mut().rev() {
        if *time > now {
            *time = next_not_ahead;
        }
        next_not_ahead = *time;
    }

    let mut earliest = first;
    for time in &mut micros {
        *time = (*time).max(earliest);
        earliest = *time + 1;
    }

    // The smaller of two strictly increasing sequences, at each place, is strictly increasing. The
    // room checked above keeps `latest` at `first` or later.
    let mut latest = now;
    for time in micros.iter_mut().rev() {
        if *time <= latest {
            break;
        }
        *time = latest;
        latest = latest.saturating_sub(1);
    }

    Ok(micros
        .into_iter()
        .map(|time| Timestamp::from_micros(time).expect("at most `now`, which is a timestamp"))
        .collect())
}

fn saturating_micros(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use asof_time::Timestamp;
    use proptest::prelude::*;

    use super::assign_times;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros).expect("in range")
    }

    fn micros_of(seconds: &[i64], after: Option<u64>, now: u64) -> Vec<u64> {
        assign_times(seconds.iter().copied(), after.map(at), at(now))
            .expect("enough room")
            .into_iter()
            .map(Timestamp::as_micros)
            .collect()
    }

    #[test]
    fn orderly_times_stay() {
        let times = micros_of(&[1, 2, 5], None, 9_000_000);
        assert_eq!(times, [1_000_000, 2_000_000, 5_000_000]);
    }

    #[test]
    fn equal_and_backward_times_are_pushed_up() {
        let times = micros_of(&[3, 3, 1, -7, 4], None, 9_000_000);
        assert_eq!(times, [3_000_000, 3_000_001, 3_000_002, 3_000_003, 4_000_000]);
    }

    #[test]
    fn a_time_ahead_of_now_takes_that_of_the_next_commit() {
        let times = micros_of(&[1, i64::MAX, 5, 6], None, 9_000_000);
        assert_eq!(times, [1_000_000, 5_000_000, 5_000_001, 6_000_000]);
    }

    #[test]
    fn the_tail_is_pulled_down_to_now() {
        let times = micros_of(&[1, 9, 9, 10], None, 9_000_000);
        assert_eq!(times, [1_000_000, 8_999_998, 8_999_999, 9_000_000]);
    }

    #[test]
    fn a_later_import_stays_after_the_earlier_one() {
        let times = micros_of(&[1, 8], Some(5_000_000), 9_000_000);
        assert_eq!(times, [5_000_001, 8_000_000]);
    }

    #[test]
    fn more_commits_than_microseconds_are_refused() {
        assert_eq!(micros_of(&[0, 0, 0], None, 2), [0, 1, 2]);
        let error = assign_times([0; 4], None, at(2)).expect_err("no room");
        assert!(error.to_string().contains("4 commits"), "{error}");
        assert!(assign_times([0], Some(at(2)), at(2)).is_err());
        assert!(assign_times([0], Some(at(3)), at(2)).is_err());
        assert_eq!(assign_times([], Some(at(3)), at(2)), Ok(vec![]));
    }

    fn seconds() -> impl Strategy<Value = i64> {
        prop_oneof![0..20_i64, any::<i64>()]
    }

    proptest! {
        #[test]
        fn moments_increase_and_never_pass_now(
            seconds in prop::collection::vec(seconds(), 0..40),
            after in prop::option::of(0..12_000_000_u64),
            now in 12_000_050..20_000_000_u64,
        ) {
            let times = assign_times(seconds.iter().copied(), after.map(at), at(now))
                .expect("enough room");
            prop_assert_eq!(times.len(), seconds.len());
            prop_assert!(times.iter().zip(times.iter().skip(1)).all(|(a, b)| a < b));
            prop_assert!(times.iter().all(|&time| time <= at(now)));
            if let (Some(&first), Some(after)) = (times.first(), after) {
                prop_assert!(first > at(after));
            }
        }

        #[test]
        fn a_resumed_import_agrees_with_a_whole_one(
            seconds in prop::collection::vec(0..12_i64, 1..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let now = at(12_000_050);
            let whole = assign_times(seconds.iter().copied(), None, now).expect("enough room");
            let cut = cut.index(seconds.len());
            let rest = assign_times(seconds[cut + 1..].iter().copied(), Some(whole[cut]), now);
            prop_assert_eq!(rest.expect("enough room"), &whole[cut + 1..]);
        }
    }
}
