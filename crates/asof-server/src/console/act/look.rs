//! Looking: the page that says what an action would do.

use asof_api::routes::RouteId;
use asof_console::frame::{Frame, Page, field, text_field};
use asof_console::page::Act;
use asof_console::text;
use http::{Response, StatusCode};

use super::kind::{Kind, Step, Words};
use super::revert::Decisions;
use super::take::take;
use super::told::{Idle, Told};
use super::{back, plan};
use crate::body::Body;
use crate::console::visit::{Visit, bare_frame, moment};
use crate::console::{html, releases};
use crate::refusal::Refusal;

/// The page that says what the action would do, and why it was refused where it was.
pub(super) async fn look(
    visit: &Visit<'_>,
    kind: Kind,
    refused: Option<Refusal>,
) -> Response<Body> {
    let Words { title, button, undo } = kind.words();
    let (told, hindered) = match take(visit, kind, Step::Look).await {
        Ok(told) => (told, None),
        Err(refusal) => (Told::default(), Some(refusal)),
    };
    let refusal = refused.as_ref().or(hindered.as_ref());
    let status = refusal.map_or(StatusCode::OK, |refusal| refusal.name().status().get());
    let mut facts = facts(visit, kind);
    facts.extend(told.facts.into_iter().filter(|(_, text)| !text.is_empty()));
    let can_be_done = hindered.is_none() && told.idle.is_none();
    let page = Act {
        frame: Frame {
            page: kind.page(),
            params: Vec::new(),
            ..visit.frame(Page::Overview).unwrap_or_else(|_| bare_frame(visit.app))
        },
        title: title.to_owned(),
        facts,
        refusal: refusal
            .map(|refusal| format!("{}: {}", refusal.name().as_str(), refusal.detail())),
        fields: carried(visit, kind),
        text: plan::text_of(visit).map(|text| text_field("writes", &text)),
        address: visit.path.path,
        confirm: told.confirm,
        blast: told.blast,
        edges: told.edges,
        reverted: told.reverted,
        planned: told.planned,
        button: can_be_done.then_some(button),
        undo: if told.idle == Some(Idle::Nothing) { "There is nothing to do." } else { undo },
        back: back(visit, kind),
    };
    html(status, page.html())
}

/// What goes along to the next step.
fn carried(visit: &Visit<'_>, kind: Kind) -> Vec<(String, String)> {
    // What was decided is read together with the button that was pressed last.
    const DECIDED: [&str; 4] = ["keep", "restore", "skip_conflicts", "decide"];
    let own = visit.fields.own(visit.path).into_iter();
    let own = own.filter(|(name, _)| !matches!(*name, "step" | "confirm" | "writes"));
    let own = own.filter(|(name, _)| !DECIDED.contains(name));
    let mut fields: Vec<_> = own.map(|(name, value)| field(name, &value)).collect();
    if kind == Kind::Revert
        && let Ok(decisions) = Decisions::read(&visit.fields)
    {
        fields.extend(decisions.fields());
    }
    fields
}

/// What is known of an action before it is tried.
fn facts(visit: &Visit<'_>, kind: Kind) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for (name, field) in said(kind) {
        let Some(text) = visit.fields.text(field) else { continue };
        // Moments are written in many ways, and shown in one.
        let at = matches!(*field, "at" | "after" | "through").then(|| moment(field, text));
        let text = at.and_then(Result::ok).map_or_else(|| text.to_owned(), |at| at.to_string());
        facts.push((*name, text));
    }
    let name = visit.fields.text("name").unwrap_or_default();
    match kind {
        Kind::Revert => {
            facts.extend(
                Decisions::read(&visit.fields).map(|known| known.facts()).unwrap_or_default(),
            );
        }
        Kind::PinRelease => facts.extend(of_pin(visit, name)),
        Kind::ReleaseApprove
        | Kind::ReleaseSchedule
        | Kind::ReleaseCancel
        | Kind::ReleaseRollBack => facts.extend(of_release(visit, name)),
        _ => {}
    }
    facts
}

/// What of the form is repeated: how it is called, and the field.
fn said(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::CapSet => &[("at", "at"), ("clears itself after", "expires"), ("reason", "reason")],
        Kind::CapClear => &[("at", "at"), ("reason", "reason")],
        Kind::Revert => &[
            ("commit", "id"),
            ("after", "after"),
            ("up to", "through"),
            ("only in", "space"),
            ("takes effect", "at"),
            ("reason", "reason"),
        ],
        Kind::PinCreate => &[("pin", "name"), ("owner", "owner"), ("reason", "reason")],
        Kind::PinRelease => &[("pin", "name"), ("reason", "reason")],
        Kind::BadMark | Kind::BadUnmark => &[("commit", "id"), ("reason", "reason")],
        Kind::ReleasePlan
        | Kind::ReleaseAmend
        | Kind::ReleaseApprove
        | Kind::ReleaseSchedule
        | Kind::ReleaseCancel
        | Kind::ReleaseRollBack => &[("release", "name"), ("reason", "reason")],
    }
}

fn of_pin(visit: &Visit<'_>, name: &str) -> Vec<(&'static str, String)> {
    let pin = visit.app.store.pins().into_iter().find(|pin| pin.name == name);
    let facts = pin.map(|pin| vec![("owner", pin.owner), ("held because", pin.reason)]);
    facts.unwrap_or_default()
}

fn of_release(visit: &Visit<'_>, name: &str) -> Vec<(&'static str, String)> {
    if visit.may(RouteId::Release).is_err() {
        return Vec::new();
    }
    let Ok((release, _)) = visit.app.store.release(name) else {
        return Vec::new();
    };
    let row = releases::row(&release, visit.app.settings.clock.wall());
    vec![
        ("state", row.state.to_owned()),
        ("takes effect", row.at.to_string()),
        ("keys", text::count(row.writes)),
    ]
}
