//! Reads routes and state values.

use http::{HeaderName, Method};

use super::auth;
use super::names::{ServiceName, StateName, StoreName};
use super::pattern::PathPattern;
use super::plan::{
    AsOf, Bucket, Lookup, Mode, OnLoss, Route, Service, State, StateSource, TimeInput, Zone,
};
use super::read::{self, Reader, header, value};
use super::walk::{Placed, Section};
use crate::limits;

/// The route that `section` describes, if its path can be read.
pub(crate) fn route(
    reader: &mut Reader<'_>,
    name: &ServiceName,
    service: &Service,
    mut section: Section<'_, '_>,
) -> Option<Route> {
    for key in ["path", "mode", "query", "state", "stores", "zone_from", "constant", "require"] {
        reader.stands(&section, key);
    }
    let path = section.parsed("path", PathPattern::new);
    if path.is_none() && section.place_of("path") == section.place {
        section.wrong("path", section.place, "missing; write one such as \"/files/{*path}\"");
    }
    let methods = methods(&mut section);
    let mode = section.word("mode", Mode::WORDS).map_or(Mode::Off, value);
    let query = section.texts("query").map(|names| names.into_iter().map(value).collect());
    let headers = headers(&mut section);
    let state = section.parsed_set::<StateName>("state").unwrap_or_default();
    let time = time(&mut section);
    let stores = section.parsed_set::<StoreName>("stores").unwrap_or_default();
    let constant = section.flag("constant").unwrap_or_default();
    let observed_min = observed(&mut section);
    let route = path.map(|path| Route {
        service: name.clone(),
        path: path.value,
        methods,
        mode,
        query,
        headers,
        state: state.into_iter().map(value).collect(),
        time,
        stores: stores.into_iter().map(value).collect(),
        constant,
        observed_min,
        shadow: section.share("shadow").unwrap_or(0.01),
        as_of: section.word("as_of", AsOf::WORDS).map_or(AsOf::None, value),
        on_loss: section.word("on_loss", OnLoss::WORDS).map(value),
        require: auth::require(&mut section),
        shared: section.flag("shared").unwrap_or_default(),
        version_header: service.version_header.clone(),
    });
    if route.is_some() {
        section.finish();
    }
    route
}

fn methods(section: &mut Section<'_, '_>) -> Vec<Method> {
    let Some(texts) = section.texts("methods") else {
        return vec![Method::GET];
    };
    let mut methods = Vec::new();
    for Placed { value, place } in &texts {
        match Method::from_bytes(value.as_bytes()) {
            Ok(Method::CONNECT | Method::HEAD | Method::TRACE) | Err(_) => {
                let why = format!(
                    "`{}` cannot be the method of a route (HEAD is part of GET)",
                    value.escape_debug()
                );
                section.wrong("methods", *place, why);
            }
            Ok(method) if value.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                let why = format!("`{method}` is not upper case, and methods know the difference");
                section.wrong("methods", *place, why);
            }
            Ok(method) if !methods.contains(&method) => methods.push(method),
            Ok(_) => {}
        }
    }
    if texts.is_empty() {
        section.wrong("methods", section.place_of("methods"), "a route needs a method");
    }
    methods
}

fn headers(section: &mut Section<'_, '_>) -> Vec<HeaderName> {
    let mut headers = Vec::new();
    for Placed { value, place } in section.texts("headers").unwrap_or_default() {
        match header(&value) {
            Err(why) => section.wrong("headers", place, why),
            Ok(name) if is_private(&name) => {
                let why = format!(
                    "`{name}` is somebody's identity or the proxy's own: it cannot be part of a \
                     call; declare a state value instead"
                );
                section.wrong("headers", place, why);
            }
            Ok(name) if !headers.contains(&name) => headers.push(name),
            Ok(_) => {}
        }
    }
    headers
}

/// Headers that no call may depend on.
fn is_private(name: &HeaderName) -> bool {
    let own = [
        "as-of",
        "accept-datetime",
        "baggage",
        "forwarded",
        "host",
        "range",
        "traceparent",
        "tracestate",
    ];
    crate::headers::is_hop_by_hop(name)
        || name.as_str().starts_with("asof-")
        || name.as_str().starts_with("if-")
        || own.contains(&name.as_str())
        || matches!(*name, http::header::COOKIE | http::header::AUTHORIZATION)
        || *name == http::header::ACCEPT_ENCODING
        || *name == http::header::CONTENT_LENGTH
}

