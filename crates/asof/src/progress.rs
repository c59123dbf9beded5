//! How far long work has come, shown only where somebody watches.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// Progress in rows.
pub(crate) fn rows(out: &Output) -> ProgressBar {
    bar(out, "{spinner} {human_pos} rows, {per_sec}, {elapsed}")
}

/// Progress in bytes.
pub(crate) fn bytes(out: &Output) -> ProgressBar {
    bar(out, "{spinner} {binary_bytes}, {binary_bytes_per_sec}, {elapsed}")
}

fn bar(out: &Output, template: &str) -> ProgressBar {
    let target = if out.shows_progress() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(None, target).with_style(style)
}
