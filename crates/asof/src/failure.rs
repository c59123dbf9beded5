//! How a command ends: its exit code, and what it says where it could not do its work.

use std::io;
use std::process::ExitCode;

use asof_api::{ErrorName, Problem};
use asof_client::{Origin, TransportErrorKind};
use asof_store::ErrorKind;
use serde::Serialize;

use crate::output::Output;

/// What to do where no store answers.
const START_A_SERVER: &str = "start one with `asof serve`, or pass --data DIR";

/// What a script learns from the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Done, or found.
    Done,
    /// The key is absent, or a check did not pass.
    Absent,
    /// The command line or its input is wrong.
    Usage,
    /// The store refused.
    Refused,
    /// It cannot be done now.
    Unavailable,
    /// What is stored is not what was written.
    Corrupt,
    /// What the command says that this one ran for somebody, or why it could not run it.
    Of(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Absent => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Unavailable => 4,
            Exit::Corrupt => 5,
            Exit::Of(code) => code,
        })
    }
}

/// Why a command could not do its work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// Nobody reads the output any more, which is no news to whoever stopped.
    BrokenPipe,
    /// Anything else.
    Problem(Box<Complaint>),
}

/// A problem, what to do about it, and the exit code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Complaint {
    #[serde(flatten)]
    problem: Problem,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Failure {
    /// The command line, or a file it names, is wrong.
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Self::new(Problem::new(ErrorName::Invalid, detail), Exit::Usage)
    }

    /// The file or stream that is called `what` cannot be used.
    pub(crate) fn file(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory => Self::usage(format!("{what}: {error}")),
            _ => Self::unavailable(format!("{what}: {error}")),
        }
    }

    /// The name of the problem; `None` where nobody reads the output any more.
    pub(crate) fn name(&self) -> Option<ErrorName> {
        match self {
            Self::BrokenPipe => None,
            Self::Problem(complaint) => Some(complaint.problem.name),
        }
    }

    /// It cannot be done now.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Problem::new(ErrorName::Unavailable, detail);
        Self::new(problem, Exit::Unavailable)
    }

    fn new(problem: Problem, exit: Exit) -> Self {
        Self::Problem(Box::new(Complaint { hint: hint(&problem), problem, exit }))
    }

    /// With this to do about it.
    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        if let Self::Problem(complaint) = &mut self {
            complaint.hint = Some(hint.to_owned());
        }
        self
    }

    /// Says on standard error what went wrong; returns the exit code.
    pub(crate) fn report(&self, out: &mut Output) -> Exit {
        let complaint = match self {
            Self::BrokenPipe => return Exit::Done,
            Self::Problem(complaint) => complaint,
        };
        if out.is_json() {
            out.problem(complaint);
        } else if complaint.exit == Exit::Usage {
            out.note(&format!("error: {}", complaint.problem.detail));
        } else {
            out.note(&format!("error: {}", complaint.problem));
        }
        if let Some(hint) = &complaint.hint
            && !out.is_json()
        {
            out.note(&format!("hint: {hint}"));
        }
        complaint.exit
    }
}

impl From<asof_client::Error> for Failure {
    fn from(error: asof_client::Error) -> Self {
        let exit = exit_of(error.name(), error.origin());
        let failure = Self::new(error.problem().clone(), exit);
        match error.origin() {
            Origin::Transport(TransportErrorKind::Unreachable) => failure.with_hint(START_A_SERVER),
            _ => failure,
        }
    }
}

impl From<asof_store::Error> for Failure {
    fn from(error: asof_store::Error) -> Self {
        let problem = problem_of(&error);
        let exit = exit_of(problem.name, Origin::Store);
        Self::new(problem, exit)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::unavailable(error.to_string())
        }
    }
}

fn exit_of(name: ErrorName, origin: Origin) -> Exit {
    match (origin, name) {
        (
            Origin::Request
            | Origin::Transport(TransportErrorKind::Untrusted | TransportErrorKind::Address),
            _,
        ) => Exit::Usage,
        (_, ErrorName::Absent) => Exit::Absent,
        (_, ErrorName::Unavailable | ErrorName::RequestTimeout | ErrorName::Internal) => {
            Exit::Unavailable
        }
        (_, ErrorName::Corrupt) => Exit::Corrupt,
        _ => Exit::Refused,
    }
}

/// The problem that a server would make of `error`.
fn problem_of(error: &asof_store::Error) -> Problem {
    let kind = error.kind();
    let name = ErrorName::ALL
        .iter()
        .copied()
        .find(|name| name.as_str() == kind.as_str())
        .unwrap_or(ErrorName::Internal);
    let mut problem = Problem::new(name, error.message());
    match kind {
        ErrorKind::InThePast { last } => problem.last = Some(last.into()),
        ErrorKind::NotYetClosed { closed } => problem.closed = Some(closed.into()),
        ErrorKind::BelowFloor { floor } => problem.floor = Some(floor.into()),
        ErrorKind::AboveCap { cap } => problem.cap = Some(cap.into()),
        ErrorKind::WrongEpoch { epoch } => problem.epoch = Some(epoch.into()),
        ErrorKind::Unconfirmed { touched } => problem.confirm = Some(touched.to_string()),
        ErrorKind::TooLarge { limit } => problem.limit = Some(limit),
        _ => {}
    }
    problem
}

/// What to do about `problem`, where the command line can say more than the store.
fn hint(problem: &Problem) -> Option<String> {
    let hint = match problem.name {
        ErrorName::StillImporting => {
            "once its history is complete, take it live with `asof space live`".to_owned()
        }
        ErrorName::UnknownSpace => "`asof space list` shows the spaces there are".to_owned(),
        ErrorName::NotYetClosed => match problem.closed {
            Some(closed) => {
                format!("read up to `--as-of {}`, or wait until that moment has come", closed.0)
            }
            None => "read at or below closed: `asof time` shows it".to_owned(),
        },
        ErrorName::BelowFloor => match problem.floor {
            Some(floor) => format!("the earliest moment kept is {}", floor.0),
            None => "`asof time` shows the earliest moment kept".to_owned(),
        },
        ErrorName::AboveCap => {
            "an operator holds readers at a moment: `asof cap show` says who and why".to_owned()
        }
        ErrorName::Unconfirmed => match &problem.confirm {
            Some(word) => format!("look at it with --dry-run; if it is meant, --confirm {word}"),
            None => "look at it with --dry-run".to_owned(),
        },
        ErrorName::InThePast => match problem.last {
            Some(last) => format!("choose a moment after {}, or leave it out for now", last.0),
            None => "choose a later moment, or leave it out for now".to_owned(),
        },
        ErrorName::PreconditionFailed => {
            "read what is there now, decide anew, and write again".to_owned()
        }
        ErrorName::Unauthorized => {
            "pass --token, or set ASOF_TOKEN; an operator makes one with `asof token create`"
                .to_owned()
        }
        ErrorName::Forbidden => {
            "this takes a token of another role: `asof token create` makes one".to_owned()
        }
        ErrorName::WrongEpoch => {
            "the store was restored: start anew from what it holds now".to_owned()
        }
        ErrorName::Corrupt => {
            "`asof verify` says what is damaged; `asof restore` brings back a backup".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
