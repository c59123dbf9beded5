//! Actions: looked at first, then done, through the handlers of the API.
//!
//! A form leads to a page that says what its action would touch, from the API's own dry run. Only
//! the form on that page does it, with the same second word as everywhere else. Who may do it, what
//! is refused and what the audit says is decided where it is for every other client.

use asof_api::body::{
    BlastBody, CapEdgeBody, CapOutcome, CapReleaseBody, CapRequest, CapUpstreams, ChangeBody,
    GlanceBody,
};
use asof_api::headers::{ASOF_AUTHOR, ASOF_REASON};
use asof_api::routes::RouteId;
use asof_console::frame::{Frame, Page, field};
use asof_console::page::{Act, Blast, Change, EdgeLine, SpaceBlast};
use asof_console::text;
use asof_time::Timestamp;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::visit::{Visit, moment, route};
use super::{commits, html, redirect, releases};
use crate::access::Caller;
use crate::body::Body;
use crate::dispatch::{from_json, inside};
use crate::refusal::{Answer, Refusal};
use crate::span::Span;

/// Who the audit names where there are no tokens to tell people apart.
const NOBODY: &str = "console";

/// What can be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    CapSet,
    CapClear,
    PinRelease,
    ReleaseApprove,
    ReleaseSchedule,
    ReleaseCancel,
    ReleaseRollBack,
    BadMark,
    BadUnmark,
}

/// Whether an action is looked at or done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Look,
    Do,
}

impl Kind {
    const ALL: [(&'static str, Self); 9] = [
        ("cap-set", Self::CapSet),
        ("cap-clear", Self::CapClear),
        ("pin-release", Self::PinRelease),
        ("release-approve", Self::ReleaseApprove),
        ("release-schedule", Self::ReleaseSchedule),
        ("release-cancel", Self::ReleaseCancel),
        ("release-roll-back", Self::ReleaseRollBack),
        ("bad-mark", Self::BadMark),
        ("bad-unmark", Self::BadUnmark),
    ];

    fn read(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| kind).ok_or_else(|| Refusal::invalid("there is no such action"))
    }

    fn route(self) -> RouteId {
        match self {
            Self::CapSet => RouteId::SetCap,
            Self::CapClear => RouteId::ClearCap,
            Self::PinRelease => RouteId::ReleasePin,
            Self::ReleaseApprove => RouteId::ApproveRelease,
            Self::ReleaseSchedule => RouteId::ScheduleRelease,
            Self::ReleaseCancel => RouteId::CancelRelease,
            Self::ReleaseRollBack => RouteId::RollBackRelease,
            Self::BadMark => RouteId::MarkBad,
            Self::BadUnmark => RouteId::UnmarkBad,
        }
    }

    /// Whether the API can try it without doing it.
    fn can_try(self) -> bool {
        route(self.route()).query_names().any(|name| name == "dry_run")
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CapSet => ("Set the cap", "Set the cap", "It is undone by clearing the cap."),
            Self::CapClear => {
                ("Clear the cap", "Clear the cap", "It is undone by setting the cap again.")
            }
            Self::PinRelease => (
                "Release the pin",
                "Release the pin",
                "What retention drops from then on cannot be brought back.",
            ),
            Self::ReleaseApprove => {
                ("Approve the release", "Approve", "Amending the release takes it back.")
            }
            Self::ReleaseSchedule => (
                "Schedule the release",
                "Schedule",
                "It takes effect by itself. Until then it can be cancelled.",
            ),
            Self::ReleaseCancel => (
                "Cancel the release",
                "Cancel the release",
                "It cannot be undone; the release can be planned anew under another name.",
            ),
            Self::ReleaseRollBack => (
                "Roll the release back",
                "Roll back",
                "It is one more commit, which puts back what was there before; history stays.",
            ),
            Self::BadMark => ("Mark the commit as bad", "Mark", "The mark can be taken away."),
            Self::BadUnmark => ("Take the mark away", "Take it away", "It can be marked again."),
        }
    }
}

