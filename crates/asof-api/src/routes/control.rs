//! Routes that concern spaces, control and the service itself.

use super::param::{
    AFTER_NUMBER, CAP_AT, CONFIRM, CONFIRM_ERASURE, DRY_RUN, EVEN_BAD, H_AUTHOR, H_REASON, HELD,
    LIMIT,
};
use super::table::{get, route};
use super::{BodyLimit, Needs, Payload, Route, RouteId, Verb, schema};
use crate::ErrorName::{
    AboveCap, BelowFloor, Conflict, Corrupt, Erased, InThePast, NotFound, NotYetClosed,
    RequestTimeout, TooLarge, Unconfirmed, UnknownSpace,
};
use crate::body;

pub(super) const ACCEPT_CLOCK: Route = Route {
    request: Payload::Json(schema::<body::AcceptClockRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::TimeBody>),
    errors: &[Conflict, TooLarge, RequestTimeout],
    ..route(
        RouteId::AcceptClock,
        Verb::Post,
        "/v1/time/accept-clock",
        "Accepts the wall clock as it is, after it had jumped",
        Needs::Operator,
    )
};

pub(super) const SPACE_LIST: Route = get(
    RouteId::Spaces,
    "/v1/spaces",
    "Lists the spaces that the caller may read",
    Payload::Json(schema::<body::SpaceListBody>),
);

pub(super) const SPACE: Route = Route {
    errors: &[UnknownSpace],
    ..get(
        RouteId::Space,
        "/v1/spaces/{space}",
        "Shows a space",
        Payload::Json(schema::<body::SpaceBody>),
    )
};

