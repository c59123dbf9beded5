//! What `asof serve` can be told, by a file and by options, which win.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};

use asof_store::Options;
use asof_time::limits::{
    CLOCK_JUMP_LIMIT_DEFAULT, CLOCK_START_LIMIT_DEFAULT, IDLE_TICK_DEFAULT, SCHEDULE_LIMIT_DEFAULT,
    VALUE_BYTES_MAX, VALUE_BYTES_MAX_DEFAULT,
};
use clap::ValueEnum;
use serde::Deserialize;

use crate::failure::Failure;
use crate::{files, human};

/// Largest configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Where a server listens unless told otherwise: this machine only.
const LISTEN_DEFAULT: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 7400);

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// The configuration file. What is left out has its default; what is not known is refused.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// Folder of the store.
    data: Option<PathBuf>,
    /// Address and port to listen on.
    listen: Option<SocketAddr>,
    /// Whether something in front of the server takes care of TLS.
    tls_terminated_elsewhere: Option<bool>,
    log: LogConfig,
    store: StoreConfig,
}

/// `[log]`
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogConfig {
    /// `text` or `json`.
    format: Option<LogFormat>,
    /// As `RUST_LOG`: `info`, `warn,asof_server=debug`.
    filter: Option<String>,
}

/// `[store]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreConfig {
    value_bytes_max: usize,
    schedule_limit: Span,
    idle_tick_ms: u64,
    clock_jump_limit: Span,
    clock_start_limit: Span,
    retention_interval: Span,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            value_bytes_max: VALUE_BYTES_MAX_DEFAULT,
            schedule_limit: Span(SCHEDULE_LIMIT_DEFAULT),
            idle_tick_ms: u64::try_from(IDLE_TICK_DEFAULT.as_millis()).unwrap_or(u64::MAX),
            clock_jump_limit: Span(CLOCK_JUMP_LIMIT_DEFAULT),
            clock_start_limit: Span(CLOCK_START_LIMIT_DEFAULT),
            retention_interval: Span(Options::default().retention_interval),
        }
    }
}

/// A duration as people write it: `12h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        human::parse_duration(&text).map(Self)
    }
}

/// What the options of the command line say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) data: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) tls_terminated_elsewhere: bool,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) log_filter: Option<String>,
}

/// All that a server is to know.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) tls_terminated_elsewhere: bool,
    pub(crate) log_format: LogFormat,
    pub(crate) log_filter: String,
    pub(crate) store: Options,
}

impl FileConfig {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read_input(path, CONFIG_BYTES_MAX)?;
        let wrong = |error: &dyn core::fmt::Display| {
            Failure::usage(format!("configuration `{}`: {error}", path.display()))
        };
        let text = core::str::from_utf8(&bytes).map_err(|error| wrong(&error))?;
        toml::from_str(text).map_err(|error| wrong(&error))
    }
}

impl Config {
    /// The file under the options.
    pub(crate) fn new(file: FileConfig, options: Overrides) -> Result<Self, Failure> {
        let data = options
            .data
            .or(file.data)
            .unwrap_or_else(|| PathBuf::from("asof-data"));
        Ok(Self {
            data,
            listen: options.listen.or(file.listen).unwrap_or(LISTEN_DEFAULT),
            tls_terminated_elsewhere: options.tls_terminated_elsewhere
                || file.tls_terminated_elsewhere.unwrap_or(false),
            log_format: options.log_format.or(file.log.format).unwrap_or_default(),
            log_filter: options
                .log_filter
                .or(file.log.filter)
                .unwrap_or_else(|| "info".to_owned()),
            store: file.store.options()?,
        })
    }
}

impl StoreConfig {
    fn options(&self) -> Result<Options, Failure> {
        let refuse = |what: &str| Err(Failure::usage(format!("configuration: store.{what}")));
        if !(1..=VALUE_BYTES_MAX).contains(&self.value_bytes_max) {
            return refuse(&format!("value_bytes_max is 1 to {VALUE_BYTES_MAX}"));
        }
        if !(1..=1_000).contains(&self.idle_tick_ms) {
            return refuse("idle_tick_ms is 1 to 1000");
        }
        if self.clock_jump_limit.0 > self.clock_start_limit.0 {
            return refuse("clock_jump_limit is at most clock_start_limit");
        }
        if self.retention_interval.0.is_zero() {
            return refuse("retention_interval is at least 1s");
        }
        Ok(Options {
            value_bytes_max: self.value_bytes_max,
            schedule_limit: self.schedule_limit.0,
            idle_tick: Duration::from_millis(self.idle_tick_ms),
            clock_jump_limit: self.clock_jump_limit.0,
            clock_start_limit: self.clock_start_limit.0,
            retention_interval: self.retention_interval.0,
            ..Options::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str, options: Overrides) -> Result<Config, String> {
        let file: FileConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        Config::new(file, options).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn an_empty_file_says_the_defaults() {
        let config = config("", Overrides::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:7400");
        assert_eq!(config.data, Path::new("asof-data"));
        assert_eq!(config.store.value_bytes_max, VALUE_BYTES_MAX_DEFAULT);
        assert_eq!(config.log_format, LogFormat::Text);
    }

    #[test]
    fn options_win_over_the_file() {
        let text = "
            listen = '127.0.0.1:1'
            data = '/file'
            [log]
            format = 'json'
            [store]
            schedule_limit = '30d'
        ";
        let options = Overrides {
            listen: Some("127.0.0.1:2".parse().unwrap()),
            ..Overrides::default()
        };
        let config = config(text, options).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.data, Path::new("/file"));
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.store.schedule_limit, Duration::from_hours(30 * 24));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for wrong in [
            "listne = '127.0.0.1:1'",
            "listen = 'here'",
            "[log]\nformat = 'xml'",
            "[store]\nvalue_bytes_max = 0",
            "[store]\nschedule_limit = '1 year'",
            "[store]\nidle_tick_ms = 0",
            "[store]\nretention_interval = '0s'",
        ] {
            assert!(config(wrong, Overrides::default()).is_err(), "{wrong}");
        }
    }
}
