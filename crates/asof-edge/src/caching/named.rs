//! What a client's URL names, and who may keep the answer to it.
//!
//! An answer is a fact where its URL names all that it is a function of: the moment, and by the
//! epoch everything else (the timelines of the stores, the configuration). Whoever has such a URL
//! may keep the answer for ever. What is asked for without, or with less, is asked for again.

use asof_api::headers as wire;
use asof_time::Epoch;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use percent_encoding::percent_decode_str;

use super::root::Root;
use super::routes::Known;
use crate::body::Body;
use crate::config::{AsOf, Auth, Plan, Route, StateSource};
use crate::problem::{Problem, ProblemKind};

/// What of a fact is in its URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    /// Not even the moment.
    Nothing,
    /// The moment alone.
    Moment,
    /// All of it.
    Fact(Epoch),
}

/// For whom an answer of a route is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// Everybody who sends the same values of these headers.
    All(Vec<HeaderName>),
    /// Everybody who is let in and sends the same values of these headers.
    LetIn(Vec<HeaderName>),
    /// Whoever asks: it may depend on who that is.
    One,
}

/// What is said to caches of the answers of a route, made once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Keeping {
    latest: &'static str,
    fact: &'static str,
    vary_latest: HeaderValue,
    vary_fact: Option<HeaderValue>,
}

/// Takes the edge's own parameters out of a URL; the moment goes on as a header.
///
/// # Errors
///
/// `Malformed` where it says two things, or what cannot be read.
pub(crate) fn take(request: &mut Request<Body>, route: Option<&Route>) -> Result<Named, Problem> {
    if route.is_none_or(|route| route.as_of == AsOf::None) {
        return Ok(Named::Nothing);
    }
    let Some(query) = request.uri().query() else { return Ok(Named::Nothing) };
    let (mut moment, mut epoch, mut rest) = (None, None, Vec::new());
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        let value = || percent_decode_str(value).decode_utf8_lossy().into_owned();
        let twice = match &*name {
            "as_of" => moment.replace(value()).is_some(),
            "epoch" => epoch.replace(value()).is_some(),
            _ => {
                rest.push(part);
                false
            }
        };
        if twice {
            return Err(malformed(format!("{name}= is there more than once")));
        }
    }
    let Some(moment) = moment else {
        let alone = epoch.is_some().then(|| malformed("epoch= names nothing without as_of="));
        return alone.map_or(Ok(Named::Nothing), Err);
    };
    let epoch = epoch
        .map(|epoch| epoch.parse::<Epoch>().map_err(|error| malformed(format!("epoch=: {error}"))));
    let epoch = epoch.transpose()?;
    let rest = without(request.uri(), &rest)?;
    let headers = request.headers_mut();
    if headers.contains_key(&wire::AS_OF) {
        return Err(malformed("the moment is named by as_of= and by As-Of: leave one"));
    }
    let value = HeaderValue::try_from(moment);
    headers.insert(&wire::AS_OF, value.map_err(|_| malformed("as_of= is no text"))?);
    *request.uri_mut() = rest;
    Ok(epoch.map_or(Named::Moment, Named::Fact))
}

fn without(uri: &Uri, rest: &[&str]) -> Result<Uri, Problem> {
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    let path: Result<PathAndQuery, _> = format!("{}{query}", uri.path()).parse();
    path.map(Uri::from).map_err(|error| malformed(format!("the path is no path: {error}")))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Malformed, detail)
}

/// Everything but the moment that an answer of the tree is a function of; `None` where the edge is
/// not told of deploys, since another software may answer otherwise at the same moment.
pub(crate) fn epoch(root: &Root) -> Option<Epoch> {
    root.plan.releases.as_ref()?;
    let mut digest = blake3::Hasher::new();
    digest.update(root.routes.system().as_bytes());
    for (store, epoch) in &root.epochs {
        // Names hold no zero byte, so none can pass for another.
        digest.update(store.as_str().as_bytes());
        digest.update(&[0]);
        digest.update(&epoch.as_u64().to_le_bytes());
    }
    let mut bits = [0; 8];
    digest.finalize_xof().fill(&mut bits);
    Some(Epoch::from_random(u64::from_le_bytes(bits)))
}

