//! A month as a calendar shows it.

use core::time::Duration;

use asof_time::Timestamp;

/// Seconds of a day; there are no others in UTC as computers keep it.
const DAY: u64 = 86_400;

/// A day of the calendar, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day {
    /// Days since 1970.
    number: u64,
}

/// A month, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Month {
    year: u64,
    /// 1 to 12.
    month: u64,
}

impl Day {
    /// The day in which `at` lies.
    pub fn of(at: Timestamp) -> Self {
        Self { number: at.as_seconds() / DAY }
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        Timestamp::MIN.saturating_add(Duration::from_secs(self.number * DAY))
    }

    /// Which day of its month it is.
    pub fn of_month(self) -> u64 {
        civil(self.number).2
    }

    /// Whether it lies in `month`.
    pub fn is_in(self, month: Month) -> bool {
        let (year, of_year, _) = civil(self.number);
        (year, of_year) == (month.year, month.month)
    }
}

impl Month {
    /// The month in which `at` lies.
    pub fn of(at: Timestamp) -> Self {
        let (year, month, _) = civil(at.as_seconds() / DAY);
        Self { year, month }
    }

    /// `November 2026`.
    pub fn name(self) -> String {
        const NAMES: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let index = usize::try_from(self.month - 1).unwrap_or_default();
        format!("{} {}", NAMES.get(index).copied().unwrap_or_default(), self.year)
    }

    /// The days that its sheet shows: whole weeks from Monday to Sunday.
    pub fn weeks(self) -> Vec<[Day; 7]> {
        let first = self.first();
        // The first of January 1970 was a Thursday.
        let monday = first.saturating_sub((first + 3) % 7);
        let weeks = (0..6)
            .map(|week| core::array::from_fn(|day| Day { number: monday + week * 7 + day as u64 }));
        weeks.filter(|week: &[Day; 7]| week.iter().any(|day| day.is_in(self))).collect()
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        Day { number: self.first() }.begins()
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        }
    }

    /// The month before it; the first there is has none.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        match (self.year, self.month) {
            (1970, 1) => None,
            (year, 1) => Some(Self { year: year - 1, month: 12 }),
            (year, month) => Some(Self { year, month: month - 1 }),
        }
    }

    /// Its first day, in days since 1970: the inverse of [`civil`].
    fn first(self) -> u64 {
        let (year, month) = if self.month <= 2 {
            (self.year - 1, self.month + 9)
        } else {
            (self.year, self.month - 3)
        };
        let of_era = year % 400;
        let of_year = (153 * month + 2) / 5;
        year / 400 * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}

/// Year, month and day of the day `days` after the first of 1970, by the algorithm `civil_from_days`
/// of Howard Hinnant, for days that are not before that.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_the_weeks_of_its_month() {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let month = Month::of(at);
        assert_eq!(month.name(), "November 2026");
        let weeks = month.weeks();
        assert_eq!(weeks.len(), 6);
        assert_eq!(weeks[0][0].begins().to_string(), "2026-10-26T00:00:00Z");
        assert_eq!(weeks[0][6].of_month(), 1);
        assert!(weeks[4].contains(&Day::of(at)) && weeks[4][0] == Day::of(at));
        assert_eq!(month.next().name(), "December 2026");
        assert_eq!(month.next().next().previous(), Some(month.next()));
    }

    #[test]
    fn every_day_of_the_range_of_time_is_in_its_month() {
        let mut month = Month::of(Timestamp::MIN);
        assert_eq!(month.previous(), None);
        let mut day = 0;
        while month.begins() < Timestamp::MAX.saturating_sub(Duration::from_secs(40 * DAY)) {
            assert_eq!(month.begins(), Day { number: day }.begins());
            let mut of_month = 0;
            while (Day { number: day }).is_in(month) {
                of_month += 1;
                assert_eq!(Day { number: day }.of_month(), of_month);
                day += 1;
            }
            assert!((28..=31).contains(&of_month));
            month = month.next();
        }
    }
}
