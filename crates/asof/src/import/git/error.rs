//! What can go wrong, by what the caller would do about it.

use core::fmt;

/// Why a repository could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    kind: ErrorKind,
    message: String,
}

/// What to do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// There is no `git` program: install it.
    GitMissing,
    /// The path leads to no repository, or to one git will not open: give another, or do what the
    /// message says.
    NotARepository,
    /// The revision does not name a commit: give another.
    NoSuchRevision,
    /// The repository has no commits yet, so there is nothing to import.
    NoCommits,
    /// The commit to go on after is not in the history: it was rewritten. Import anew.
    NotInHistory,
    /// A commit, or the number of them, is more than a store can hold.
    TooLarge,
    /// Git failed, or answered what it should not: see the message.
    Failed,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What to do about it.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {}
