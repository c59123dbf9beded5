//! Why a service gave no answer.

use core::fmt;

use crate::problem::{Problem, ProblemKind};
use crate::target::Target;

/// What went wrong, by what the caller can do about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UpstreamErrorKind {
    /// There is no such service or store.
    Unknown,
    /// Its name cannot be resolved.
    Unresolved,
    /// Nobody listens there.
    Connect,
    /// TLS came to nothing: its certificate is not trusted, say.
    Tls,
    /// The connect took too long.
    ConnectTimeout,
    /// It has all that it can take.
    Overloaded,
    /// It did not answer in time.
    Timeout,
    /// The connection broke before an answer, or the answer is no HTTP.
    Broken,
    /// The request body broke off.
    RequestBroken,
    /// The request body did not keep coming.
    RequestStill,
}

impl UpstreamErrorKind {
    /// The name under which every surface reports it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unresolved => "unresolved",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::ConnectTimeout => "connect_timeout",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::RequestBroken => "request_broken",
            Self::RequestStill => "request_still",
        }
    }
}

/// No answer came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamError {
    target: Target,
    kind: UpstreamErrorKind,
    /// For the log: it may hold addresses.
    cause: Option<String>,
}

impl UpstreamError {
    pub(crate) fn new(target: &Target, kind: UpstreamErrorKind) -> Self {
        Self { target: target.clone(), kind, cause: None }
    }

    pub(crate) fn because(
        target: &Target,
        kind: UpstreamErrorKind,
        cause: impl fmt::Display,
    ) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new(target, kind) }
    }

    /// What went wrong.
    pub fn kind(&self) -> UpstreamErrorKind {
        self.kind
    }

    /// Whether a byte of the request may have reached the service.
    pub fn was_sent(&self) -> bool {
        use UpstreamErrorKind::{Broken, RequestBroken, RequestStill, Timeout};
        matches!(self.kind, Broken | RequestBroken | RequestStill | Timeout)
    }

    /// What a client is told: nothing of where the service is.
    pub fn problem(&self) -> Problem {
        use UpstreamErrorKind as Kind;
        let name = self.target.as_str();
        let (kind, text) = match self.kind {
            Kind::Unknown => (ProblemKind::BadGateway, "is not there"),
            Kind::Unresolved => (ProblemKind::BadGateway, "cannot be found by its name"),
            Kind::Connect => (ProblemKind::BadGateway, "cannot be connected to"),
            Kind::Tls => (ProblemKind::BadGateway, "cannot be spoken to over TLS"),
            Kind::ConnectTimeout => (ProblemKind::GatewayTimeout, "cannot be connected to in time"),
            Kind::Overloaded => (ProblemKind::Overloaded, "has all the requests it can take"),
            Kind::Timeout => (ProblemKind::GatewayTimeout, "did not answer in time"),
            Kind::Broken => (ProblemKind::BadGateway, "ended the connection without an answer"),
            Kind::RequestBroken => (ProblemKind::Malformed, "did not get the whole request body"),
            Kind::RequestStill => (ProblemKind::RequestTimeout, "waited for the request body"),
        };
        Problem::new(kind, format!("`{name}` {text}"))
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.kind.as_str())?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for UpstreamError {}
