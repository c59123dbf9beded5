//! The client: who asks, and how an answer becomes a value or an error.

use std::io::Read;
use std::sync::Arc;

use asof_api::{ErrorName, Problem, SessionToken, headers};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::path::Target;
use crate::{Body, Error, Request, Response, Result, Transport};

/// Largest answer, and largest message of a feed, that is read into memory, in bytes: one commit
/// with as many keys, each as long, as there may be. A page of smaller ones ends long before.
pub(crate) const ANSWER_BYTES_MAX: u64 = 512 << 20;

/// Largest problem that is read, in bytes.
const PROBLEM_BYTES_MAX: u64 = 64 << 10;

/// A client of one store. Cheap to clone; the clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Arc<dyn Transport>,
    author: String,
    authorization: Option<HeaderValue>,
    session: Option<SessionToken>,
}

impl Client {
    /// A client that asks by way of `transport`, without a token and as nobody in particular.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, author: String::new(), authorization: None, session: None }
    }

    /// Acts as `author`: free text for the log and the audit.
    #[must_use]
    pub fn with_author(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Sends `secret` as the bearer token.
    ///
    /// # Errors
    ///
    /// `Invalid` where it holds what no token holds.
    pub fn with_token(mut self, secret: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.trim()))
            .map_err(|_| Error::request("the bearer token holds characters that no token has"))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    /// Reads at or after what the answer to a write handed out, so that its writer sees it.
    #[must_use]
    pub fn with_session(mut self, session: SessionToken) -> Self {
        self.session = Some(session);
        self
    }

    /// Who acts.
    pub fn author(&self) -> &str {
        &self.author
    }

    pub(crate) fn get_json<T: DeserializeOwned>(&self, target: Target) -> Result<T> {
        self.json(Request::new(Method::GET, target.into_string()))
    }

    pub(crate) fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        target: Target,
        body: &impl Serialize,
    ) -> Result<T> {
        let mut request = Request::new(method, target.into_string());
        set_json(&mut request, body)?;
        self.json(request)
    }

    /// A request without a body whose author and reason stand in headers.
    pub(crate) fn act<T: DeserializeOwned>(
        &self,
        method: Method,
        target: Target,
        reason: &str,
    ) -> Result<T> {
        let mut request = Request::new(method, target.into_string());
        self.sign(&mut request, reason)?;
        self.json(request)
    }

    /// Says in headers who acts and why.
    pub(crate) fn sign(&self, request: &mut Request, reason: &str) -> Result<()> {
        set_text(request, &headers::ASOF_AUTHOR, &self.author)?;
        set_text(request, &headers::ASOF_REASON, reason)
    }

    /// Sends `request` and reads its answer as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let answer = self.ok(request)?;
        let bytes = read_all(answer)?;
        serde_json::from_slice(&bytes).map_err(Error::answer)
    }

    /// Sends `request`, whose answer says nothing more than that it is done.
    pub(crate) fn done(&self, request: Request) -> Result<()> {
        read_all(self.ok(request)?).map(drop)
    }

    /// Sends `request`; an answer that is no success is an error.
    pub(crate) fn ok(&self, request: Request) -> Result<Response> {
        let answer = self.send(request)?;
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(answer)) }
    }

    /// Sends `request`, whatever the answer says.
    pub(crate) fn send(&self, mut request: Request) -> Result<Response> {
        if let Some(authorization) = &self.authorization {
            request.headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(session) = &self.session {
            set_text(&mut request, &headers::ASOF_TOKEN, &session.to_string())?;
        }
        Ok(self.transport.send(request)?)
    }
}

/// Gives `request` a JSON body.
pub(crate) fn set_json(request: &mut Request, body: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(body).map_err(|error| Error::request(error.to_string()))?;
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.body = Body::Bytes(text.into());
    Ok(())
}

/// Sets the header `name` to `text` as UTF-8; an empty text sets none.
pub(crate) fn set_text(request: &mut Request, name: &HeaderName, text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        Error::request(format!(
            "`{name}` is sent as one line, and holds a line break or another control character"
        ))
    })?;
    request.headers.insert(name.clone(), value);
    Ok(())
}

/// The whole body of `answer`.
pub(crate) fn read_all(answer: Response) -> Result<Bytes> {
    read_limited(answer, ANSWER_BYTES_MAX)
}

fn read_limited(answer: Response, limit: u64) -> Result<Bytes> {
    let mut bytes = Vec::new();
    answer.body.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::broken(&error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::answer(format!("it has more than {limit} bytes")));
    }
    Ok(bytes.into())
}

/// The error that `answer` is.
pub(crate) fn refusal(answer: Response) -> Error {
    let status = answer.status;
    let server = text(&answer.headers, &header::SERVER).map(str::to_owned);
    let body = read_limited(answer, PROBLEM_BYTES_MAX).unwrap_or_default();
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) => Error::refused(problem),
        Err(_) => foreign(status, server.as_deref()),
    }
}

/// A status without a problem comes from something that stands in front of the store.
fn foreign(status: StatusCode, server: Option<&str>) -> Error {
    let by = server.map(|server| format!(" from `{server}`")).unwrap_or_default();
    let detail = format!("{status}{by}, without saying why");
    match status {
        StatusCode::UNAUTHORIZED => Error::refused(Problem::new(ErrorName::Unauthorized, detail)),
        StatusCode::FORBIDDEN => Error::refused(Problem::new(ErrorName::Forbidden, detail)),
        StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS => {
            Error::refused(Problem::new(ErrorName::Unavailable, detail))
        }
        _ => Error::answer(detail),
    }
}

/// A header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