pub(super) async fn act(visit: &Visit<'_>) -> Answer {
    let kind = match visit.fields.needed("action").and_then(Kind::read) {
        Ok(kind) => kind,
        Err(refusal) => return Ok(visit.refused(Page::Overview, &refusal)),
    };
    let back = back(visit, kind);
    if visit.fields.text("step") != Some("do") {
        return Ok(look(visit, kind, back, None).await);
    }
    match take(visit, kind, Step::Do).await {
        Ok(_) => Ok(redirect(StatusCode::SEE_OTHER, &back)),
        Err(refusal) => Ok(look(visit, kind, back, Some(refusal)).await),
    }
}

/// The page where the action is offered, and seen once it is done.
fn back(visit: &Visit<'_>, kind: Kind) -> String {
    let frame = super::visit::bare_frame(visit.app);
    match kind {
        Kind::CapSet | Kind::CapClear => frame.to(&Page::Cap),
        Kind::PinRelease => frame.pins(),
        Kind::BadMark | Kind::BadUnmark => match commits::id(visit) {
            Ok(id) => frame.commit(&id),
            Err(_) => frame.to(&Page::Log),
        },
        _ => frame.release(visit.fields.text("name").unwrap_or_default()),
    }
}

/// The page that says what the action would do, and why it was refused where it was.
async fn look(
    visit: &Visit<'_>,
    kind: Kind,
    back: String,
    refused: Option<Refusal>,
) -> Response<Body> {
    let tried = take(visit, kind, Step::Look).await;
    let (title, button, undo) = kind.words();
    let (tried, hindered) = match tried {
        Ok(tried) => (tried, None),
        Err(refusal) => (Tried::default(), Some(refusal)),
    };
    let refusal = refused.as_ref().or(hindered.as_ref());
    let status = refusal.map_or(StatusCode::OK, |refusal| refusal.name().status().get());
    let page = Act {
        frame: Frame {
            page: match kind {
                Kind::CapSet | Kind::CapClear => Page::Cap,
                Kind::PinRelease => Page::Pins,
                Kind::BadMark | Kind::BadUnmark => Page::Commit,
                _ => Page::Release,
            },
            params: Vec::new(),
            ..visit.frame(Page::Overview).unwrap_or_else(|_| super::visit::bare_frame(visit.app))
        },
        title: title.to_owned(),
        facts: facts(visit, kind),
        refusal: refusal
            .map(|refusal| format!("{}: {}", refusal.name().as_str(), refusal.detail())),
        fields: visit
            .fields
            .own(visit.path)
            .into_iter()
            .filter(|(name, _)| !matches!(*name, "step" | "confirm"))
            .map(|(name, value)| field(name, &value))
            .collect(),
        confirm: tried.confirm,
        blast: tried.blast,
        edges: tried.edges,
        button: hindered.is_none().then_some(button),
        undo,
        back,
    };
    html(status, page.html())
}

/// What is known of an action before it is tried.
fn facts(visit: &Visit<'_>, kind: Kind) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, field| {
        if let Some(text) = visit.fields.text(field) {
            facts.push((name, text.to_owned()));
        }
    };
    match kind {
        Kind::CapSet | Kind::CapClear => add("at", "at"),
        Kind::PinRelease => add("pin", "name"),
        Kind::BadMark | Kind::BadUnmark => add("commit", "id"),
        _ => add("release", "name"),
    }
    if kind == Kind::CapSet {
        add("clears itself after", "expires");
    }
    add("reason", "reason");
    if let Some((_, at)) = facts.iter_mut().find(|(name, _)| *name == "at")
        && let Ok(moment) = moment("at", at)
    {
        *at = moment.to_string();
    }
    let store = &visit.app.store;
    let name = visit.fields.text("name").unwrap_or_default();
    if kind == Kind::PinRelease
        && let Some(pin) = store.pins().into_iter().find(|pin| pin.name == name)
    {
        facts.push(("moment", pin.at.to_string()));
        facts.push(("owner", pin.owner));
        facts.push(("held because", pin.reason));
    }
    let is_release = matches!(
        kind,
        Kind::ReleaseApprove | Kind::ReleaseSchedule | Kind::ReleaseCancel | Kind::ReleaseRollBack
    );
    if is_release
        && visit.may(RouteId::Release).is_ok()
        && let Ok((release, _)) = store.release(name)
    {
        let row = releases::row(&release, visit.app.settings.clock.wall());
        facts.push(("state", row.state.to_owned()));
        facts.push(("takes effect", row.at.to_string()));
        facts.push(("keys", text::count(row.writes)));
    }
    facts
}

