//! The way of a request from its head to its answer.

use core::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use asof_api::ErrorName;
use asof_api::headers::{ASOF_AUTHOR, ASOF_REASON};
use asof_api::routes::{
    BodyLimit, LARGE_BODY_BYTES_MAX, Needs, Route, RouteId, SMALL_BODY_BYTES_MAX,
};
use asof_env::BootTime;
use asof_store::{Actor, Key, SpaceName};
use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, Method, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::access::{self, Caller};
use crate::answering::{Answering, Form};
use crate::app::{App, broken, off_lane};
use crate::body::Body;
use crate::guard;
use crate::handler;
use crate::moment;
use crate::query::{Query, parse};
use crate::refusal::{Answer, Refusal};
use crate::reply;

/// One request, once it is known who makes it and that it is well formed.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) parts: &'a Parts,
    pub(crate) query: Query<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) path: Path<'a>,
    route: &'static Route,
}

/// Answers what `route` takes.
pub(crate) fn dispatch(
    app: &App,
    route: &'static Route,
    parts: Parts,
    body: Body,
    form: Form,
) -> Answering {
    let began = app.settings.clock.boot();
    // The read of a point is the one that must cost nothing: where nothing is to be waited for,
    // no future is made for it.
    if route.id == RouteId::Get
        && let Some(response) = at_once(app, route, &parts, &body, began)
    {
        reply::keep(parts.headers);
        return Answering::now(Ok(form.of(response)));
    }
    let app = app.clone();
    Answering::later(async move {
        let mut caller = Caller::Anybody;
        let answer = AssertUnwindSafe(answer(&app, route, &parts, body, &mut caller))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        Ok(form.of(tell(&app, route, &parts, &caller, began, answer)))
    })
}

/// The read of a point, unless its moment is to be waited for.
fn at_once(
    app: &App,
    route: &'static Route,
    parts: &Parts,
    body: &Body,
    began: BootTime,
) -> Option<Response<Body>> {
    let mut caller = Caller::Anybody;
    let answer = catch_unwind(AssertUnwindSafe(|| {
        let (call, space) = Call::new(app, route, parts, body, &mut caller)?;
        let asked = moment::named(&call, None)?;
        if asked.waits_for(&call)?.is_some() {
            return Ok(None);
        }
        handler::point::get(&call, &in_path(space)?, &asked).map(Some)
    }));
    let answer = answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))).transpose()?;
    Some(tell(app, route, parts, &caller, began, answer))
}

fn panicked(panic: &(dyn Any + Send)) -> Refusal {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    broken(&text)
}

/// Words the answer, and counts and logs it.
fn tell(
    app: &App,
    route: &Route,
    parts: &Parts,
    caller: &Caller,
    began: BootTime,
    answer: Answer,
) -> Response<Body> {
    let refusal =
        answer.as_ref().err().map(|refusal| (refusal.name(), refusal.detail().to_owned()));
    let response = answer.unwrap_or_else(Refusal::into_response);
    let took = app.settings.clock.boot().since(began);
    let status = response.status().as_u16();
    app.metrics.answered(route.id, status, took);
    log(route, parts, caller, status, took, refusal.as_ref());
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
    let (call, space) = Call::new(app, route, parts, &body, caller)?;
    let _place = match route.limit {
        BodyLimit::Large => Some(app.large_body().await?),
        BodyLimit::Empty | BodyLimit::Value | BodyLimit::Small => None,
    };
    handle(&call, space, body).await
}

/// What the console asks for somebody whose session it knows: the same checks and the same handler
/// as a request with a token would meet.
pub(crate) async fn inside(
    app: &App,
    caller: &Caller,
    route: &'static Route,
    parts: &Parts,
    body: Body,
) -> Answer {
    let began = app.settings.clock.boot();
    let answer = async {
        let (call, space) = Call::of(app, route, parts, caller)?;
        handle(&call, space, body).await
    };
    let answer = answer.await;
    let status = match &answer {
        Ok(response) => response.status(),
        Err(refusal) => refusal.name().status().get(),
    };
    let refusal =
        answer.as_ref().err().map(|refusal| (refusal.name(), refusal.detail().to_owned()));
    let took = app.settings.clock.boot().since(began);
    log(route, parts, caller, status.as_u16(), took, refusal.as_ref());
    answer
}

