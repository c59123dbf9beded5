//! Taking turns: both sides of a comparison are run in the same minute, on the same machine.

use core::time::Duration;

use asof_env::{BootTime, Clock as _, SystemClock};
use rustix::time::{ClockId, clock_gettime};

/// Whatever stops a benchmark. Nothing here is handled, only told.
pub(crate) type Result<T> = core::result::Result<T, Box<dyn core::error::Error + Send + Sync>>;

/// A number for arithmetic with ratios, where 53 bits are plenty.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and sizes of a benchmark are far below 2^53"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Now, for measuring spans.
pub(crate) fn now() -> BootTime {
    SystemClock.boot()
}

/// How long this thread is busy with `work`: what others do on the machine meanwhile is left
/// out. Right for work that never waits.
pub(crate) fn busy<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let busy_so_far = || -> Result<Duration> {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
    };
    let start = busy_so_far()?;
    let done = work()?;
    Ok((busy_so_far()?.saturating_sub(start), done))
}

/// How long the process `id` and its children were busy so far, in nanoseconds.
pub(crate) fn busy_nanos(id: u32) -> Result<u64> {
    let mut nanos = 0;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if process == id || parent_of(process) == Some(id) {
            nanos += threads_nanos(process).unwrap_or_default();
        }
    }
    Ok(nanos)
}

/// The fourth field of `stat`; the second, a name, may hold anything but ends at the last bracket.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn threads_nanos(process: u32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let each = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(each.sum())
}

/// How long `work` takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let start = now();
    let done = work()?;
    Ok((now().since(start), done))
}

/// Nanoseconds for each of `count` operations that took `span` together.
pub(crate) fn nanos_each(span: Duration, count: usize) -> f64 {
    span.as_secs_f64() * 1e9 / float(count.max(1) as u64)
}

/// Operations a second, of which `count` took `span`.
pub(crate) fn rate(span: Duration, count: usize) -> f64 {
    float(count as u64) / span.as_secs_f64().max(1e-9)
}

/// What each side measured, round by round.
#[derive(Clone, Default, Debug)]
pub(crate) struct Series {
    pub(crate) ours: Vec<f64>,
    pub(crate) peer: Vec<f64>,
}

/// Runs `ours` and `peer` in turn: once to warm up, then `rounds` times.
pub(crate) fn alternate(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut peer: impl FnMut() -> Result<f64>,
) -> Result<Series> {
    let mut series = Series::default();
    ours()?;
    peer()?;
    for _ in 0..rounds {
        series.ours.push(ours()?);
        series.peer.push(peer()?);
    }
    Ok(series)
}

/// Middle, smallest and largest of some figures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of no figures it is not a number.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(last.div_ceil(2))),
            min: at(0),
            max: at(last),
        }
    }
}

impl Series {
    /// Ours over the peer's, of the same round.
    pub(crate) fn ratios(&self) -> Spread {
        Spread::of(self.ours.iter().zip(&self.peer).map(|(a, b)| a / b))
    }
}

/// Numbers that look random and are the same in every run (a linear congruential generator,
/// with the constants of Knuth's MMIX).
#[derive(Clone, Debug)]
pub(crate) struct Shuffle(u64);

impl Shuffle {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}
