//! The whole system at a moment that is still to come, for whoever operates it.
//!
//! Requests come by a listener of their own, on loopback, and say the moment by `As-Of`, or once by
//! `/-/preview?at=T` in a browser. Everybody is asked: the stores for what is scheduled until then,
//! the services for what they make of it. Nothing of it is kept, since it may still change, and
//! nothing is written, since it has not happened.

use std::sync::Arc;

use asof_api::headers as wire;
use asof_cache::{Bypass, Call, Execute, Line, Outcome, Unstorable};
use asof_time::Timestamp;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::Inner;
use super::level::Level;
use super::report::parameter;
use super::root::Root;
use super::serve::Served;
use super::session;
use crate::body::Body;
use crate::engine::Answer;
use crate::problem::{Problem, ProblemKind};

/// Where a browser says which moment its next requests are about.
const CHOOSE: &str = "/-/preview";
/// Where it keeps that.
const COOKIE: &str = "asof_preview";

/// What comes by the listener.
#[derive(Debug)]
pub(super) enum Asked {
    /// A request about this moment.
    About(Timestamp),
    /// The choice of a moment, which is answered at once.
    Chosen(Response<Body>),
}

/// Takes out of a request which moment it is about.
///
/// # Errors
///
/// Where it says none, or would write.
pub(super) fn take(request: &mut Request<Body>) -> Result<Asked, Problem> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "a preview only reads: what it shows has not happened yet";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    if request.uri().path() == CHOOSE {
        return choose(request.uri().query().unwrap_or_default()).map(Asked::Chosen);
    }
    let headers = request.headers_mut();
    let kept = session::remove(headers, COOKIE);
    let named = headers.remove(&wire::AS_OF);
    let named = named.map(|value| value.to_str().unwrap_or_default().trim().to_owned());
    let Some(text) = named.or(kept) else {
        let detail = format!(
            "say which moment is meant: send `As-Of: 2027-01-01T00:00:00Z`, or open \
             `{CHOOSE}?at=2027-01-01T00:00:00Z` once in a browser"
        );
        return Err(malformed(detail));
    };
    moment(&text).map(Asked::About)
}

fn moment(text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|error| malformed(format!("the moment `{text}`: {error}")))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Malformed, detail)
}

/// Has a browser remember the moment, or forget it, and go on from there.
fn choose(query: &str) -> Result<Response<Body>, Problem> {
    let at = parameter(query, "at").map(|text| moment(text.trim())).transpose()?;
    let (status, cookie) = match at {
        Some(at) => (StatusCode::SEE_OTHER, format!("{COOKIE}={}", at.as_micros())),
        None => (StatusCode::OK, format!("{COOKIE}=; Max-Age=0")),
    };
    let text = "No moment is chosen: open /-/preview?at=2027-01-01T00:00:00Z\n";
    let body = if at.is_some() { Body::empty() } else { Body::whole(text) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let cookie = HeaderValue::try_from(format!("{cookie}; Path=/; HttpOnly; SameSite=Strict"));
    headers.extend(cookie.ok().map(|cookie| (header::SET_COOKIE, cookie)));
    if at.is_some() {
        headers.insert(header::LOCATION, HeaderValue::from_static("/"));
    } else {
        let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    unkept(headers);
    Ok(response)
}

/// Says that an answer is for nobody else, and for no other time.
pub(super) fn unkept(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// As [`unkept`], of a whole answer.
pub(super) fn answered(mut answer: Answer) -> Answer {
    unkept(answer.response.headers_mut());
    answer
}

impl Inner {
    /// Answers `call` at a moment that is still to come.
    pub(super) async fn preview(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        above: Option<Arc<Line>>,
        level: &Level,
    ) -> Served {
        let execute = Execute { prior: None, line: above, since: self.cache.since() };
        let served = if root.plan.stores.contains_key(&*call.service) {
            self.ask(root, call, execute, level).await
        } else if let Some(known) = root.routes.find(&call.service, &call.method, &call.path) {
            let why = Some(Unstorable::NoValidity);
            self.execute(root, call, known, execute, level, why).await
        } else {
            let problem = Problem::new(ProblemKind::NoSuchRoute, "the route has changed");
            Served::problem(problem, Unstorable::NoValidity)
        };
        Served { outcome: Outcome::Bypass(Bypass::Preview), ..served }
    }
}

/// Makes a read of a store one of what will be true at `at`.
///
/// # Errors
///
/// Where the request writes.
pub(super) fn ahead(
    request: &mut Request<Body>,
    reads: bool,
    at: Timestamp,
    authorization: Option<&HeaderValue>,
) -> Result<(), Problem> {
    if !reads {
        let detail = "this request is a preview: what it shows has not happened yet, and nothing is \
                      written for it";
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    let path = request.uri().path();
    let query = question(request.uri().query().unwrap_or_default(), at);
    let uri = format!("{path}?{query}").parse();
    *request.uri_mut() = uri.map_err(|error| malformed(format!("the path is no path: {error}")))?;
    let headers = request.headers_mut();
    headers.remove(&wire::AS_OF);
    headers.remove(&wire::ACCEPT_DATETIME);
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    Ok(())
}

/// The query of a read, as one of what will be true at `at`, or at the moment before it that the
/// read names.
pub(super) fn question(query: &str, at: Timestamp) -> String {
    let named = parameter(query, "as_of").and_then(|text| text.parse().ok());
    let at = named.map_or(at, |named: Timestamp| named.min(at));
    let ours = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        !part.is_empty() && name != "as_of" && name != "preview"
    };
    let mut parts: Vec<&str> = query.split('&').filter(ours).collect();
    let moment = format!("as_of={}", at.as_micros());
    parts.extend([moment.as_str(), "preview=true"]);
    parts.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_made_one_of_what_will_be_true_and_never_of_what_is_after_that() {
        let at = Timestamp::from_micros(2_000_000).unwrap();
        assert_eq!(question("", at), "as_of=2000000&preview=true");
        assert_eq!(question("prefix=a&limit=3", at), "prefix=a&limit=3&as_of=2000000&preview=true");
        assert_eq!(question("as_of=1000000", at), "as_of=1000000&preview=true");
        assert_eq!(question("as_of=3000000&preview=true", at), "as_of=2000000&preview=true");
    }

    #[test]
    fn the_moment_is_in_a_header_or_in_a_cookie_of_which_the_services_see_nothing() {
        let about = |headers: &[(&str, &str)]| {
            let mut request = Request::get("/page");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut request = request.body(Body::empty()).unwrap();
            let asked = take(&mut request).map_err(|problem| problem.kind);
            let Asked::About(at) = asked? else { panic!("a page is asked for") };
            assert!(!request.headers().contains_key("as-of"));
            let cookie = request.headers().get("cookie").cloned();
            Ok((at.as_micros(), cookie))
        };
        let theme = HeaderValue::from_static("theme=dark");
        assert_eq!(about(&[("as-of", "5000000")]), Ok((5_000_000, None)));
        let cookie = ("cookie", "asof_preview=7000000; theme=dark");
        assert_eq!(about(&[cookie]), Ok((7_000_000, Some(theme.clone()))));
        assert_eq!(about(&[cookie, ("as-of", "5000000")]), Ok((5_000_000, Some(theme))));
        assert_eq!(about(&[]), Err(ProblemKind::Malformed));
        assert_eq!(about(&[("as-of", "tomorrow")]), Err(ProblemKind::Malformed));
    }
}
