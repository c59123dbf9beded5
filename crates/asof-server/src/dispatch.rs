//! The way of a request from its head to its answer.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use asof_api::ErrorName;
use asof_api::headers::{ASOF_AUTHOR, ASOF_REASON};
use asof_api::routes::{
    BodyLimit, LARGE_BODY_BYTES_MAX, Needs, Route, RouteId, SMALL_BODY_BYTES_MAX,
};
use asof_store::{Actor, Key, SpaceName};
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::access::{self, Caller};
use crate::app::{App, broken, off_lane};
use crate::body::Body;
use crate::guard;
use crate::handler;
use crate::query::{Query, parse};
use crate::refusal::{Answer, Refusal};

/// One request, once it is known who makes it and that it is well formed.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) parts: &'a Parts,
    pub(crate) query: Query<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) path: Path<'a>,
    route: &'static Route,
}

/// Answers `request`, which `route` takes.
pub(crate) async fn dispatch(
    app: &App,
    route: &'static Route,
    request: Request<Body>,
) -> Response<Body> {
    let began = app.settings.clock.boot();
    let (parts, body) = request.into_parts();
    let mut caller = Caller::Anybody;
    let answer = AssertUnwindSafe(answer(app, route, &parts, body, &mut caller))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(broken(&text))
        });
    let refusal =
        answer.as_ref().err().map(|refusal| (refusal.name(), refusal.detail().to_owned()));
    let response = answer.unwrap_or_else(Refusal::into_response);
    let took = app.settings.clock.boot().since(began);
    let status = response.status().as_u16();
    app.metrics.answered(route.id, status, took);
    log(route, &parts, &caller, status, took, refusal.as_ref());
    response
}

/// One line a request. What changes something is worth reading; a control action refused is
/// worth a look.
fn log(
    route: &Route,
    parts: &Parts,
    caller: &Caller,
    status: u16,
    took: core::time::Duration,
    refusal: Option<&(ErrorName, String)>,
) {
    let route_name = route.id.as_str();
    let path = parts.uri.path();
    let caller = caller.name().unwrap_or("-");
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let (error, detail) = match refusal {
        Some((name, detail)) => (name.as_str(), detail.as_str()),
        None => ("-", ""),
    };
    if status >= 400 && (route.needs == Needs::Operator || status >= 500) {
        tracing::warn!(route = route_name, %path, caller, status, took_us, error, detail, "refused");
    } else if parts.method == Method::GET || parts.method == Method::HEAD {
        tracing::debug!(route = route_name, %path, caller, status, took_us, error, "answered");
    } else {
        tracing::info!(route = route_name, %path, caller, status, took_us, error, "answered");
    }
}

async fn answer(
    app: &App,
    route: &'static Route,
    parts: &Parts,
    body: Body,
    caller: &mut Caller,
) -> Answer {
    let gate = app.gate.now(&app.store);
    if gate.is_open() {
        guard::check(parts)?;
    }
    if route.needs != Needs::Nothing {
        *caller = gate.caller(&parts.headers)?;
    }
    // Held no longer: what follows may wait.
    drop(gate);
    let query = Query::new(route, parts.uri.query())?;
    let path = Path::new(route.path, parts.uri.path());
    let space = path.space()?;
    access::check_role(caller, route, space.as_ref())?;
    let call = Call { app, parts, query, caller, path, route };
    let _place = match route.limit {
        BodyLimit::Large => Some(app.large_body().await?),
        BodyLimit::Empty if !body.is_end_stream() => {
            return Err(Refusal::invalid("this route takes no request body"));
        }
        BodyLimit::Empty | BodyLimit::Value | BodyLimit::Small => None,
    };
    // The read of a point is the one that must cost nothing; the others' state, all of it
    // together, would be made room for on each read.
    if let (RouteId::Get, Some(space)) = (route.id, &space) {
        return handler::point::get(&call, space).await;
    }
    Box::pin(handle(&call, space, body)).await
}

