//! How densely changes lie in time, kept as counts so that no page has to walk the log.
//!
//! Counts are kept at several widths, each four times the one below, and at each width only for
//! the newest stretch: recent changes are known finely, old ones coarsely, and all of it fits in a
//! few hundred kilobytes however long the log is. A window is drawn from the finest width that
//! still reaches back to its beginning.

use core::time::Duration;
use std::collections::BTreeMap;

use asof_time::Timestamp;

/// Width of the finest count, in microseconds: a second.
const FINEST: u64 = 1_000_000;

/// Each width is so many times the one below it.
const STEP: u64 = 4;

/// The coarsest width is 4^13 s, about two years: the whole range of time has 134 of them.
const WIDTHS: u32 = 14;

/// Counts kept at one width. Empty ones take no place.
const KEPT: usize = 1_024;

/// The shortest stretch that is shown, so that a first commit has some ground to stand on.
const SHORTEST: Duration = Duration::from_mins(1);

/// Bars of one picture.
pub const BARS: u64 = 160;

/// Counts of changes over time.
#[derive(Clone, Debug)]
pub struct Density {
    levels: Vec<Level>,
}

#[derive(Clone, Debug)]
struct Level {
    width: u64,
    counts: BTreeMap<u64, u64>,
    /// Below this count nothing is known any more at this width.
    whole_from: u64,
}

impl Default for Density {
    fn default() -> Self {
        let level = |power| Level {
            width: FINEST * STEP.pow(power),
            counts: BTreeMap::new(),
            whole_from: 0,
        };
        Self { levels: (0..WIDTHS).map(level).collect() }
    }
}

impl Density {
    /// Counts `changes` at `at`.
    pub fn add(&mut self, at: Timestamp, changes: u64) {
        for level in &mut self.levels {
            level.add(at.as_micros(), changes);
        }
    }

    /// The counts in `[from, to)`, at most [`BARS`] of them, in order, none of them empty.
    pub fn bars(&self, from: Timestamp, to: Timestamp) -> Vec<Bar> {
        let (from, to) = (from.as_micros(), to.as_micros());
        let Some(level) = self.levels.iter().find(|level| level.covers(from, to)) else {
            return Vec::new();
        };
        let bars = level.counts.range(from / level.width..=to / level.width);
        bars.map(|(bucket, changes)| {
            let begin = bucket * level.width;
            Bar { from: moment(begin), to: moment(begin + level.width), changes: *changes }
        })
        .collect()
    }
}

fn moment(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}

impl Level {
    fn add(&mut self, at: u64, changes: u64) {
        let bucket = at / self.width;
        if bucket < self.whole_from {
            return;
        }
        let count = self.counts.entry(bucket).or_insert(0);
        *count = count.saturating_add(changes);
        if self.counts.len() > KEPT
            && let Some((oldest, _)) = self.counts.pop_first()
        {
            self.whole_from = oldest + 1;
        }
    }

    /// Whether it knows all from `from` to `to`, in few enough bars.
    fn covers(&self, from: u64, to: u64) -> bool {
        from / self.width >= self.whole_from && (to / self.width) - (from / self.width) < BARS
    }
}

/// Changes in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends, which is no part of it.
    pub to: Timestamp,
    /// How many.
    pub changes: u64,
}

/// How much of time the slider covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// Ten minutes.
    Minutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Seven days.
    Week,
    /// 31 days.
    Month,
    /// 366 days.
    Year,
    /// From the floor on.
    All,
}

impl Window {
    /// All of them, the narrowest first.
    pub const EACH: [Self; 7] =
        [Self::Minutes, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year, Self::All];