/// What trying an action told.
#[derive(Default)]
struct Tried {
    blast: Option<Blast>,
    edges: Option<Vec<EdgeLine>>,
    confirm: Option<String>,
}

/// Tries or does it.
async fn take(visit: &Visit<'_>, kind: Kind, step: Step) -> Result<Tried, Refusal> {
    visit.may(kind.route())?;
    if step == Step::Look && !kind.can_try() {
        return Ok(Tried::default());
    }
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
    let is_cap = matches!(kind, Kind::CapSet | Kind::CapClear);
    if is_cap {
        if visit.fields.flag("even_bad")? {
            put("even_bad", "true");
        }
        if let Some(confirm) = visit.fields.text("confirm") {
            put("confirm", confirm.trim());
        }
    }
    let body = match kind {
        Kind::CapSet => cap_request(visit)?.into(),
        Kind::CapClear => {
            put("at", visit.fields.needed("at")?);
            Body::empty()
        }
        _ => Body::empty(),
    };
    let path = path(visit, kind)?;
    let uri: Uri = format!("{path}{query}")
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
    if !is_cap {
        return Ok(Tried::default());
    }
    let outcome: CapOutcome = read(answer).await?;
    Ok(Tried {
        blast: Some(blast(outcome.blast)),
        edges: Some(outcome.edges.into_iter().map(edge_line).collect()),
        confirm: outcome.confirm,
    })
}

fn edge_line(edge: CapEdgeBody) -> EdgeLine {
    let mut warnings = Vec::new();
    if edge.through.is_none() {
        warnings.push("it has not heard of this store".to_owned());
    }
    if edge.late {
        warnings.push("it is not heard of any more".to_owned());
    }
    match edge.releases {
        None => warnings.push("it does not say whom it could ask for which release".to_owned()),
        Some(releases) => warnings.extend(releases.iter().filter_map(release_warning)),
    }
    EdgeLine { name: edge.name, cap: edge.cap.map(|cap| cap.0), heard: edge.heard.0, warnings }
}

fn release_warning(release: &CapReleaseBody) -> Option<String> {
    let version = release.version.as_deref().unwrap_or("no version");
    let what = match release.upstreams {
        CapUpstreams::Own => return None,
        CapUpstreams::None => "no upstream of it is left",
        CapUpstreams::Unstated => "it has upstreams of no stated version",
        CapUpstreams::Unknown => "its release cannot be read at that moment",
    };
    Some(format!("{} {version}: {what}", release.service))
}

/// Who is named, where no token does.
fn author(visit: &Visit<'_>) -> &'static str {
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

/// Asks the API, as the caller of this visit.
pub(super) async fn ask(
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

fn blast(blast: BlastBody) -> Blast {
    let keys = text::counted(blast.keys, "key answers", "keys answer");
    let least = if blast.at_least { "at least " } else { "" };
    Blast {
        from: blast.from.0,
        to: blast.to.0,
        keys: format!("{least}{keys} differently"),
        spaces: blast
            .spaces
            .into_iter()
            .map(|space| SpaceBlast {
                space: space.space,
                keys: space.keys,
                before: space.bytes_before,
                after: space.bytes_after,
            })
            .collect(),
        sample: blast.sample.into_iter().map(change).collect(),
    }
}

fn change(change: ChangeBody) -> Change {
    let glance = |glance: GlanceBody| {
        glance
            .excerpt
            .unwrap_or_else(|| format!("{}, {}", text::bytes(glance.bytes), glance.content_type))
    };
    Change {
        space: change.space,
        key: change.key,
        before: change.before.map(glance),
        after: change.after.map(glance),
    }
}