pub(super) const CREATE_SPACE: Route = Route {
    request: Payload::Json(schema::<body::SpaceRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::SpaceBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[Conflict, TooLarge, RequestTimeout],
    ..route(
        RouteId::CreateSpace,
        Verb::Put,
        "/v1/spaces/{space}",
        "Creates a space",
        Needs::Operator,
    )
};

pub(super) const GO_LIVE: Route = Route {
    answer: Payload::Json(schema::<body::ReceiptBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[UnknownSpace, Conflict],
    ..route(
        RouteId::GoLive,
        Verb::Post,
        "/v1/spaces/{space}/live",
        "Takes an importing space live",
        Needs::Operator,
    )
};

pub(super) const USAGE: Route = Route {
    errors: &[UnknownSpace, Corrupt],
    ..get(
        RouteId::Usage,
        "/v1/spaces/{space}/usage",
        "Counts what a space holds, by walking it",
        Payload::Json(schema::<body::UsageBody>),
    )
};

pub(super) const SET_RETENTION: Route = Route {
    request: Payload::Json(schema::<body::RetentionBody>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::RetentionOutcome>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[UnknownSpace, TooLarge, RequestTimeout],
    ..route(
        RouteId::SetRetention,
        Verb::Put,
        "/v1/spaces/{space}/retention",
        "Changes what is kept of a space",
        Needs::Operator,
    )
};

pub(super) const IMPORT: Route = Route {
    request: Payload::Lines(schema::<body::ImportLine>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ImportBody>),
    errors: &[UnknownSpace, Conflict, Erased, TooLarge, RequestTimeout],
    ..route(
        RouteId::Import,
        Verb::Post,
        "/v1/spaces/{space}/import",
        "Writes history into an importing space, a commit a line; the lines before a bad one are \
         imported",
        Needs::Operator,
    )
};

pub(super) const SOURCE: Route = Route {
    errors: &[UnknownSpace, NotFound, Corrupt],
    ..get(
        RouteId::Source,
        "/v1/spaces/{space}/sources/{id}",
        "Finds the commit that brought a source id into a space",
        Payload::Json(schema::<body::SourceAnswerBody>),
    )
};

pub(super) const REVERT: Route = Route {
    request: Payload::Json(schema::<body::RevertRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::RevertOutcome>),
    params: &[DRY_RUN, CONFIRM],
    errors: &[
        NotFound,
        UnknownSpace,
        Conflict,
        NotYetClosed,
        BelowFloor,
        InThePast,
        Unconfirmed,
        TooLarge,
        RequestTimeout,
    ],
    ..route(
        RouteId::Revert,
        Verb::Post,
        "/v1/revert",
        "Writes a commit that puts back what other commits have changed",
        Needs::Operator,
    )
};

pub(super) const BAD_COMMITS: Route = Route {
    needs: Needs::Operator,
    ..get(
        RouteId::BadCommits,
        "/v1/bad",
        "Lists the commits that are marked bad",
        Payload::Json(schema::<body::BadCommitListBody>),
    )
};

pub(super) const MARK_BAD: Route = Route {
    answer: Payload::Json(schema::<body::BadCommitBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[NotFound, Conflict, TooLarge],
    ..route(
        RouteId::MarkBad,
        Verb::Put,
        "/v1/commits/{id}/bad",
        "Marks a commit as bad: nothing shows it to readers again unless told to",
        Needs::Operator,
    )
};

pub(super) const UNMARK_BAD: Route = Route {
    answer: Payload::Json(schema::<body::BadCommitBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[NotFound],
    ..route(
        RouteId::UnmarkBad,
        Verb::Delete,
        "/v1/commits/{id}/bad",
        "Takes the mark from a commit",
        Needs::Operator,
    )
};

pub(super) const ERASE: Route = Route {
    request: Payload::Json(schema::<body::EraseRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::EraseOutcome>),
    params: &[DRY_RUN, CONFIRM_ERASURE],
    errors: &[
        UnknownSpace,
        NotFound,
        Erased,
        Conflict,
        Unconfirmed,
        TooLarge,
        Corrupt,
        RequestTimeout,
    ],
    ..route(
        RouteId::Erase,
        Verb::Post,
        "/v1/spaces/{space}/erasures",
        "Erases all that a key ever held, for ever",
        Needs::Operator,
    )
};

pub(super) const ERASURES: Route = Route {
    needs: Needs::Operator,
    params: &[AFTER_NUMBER, LIMIT],
    errors: &[Corrupt],
    ..get(
        RouteId::Erasures,
        "/v1/erasures",
        "Lists what was erased: what a restore of an older backup asks for",
        Payload::Json(schema::<body::ErasureListBody>),
    )
};

pub(super) const SET_ERASABLE: Route = Route {
    answer: Payload::Json(schema::<body::SpaceBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[UnknownSpace, Conflict],
    ..route(
        RouteId::SetErasable,
        Verb::Put,
        "/v1/spaces/{space}/erasable",
        "Foresees that keys of a space are erased: no answer of it is `immutable` from then on",
        Needs::Operator,
    )
};

pub(super) const CAP: Route =
    get(RouteId::Cap, "/v1/cap", "Shows the cap", Payload::Json(schema::<body::CapState>));

pub(super) const SET_CAP: Route = Route {
    request: Payload::Json(schema::<body::CapRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::CapOutcome>),
    params: &[DRY_RUN, EVEN_BAD, CONFIRM],
    errors: &[Conflict, NotYetClosed, BelowFloor, Unconfirmed, TooLarge, RequestTimeout],
    ..route(
        RouteId::SetCap,
        Verb::Put,
        "/v1/cap",
        "Sets the cap: nothing above it is read until it is cleared",
        Needs::Operator,
    )
};

pub(super) const CLEAR_CAP: Route = Route {
    answer: Payload::Json(schema::<body::CapOutcome>),
    params: &[DRY_RUN, CAP_AT, EVEN_BAD, CONFIRM, H_AUTHOR, H_REASON],
    errors: &[Conflict, Unconfirmed],
    ..route(RouteId::ClearCap, Verb::Delete, "/v1/cap", "Clears the cap", Needs::Operator)
};

pub(super) const PINS: Route = Route {
    params: &[HELD],
    errors: &[Corrupt],
    ..get(
        RouteId::Pins,
        "/v1/pins",
        "Lists the live pins",
        Payload::Json(schema::<body::PinListBody>),
    )
};

pub(super) const CREATE_PIN: Route = Route {
    request: Payload::Json(schema::<body::PinRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::PinBody>),
    params: &[DRY_RUN],
    errors: &[NotYetClosed, BelowFloor, AboveCap, Conflict, TooLarge, RequestTimeout],
    ..route(
        RouteId::CreatePin,
        Verb::Put,
        "/v1/pins/{name}",
        "Creates or renews a pin",
        Needs::Operator,
    )
};

pub(super) const RELEASE_PIN: Route = Route {
    answer: Payload::Json(schema::<body::PinOutcome>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[NotFound],
    ..route(RouteId::ReleasePin, Verb::Delete, "/v1/pins/{name}", "Releases a pin", Needs::Operator)
};

pub(super) const EDGES: Route = Route {
    needs: Needs::Operator,
    ..get(
        RouteId::Edges,
        "/v1/edges",
        "Lists the edges that told this store how they stand, as they told it last",
        Payload::Json(schema::<body::EdgeListBody>),
    )
};

pub(super) const REPORT_EDGE: Route = Route {
    request: Payload::Json(schema::<body::EdgeReport>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::EdgeHeardBody>),
    errors: &[TooLarge, RequestTimeout],
    ..route(
        RouteId::ReportEdge,
        Verb::Put,
        "/v1/edges/{name}",
        "Takes down how an edge stands, in memory, for operators to look at",
        Needs::Reader,
    )
};

pub(super) const TOKENS: Route = Route {
    needs: Needs::Operator,
    ..get(
        RouteId::Tokens,
        "/v1/tokens",
        "Lists the bearer tokens, without their secrets",
        Payload::Json(schema::<body::TokenListBody>),
    )
};

pub(super) const CREATE_TOKEN: Route = Route {
    request: Payload::Json(schema::<body::TokenRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::TokenSecretBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[Conflict, TooLarge, RequestTimeout],
    ..route(
        RouteId::CreateToken,
        Verb::Put,
        "/v1/tokens/{name}",
        "Creates a bearer token and shows its secret, this once",
        Needs::Operator,
    )
};

pub(super) const REVOKE_TOKEN: Route = Route {
    answer: Payload::Json(schema::<body::TokenListBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[NotFound],
    ..route(
        RouteId::RevokeToken,
        Verb::Delete,
        "/v1/tokens/{name}",
        "Revokes a bearer token; it stops working at once. Answers with those that are left",
        Needs::Operator,
    )
};

pub(super) const CONTROL: Route = Route {
    needs: Needs::Operator,
    params: &[AFTER_NUMBER, LIMIT],
    errors: &[Corrupt],
    ..get(
        RouteId::Control,
        "/v1/control",
        "Lists who changed the control state, when and why",
        Payload::Json(schema::<body::ControlListBody>),
    )
};

pub(super) const BACKUP: Route = Route {
    answer: Payload::Opaque,
    errors: &[Corrupt],
    ..route(
        RouteId::Backup,
        Verb::Post,
        "/v1/backup",
        "Streams a consistent copy of the whole store",
        Needs::Operator,
    )
};

pub(super) const OPENAPI: Route = Route {
    needs: Needs::Nothing,
    ..get(RouteId::OpenApi, "/openapi.json", "This document", Payload::AnyJson)
};

pub(super) const HEALTHZ: Route = Route {
    needs: Needs::Nothing,
    ..get(
        RouteId::Healthz,
        "/healthz",
        "Whether the process works",
        Payload::Json(schema::<body::HealthBody>),
    )
};

pub(super) const READYZ: Route = Route {
    needs: Needs::Nothing,
    statuses: &[200, 503],
    ..get(
        RouteId::Readyz,
        "/readyz",
        "Whether the store takes writes",
        Payload::Json(schema::<body::HealthBody>),
    )
};

pub(super) const METRICS: Route =
    get(RouteId::Metrics, "/metrics", "Metrics, as OpenMetrics text", Payload::Metrics);
