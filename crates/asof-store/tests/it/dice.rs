//! Choices of a random run: from a seed, or from the bytes that a fuzzer hands in.

use asof_env::testing::SeededRandom;

/// Seeds a test runs, unless `ASOF_TEST_SEEDS` says otherwise.
const SEEDS_DEFAULT: u64 = 8;

/// A source of choices. The same source gives the same run.
#[derive(Debug)]
pub(crate) enum Dice {
    Seed(SeededRandom),
    Bytes(std::vec::IntoIter<u8>),
}

impl Dice {
    pub(crate) fn seed(seed: u64) -> Self {
        Self::Seed(SeededRandom::new(seed))
    }

    /// A number in `[0, limit)`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        match self {
            Self::Seed(random) => random.below(limit),
            Self::Bytes(bytes) => {
                let number = (0..2)
                    .fold(0, |number, _| number << 8 | u64::from(bytes.next().unwrap_or_default()));
                number.checked_rem(limit).unwrap_or_default()
            }
        }
    }

    /// One time in `n`.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }
}

/// Runs `story` for each seed. One that fails prints the command that replays it.
pub(crate) fn for_each_seed(test: &str, story: impl Fn(u64)) {
    for_seeds(test, 1, story);
}

/// As [`for_each_seed`], with only one in `share` of the usual number of seeds.
pub(crate) fn for_seeds(test: &str, share: u64, story: impl Fn(u64)) {
    if let Some(seed) = number("ASOF_TEST_SEED") {
        return story(seed);
    }
    let seeds = number("ASOF_TEST_SEEDS").unwrap_or(SEEDS_DEFAULT);
    for seed in 0..seeds.div_ceil(share) {
        let replay = Replay { test, seed };
        story(seed);
        drop(replay);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says on the way out of a panic how to get there again.
struct Replay<'a> {
    test: &'a str,
    seed: u64,
}

impl Drop for Replay<'_> {
    #[expect(clippy::print_stderr, reason = "a test says how to replay itself")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { test, seed } = self;
            eprintln!("replay: ASOF_TEST_SEED={seed} cargo test -p asof-store --test it {test}");
        }
    }
}