/// The handler of each route: whoever adds one to the table is made to say what it does here.
async fn handle(call: &Call<'_>, space: Option<SpaceName>, body: Body) -> Answer {
    use RouteId as Id;
    // Routes with `{space}` in their path have it by now.
    let space = || space.ok_or_else(|| Refusal::invalid("no space is given"));
    match call.route.id {
        Id::Time => handler::time::time(call).await,
        Id::AcceptClock => handler::time::accept_clock(call, call.json(body).await?).await,
        Id::Spaces => Ok(handler::spaces::list(call)),
        Id::Space => handler::spaces::show(call, &space()?),
        Id::CreateSpace => handler::spaces::create(call, space()?, call.json(body).await?).await,
        Id::GoLive => handler::spaces::go_live(call, space()?).await,
        Id::Usage => handler::spaces::usage(call, space()?).await,
        Id::SetRetention => {
            handler::spaces::set_retention(call, space()?, call.json(body).await?).await
        }
        Id::Import => handler::import::import(call, space()?, call.bytes(body).await?).await,
        Id::Source => handler::spaces::source(call, space()?).await,
        Id::Get => handler::point::get(call, &space()?).await,
        Id::Put => handler::write::put(call, space()?, call.bytes(body).await?).await,
        Id::Delete => handler::write::delete(call, space()?).await,
        Id::History => handler::history::history(call, space()?).await,
        Id::Scan => handler::walk::scan(call, space()?).await,
        Id::Read => handler::walk::read(call, call.json(body).await?).await,
        Id::Diff => handler::walk::diff(call, space()?).await,
        Id::Commit => handler::write::commit(call, call.bytes(body).await?).await,
        Id::Commits => handler::commits::list(call).await,
        Id::CommitById => handler::commits::show(call).await,
        Id::Amend => handler::commits::amend(call, call.json(body).await?).await,
        Id::Cancel => handler::commits::cancel(call).await,
        Id::Feed => handler::feed::feed(call).await,
        Id::Cap => Ok(handler::control::cap(call)),
        Id::SetCap => handler::control::set_cap(call, call.json(body).await?).await,
        Id::ClearCap => handler::control::clear_cap(call).await,
        Id::Pins => handler::control::pins(call).await,
        Id::CreatePin => handler::control::create_pin(call, call.json(body).await?).await,
        Id::ReleasePin => handler::control::release_pin(call).await,
        Id::Tokens => Ok(handler::tokens::list(call)),
        Id::CreateToken => handler::tokens::create(call, call.json(body).await?).await,
        Id::RevokeToken => handler::tokens::revoke(call).await,
        Id::Control => handler::control::log(call).await,
        Id::Backup => handler::backup::backup(call).await,
        Id::OpenApi => Ok(handler::ops::openapi()),
        Id::Healthz => Ok(handler::ops::healthz()),
        Id::Readyz => Ok(handler::ops::readyz(call)),
        Id::Metrics => handler::ops::metrics(call),
    }
}

/// The segments of a path that its template names, still percent-encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    whole: &'a str,
    space: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Path<'a> {
    /// Takes apart `path`, which the router found to be of `template`.
    fn new(template: &str, path: &'a str) -> Self {
        let mut space = None;
        let mut rest = path;
        let mut left = path;
        for name in template.split('/') {
            let (segment, after) = left.split_once('/').unwrap_or((left, ""));
            if name == "{space}" {
                space = Some(segment);
            } else if name.starts_with("{*") {
                rest = left;
            } else if name.starts_with('{') {
                rest = segment;
            }
            left = after;
        }
        Self { whole: path, space, rest }
    }

    /// All of it.
    pub(crate) fn whole(self) -> &'a str {
        self.whole
    }

    /// The space it names, where its template has one.
    fn space(self) -> Result<Option<SpaceName>, Refusal> {
        self.space.map(|raw| Ok(SpaceName::new(&decode(raw)?)?)).transpose()
    }

    /// The space, as it stands in the path.
    pub(crate) fn raw_space(self) -> &'a str {
        self.space.unwrap_or_default()
    }

    /// The key, as it stands in the path.
    pub(crate) fn raw_key(self) -> &'a str {
        self.rest
    }

    /// The key.
    pub(crate) fn key(self) -> Result<Key, Refusal> {
        Ok(Key::new(&decode(self.rest)?)?)
    }

    /// The segment that is not a space: an id or a name.
    pub(crate) fn name(self) -> Result<Cow<'a, str>, Refusal> {
        decode(self.rest)
    }
}

