//! A request as a call: what can matter to the answer, in one form.

use std::sync::Arc;

use asof_cache::{Call, RouteDigest};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Uri};

use super::routes::Known;

/// The call that a request of a route is.
pub(crate) fn call(
    known: &Known,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    state: Vec<(Box<str>, Box<str>)>,
    release: Box<str>,
    body: Bytes,
) -> Arc<Call> {
    let route = &known.route;
    let method = if method == Method::HEAD { Method::GET } else { method.clone() };
    Arc::new(Call {
        service: route.service.as_str().into(),
        method,
        path: uri.path().into(),
        query: query(uri.query().unwrap_or_default(), route.query.as_deref()).into(),
        headers: declared(headers, &route.headers),
        state: state.into(),
        body,
        release,
        route: known.digest,
    })
}

/// A read of a store as a call.
pub(crate) fn read(store: &str, path: &str, query_text: &str) -> Arc<Call> {
    Arc::new(read_call(store, path, query_text))
}

/// The read of a release. Where a state value chose it, that is part of the call: whoever calls
/// the service depends on the value, and must declare it like any other that is used below.
pub(crate) fn release(store: &str, path: &str, chosen_by: Option<(&str, &str)>) -> Arc<Call> {
    let state = chosen_by.map(|(name, value)| (name.into(), value.into()));
    Arc::new(Call { state: state.into_iter().collect(), ..read_call(store, path, "") })
}

fn read_call(store: &str, path: &str, query_text: &str) -> Call {
    Call {
        service: store.into(),
        method: Method::GET,
        path: path.into(),
        query: query(query_text, None).into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: RouteDigest::of(b"asof store 1"),
    }
}

/// The parameters that count, by name; those of one name keep their order. Percent-encoding is
/// that of RFC 3986, 6.2.2: upper-case digits, and nothing encoded that need not be.
fn query(query: &str, declared: Option<&[String]>) -> String {
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let name = parameter.split('=').next().unwrap_or(parameter);
            (normal(name), normal(parameter))
        })
        .filter(|(name, _)| {
            declared.is_none_or(|declared| declared.iter().any(|known| known == name))
        })
        .collect();
    parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
    let texts: Vec<String> = parameters.into_iter().map(|(_, text)| text).collect();
    texts.join("&")
}

/// A text with its percent-encoding in normal form.
fn normal(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('%') {
        let (before, from) = rest.split_at(place);
        normal.push_str(before);
        let code = from.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(code) = code.filter(|_| from.as_bytes().get(1) != Some(&b'+')) else {
            normal.push('%');
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        if code.is_ascii_alphanumeric() || matches!(code, b'-' | b'.' | b'_' | b'~') {
            normal.push(char::from(code));
        } else {
            normal.push_str(&from.get(..3).unwrap_or_default().to_ascii_uppercase());
        }
        rest = from.get(3..).unwrap_or_default();
    }
    normal.push_str(rest);
    normal
}

/// The declared headers that are there, by name; those of one name keep their order.
fn declared(headers: &HeaderMap, names: &[HeaderName]) -> Box<[asof_cache::DeclaredHeader]> {
    let mut names: Vec<&HeaderName> = names.iter().collect();
    names.sort_by_key(|name| name.as_str());
    names.dedup();
    let pairs = names.into_iter().flat_map(|name| {
        let values = headers.get_all(name).iter();
        values.map(|value| (Box::from(name.as_str()), Box::from(value.as_bytes())))
    });
    pairs.collect()
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
