//! An answer that is there already, as most are, or one that is still being made.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use http::{Method, Response, StatusCode, header};
use hyper::body::Body as _;

use crate::body::Body;

/// The answer to one request, once it is there. Making it never fails: what goes wrong is an
/// answer as well.
pub(crate) struct Answering(State);

enum State {
    /// `None` once it was taken.
    Now(Option<Response<Body>>),
    Later(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Answering {
    pub(crate) fn now(response: Response<Body>) -> Self {
        Self(State::Now(Some(response)))
    }

    pub(crate) fn later(made: impl Future<Output = Response<Body>> + Send + 'static) -> Self {
        Self(State::Later(Box::pin(made)))
    }
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Now(_) => "Answering::Now",
            State::Later(_) => "Answering::Later",
        })
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            State::Now(response) => {
                Poll::Ready(Ok(response.take().expect("an answer is taken once")))
            }
            State::Later(made) => made.as_mut().poll(context).map(Ok),
        }
    }
}

/// How much of an answer was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// Head and body.
    Whole,
    /// HEAD: how long the body would be, without it.
    Head,
}

impl Form {
    /// What `method` asks for.
    pub(crate) fn asked_by(method: &Method) -> Self {
        if method == Method::HEAD { Self::Head } else { Self::Whole }
    }

    /// That much of `response`.
    pub(crate) fn of(self, response: Response<Body>) -> Response<Body> {
        match self {
            Self::Whole => response,
            Self::Head => without_body(response),
        }
    }
}

fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact()
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
        && !parts.status.is_informational()
        && parts.status != StatusCode::NO_CONTENT
        && parts.status != StatusCode::NOT_MODIFIED
    {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
