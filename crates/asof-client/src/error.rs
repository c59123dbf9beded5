//! What can go wrong, named as the store names it.

use core::fmt;

use asof_api::{ErrorName, Problem};

use crate::transport::{TransportError, TransportErrorKind};

/// The result of a request.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A refusal of the store, or no answer from it.
///
/// Whatever went wrong, it is told as a [`Problem`]: its name says what to do, its bound what
/// was crossed. An unreachable server reads like one that is `Unavailable`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    problem: Box<Problem>,
    origin: Origin,
}

/// Who found what is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The store: it answered with this problem.
    Store,
    /// This client, before anything was sent.
    Request,
    /// The way to the store: no answer came.
    Transport(TransportErrorKind),
    /// The answer: it is not what this client understands.
    Answer,
}

impl Error {
    /// What the store answered.
    pub fn refused(problem: Problem) -> Self {
        Self { problem: Box::new(problem), origin: Origin::Store }
    }

    /// A request that cannot even be sent.
    pub(crate) fn request(detail: impl Into<String>) -> Self {
        Self {
            problem: Box::new(Problem::new(ErrorName::Invalid, detail)),
            origin: Origin::Request,
        }
    }

    /// An answer that makes no sense: of another version, or of something in between.
    pub(crate) fn answer(detail: impl fmt::Display) -> Self {
        let detail = format!("not an answer of a store of this version: {detail}");
        Self {
            problem: Box::new(Problem::new(ErrorName::Internal, detail)),
            origin: Origin::Answer,
        }
    }

    /// An answer that broke off.
    pub(crate) fn broken(error: &std::io::Error) -> Self {
        TransportError::new(TransportErrorKind::Broken, format!("the answer broke off: {error}"))
            .into()
    }

    /// What a program decides by.
    pub fn name(&self) -> ErrorName {
        self.problem.name
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.problem.detail
    }

    /// The problem with its bound.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Who found it.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the same request may succeed later as it is.
    pub fn is_passing(&self) -> bool {
        match self.origin {
            Origin::Store => {
                matches!(self.problem.name, ErrorName::Unavailable | ErrorName::RequestTimeout)
            }
            Origin::Transport(TransportErrorKind::Unreachable | TransportErrorKind::Broken) => true,
            Origin::Transport(TransportErrorKind::Untrusted | TransportErrorKind::Address)
            | Origin::Request
            | Origin::Answer => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.problem, f)
    }
}

impl core::error::Error for Error {}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self {
            problem: Box::new(Problem::new(ErrorName::Unavailable, error.message)),
            origin: Origin::Transport(error.kind),
        }
    }
}
