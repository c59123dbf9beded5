//! Choices that a number repeats.

use asof_env::testing::SeededRandom;

/// A source of choices.
#[derive(Debug)]
pub(crate) struct Seed(SeededRandom);

impl Seed {
    pub(crate) fn new(number: u64) -> Self {
        Self(SeededRandom::new(number))
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// True once in `times`.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }
}
