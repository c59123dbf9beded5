//! Which ranges of a file were written since it was last made durable.

use std::collections::BTreeMap;

/// Ranges are merged into their neighbours beyond this many, so that a long run of scattered
/// writes costs bounded memory. A merged gap is rewritten with the bytes it already has.
const EXTENTS_MAX: usize = 1_024;

/// A bounded set of byte ranges, each `[start, end)`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Extents(BTreeMap<u64, u64>);

impl Extents {
    /// Adds `[start, end)`, merging it with whatever it touches.
    pub(super) fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        while let Some((&before, &before_end)) = self.0.range(..=end).next_back() {
            if before_end < start {
                break;
            }
            self.0.remove(&before);
            start = start.min(before);
            end = end.max(before_end);
        }
        self.0.insert(start, end);
        if self.0.len() > EXTENTS_MAX {
            self.merge_around(start);
        }
    }

    /// The ranges, ascending and apart.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(&start, &end)| (start, end))
    }

    /// Joins the range that starts at `start` with a neighbour, gap included.
    fn merge_around(&mut self, start: u64) {
        let first = self.0.range(..start).next_back().map_or(start, |(&before, _)| before);
        let Some(first_end) = self.0.remove(&first) else {
            return;
        };
        let joined = self.0.range(first..).next().map(|(&next, &end)| (next, end));
        let end = joined.map_or(first_end, |(next, end)| {
            self.0.remove(&next);
            end.max(first_end)
        });
        self.0.insert(first, end);
    }
}

#[cfg(test)]
mod tests;