/// Whether a URL that names a fact names one of this system.
///
/// # Errors
///
/// `WrongEpoch` where it does not: it names something that was.
pub(crate) fn check(named: Named, root: &Root) -> Result<(), Problem> {
    let Named::Fact(asked) = named else { return Ok(()) };
    let detail = match epoch(root) {
        Some(known) if known == asked => return Ok(()),
        Some(known) => {
            format!("epoch=`{asked}` is not `{known}`, which is that of this system now")
        }
        None => "this system has no epoch, since no releases are kept: leave out epoch=".to_owned(),
    };
    Err(Problem::new(ProblemKind::WrongEpoch, detail))
}

impl Audience {
    /// Of a route.
    pub(crate) fn of(plan: &Plan, route: &Route) -> Self {
        let service = plan.services.get(&route.service);
        let canary = service.and_then(|service| service.canary.as_ref());
        let states = route.state.iter().chain(canary.map(|canary| &canary.state));
        let mut headers = route.headers.clone();
        for state in states.filter_map(|name| plan.states.get(name)) {
            match &state.from {
                None | Some(StateSource::Query(_)) => {}
                Some(StateSource::Header(name)) => headers.push(name.clone()),
                Some(
                    StateSource::Cookie(_) | StateSource::Claim(_) | StateSource::AuthHeader(_),
                ) => return Self::One,
            }
        }
        if headers.contains(&header::AUTHORIZATION) || headers.contains(&header::COOKIE) {
            return Self::One;
        }
        headers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        headers.dedup();
        if plan.auth == Auth::None { Self::All(headers) } else { Self::LetIn(headers) }
    }
}

impl Keeping {
    pub(crate) fn of(audience: &Audience, route: &Route) -> Self {
        const FOREVER: &str = "public, max-age=31536000, immutable";
        const OWN_FOREVER: &str = "private, max-age=31536000, immutable";
        let none = Vec::new();
        let (latest, fact, headers) = match audience {
            Audience::All(headers) => ("no-cache", FOREVER, headers),
            Audience::LetIn(headers) => ("private, no-cache", OWN_FOREVER, headers),
            Audience::One => ("private, no-cache", "private, no-cache", &none),
        };
        let names: Vec<&str> = headers.iter().map(HeaderName::as_str).collect();
        let chosen: &[&str] =
            if route.as_of == AsOf::Closed { &["as-of", "asof-token"] } else { &["asof-token"] };
        let list = |names: &[&str]| HeaderValue::try_from(names.join(", ")).ok();
        Self {
            latest,
            fact,
            vary_latest: list(&[chosen, &names].concat())
                .unwrap_or_else(|| HeaderValue::from_static("*")),
            vary_fact: if names.is_empty() { None } else { list(&names) },
        }
    }
}

/// Says who may keep an answer. `lasts`: it is a fact, of which nothing is ever erased. A service may
/// say something else of its latest answers; a fact is one whatever it says.
pub(crate) fn describe(
    known: &Known,
    named: Named,
    root: &Root,
    lasts: bool,
    headers: &mut HeaderMap,
) {
    let keeping = &known.keeping;
    if known.route.as_of == AsOf::Closed
        && let Some(epoch) = epoch(root)
        && let Ok(value) = HeaderValue::try_from(epoch.to_string())
    {
        headers.insert(&wire::AS_OF_EPOCH, value);
    }
    if lasts && matches!(named, Named::Fact(_)) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeping.fact));
        match &keeping.vary_fact {
            Some(vary) => _ = headers.insert(header::VARY, vary.clone()),
            None => _ = headers.remove(header::VARY),
        }
        return;
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert_with(|| HeaderValue::from_static(keeping.latest));
    headers.insert(header::VARY, keeping.vary_latest.clone());
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
