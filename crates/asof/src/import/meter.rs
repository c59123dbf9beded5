//! How far an import has come: a bar where somebody watches, else a line now and then.

use core::time::Duration;

use asof_env::{BootTime, Clock, SystemClock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::human;
use crate::output::Output;

/// How often a line is written where no bar can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Total {
    /// So many commits are to come.
    Commits(u64),
    /// So many bytes are to be read; `None` where nobody knows.
    Bytes(Option<u64>),
}

/// How far an import has come.
#[derive(Debug)]
pub(crate) struct Meter {
    bar: ProgressBar,
    total: Total,
    started: BootTime,
    /// When the last line was written; `None` where there are none.
    last_line: Option<BootTime>,
}

impl Meter {
    /// Starts now.
    pub(crate) fn start(total: Total, out: &Output) -> Self {
        let target = if out.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let (length, template) = match total {
            Total::Commits(commits) => (
                Some(commits),
                "{wide_bar} {human_pos} of {human_len} commits, {per_sec}, {eta} left",
            ),
            Total::Bytes(Some(bytes)) => (
                Some(bytes),
                "{wide_bar} {binary_bytes} of {binary_total_bytes}, {msg}, {eta} left",
            ),
            Total::Bytes(None) => (None, "{spinner} {binary_bytes}, {msg}"),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let started = SystemClock.boot();
        Self {
            bar: ProgressBar::with_draw_target(length, target).with_style(style),
            total,
            started,
            last_line: (!out.shows_progress() && !out.is_json()).then_some(started),
        }
    }

    /// The source was read up to `position`, which made `commits`.
    pub(crate) fn reach(&mut self, position: u64, commits: u64, out: &mut Output) {
        self.bar.set_message(format!(
            "{} commits, {}/s",
            human::count(commits),
            human::count(rate(commits, self.elapsed()))
        ));
        self.bar.set_position(position);
        let now = SystemClock.boot();
        if let Some(last) = self.last_line
            && now.since(last) >= LINE_INTERVAL
        {
            self.last_line = Some(now);
            out.note(&self.line(position, commits));
        }
    }

    /// Since it started.
    pub(crate) fn elapsed(&self) -> Duration {
        SystemClock.boot().since(self.started)
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, position: u64, commits: u64) -> String {
        let elapsed = self.elapsed();
        let (of, total) = match self.total {
            Total::Commits(total) => (String::new(), Some(total)),
            Total::Bytes(Some(total)) => {
                (format!(" ({} of {})", human::size(position), human::size(total)), Some(total))
            }
            Total::Bytes(None) => (format!(" ({})", human::size(position)), None),
        };
        let left = total.map(|total| {
            let rest = total.saturating_sub(position);
            let seconds = elapsed.as_secs().saturating_mul(rest) / position.max(1);
            format!(", {seconds} s left")
        });
        format!(
            "{} commits{of}, {} commits/s{}",
            human::count(commits),
            human::count(rate(commits, elapsed)),
            left.unwrap_or_default()
        )
    }
}

/// `count` a second.
pub(crate) fn rate(count: u64, elapsed: Duration) -> u64 {
    let millis = elapsed.as_millis().max(1);
    u64::try_from(u128::from(count) * 1_000 / millis).unwrap_or(u64::MAX)
}
