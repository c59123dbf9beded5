//! How a handler says no.

use asof_api::{ErrorName, Problem};
use asof_store::ErrorKind;
use http::{HeaderMap, HeaderValue, Response, header};

use crate::body::Body;
use crate::reply;

/// What a handler gives.
pub(crate) type Answer = Result<Response<Body>, Refusal>;

/// A problem and the headers that go with it.
#[derive(Debug)]
pub(crate) struct Refusal(Box<(Problem, HeaderMap)>);

impl Refusal {
    pub(crate) fn new(name: ErrorName, detail: impl Into<String>) -> Self {
        Problem::new(name, detail).into()
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorName::Invalid, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ErrorName::Forbidden, detail)
    }

    pub(crate) fn too_large(detail: impl Into<String>, limit: usize) -> Self {
        let mut problem = Problem::new(ErrorName::TooLarge, detail);
        problem.limit = Some(limit as u64);
        problem.into()
    }

    pub(crate) fn name(&self) -> ErrorName {
        self.0.0.name
    }

    pub(crate) fn detail(&self) -> &str {
        &self.0.0.detail
    }

    pub(crate) fn problem_mut(&mut self) -> &mut Problem {
        &mut self.0.0
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.1
    }

    /// The same refusal under the name for a condition that came with the request.
    pub(crate) fn of_precondition(self) -> Self {
        let (problem, headers) = *self.0;
        let mut renamed = Problem::new(ErrorName::PreconditionFailed, problem.detail);
        renamed.closed = problem.closed;
        Self(Box::new((renamed, headers)))
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let (problem, headers) = *self.0;
        let mut response = reply::json_as(asof_api::error::MEDIA_TYPE, &problem);
        *response.status_mut() = problem.name.status().get();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match problem.name {
            ErrorName::Unauthorized => {
                let challenge = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            ErrorName::NotYetClosed | ErrorName::Unavailable => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.headers_mut().extend(headers);
        response
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new((problem, HeaderMap::new())))
    }
}

/// The one place where the store's kinds become names of the wire.
impl From<asof_store::Error> for Refusal {
    fn from(error: asof_store::Error) -> Self {
        let problem = |name| Problem::new(name, error.message());
        match error.kind() {
            ErrorKind::Invalid => problem(ErrorName::Invalid),
            ErrorKind::UnknownSpace => problem(ErrorName::UnknownSpace),
            ErrorKind::StillImporting => problem(ErrorName::StillImporting),
            ErrorKind::NotFound => problem(ErrorName::NotFound),
            ErrorKind::Conflict => problem(ErrorName::Conflict),
            ErrorKind::InThePast { last } => {
                Problem { last: Some(last.into()), ..problem(ErrorName::InThePast) }
            }
            ErrorKind::NotYetClosed { closed } => {
                Problem { closed: Some(closed.into()), ..problem(ErrorName::NotYetClosed) }
            }
            ErrorKind::BelowFloor { floor } => {
                Problem { floor: Some(floor.into()), ..problem(ErrorName::BelowFloor) }
            }
            ErrorKind::AboveCap { cap } => {
                Problem { cap: Some(cap.into()), ..problem(ErrorName::AboveCap) }
            }
            ErrorKind::Unconfirmed { touched } => {
                Problem { confirm: Some(touched.to_string()), ..problem(ErrorName::Unconfirmed) }
            }
            ErrorKind::Erased => problem(ErrorName::Erased),
            ErrorKind::WrongEpoch { epoch } => {
                Problem { epoch: Some(epoch.into()), ..problem(ErrorName::WrongEpoch) }
            }
            ErrorKind::TooLarge { limit } => {
                Problem { limit: Some(limit), ..problem(ErrorName::TooLarge) }
            }
            ErrorKind::Unavailable => problem(ErrorName::Unavailable),
            ErrorKind::Corrupt => problem(ErrorName::Corrupt),
        }
        .into()
    }
}

#[cfg(test)]
mod tests;
