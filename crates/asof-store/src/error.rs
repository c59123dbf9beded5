//! What can go wrong, named by what the caller can do about it.

use core::fmt;

use asof_time::{Epoch, Timestamp};

use crate::engine::EngineError;

/// The result of a store operation.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A refusal, with a sentence for people and a [kind](Self::kind) for programs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What kind of refusal it is. A kind exists only where a caller would act differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// The request can never succeed as it is: correct it.
    Invalid,
    /// There is no such space: create it or correct the name.
    UnknownSpace,
    /// The space is still being imported: read it once it is live.
    StillImporting,
    /// There is no such commit, pin or token: correct the name.
    NotFound,
    /// A precondition does not hold, or the thing is not in a state for it: read and decide anew.
    Conflict,
    /// The time asked for has passed: nothing may take effect at or below `last`.
    InThePast {
        /// The largest timestamp that is taken.
        last: Timestamp,
    },
    /// The moment is not closed yet: wait, or read at `closed`.
    NotYetClosed {
        /// The closed timestamp.
        closed: Timestamp,
    },
    /// The moment is no longer kept: read at or above `floor`.
    BelowFloor {
        /// The earliest readable timestamp.
        floor: Timestamp,
    },
    /// The moment is above the operator's cap: read at or below `cap`.
    AboveCap {
        /// The cap.
        cap: Timestamp,
    },
    /// So much is touched that it takes a second word: say how much it is.
    Unconfirmed {
        /// What is touched.
        touched: Touched,
    },
    /// The data was erased for legal reasons and will not come back.
    Erased,
    /// The request carries another epoch: what it remembers belongs to another timeline.
    WrongEpoch {
        /// The epoch of this store.
        epoch: Epoch,
    },
    /// Something is larger than a limit: make it smaller.
    TooLarge {
        /// The limit, in the unit that the message names.
        limit: u64,
    },
    /// It cannot be done now: try again later. For a write it is unknown whether it took effect,
    /// unless the message says that it did not.
    Unavailable,
    /// What is stored is not what was written. Restore from a backup.
    Corrupt,
}

/// What an action touches: printed, the second word that it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touched {
    /// So many keys answer differently: `48213-keys`.
    Keys(u64),
    /// So many versions go: `12-versions`.
    Versions(u64),
}

impl fmt::Display for Touched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => write!(f, "{keys}-keys"),
            Self::Versions(versions) => write!(f, "{versions}-versions"),
        }
    }
}

impl ErrorKind {
    /// The name under which every surface reports it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::UnknownSpace => "UnknownSpace",
            Self::StillImporting => "StillImporting",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::InThePast { .. } => "InThePast",
            Self::NotYetClosed { .. } => "NotYetClosed",
            Self::BelowFloor { .. } => "BelowFloor",
            Self::AboveCap { .. } => "AboveCap",
            Self::Unconfirmed { .. } => "Unconfirmed",
            Self::Erased => "Erased",
            Self::WrongEpoch { .. } => "WrongEpoch",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unavailable => "Unavailable",
            Self::Corrupt => "Corrupt",
        }
    }
}

impl Error {
    /// A refusal of `kind` explained by `message`: lowercase, and it carries the bound.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence for people, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn erased(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Erased, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn too_large(what: &str, size: usize, limit: usize, unit: &str) -> Self {
        Self::new(
            ErrorKind::TooLarge { limit: limit as u64 },
            format!("{what} has {size} {unit}, the limit is {limit}"),
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl core::error::Error for Error {}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let kind = match error {
            EngineError::Io(_) => ErrorKind::Unavailable,
            EngineError::Corrupt(_) => ErrorKind::Corrupt,
            EngineError::NewerFormat { .. } => ErrorKind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}
