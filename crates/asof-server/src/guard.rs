//! Against web pages that reach for a service on the reader's own machine.
//!
//! Where no token is needed, being able to connect is all it takes, and a browser on the same
//! machine can connect for any page it shows. Two checks stop that: the Host of a request must
//! be this machine's (a page may have re-bound its own name to loopback), and a request that a
//! page of another origin makes may not change anything.

use core::net::IpAddr;

use http::request::Parts;
use http::{Method, header};

use crate::refusal::Refusal;

/// Refuses what a foreign page could have sent.
pub(crate) fn check(parts: &Parts) -> Result<(), Refusal> {
    let host = host(parts);
    if let Some(host) = host
        && !is_this_machine(host)
    {
        return Err(Refusal::forbidden(format!(
            "without tokens the host must be localhost or an address, not `{}`",
            host.escape_debug()
        )));
    }
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let site = parts.headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let same_origin = parts.headers.get(header::ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let own = origin.split_once("://").map(|(_, authority)| authority);
        own.is_some() && own == host
    });
    if same_site && same_origin {
        Ok(())
    } else {
        Err(Refusal::forbidden("without tokens a web page of another origin may change nothing"))
    }
}

/// The authority that a request asks for. One that is not text is nobody's.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    parts.uri.authority().map(http::uri::Authority::as_str).or_else(|| {
        let host = parts.headers.get(header::HOST)?;
        Some(host.to_str().unwrap_or("?"))
    })
}

/// Names of loopback, below its own (RFC 6761).
const SUFFIX: &str = ".localhost";

/// Whether an authority names loopback or is an address, which no name can be re-bound to.
fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let below = host.len().checked_sub(SUFFIX.len()).and_then(|at| host.get(at..));
    host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || below.is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX))
}
