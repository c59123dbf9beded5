//! Actions: looked at first, then done, through the handlers of the API.
//!
//! A form leads to a page that says what its action would touch, from the API's own dry run. Only
//! the form on that page does it, with the same second word as everywhere else. Who may do it, what
//! is refused and what the audit says is decided where it is for every other client.

mod kind;
mod look;
mod plan;
mod revert;
mod take;
mod told;

use asof_console::frame::{Frame, Page};
use asof_time::Sequence;
use http::StatusCode;

use super::routes::What;
use super::visit::{Visit, bare_frame};
use super::{commits, redirect};
use crate::refusal::{Answer, Refusal};
use kind::{Kind, Step};

pub(super) use take::ask;

pub(super) async fn act(visit: &Visit<'_>) -> Answer {
    let kind = match visit.fields.needed("action").and_then(|name| known(visit, name)) {
        Ok(kind) => kind,
        Err(refusal) => return Ok(visit.refused(Page::Overview, &refusal)),
    };
    if visit.fields.text("step") != Some("do") {
        return Ok(look::look(visit, kind, None).await);
    }
    match take::take(visit, kind, Step::Do).await {
        Ok(told) => Ok(redirect(StatusCode::SEE_OTHER, &done(visit, kind, told.commit))),
        Err(refusal) => Ok(look::look(visit, kind, Some(refusal)).await),
    }
}

/// The action of this name, at the address that takes its form.
fn known(visit: &Visit<'_>, name: &str) -> Result<Kind, Refusal> {
    let kind = Kind::read(name)?;
    let is_plan = matches!(kind, Kind::ReleasePlan | Kind::ReleaseAmend);
    if is_plan == (visit.path.what == What::Plan) {
        Ok(kind)
    } else {
        Err(Refusal::invalid("this action is sent to another address"))
    }
}

/// The page where what was done is seen.
fn done(visit: &Visit<'_>, kind: Kind, commit: Option<Sequence>) -> String {
    let frame = bare_frame(visit.app);
    match (kind, commit) {
        (Kind::Revert, Some(id)) => frame.commit(&id),
        (Kind::ReleasePlan, _) => frame.release(visit.fields.text("name").unwrap_or_default()),
        _ => back(visit, kind),
    }
}

/// The page where the action is offered.
fn back(visit: &Visit<'_>, kind: Kind) -> String {
    let frame = bare_frame(visit.app);
    match kind {
        Kind::CapSet | Kind::CapClear => frame.to(&Page::Cap),
        Kind::PinCreate | Kind::PinRelease => frame.pins(),
        Kind::Revert | Kind::BadMark | Kind::BadUnmark => match commits::id(visit) {
            Ok(id) => frame.commit(&id),
            Err(_) => range(visit, frame.clone()).unwrap_or_else(|| frame.to(&Page::Log)),
        },
        Kind::ReleasePlan => frame.releases(),
        Kind::ReleaseAmend
        | Kind::ReleaseApprove
        | Kind::ReleaseSchedule
        | Kind::ReleaseCancel
        | Kind::ReleaseRollBack => frame.release(visit.fields.text("name").unwrap_or_default()),
    }
}

/// The page of what changed between the two moments of the form.
fn range(visit: &Visit<'_>, frame: Frame) -> Option<String> {
    let (after, through) = (visit.moment("after").ok()??, visit.moment("through").ok()??);
    let space = visit.fields.text("space").map(|space| ("space", space.to_owned()));
    let from = ("from", after.as_micros().to_string());
    let params = space.into_iter().chain([from]).collect();
    Some(Frame { page: Page::Diff, params, ..frame }.moved(&through))
}
