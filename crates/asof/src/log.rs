//! The log of what runs for long: on standard error, as text or one JSON object a line.

use std::io::IsTerminal as _;

use asof_server::LogFormat;
use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// How a line of the log looks.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lines {
    /// For people
    Text,
    /// A JSON object a line
    Json,
}

impl From<Lines> for LogFormat {
    fn from(lines: Lines) -> Self {
        match lines {
            Lines::Text => Self::Text,
            Lines::Json => Self::Json,
        }
    }
}

/// Whether `text` is a filter: a level, or levels by module (`asof_server=debug`), or both, with
/// commas between them.
pub(crate) fn check(text: &str) -> Result<(), Failure> {
    filter(text).map(drop)
}

/// Begins the log with what `text` lets through.
pub(crate) fn start(text: &str, format: LogFormat) -> Result<(), Failure> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = tracing_subscriber::registry().with(filter(text)?);
    match format {
        LogFormat::Text => log.with(lines.with_ansi(std::io::stderr().is_terminal())).init(),
        LogFormat::Json => log.with(lines.json()).init(),
    }
    Ok(())
}

fn filter(text: &str) -> Result<Targets, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("log filter `{text}`: {error}")))
}
