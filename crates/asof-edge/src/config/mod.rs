//! The configuration: read strictly and wholly, checked in one place, before anything takes effect.

mod auth;
mod canonical;
mod check;
mod diff;
mod mistakes;
mod names;
mod pattern;
mod peer;
mod plan;
mod read;
mod read_route;
mod release;
mod settings;
mod units;
mod url;
mod walk;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use auth::Auth;
pub use diff::{Difference, Effect};
pub use mistakes::{Mistake, Mistakes};
pub use names::{PeerName, ServiceName, StateName, StoreName};
pub use pattern::PathPattern;
pub use peer::Peer;
pub use plan::{
    AsOf, Bucket, Health, Limits, Lookup, Mode, OnLoss, Plan, Route, Rule, Service, State,
    StateSource, Store, TimeInput, Tls, Traces, Zone,
};
pub use release::{Canary, Releases, Version};
pub use url::BaseUrl;

use self::mistakes::Sheet;
use crate::limits;

/// Why there is no plan.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// What it says is wrong, all of it.
    Wrong(Mistakes),
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Wrong(mistakes) => mistakes.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}

impl Plan {
    /// The plan that a TOML text describes. Relative names of files are below `folder`.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn from_toml(text: &str, folder: &Path) -> Result<Self, Mistakes> {
        let sheet = Sheet::new(text);
        let draft = read::read(&sheet, text, folder);
        let plan = check::check(&sheet, draft);
        sheet.finish(Some(plan))
    }

    /// The plan in a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read_bounded(path, limits::CONFIG_BYTES_MAX)
            .map_err(|error| ConfigError::Unreadable(path.to_owned(), error))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_toml(&text, folder).map_err(ConfigError::Wrong)
    }
}

/// A text file of at most `bytes_max` bytes.
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > bytes_max {
        return Err(io::Error::other(format!("is above the limit of {bytes_max} bytes")));
    }
    std::fs::read_to_string(path)
}
