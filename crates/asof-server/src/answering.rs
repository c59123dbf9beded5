//! An answer that is there already, as most are, or one that is still being made; and how much of it
//! was asked for.

use core::convert::Infallible;

use asof_listen::Soon;
use http::{Method, Response, StatusCode, header};
use hyper::body::Body as _;

use crate::body::Body;

/// The answer to one request, once it is there. Making it never fails: what goes wrong is an
/// answer as well.
pub(crate) type Answering = Soon<'static, Result<Response<Body>, Infallible>>;

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