/// The handler of each route: whoever adds one to the table is made to say what it does here.
async fn handle(call: &Call<'_>, space: Option<SpaceName>, body: Body) -> Answer {
    use RouteId as Id;
    let space = || in_path(space);
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
        Id::Get => handler::point::get(call, &space()?, &moment::ask(call, None).await?),
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
        Id::Revert => handler::operate::revert(call, call.json(body).await?).await,
        Id::BadCommits => Ok(handler::operate::bad_commits(call)),
        Id::MarkBad => handler::operate::mark_bad(call).await,
        Id::UnmarkBad => handler::operate::unmark_bad(call).await,
        Id::Erase => handler::erase::erase(call, space()?, call.json(body).await?).await,
        Id::Erasures => handler::erase::list(call).await,
        Id::SetErasable => handler::erase::set_erasable(call, space()?).await,
        Id::Cap => Ok(handler::operate::cap(call)),
        Id::SetCap => handler::operate::set_cap(call, call.json(body).await?).await,
        Id::ClearCap => handler::operate::clear_cap(call).await,
        Id::Pins => handler::control::pins(call).await,
        Id::CreatePin => handler::control::create_pin(call, call.json(body).await?).await,
        Id::ReleasePin => handler::control::release_pin(call).await,
        Id::Edges => Ok(handler::edges::list(call)),
        Id::ReportEdge => handler::edges::report(call, call.json(body).await?),
        Id::Releases => Ok(handler::release::list(call)),
        Id::Release => handler::release::show(call).await,
        Id::PlanRelease => handler::release::plan(call, call.bytes(body).await?).await,
        Id::AmendRelease => handler::release::amend(call, call.bytes(body).await?).await,
        Id::ApproveRelease => handler::release::approve(call).await,
        Id::ScheduleRelease => handler::release::schedule(call).await,
        Id::CancelRelease => handler::release::cancel(call).await,
        Id::RollBackRelease => handler::release::roll_back(call).await,
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

/// The space that the path gives: routes with `{space}` in theirs have it once they are called.
fn in_path(space: Option<SpaceName>) -> Result<SpaceName, Refusal> {
    space.ok_or_else(|| Refusal::invalid("no space is given"))
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
        let mut taken = Self { whole: path, space: None, rest: path };
        let (mut template, mut left) = (template, path);
        // What is not a name stands in the path as it does in the template.
        while let Some((literal, after)) = template.split_once('{') {
            left = left.get(literal.len()..).unwrap_or_default();
            let (name, after) = after.split_once('}').unwrap_or_default();
            let length = left.find('/').filter(|_| !name.starts_with('*')).unwrap_or(left.len());
            let (segment, rest) = left.split_at(length);
            if name == "space" {
                taken.space = Some(segment);
            } else {
                taken.rest = segment;
            }
            (template, left) = (after, rest);
        }
        taken
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

impl<'a> Call<'a> {
    /// Looks at all of a request but its body: who makes it, who may, and whether it is well
    /// formed. With the call comes the space that its path names.
    fn new(
        app: &'a App,
        route: &'static Route,
        parts: &'a Parts,
        body: &Body,
        caller: &'a mut Caller,
    ) -> Result<(Self, Option<SpaceName>), Refusal> {
        let gate = app.gate.now(&app.store);
        if gate.is_open() {
            guard::check(parts)?;
        }
        if route.needs != Needs::Nothing {
            *caller = gate.caller(&parts.headers)?;
        }
        let known = Self::of(app, route, parts, caller)?;
        if route.limit == BodyLimit::Empty && !body.is_end_stream() {
            return Err(Refusal::invalid("this route takes no request body"));
        }
        Ok(known)
    }

    /// As [`new`](Self::new), of a caller who is known already.
    fn of(
        app: &'a App,
        route: &'static Route,
        parts: &'a Parts,
        caller: &'a Caller,
    ) -> Result<(Self, Option<SpaceName>), Refusal> {
        let query = Query::new(route, parts.uri.query())?;
        let path = Path::new(route.path, parts.uri.path());
        let space = path.space()?;
        access::check_role(caller, route, space.as_ref())?;
        Ok((Self { app, parts, query, caller, path, route }, space))
    }

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
