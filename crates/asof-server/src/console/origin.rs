//! Against other pages that would act with the rights of whoever is logged in here.
//!
//! `SameSite=Strict` keeps the cookie from other sites, but another port of the same machine is
//! the same site. So an action must say that a page of this very origin sent it.

use http::header;
use http::request::Parts;

use crate::guard;
use crate::refusal::Refusal;

/// Refuses a form that no page of this console sent.
///
/// A browser says where a request comes from in `Sec-Fetch-Site`, which no script can set, or an
/// older one in `Origin` alone. What says neither is no browser with a form of ours.
pub(super) fn check(parts: &Parts) -> Result<(), Refusal> {
    let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = guard::host(parts);
    let origin = text(header::ORIGIN.as_str());
    let own = origin.is_some_and(|origin| {
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        !authority.is_empty() && host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    });
    if origin.is_some() && !own {
        return Err(refuse(&format!("Origin is `{}`", origin.unwrap_or_default().escape_debug())));
    }
    match text("sec-fetch-site") {
        Some("same-origin") => Ok(()),
        Some("none") | None if own => Ok(()),
        None => Err(refuse("neither Sec-Fetch-Site nor Origin says where it comes from")),
        Some(site) => Err(refuse(&format!("Sec-Fetch-Site is `{}`", site.escape_debug()))),
    }
}

fn refuse(why: &str) -> Refusal {
    Refusal::forbidden(format!(
        "only a page of this console may act here, and {why}; nothing was done"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method("POST").uri("/console/act");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0).is_ok()
    }

    #[test]
    fn only_a_page_of_this_origin_may_act() {
        let host = ("host", "store:7400");
        let (own, other) = (("origin", "http://store:7400"), ("origin", "http://store:3000"));
        let site = |site| ("sec-fetch-site", site);
        assert!(checked(&[host, own, site("same-origin")]));
        assert!(checked(&[host, site("same-origin")]));
        assert!(checked(&[host, own]));
        assert!(checked(&[host, own, site("none")]));
        assert!(!checked(&[host]));
        assert!(!checked(&[host, site("none")]));
        assert!(!checked(&[host, own, site("same-site")]));
        assert!(!checked(&[host, own, site("cross-site")]));
        assert!(!checked(&[host, other, site("same-origin")]));
        assert!(!checked(&[host, other]));
        assert!(!checked(&[host, ("origin", "null"), site("same-origin")]));
        assert!(!checked(&[("origin", "http://"), host]));
        assert!(!checked(&[own]));
    }
}
