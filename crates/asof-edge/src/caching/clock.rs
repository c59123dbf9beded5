//! Wall time as an input: what a route that declares it is shown, and for how long that holds.

use asof_cache::Call;
use asof_time::{Timestamp, Validity};
use jiff::tz::TimeZone;
use jiff::{RoundMode, ToSpan, Unit, Zoned, ZonedRound};

use crate::config::{Bucket, TimeInput, Zone};
use crate::problem::{Problem, ProblemKind};

/// What a service is shown of the time, and over which stretch it is shown that.
type Shown = (Option<String>, Option<Validity>);

/// What is shown at `at`.
///
/// # Errors
///
/// Where the zone, which may come from a state value, is none.
pub(crate) fn shown(time: &TimeInput, at: Timestamp, call: &Call) -> Result<Shown, Problem> {
    match time {
        TimeInput::None => Ok((None, None)),
        TimeInput::Exact => Ok((Some(at.to_string()), Some(Validity::instant(at)))),
        TimeInput::Bucket(bucket, zone) => {
            let name = match zone {
                Zone::Named(name) => name.as_str(),
                Zone::FromState(state) => {
                    let value = call.state.iter().find(|(name, _)| **name == *state.as_str());
                    value.map_or("UTC", |(_, value)| value)
                }
            };
            let (text, validity) = unit(*bucket, name, at).ok_or_else(|| {
                let detail = format!(
                    "`{}` is no time zone, or the year is out of range",
                    name.escape_debug()
                );
                Problem::new(ProblemKind::Malformed, detail)
            })?;
            Ok((Some(text), Some(validity)))
        }
    }
}

/// The unit that `at` falls into: when it began, and over which stretch it lasts.
fn unit(bucket: Bucket, zone: &str, at: Timestamp) -> Option<(String, Validity)> {
    let micros = i64::try_from(at.as_micros()).ok()?;
    let zone = TimeZone::get(zone).ok()?;
    let now = jiff::Timestamp::from_microsecond(micros).ok()?.to_zoned(zone);
    let down = |unit| now.round(ZonedRound::new().smallest(unit).mode(RoundMode::Trunc)).ok();
    let (start, span) = match bucket {
        Bucket::Year => (now.first_of_year().ok()?.start_of_day().ok()?, 1.year()),
        Bucket::Month => (now.first_of_month().ok()?.start_of_day().ok()?, 1.month()),
        Bucket::Day => (now.start_of_day().ok()?, 1.day()),
        Bucket::Hour => (down(Unit::Hour)?, 1.hour()),
        Bucket::Minute => (down(Unit::Minute)?, 1.minute()),
    };
    let end = start.checked_add(span).ok()?;
    // The last unit ends after the last moment there is.
    let validity = match moment(&end) {
        Timestamp::MAX => Validity::through(moment(&start), Timestamp::MAX),
        end => Validity::until(moment(&start), end),
    }?;
    let text = start.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    Some((text, validity)).filter(|(_, validity)| validity.contains(at))
}

fn moment(zoned: &Zoned) -> Timestamp {
    let micros = u64::try_from(zoned.timestamp().as_microsecond()).unwrap_or_default();
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
