//! What of a store is not cached is read at the moment of the request all the same: under a
//! context "latest" means that moment, and what lies above it is not there yet.

use asof_api::headers as wire;
use asof_time::Timestamp;
use http::{HeaderMap, HeaderValue, Method, Request, header};

use super::report::parameter;
use crate::body::Body;
use crate::problem::{Problem, ProblemKind};

/// Whether a request to a store only reads: `POST /v1/read` is a read with many keys.
pub(crate) fn reads(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD) || *method == Method::POST && path == "/v1/read"
}

/// Makes a read that names no moment one at `at`.
///
/// # Errors
///
/// `NotYetClosed` where it names one above `at`; `Malformed` where it cannot be told which.
pub(crate) fn hold(request: &mut Request<Body>, at: Timestamp) -> Result<(), Problem> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    if parameter(&query, "preview").as_deref() == Some("true") {
        return Ok(());
    }
    let mut named = false;
    for name in ["as_of", "from", "to"] {
        for value in all(&query, name) {
            below(name, &value, at)?;
            named |= name == "as_of";
        }
    }
    let headers = request.headers_mut();
    for value in headers.get_all(&wire::AS_OF) {
        below("As-Of", value.to_str().unwrap_or_default().trim(), at)?;
        named = true;
    }
    let date = headers.get(&wire::ACCEPT_DATETIME).and_then(|value| value.to_str().ok());
    named |= date.is_some_and(|date| is_before(date, at));
    if !named {
        headers.remove(&wire::ACCEPT_DATETIME);
        headers.insert(&wire::AS_OF, HeaderValue::from(at.as_micros()));
    }
    Ok(())
}

/// Takes from an answer what it says of time.
pub(crate) fn forget(headers: &mut HeaderMap) {
    for name in [&wire::AS_OF, &wire::AS_OF_VALID, &wire::AS_OF_CAPPED, &wire::MEMENTO_DATETIME] {
        headers.remove(name);
    }
    headers.remove(header::DATE);
}

fn below(name: &str, text: &str, at: Timestamp) -> Result<(), Problem> {
    let asked: Timestamp = text
        .parse()
        .map_err(|error| Problem::new(ProblemKind::Malformed, format!("{name}: {error}")))?;
    if asked <= at {
        return Ok(());
    }
    let detail = format!("{name} `{asked}` is above `{at}`, the moment of this request");
    Err(Problem::new(ProblemKind::NotYetClosed, detail))
}

/// Whether the whole second that a date means is over by `at`.
fn is_before(date: &str, at: Timestamp) -> bool {
    let parsed = jiff::fmt::rfc2822::parse(date).ok();
    let second = parsed.and_then(|zoned| u64::try_from(zoned.timestamp().as_second()).ok());
    second.is_some_and(|second| second < at.as_micros() / 1_000_000)
}

fn all(query: &str, wanted: &str) -> Vec<String> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.filter_map(|part| parameter(part, wanted)).collect()
}