    /// Its name in URLs and on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::All => "all",
        }
    }

    /// How long it is; `None` for all there is.
    pub const fn length(self) -> Option<Duration> {
        match self {
            Self::Minutes => Some(Duration::from_mins(10)),
            Self::Hour => Some(Duration::from_hours(1)),
            Self::Day => Some(Duration::from_hours(24)),
            Self::Week => Some(Duration::from_hours(7 * 24)),
            Self::Month => Some(Duration::from_hours(31 * 24)),
            Self::Year => Some(Duration::from_hours(366 * 24)),
            Self::All => None,
        }
    }

    /// The one that a page has unless it is asked for another: all there is, or of a long history
    /// the newest month, in which most of what is looked for happened.
    pub fn fitting(first: Timestamp, closed: Timestamp) -> Self {
        let month = Self::Month.length().unwrap_or_default();
        if closed.since(first) <= month { Self::All } else { Self::Month }
    }

    /// The stretch that it shows: up to `closed` where `shown` lies in that, else with `shown` in
    /// its middle. Never before `first`, where history begins.
    pub fn stretch(
        self,
        shown: Timestamp,
        first: Timestamp,
        closed: Timestamp,
    ) -> (Timestamp, Timestamp) {
        let first = first.min(closed.saturating_sub(SHORTEST));
        let Some(length) = self.length() else {
            return (first, closed);
        };
        let from = closed.saturating_sub(length);
        if shown >= from {
            return (from, closed);
        }
        let from = shown.saturating_sub(length / 2).max(first.min(shown));
        (from, from.saturating_add(length).min(closed))
    }
}

impl core::str::FromStr for Window {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::EACH.into_iter().find(|window| window.as_str() == text);
        found.ok_or("a window is minutes, hour, day, week, month, year or all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn recent_changes_are_known_finely_and_old_ones_coarsely() {
        let mut density = Density::default();
        // Three days, a change a second.
        let base = 1_700_000_000;
        for second in 0..259_200 {
            density.add(at(base + second), 1);
        }
        let end = base + 259_200;
        let minute = density.bars(at(end - 60), at(end));
        assert_eq!(minute.len(), 60);
        assert!(minute.iter().all(|bar| bar.changes == 1));
        let all = density.bars(at(base), at(end));
        assert!((40..=160).contains(&all.len()), "{}", all.len());
        assert_eq!(all.iter().map(|bar| bar.changes).sum::<u64>(), 259_200);
        // An old minute is known only as part of something wider.
        let old = density.bars(at(base), at(base + 60));
        assert!(!old.is_empty());
        assert!(old.iter().all(|bar| bar.changes > 60), "{old:?}");
    }

    #[test]
    fn memory_is_bounded_whatever_the_log_holds() {
        let mut density = Density::default();
        for step in 0..20_000 {
            density.add(at(step * 100_000), 1);
        }
        density.add(Timestamp::MAX, 1);
        let kept: usize = density.levels.iter().map(|level| level.counts.len()).sum();
        assert!(kept <= KEPT * WIDTHS as usize);
        assert!(!density.bars(Timestamp::MIN, Timestamp::MAX).is_empty());
    }

    #[test]
    fn what_comes_late_is_counted_where_it_belongs() {
        let mut density = Density::default();
        density.add(at(100), 2);
        density.add(at(50), 3);
        let bars = density.bars(at(0), at(120));
        let counts: Vec<_> = bars.iter().map(|bar| (bar.from, bar.changes)).collect();
        assert_eq!(counts, [(at(50), 3), (at(100), 2)]);
    }

    #[test]
    fn a_short_history_is_shown_whole() {
        let (day, closed) = (86_400_u64, at(1_800_000_000));
        let fitting = |days| Window::fitting(at(1_800_000_000 - days * day), closed);
        assert_eq!(
            [fitting(0), fitting(31), fitting(32)],
            [Window::All, Window::All, Window::Month]
        );
        let (from, to) = Window::All.stretch(closed, closed, closed);
        assert_eq!((to, to.since(from)), (closed, SHORTEST));
    }

    #[test]
    fn a_window_holds_what_it_shows() {
        let (closed, first) = (at(10_000_000), at(1_000));
        assert_eq!(Window::Hour.stretch(closed, first, closed), (at(9_996_400), closed));
        let (from, to) = Window::Hour.stretch(at(5_000_000), first, closed);
        assert!(from < at(5_000_000) && at(5_000_000) < to);
        assert_eq!(to.since(from), Duration::from_hours(1));
        assert_eq!(Window::Hour.stretch(at(1_000), first, closed).0, first);
        assert_eq!(Window::All.stretch(at(5), first, closed), (first, closed));
        for window in Window::EACH {
            assert_eq!(window.as_str().parse(), Ok(window));
        }
    }
}
