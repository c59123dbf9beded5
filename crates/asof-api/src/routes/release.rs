//! Routes that concern timed releases.

use super::param::{DRY_RUN, H_AUTHOR, H_REASON, KEEP_LATER};
use super::table::{get, route};
use super::{BodyLimit, Needs, Payload, Route, RouteId, Verb, schema};
use crate::ErrorName::{
    BelowFloor, Conflict, Corrupt, Erased, InThePast, NotFound, RequestTimeout, StillImporting,
    TooLarge,
};
use crate::body;

pub(super) const RELEASES: Route = Route {
    needs: Needs::Operator,
    ..get(
        RouteId::Releases,
        "/v1/releases",
        "Lists the releases, past ones too",
        Payload::Json(schema::<body::ReleaseListBody>),
    )
};

pub(super) const RELEASE: Route = Route {
    needs: Needs::Operator,
    errors: &[NotFound, Corrupt],
    ..get(
        RouteId::Release,
        "/v1/releases/{name}",
        "Shows a release: what was planned, and what happened",
        Payload::Json(schema::<body::ReleaseDetailBody>),
    )
};

pub(super) const PLAN_RELEASE: Route = Route {
    request: Payload::Json(schema::<body::ReleaseRequest>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ReleaseBody>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[Conflict, InThePast, StillImporting, Erased, TooLarge, RequestTimeout],
    ..route(
        RouteId::PlanRelease,
        Verb::Put,
        "/v1/releases/{name}",
        "Plans a release: a draft, of which nothing is scheduled",
        Needs::Operator,
    )
};

pub(super) const AMEND_RELEASE: Route = Route {
    request: Payload::Json(schema::<body::ReleaseAmendRequest>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ReleaseBody>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[NotFound, Conflict, InThePast, StillImporting, Erased, TooLarge, RequestTimeout],
    ..route(
        RouteId::AmendRelease,
        Verb::Patch,
        "/v1/releases/{name}",
        "Amends a draft or a scheduled release; one that was approved becomes a draft again",
        Needs::Operator,
    )
};

pub(super) const APPROVE_RELEASE: Route = Route {
    errors: &[NotFound, Conflict, TooLarge],
    ..act(
        RouteId::ApproveRelease,
        "/v1/releases/{name}/approve",
        "Approves a draft, as an operator who neither planned nor amended it",
    )
};

pub(super) const SCHEDULE_RELEASE: Route = Route {
    errors: &[NotFound, Conflict, InThePast, StillImporting, Erased, TooLarge],
    ..act(
        RouteId::ScheduleRelease,
        "/v1/releases/{name}/schedule",
        "Makes a pending commit of a draft: from here on it takes effect by itself",
    )
};

pub(super) const CANCEL_RELEASE: Route = Route {
    answer: Payload::Json(schema::<body::ReleaseOutcome>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[NotFound, Conflict],
    ..act(
        RouteId::CancelRelease,
        "/v1/releases/{name}/cancel",
        "Cancels a release that has not taken effect",
    )
};

pub(super) const ROLL_BACK_RELEASE: Route = Route {
    answer: Payload::Json(schema::<body::ReleaseOutcome>),
    params: &[DRY_RUN, KEEP_LATER, H_AUTHOR, H_REASON],
    errors: &[NotFound, Conflict, BelowFloor, TooLarge],
    ..act(
        RouteId::RollBackRelease,
        "/v1/releases/{name}/roll-back",
        "Commits now what the keys of a live release held just before it",
    )
};

const fn act(id: RouteId, path: &'static str, summary: &'static str) -> Route {
    Route {
        answer: Payload::Json(schema::<body::ReleaseBody>),
        params: &[DRY_RUN, H_AUTHOR, H_REASON],
        ..route(id, Verb::Post, path, summary, Needs::Operator)
    }
}
