//! Whom a service's own call is for.

use core::fmt;
use std::borrow::Cow;

use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri, header};

use crate::config::{Plan, ServiceName, StoreName};
use crate::problem::{Problem, ProblemKind};

/// Begins a path that names its target.
const MARK: &str = "/-/";

/// What a call is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// A service.
    Service(ServiceName),
    /// A store.
    Store(StoreName),
}

impl Target {
    /// The name of the service or the store.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Service(name) => name.as_str(),
            Self::Store(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The host of an authority: lower case, without a port and without the dot at the end.
pub(crate) fn host_of(authority: &str) -> Option<Cow<'_, str>> {
    if let Some(host) = plain(authority) {
        return Some(Cow::Borrowed(host));
    }
    let authority: Authority = authority.parse().ok()?;
    if authority.as_str().contains('@') {
        return None;
    }
    let host = authority.host().trim_end_matches('.');
    (!host.is_empty()).then(|| Cow::Owned(host.to_ascii_lowercase()))
}

/// The host of an authority that is written as most are: nothing of it needs to be changed.
fn plain(authority: &str) -> Option<&str> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let usual = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    let host_is = !host.is_empty() && !host.ends_with('.') && host.bytes().all(usual);
    let port_is = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (host_is && port_is).then_some(host)
}

/// The authority that a request is for. A request line that says one thing and a Host header
/// that says another are refused: whoever reads it next might go by the other one.
///
/// # Errors
///
/// Where there are several, or none that can be read.
pub(crate) fn authority<B>(request: &Request<B>) -> Result<Option<String>, Problem> {
    let malformed = |detail: &str| Err(Problem::new(ProblemKind::Malformed, detail));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match hosts.next().map(|value| value.to_str()) {
        None => None,
        Some(Ok(host)) => Some(host),
        Some(Err(_)) => return malformed("the Host header is not text"),
    };
    if hosts.next().is_some() {
        return malformed("there are several Host headers");
    }
    let line = request.uri().authority().map(Authority::as_str);
    if let (Some(line), Some(host)) = (line, host)
        && !line.eq_ignore_ascii_case(host)
    {
        return malformed("the Host header and the request line name different hosts");
    }
    match line.or(host) {
        None | Some("") => Ok(None),
        Some(text) if host_of(text).is_some() => Ok(Some(text.to_owned())),
        Some(_) => malformed("the Host header is no host"),
    }
}

/// Whom a call on an egress listener is for, and what of its URI is the target's. In this order:
/// the host that it names, in the request line or the Host header; a path `/-/NAME/rest`.
/// Anything else is nobody here: the edge is no way out to the internet.
///
/// # Errors
///
/// Where it is nobody.
pub(crate) fn resolve(
    plan: &Plan,
    authority: Option<&str>,
    uri: &Uri,
) -> Result<(Target, PathAndQuery), Problem> {
    let whole = || uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let host = authority.and_then(host_of);
    if let Some(target) = host.as_deref().and_then(|host| named(plan, host)) {
        return Ok((target, whole()));
    }
    let absolute = uri.scheme().is_some();
    if let Some(marked) = whole().as_str().strip_prefix(MARK) {
        let end = marked.find(['/', '?']).unwrap_or(marked.len());
        let (name, rest) = marked.split_at(end);
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        if let (Some(target), Ok(rest)) = (named(plan, name), rest.parse()) {
            return Ok((target, rest));
        }
        return Err(unknown(name));
    }
    match host {
        Some(host) if absolute => Err(unknown(&host)),
        _ => Err(Problem::new(
            ProblemKind::NoSuchTarget,
            "call a service or a store as `/-/NAME/path`, or use this address as an HTTP proxy",
        )),
    }
}

fn named(plan: &Plan, name: &str) -> Option<Target> {
    if let Some((name, _)) = plan.service_at(name) {
        return Some(Target::Service(name.clone()));
    }
    plan.stores.get_key_value(name).map(|(name, _)| Target::Store(name.clone()))
}

fn unknown(name: &str) -> Problem {
    let detail = format!(
        "`{}` is no service and no store of this edge, which forwards to nobody else",
        name.escape_debug()
    );
    Problem::new(ProblemKind::NoSuchTarget, detail)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
