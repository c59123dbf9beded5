//! What callers are answered.

use asof_api::headers as wire;
use asof_cache::{Content, Outcome};
use asof_time::Validity;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::memo;
use super::root::Root;
use super::serve::{Reply, Served};
use crate::body::Body;

/// RFC 9211.
static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The answer for a service: the canonical one, and nothing about when it is true.
pub(crate) fn inward(served: Served) -> Response<Body> {
    spoken(served, HeaderMap::new())
}

/// The answer, with its headers in a map that is empty.
fn spoken(served: Served, headers: HeaderMap) -> Response<Body> {
    match served.reply {
        Reply::Content(content) => whole(&content, headers),
        Reply::Streamed(response) => response,
        Reply::Problem(problem) => problem.answer(),
    }
}

/// The answer for a client, with what is known of its time.
pub(crate) fn outward(
    root: &Root,
    method: &Method,
    mut asked: HeaderMap,
    served: Served,
    validity: Option<Validity>,
) -> Response<Body> {
    let outcome = served.outcome;
    let tag = served.content().map(|content| tag(content));
    let tags: Vec<HeaderValue> = asked.get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    // hyper makes the headers of a request out of the answer's before it. This way the two go
    // round, and none are made anew.
    asked.clear();
    let mut response = spoken(served, asked);
    if let Some(tag) = tag.as_ref().filter(|_| response.status() == StatusCode::OK) {
        let headers = response.headers_mut();
        let tag = headers.entry(header::ETAG).or_insert_with(|| tag.clone()).clone();
        if matches(&tags, &tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
    }
    if *method == Method::HEAD && response.status() != StatusCode::NOT_MODIFIED {
        let length = hyper::body::Body::size_hint(response.body()).exact();
        *response.body_mut() = Body::empty();
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    describe(root, outcome, validity, response.headers_mut());
    response
}

/// Says of an answer at which moment it was made, where it is true, and how it came about.
pub(crate) fn describe(
    root: &Root,
    outcome: Outcome,
    validity: Option<Validity>,
    headers: &mut HeaderMap,
) {
    let mut keep = |name: &HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    keep(&wire::AS_OF, memo::as_of(root.at));
    keep(&wire::AS_OF_VALID, validity.and_then(memo::valid));
    let mut put = |name: &HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    if let Some(frozen) = root.frozen {
        put(&header::AGE, &frozen.as_secs().to_string());
    }
    if let Some(token) = root.written() {
        put(&wire::ASOF_TOKEN, &token.to_string());
    }
    match outcome {
        Outcome::Hit => {
            headers.insert(&CACHE_STATUS, HeaderValue::from_static("asof; hit"));
        }
        outcome => put(&CACHE_STATUS, &status(outcome)),
    }
}

fn status(outcome: Outcome) -> String {
    match outcome {
        Outcome::Hit => "asof; hit".to_owned(),
        outcome if outcome.is_from_cache() => format!("asof; hit; detail={outcome}"),
        Outcome::Miss => "asof; fwd=miss; stored".to_owned(),
        Outcome::Bypass(why) => format!("asof; fwd=bypass; detail={why}"),
        outcome => format!("asof; fwd=miss; detail={outcome}"),
    }
}

fn whole(content: &Content, mut headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::whole(content.body().clone()));
    *response.status_mut() = content.status();
    headers.reserve(content.headers().len() + 6);
    for (name, value) in content.headers() {
        headers.append(name, value.clone());
    }
    *response.headers_mut() = headers;
    response
}

fn tag(content: &Content) -> HeaderValue {
    memo::tag(content.hash()).unwrap_or_else(|| HeaderValue::from_static("\"\""))
}

/// Whether the client has this already (RFC 9110, 13.1.2).
fn matches(tags: &[HeaderValue], tag: &HeaderValue) -> bool {
    let tags = tags.iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}
