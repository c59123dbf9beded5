//! Over which interval an answer is true.

use core::cmp::Ordering;
use core::fmt;

use crate::Timestamp;

/// The half-open interval `[from, until)` over which an answer is true.
///
/// While `until` is not known the interval is *open*: known true `through` a
/// timestamp, that one included, and perhaps longer. An interval always holds at
/// least one moment.
///
/// # Examples
///
/// ```
/// use asof_time::{Timestamp, Validity};
/// let t = |micros| Timestamp::from_micros(micros).unwrap();
/// let price = Validity::until(t(10), t(20)).unwrap();
/// let stock = Validity::through(t(15), t(30)).unwrap();
/// // A page made of both is true where both are.
/// assert_eq!(price.intersect(stock), Validity::until(t(15), t(20)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Validity {
    from: Timestamp,
    end: End,
}

/// How a [`Validity`] ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// The answer changes at this moment: the first one that is not in the interval.
    Until(Timestamp),
    /// The answer is known true up to and including this moment; no more is known.
    Through(Timestamp),
}

impl End {
    /// The last moment known to be inside.
    ///
    /// An `Until` at [`Timestamp::MIN`] ends no interval, so [`Validity`] never holds one.
    fn last(self) -> Timestamp {
        match self {
            Self::Until(until) => until.prev().unwrap_or(Timestamp::MIN),
            Self::Through(through) => through,
        }
    }
}

impl Validity {
    /// True from `from` until just before `until`; `None` if that is no moment at all.
    pub fn until(from: Timestamp, until: Timestamp) -> Option<Self> {
        (from < until).then_some(Self { from, end: End::Until(until) })
    }

    /// True from `from` and known true through `through`; `None` if `through` is before `from`.
    pub fn through(from: Timestamp, through: Timestamp) -> Option<Self> {
        (from <= through).then_some(Self { from, end: End::Through(through) })
    }

    /// True at `moment`, and nothing is claimed of any other.
    pub fn instant(moment: Timestamp) -> Self {
        let end = moment.next().map_or(End::Through(moment), End::Until);
        Self { from: moment, end }
    }

    /// The first moment at which the answer is true.
    pub fn from(self) -> Timestamp {
        self.from
    }

    /// How it ends.
    pub fn end(self) -> End {
        self.end
    }

    /// The last moment at which the answer is known to be true.
    pub fn last(self) -> Timestamp {
        self.end.last()
    }

    /// Whether the end is still to be found out.
    pub fn is_open(self) -> bool {
        matches!(self.end, End::Through(_))
    }

    /// Whether the answer is known to be true at `moment`.
    pub fn contains(self, moment: Timestamp) -> bool {
        self.from <= moment && moment <= self.last()
    }

    /// Where both are true: the validity of an answer made of the two. `None` if nowhere.
    ///
    /// A known end survives only if the other side is known to reach it.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let end = match self.last().cmp(&other.last()) {
            Ordering::Less => self.end,
            Ordering::Greater => other.end,
            Ordering::Equal => self.certain_end(other),
        };
        (from <= end.last()).then_some(Self { from, end })
    }

    /// Whether the two overlap or one begins where the other ends, so that no moment lies
    /// between them.
    pub fn touches(self, other: Self) -> bool {
        let (first, second) = if self.from <= other.from { (self, other) } else { (other, self) };
        first.last().next().is_none_or(|after| second.from <= after)
    }

    /// One interval for the same answer seen over both; `None` if a moment lies between them,
    /// in which the answer may have been another.
    #[must_use]
    pub fn join(self, other: Self) -> Option<Self> {
        if !self.touches(other) {
            return None;
        }
        let end = match self.last().cmp(&other.last()) {
            Ordering::Less => other.end,
            Ordering::Greater => self.end,
            Ordering::Equal => self.certain_end(other),
        };
        Some(Self { from: self.from.min(other.from), end })
    }

    /// Of two ends with the same last moment, the one that says more.
    fn certain_end(self, other: Self) -> End {
        if self.is_open() { other.end } else { self.end }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Until(until) => write!(f, "from {} until {until}", self.from),
            End::Through(through) => write!(f, "from {} through {through}", self.from),
        }
    }
}

impl fmt::Debug for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Until(until) => write!(f, "[{:?}, {until:?})", self.from),
            End::Through(through) => write!(f, "[{:?}, {through:?}..]", self.from),
        }
    }
}
