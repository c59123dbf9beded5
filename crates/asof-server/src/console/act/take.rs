//! Trying and doing: one request to the API, as whoever visits.

use asof_api::body::{CapOutcome, CapRequest, PinBody, PinOutcome, PinRequest, ReleaseBody};
use asof_api::headers::{ASOF_AUTHOR, ASOF_REASON};
use asof_api::routes::RouteId;
use asof_time::Timestamp;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::kind::{Kind, Step};
use super::told::{self, Told};
use super::{plan, revert};
use crate::access::Caller;
use crate::body::Body;
use crate::console::visit::{Visit, bare_frame, route};
use crate::dispatch::{from_json, inside};
use crate::refusal::{Answer, Refusal};
use crate::span::Span;

/// Who the audit names where there are no tokens to tell people apart.
const NOBODY: &str = "console";

/// Tries or does it.
pub(super) async fn take(visit: &Visit<'_>, kind: Kind, step: Step) -> Result<Told, Refusal> {
    visit.may(kind.route())?;
    if step == Step::Look && !kind.can_try() {
        return Ok(Told::default());
    }
    let source = match kind {
        Kind::ReleasePlan | Kind::ReleaseAmend => plan::source(visit).await?,
        _ => None,
    };
    let body = match kind {
        Kind::CapSet => cap_request(visit)?.into(),
        Kind::Revert => revert::request(visit, author(visit))?.into(),
        Kind::PinCreate => pin_request(visit)?.into(),
        Kind::ReleasePlan => plan::request(visit, source.as_ref())?.into(),
        Kind::ReleaseAmend => plan::amendment(visit, source.as_ref())?.into(),
        _ => Body::empty(),
    };
    let uri: Uri = format!("{}{}", path(visit, kind)?, query(visit, kind, step)?)
        .parse()
        .map_err(|_| Refusal::invalid("the name is too long to be asked for"))?;
    let reason =
        HeaderValue::from_bytes(visit.fields.text("reason").unwrap_or_default().as_bytes())
            .map_err(|_| Refusal::invalid("the reason is one line"))?;
    let headers = [
        (ASOF_REASON.clone(), reason),
        (ASOF_AUTHOR.clone(), HeaderValue::from_static(author(visit))),
    ];
    let answer = ask(visit, kind.route(), body, &uri, &headers).await?;
    let mut told = match kind {
        Kind::CapSet | Kind::CapClear => {
            let outcome: CapOutcome = read(answer).await?;
            Told {
                blast: Some(told::blast(outcome.blast)),
                edges: Some(outcome.edges.into_iter().map(told::edge_line).collect()),
                confirm: outcome.confirm,
                ..Told::default()
            }
        }
        Kind::Revert => told::reverted(read(answer).await?, &bare_frame(visit.app)),
        Kind::PinCreate => Told { facts: told::pin(&read(answer).await?), ..Told::default() },
        Kind::PinRelease => {
            let PinOutcome { pin, .. } = read(answer).await?;
            let at = pin.at.0;
            let held_bytes = match step {
                Step::Look => Some(visit.app.walk(move |store| Ok(store.held_at(at)?)).await?),
                Step::Do => None,
            };
            Told { facts: told::pin(&PinBody { held_bytes, ..pin }), ..Told::default() }
        }
        Kind::ReleasePlan | Kind::ReleaseAmend => {
            let release: ReleaseBody = read(answer).await?;
            Told { facts: told::release(&release), ..Told::default() }
        }
        _ => Told::default(),
    };
    if let (Step::Look, Some(source)) = (step, source) {
        told.planned = Some(plan::against_latest(visit, source).await?);
    }
    Ok(told)
}

fn query(visit: &Visit<'_>, kind: Kind, step: Step) -> Result<String, Refusal> {
    let mut query = String::new();
    let mut put = |name: &str, value: &str| {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(name);
        query.push('=');
        query.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    };
    if step == Step::Look {
        put("dry_run", "true");
    }
    if kind.minds_bad() && visit.fields.flag("even_bad")? {
        put("even_bad", "true");
    }
    if let Some(confirm) = visit.fields.text("confirm").filter(|_| kind.takes_second_word()) {
        put("confirm", confirm.trim());
    }
    if kind == Kind::CapClear {
        put("at", visit.fields.needed("at")?);
    }
    Ok(query)
}

/// Who is named, where no token does.
pub(super) fn author(visit: &Visit<'_>) -> &'static str {
    match visit.caller {
        Caller::Anybody => NOBODY,
        Caller::Token(_) => "",
    }
}

/// The path of the API, with what its template names.
fn path(visit: &Visit<'_>, kind: Kind) -> Result<String, Refusal> {
    let template = route(kind.route()).path;
    let Some((before, rest)) = template.split_once('{') else {
        return Ok(template.to_owned());
    };
    let (name, after) = rest.split_once('}').unwrap_or_default();
    let value = utf8_percent_encode(visit.fields.needed(name)?, NON_ALPHANUMERIC);
    Ok(format!("{before}{value}{after}"))
}

fn cap_request(visit: &Visit<'_>) -> Result<Vec<u8>, Refusal> {
    let at = visit.moment("at")?.ok_or_else(|| Refusal::invalid("`at` is missing"))?;
    let request = CapRequest {
        at: at.into(),
        author: author(visit).to_owned(),
        reason: visit.fields.text("reason").unwrap_or_default().to_owned(),
        ttl_seconds: visit.fields.parsed::<Span>("expires")?.map(|span| span.0.as_secs()),
        replaces: visit.fields.parsed::<Timestamp>("replaces")?.map(Into::into),
    };
    serde_json::to_vec(&request).map_err(|error| Refusal::invalid(error.to_string()))
}

fn pin_request(visit: &Visit<'_>) -> Result<Vec<u8>, Refusal> {
    visit.fields.needed("expires")?;
    let span = visit.fields.parsed::<Span>("expires")?;
    let request = PinRequest {
        owner: visit.fields.needed("owner")?.to_owned(),
        reason: visit.fields.text("reason").unwrap_or_default().to_owned(),
        at: visit.moment("at")?.map(Into::into),
        ttl_seconds: span.map_or(0, |span| span.0.as_secs()),
    };
    serde_json::to_vec(&request).map_err(|error| Refusal::invalid(error.to_string()))
}

/// Asks the API, as the caller of this visit.
pub(in crate::console) async fn ask(
    visit: &Visit<'_>,
    id: RouteId,
    body: Body,
    uri: &Uri,
    headers: &[(HeaderName, HeaderValue)],
) -> Answer {
    let route = route(id);
    let request = Request::builder().method(route.method.method()).uri(uri).body(());
    let request = request.map_err(|error| Refusal::invalid(error.to_string()))?;
    let (mut parts, ()) = request.into_parts();
    parts.headers.extend(headers.iter().cloned());
    if id == RouteId::Feed {
        parts.headers.insert(header::ACCEPT, HeaderValue::from_static(crate::reply::EVENTS));
        let last = &asof_api::headers::LAST_EVENT_ID;
        if let Some(value) = visit.parts.headers.get(last) {
            parts.headers.insert(last.clone(), value.clone());
        }
    }
    inside(visit.app, &visit.caller, route, &parts, body).await
}

async fn read<T: DeserializeOwned>(answer: Response<Body>) -> Result<T, Refusal> {
    let collected = answer.into_body().collect().await;
    let bytes = collected.map_err(|error| Refusal::invalid(error.to_string()))?.to_bytes();
    from_json(&bytes)
}
