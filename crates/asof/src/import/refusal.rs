//! What cannot be imported, as failures of a command.

use asof_api::{ErrorName, Problem};

use super::git::{Error, ErrorKind};
use crate::failure::Failure;

/// What is there cannot be imported as things stand.
pub(crate) fn refused(detail: impl Into<String>) -> Failure {
    named(ErrorName::Conflict, detail)
}

/// The input is wrong.
pub(crate) fn invalid(detail: impl Into<String>) -> Failure {
    named(ErrorName::Invalid, detail)
}

fn named(name: ErrorName, detail: impl Into<String>) -> Failure {
    asof_client::Error::refused(Problem::new(name, detail)).into()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotARepository | ErrorKind::NoSuchRevision => Self::usage(error.to_string()),
            ErrorKind::NotInHistory => refused(format!(
                "{error}; what was imported cannot be taken back: import into a space of another \
                 name"
            )),
            ErrorKind::NoCommits | ErrorKind::TooLarge => refused(error.to_string()),
            ErrorKind::GitMissing | ErrorKind::Failed => Self::unavailable(error.to_string()),
        }
    }
}
