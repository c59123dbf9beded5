//! Asks another service whether a request may be answered.

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

use super::Denied;
use crate::body::Body;
use crate::engine::Call;
use crate::upstream::Forwarder;

/// What the request was, as it is told by convention.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The headers of its answer, if that lets the request in. Whatever is neither a yes nor a no
/// lets nobody in.
pub(super) async fn ask(
    forwarder: &Forwarder,
    question: Option<Request<Body>>,
) -> Result<HeaderMap, Denied> {
    let away = || Denied::unavailable("it cannot be said now who asks: ask again later");
    let request = question.ok_or_else(away)?;
    let answer = forwarder.judge(request).await.ok_or_else(away)?;
    let (parts, _) = answer.into_parts();
    match parts.status {
        status if status.is_success() => Ok(parts.headers),
        StatusCode::UNAUTHORIZED => Err(challenged(&parts.headers, Denied::unknown)),
        StatusCode::FORBIDDEN => Err(challenged(&parts.headers, Denied::forbidden)),
        status => {
            tracing::error!(%status, "whoever judges requests answered neither yes nor no");
            Err(away())
        }
    }
}

/// What is asked: of whom the request is, and for what.
pub(super) fn question(path: &str, call: &Call) -> Option<Request<Body>> {
    let mut request = Request::get(path).body(Body::empty()).ok()?;
    let (asked, into) = (&call.request, request.headers_mut());
    into.insert(METHOD, HeaderValue::from_str(asked.method().as_str()).ok()?);
    into.insert(URI, HeaderValue::from_str(asked.uri().path_and_query()?.as_str()).ok()?);
    if let Some(host) = call.authority.as_deref() {
        into.insert(HOST, HeaderValue::from_str(host).ok()?);
    }
    if let Some((peer, tls)) = call.origin.client() {
        into.insert(PROTO, HeaderValue::from_static(if tls { "https" } else { "http" }));
        into.insert(FOR, HeaderValue::from_str(&peer.ip().to_string()).ok()?);
    }
    for name in [header::AUTHORIZATION, header::COOKIE] {
        for value in asked.headers().get_all(&name) {
            into.append(&name, value.clone());
        }
    }
    Some(request)
}

/// A refusal, with the challenge of whoever refused.
fn challenged(headers: &HeaderMap, denied: impl Fn(&str) -> Denied) -> Denied {
    let mut denied = denied("whoever judges requests here does not let this one in");
    if let Some(challenge) = headers.get(header::WWW_AUTHENTICATE) {
        denied.challenge = challenge.clone();
    }
    denied
}
