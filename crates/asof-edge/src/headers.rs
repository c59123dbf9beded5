//! Headers that stop at the edge, and those that it adds.

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};

/// The context that the edge resolved for a request: opaque to services.
pub static ASOF_CONTEXT: HeaderName = HeaderName::from_static("asof-context");
/// How many times a request has come through an edge.
pub static ASOF_DEPTH: HeaderName = HeaderName::from_static("asof-depth");
/// Which software answered.
pub static ASOF_VERSION: HeaderName = HeaderName::from_static("asof-version");
/// W3C baggage.
pub static BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// W3C trace context.
pub static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What others say of the trace.
pub static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The member of the baggage that is ours.
const BAGGAGE_MEMBER: &str = "asof";

/// Whether a header is about one connection and not about the message.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
            | header::TE
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Removes what is about the connection it came over: the well-known ones, and those that
/// Connection names. A `TE: trailers` stays, without which gRPC services refuse.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        // A client must not be able to take these from what the next one decides by.
        .filter(|name| {
            !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::AUTHORIZATION)
                && *name != ASOF_DEPTH
        })
        .collect();
    let trailers = headers.get_all(header::TE).iter().any(|value| {
        let words = value.to_str().unwrap_or_default().split(',');
        words.into_iter().any(|word| word.trim().eq_ignore_ascii_case("trailers"))
    });
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
    ] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes from a client's request what only the edge and those behind it may say: every
/// `Asof-*` header, and the member `asof` of the baggage.
pub fn strip_inward(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("asof-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    strip_baggage(headers);
}

/// Removes the context, and with it the depth, from a request or an answer.
pub fn strip_context(headers: &mut HeaderMap) {
    headers.remove(&ASOF_CONTEXT);
    headers.remove(&ASOF_DEPTH);
    strip_baggage(headers);
}

/// Removes from an answer to a client what is for the edge alone.
pub fn strip_outward(headers: &mut HeaderMap) {
    strip_context(headers);
    headers.remove(&ASOF_VERSION);
}

/// Removes the member `asof` from the baggage; the others go on.
pub fn strip_baggage(headers: &mut HeaderMap) {
    let Entry::Occupied(entry) = headers.entry(&BAGGAGE) else {
        return;
    };
    if !entry.iter().any(|value| contains(value.as_bytes(), BAGGAGE_MEMBER.as_bytes())) {
        return;
    }
    let (_, values) = entry.remove_entry_mult();
    let kept: Vec<HeaderValue> = values.filter_map(|value| other_members(&value)).collect();
    for value in kept {
        headers.append(&BAGGAGE, value);
    }
}

fn other_members(value: &HeaderValue) -> Option<HeaderValue> {
    // What is not text is nobody's baggage.
    let members = value.to_str().ok()?.split(',').filter(|member| {
        member.split(['=', ';']).next().is_some_and(|name| name.trim() != BAGGAGE_MEMBER)
    });
    let kept = members.collect::<Vec<_>>().join(",");
    HeaderValue::from_str(kept.trim()).ok().filter(|value| !value.is_empty())
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part == word)
}

/// How many times the request says it has come through an edge. One that says several things is
/// believed the largest; what is no number counts as none.
pub fn depth(headers: &HeaderMap) -> u32 {
    let depths = headers.get_all(&ASOF_DEPTH).iter();
    depths.filter_map(|value| value.to_str().ok()?.parse().ok()).max().unwrap_or_default()
}

/// Says of a request that it came through an edge once more than `depth` times.
pub fn set_depth(headers: &mut HeaderMap, depth: u32) {
    headers.insert(&ASOF_DEPTH, HeaderValue::from(depth.saturating_add(1)));
}

/// Adds to `Via` that the message passed here.
pub(crate) fn add_via(headers: &mut HeaderMap, version: Version) {
    let via = match version {
        Version::HTTP_2 => "2 asof",
        Version::HTTP_10 => "1.0 asof",
        _ => "1.1 asof",
    };
    headers.append(header::VIA, HeaderValue::from_static(via));
}

/// The protocol that both sides are to switch to, where the request asks for that.
pub(crate) fn upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let asked = headers.get_all(header::CONNECTION).iter().any(|value| {
        let words = value.to_str().unwrap_or_default().split(',');
        words.into_iter().any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
    });
    let protocol = headers.get(header::UPGRADE).filter(|_| asked)?;
    // Prior knowledge is how HTTP/2 is spoken here; an upgrade to it would hide it from the edge.
    (!protocol.as_bytes().eq_ignore_ascii_case(b"h2c")).then(|| protocol.clone())
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