fn time(section: &mut Section<'_, '_>) -> TimeInput {
    let units = Bucket::WORDS.iter().map(|(word, bucket)| (*word, Some(*bucket)));
    let words: Vec<_> = core::iter::once(("exact", None)).chain(units).collect();
    let time = section.word("time", &words);
    let zone = section.parsed("zone", |name| {
        jiff::tz::TimeZoneDatabase::bundled().get(name).map(|_| name.to_owned()).map_err(|_| {
            format!("`{}` is no time zone: write one such as `Europe/Berlin`", name.escape_debug())
        })
    });
    let from = section.parsed("zone_from", str::parse::<StateName>);
    if let (Some(zone), Some(_)) = (&zone, &from) {
        section.wrong("zone", zone.place, "contradicts `zone_from`: keep one of them");
    }
    match time {
        Some(Placed { value: Some(bucket), .. }) => {
            let zone = match (zone, from) {
                (_, Some(from)) => Zone::FromState(from.value),
                (Some(zone), None) => Zone::Named(zone.value),
                (None, None) => Zone::Named("UTC".to_owned()),
            };
            TimeInput::Bucket(bucket, zone)
        }
        other => {
            if let Some(place) = zone.map(|zone| zone.place).or(from.map(|from| from.place)) {
                let why = "only a calendar unit has a zone: set `time` to year, month, day, hour \
                           or minute, or remove this";
                section.wrong("zone", place, why);
            }
            if other.is_some() { TimeInput::Exact } else { TimeInput::None }
        }
    }
}

/// `observed_min`; 0 only with `trust = true`.
fn observed(section: &mut Section<'_, '_>) -> u64 {
    let observed = section.whole("observed_min", &limits::OBSERVED_MIN);
    let trust = section.flag("trust").unwrap_or_default();
    match observed {
        Some(Placed { value: 0, place }) if !trust => {
            let why = "0 serves answers that were never compared with a second run: say `trust = \
                       true` beside it, or raise it";
            section.wrong("observed_min", place, why);
            0
        }
        observed => observed.map_or(100, value),
    }
}

/// The state value that `section` describes.
pub(crate) fn state(reader: &mut Reader<'_>, mut section: Section<'_, '_>) -> State {
    for key in ["store", "from"] {
        reader.stands(&section, key);
    }
    let default = section.text("default");
    if default.is_none() && section.place_of("default") == section.place {
        section.wrong("default", section.place, "missing; say what it is where it is not found");
    }
    let values: Option<Vec<String>> =
        section.texts("values").map(|values| values.into_iter().map(value).collect());
    let default = default.map(value).unwrap_or_default();
    if values.as_ref().is_some_and(|values| !values.contains(&default)) {
        let why = format!("does not hold the default `{default}`: add it");
        section.wrong("values", section.place_of("values"), why);
    }
    let (from, lookups) = chain(&mut section);
    let store = section.parsed("store", str::parse::<StoreName>).map(value);
    section.finish();
    State { default, values, from, lookups, store }
}

/// The steps from a request to a value.
fn chain(section: &mut Section<'_, '_>) -> (Option<StateSource>, Vec<Lookup>) {
    let steps = section.sections("from");
    if steps.len() > limits::STATE_STEPS_MAX {
        let why = format!(
            "{} steps are above the limit of {}: each is a read on the way of every request",
            steps.len(),
            limits::STATE_STEPS_MAX
        );
        section.wrong("from", section.place_of("from"), why);
    }
    let (mut source, mut lookups): (_, Vec<Lookup>) = (None, Vec::new());
    for (nth, mut step) in steps.into_iter().enumerate() {
        let found = starting_point(&mut step);
        let space = step.text("lookup").map(value);
        let field = step.text("field").map(value);
        let why = match (found, space, field) {
            (Some(found), None, None) if nth == 0 => {
                source = Some(found);
                None
            }
            (None, Some(space), Some(field)) if nth > 0 => {
                let lookup = Lookup { space, field };
                let again = lookups.contains(&lookup);
                lookups.push(lookup);
                again.then_some("looks the same up twice, which is a cycle: remove one")
            }
            (None, Some(_), None) => Some("a look-up needs the `field` of the value to take"),
            (None, Some(_), Some(_)) => {
                Some("begin with a cookie, header, claim or query: a look-up needs a key")
            }
            (Some(_), None, None) => Some("only the first step reads the request"),
            _ => Some(
                "a step is one of cookie, header, claim, auth_header, query, or lookup with field",
            ),
        };
        if let Some(why) = why {
            section.sheet.mistake(step.place, format!("{}: {why}", step.path));
        }
        step.finish();
    }
    (source, lookups)
}

fn starting_point(step: &mut Section<'_, '_>) -> Option<StateSource> {
    let cookie = step.text("cookie").map(|name| StateSource::Cookie(name.value));
    let header = step.parsed("header", header).map(|name| StateSource::Header(name.value));
    let claim = step.text("claim").map(|name| StateSource::Claim(name.value));
    let answered =
        step.parsed("auth_header", read::header).map(|name| StateSource::AuthHeader(name.value));
    let query = step.text("query").map(|name| StateSource::Query(name.value));
    let mut given = [cookie, header, claim, answered, query].into_iter().flatten();
    let first = given.next();
    if given.next().is_some() {
        step.sheet.mistake(step.place, format!("{}: one step reads one thing", step.path));
    }
    first
}