fn decode(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| Refusal::invalid("the path is not percent-encoded UTF-8"))
}

/// A request body that is JSON.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::invalid(format!("the request body: {error}")))
}

impl Call<'_> {
    /// The text of a header that may be there once.
    pub(crate) fn header(&self, name: &HeaderName) -> Result<Option<&str>, Refusal> {
        let mut values = self.parts.headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(Refusal::invalid(format!("header {name} is there twice")));
        }
        core::str::from_utf8(value.as_bytes())
            .map(Some)
            .map_err(|_| Refusal::invalid(format!("header {name} is not UTF-8")))
    }

    /// A header, parsed.
    pub(crate) fn parsed_header<T: core::str::FromStr<Err: core::fmt::Display>>(
        &self,
        name: &HeaderName,
    ) -> Result<Option<T>, Refusal> {
        self.header(name)?.map(|text| parse(&format_args!("header {name}"), text)).transpose()
    }

    /// Who acts, by the headers.
    pub(crate) fn actor(&self) -> Result<Actor, Refusal> {
        let author = self.header(&ASOF_AUTHOR)?.unwrap_or_default();
        let reason = self.header(&ASOF_REASON)?.unwrap_or_default();
        Ok(self.actor_called(author, reason))
    }

    /// Who acts. Anybody can claim to be `author`; the token is known, so it is always said.
    pub(crate) fn actor_called(&self, author: &str, reason: &str) -> Actor {
        let name = match (self.caller.name(), author) {
            (None, author) => author.to_owned(),
            (Some(token), "") => token.to_owned(),
            (Some(token), author) => format!("{author} (token {token})"),
        };
        Actor { name, reason: reason.to_owned() }
    }

    /// The author of a commit: as claimed, or the name of the token.
    pub(crate) fn author(&self, claimed: Option<&str>) -> String {
        claimed.or(self.caller.name()).unwrap_or_default().to_owned()
    }

    /// The request body as JSON.
    async fn json<T: DeserializeOwned + Send + 'static>(&self, body: Body) -> Result<T, Refusal> {
        let bytes = self.bytes(body).await?;
        off_lane(bytes.len(), move || from_json(&bytes)).await?
    }

    /// The request body, within the limit of its route and in time.
    async fn bytes(&self, body: Body) -> Result<Bytes, Refusal> {
        let limit = match self.route.limit {
            BodyLimit::Empty => 0,
            BodyLimit::Value => self.app.settings.value_bytes_max,
            BodyLimit::Small => SMALL_BODY_BYTES_MAX,
            BodyLimit::Large => LARGE_BODY_BYTES_MAX,
        };
        let too_large =
            || Refusal::too_large(format!("the request body is over {limit} bytes"), limit);
        // What says beforehand that it is too large need not be received.
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let collected = Limited::new(body, limit).collect();
        match tokio::time::timeout(self.app.settings.body_timeout, collected).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(error)) => {
                Err(Refusal::invalid(format!("the request body did not arrive whole: {error}")))
            }
            Err(_) => Err(Refusal::new(
                ErrorName::RequestTimeout,
                format!(
                    "the request body did not arrive within {:?}",
                    self.app.settings.body_timeout
                ),
            )),
        }
    }
}
