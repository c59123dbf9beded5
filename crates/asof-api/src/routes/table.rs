//! The table itself, with the routes that read and write.

use super::control::{
    ACCEPT_CLOCK, BACKUP, BAD_COMMITS, CAP, CLEAR_CAP, CONTROL, CREATE_PIN, CREATE_SPACE,
    CREATE_TOKEN, EDGES, ERASE, ERASURES, GO_LIVE, HEALTHZ, IMPORT, MARK_BAD, METRICS, OPENAPI,
    PINS, READYZ, RELEASE_PIN, REPORT_EDGE, REVERT, REVOKE_TOKEN, SET_CAP, SET_ERASABLE,
    SET_RETENTION, SOURCE, SPACE, SPACE_LIST, TOKENS, UNMARK_BAD, USAGE,
};
use super::param::{
    ABOVE_CAP, AFTER_CURSOR, AFTER_KEY, AS_OF, BEFORE, DIFF_FROM, DIFF_TO, EPOCH,
    H_ACCEPT_DATETIME, H_AS_OF, H_AUTHOR, H_EFFECTIVE_AT, H_IDEMPOTENCY_KEY, H_IF_MATCH,
    H_IF_NONE_MATCH, H_IF_NONE_MATCH_ANY, H_IF_UNCHANGED_SINCE, H_LAST_EVENT_ID, H_MESSAGE,
    H_REASON, H_TOKEN, HEARTBEAT, HISTORY_FROM, LIMIT, PENDING, PREFIX, PREVIEW, SPACES, VALUES,
    WAIT, WAIT_FOR,
};
use super::release::{
    AMEND_RELEASE, APPROVE_RELEASE, CANCEL_RELEASE, PLAN_RELEASE, RELEASE, RELEASES,
    ROLL_BACK_RELEASE, SCHEDULE_RELEASE,
};
use super::{BodyLimit, Needs, Payload, Route, RouteId, Verb, schema};
use crate::ErrorName::{
    AboveCap, Absent, BelowFloor, Conflict, Corrupt, Erased, InThePast, NotFound, NotYetClosed,
    PreconditionFailed, RequestTimeout, StillImporting, TooLarge, UnknownSpace, WrongEpoch,
};
use crate::body;

pub(super) const fn route(
    id: RouteId,
    method: Verb,
    path: &'static str,
    summary: &'static str,
    needs: Needs,
) -> Route {
    Route {
        id,
        method,
        path,
        summary,
        needs,
        params: &[],
        request: Payload::None,
        limit: BodyLimit::Empty,
        answer: Payload::None,
        statuses: &[200],
        errors: &[],
    }
}

pub(super) const fn get(
    id: RouteId,
    path: &'static str,
    summary: &'static str,
    answer: Payload,
) -> Route {
    Route { answer, ..route(id, Verb::Get, path, summary, Needs::Reader) }
}

/// Every route.
pub const ROUTES: &[Route] = &[
    TIME,
    ACCEPT_CLOCK,
    SPACE_LIST,
    SPACE,
    CREATE_SPACE,
    GO_LIVE,
    USAGE,
    SET_RETENTION,
    IMPORT,
    SOURCE,
    GET,
    PUT,
    DELETE,
    HISTORY,
    SCAN,
    READ,
    DIFF,
    COMMIT,
    COMMITS,
    COMMIT_BY_ID,
    AMEND,
    CANCEL,
    FEED,
    REVERT,
    BAD_COMMITS,
    MARK_BAD,
    UNMARK_BAD,
    ERASE,
    ERASURES,
    SET_ERASABLE,
    CAP,
    SET_CAP,
    CLEAR_CAP,
    PINS,
    CREATE_PIN,
    RELEASE_PIN,
    EDGES,
    REPORT_EDGE,
    RELEASES,
    RELEASE,
    PLAN_RELEASE,
    AMEND_RELEASE,
    APPROVE_RELEASE,
    SCHEDULE_RELEASE,
    CANCEL_RELEASE,
    ROLL_BACK_RELEASE,
    TOKENS,
    CREATE_TOKEN,
    REVOKE_TOKEN,
    CONTROL,
    BACKUP,
    OPENAPI,
    HEALTHZ,
    READYZ,
    METRICS,
];

const TIME: Route = Route {
    params: &[WAIT_FOR, WAIT],
    errors: &[NotYetClosed],
    ..get(
        RouteId::Time,
        "/v1/time",
        "Where the store is in time",
        Payload::Json(schema::<body::TimeBody>),
    )
};

const GET: Route = Route {
    params: &[
        AS_OF,
        EPOCH,
        WAIT,
        PREVIEW,
        ABOVE_CAP,
        H_AS_OF,
        H_ACCEPT_DATETIME,
        H_TOKEN,
        H_IF_NONE_MATCH,
    ],
    statuses: &[200, 304],
    errors: &[
        UnknownSpace,
        Absent,
        StillImporting,
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Erased,
        WrongEpoch,
        Corrupt,
    ],
    ..get(
        RouteId::Get,
        "/v1/spaces/{space}/keys/{*key}",
        "Reads the value of a key at a moment",
        Payload::Value,
    )
};

const WRITE_HEADERS: &[crate::routes::Param] = &[
    H_EFFECTIVE_AT,
    H_IF_MATCH,
    H_IF_NONE_MATCH_ANY,
    H_IF_UNCHANGED_SINCE,
    H_IDEMPOTENCY_KEY,
    H_AUTHOR,
    H_MESSAGE,
];

const PUT: Route = Route {
    request: Payload::Value,
    limit: BodyLimit::Value,
    answer: Payload::Json(schema::<body::ReceiptBody>),
    params: WRITE_HEADERS,
    statuses: &[200, 202],
    errors: &[
        PreconditionFailed,
        Conflict,
        InThePast,
        StillImporting,
        Erased,
        TooLarge,
        RequestTimeout,
    ],
    ..route(
        RouteId::Put,
        Verb::Put,
        "/v1/spaces/{space}/keys/{*key}",
        "Writes the value of a key, now or at a future moment",
        Needs::Writer,
    )
};

const DELETE: Route = Route {
    answer: Payload::Json(schema::<body::ReceiptBody>),
    params: WRITE_HEADERS,
    statuses: &[200, 202],
    errors: &[PreconditionFailed, Conflict, InThePast, StillImporting, Erased],
    ..route(
        RouteId::Delete,
        Verb::Delete,
        "/v1/spaces/{space}/keys/{*key}",
        "Deletes a key, now or at a future moment",
        Needs::Writer,
    )
};

const HISTORY: Route = Route {
    params: &[AS_OF, HISTORY_FROM, BEFORE, LIMIT, EPOCH, ABOVE_CAP, H_AS_OF, H_TOKEN],
    errors: &[
        UnknownSpace,
        StillImporting,
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Erased,
        WrongEpoch,
        Corrupt,
    ],
    ..get(
        RouteId::History,
        "/v1/spaces/{space}/history/{*key}",
        "Lists the versions of a key, newest first: its RFC 7089 TimeMap",
        Payload::JsonOrLinks(schema::<body::HistoryBody>),
    )
};

const SCAN: Route = Route {
    params: &[
        PREFIX, AFTER_KEY, LIMIT, VALUES, AS_OF, EPOCH, WAIT, PREVIEW, ABOVE_CAP, H_AS_OF, H_TOKEN,
    ],
    errors: &[
        UnknownSpace,
        StillImporting,
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Erased,
        WrongEpoch,
        Corrupt,
    ],
    ..get(
        RouteId::Scan,
        "/v1/spaces/{space}/keys",
        "Lists the keys that hold a value at a moment",
        Payload::Json(schema::<body::ScanBody>),
    )
};

const READ: Route = Route {
    request: Payload::Json(schema::<body::ReadRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::ReadBody>),
    params: &[EPOCH, WAIT, ABOVE_CAP, H_AS_OF, H_TOKEN],
    errors: &[
        UnknownSpace,
        StillImporting,
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Erased,
        WrongEpoch,
        Corrupt,
        TooLarge,
        RequestTimeout,
    ],
    ..route(
        RouteId::Read,
        Verb::Post,
        "/v1/read",
        "Reads several keys, of several spaces, at one moment",
        Needs::Reader,
    )
};

const DIFF: Route = Route {
    params: &[DIFF_FROM, DIFF_TO, AFTER_KEY, LIMIT, EPOCH, ABOVE_CAP],
    errors: &[
        UnknownSpace,
        StillImporting,
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Erased,
        WrongEpoch,
        Corrupt,
    ],
    ..get(
        RouteId::Diff,
        "/v1/spaces/{space}/diff",
        "Lists the keys that hold something else at one moment than at another",
        Payload::Json(schema::<body::DiffBody>),
    )
};

const COMMIT: Route = Route {
    request: Payload::Json(schema::<body::WriteRequest>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ReceiptBody>),
    params: &[H_IDEMPOTENCY_KEY],
    statuses: &[200, 202],
    errors: &[Conflict, InThePast, StillImporting, Erased, TooLarge, RequestTimeout],
    ..route(
        RouteId::Commit,
        Verb::Post,
        "/v1/commits",
        "Writes several keys, of several spaces, at once or not at all",
        Needs::Writer,
    )
};

const COMMITS: Route = Route {
    params: &[AFTER_CURSOR, SPACES, LIMIT, PENDING, ABOVE_CAP],
    errors: &[BelowFloor, Corrupt],
    ..get(
        RouteId::Commits,
        "/v1/commits",
        "Lists the commits that took effect, or those that are still to",
        Payload::Json(schema::<body::CommitListBody>),
    )
};

const COMMIT_BY_ID: Route = Route {
    errors: &[NotFound, Corrupt],
    ..get(
        RouteId::CommitById,
        "/v1/commits/{id}",
        "Shows a commit",
        Payload::Json(schema::<body::CommitBody>),
    )
};

const AMEND: Route = Route {
    request: Payload::Json(schema::<body::AmendRequest>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ReceiptBody>),
    params: &[H_AUTHOR, H_REASON],
    statuses: &[200, 202],
    errors: &[NotFound, Conflict, InThePast, Erased, TooLarge, RequestTimeout],
    ..route(
        RouteId::Amend,
        Verb::Patch,
        "/v1/commits/{id}",
        "Changes a pending commit",
        Needs::Writer,
    )
};

const CANCEL: Route = Route {
    answer: Payload::Json(schema::<body::CommitBody>),
    params: &[H_AUTHOR, H_REASON],
    errors: &[NotFound, InThePast],
    ..route(
        RouteId::Cancel,
        Verb::Delete,
        "/v1/commits/{id}",
        "Cancels a pending commit",
        Needs::Writer,
    )
};

const FEED: Route = Route {
    params: &[AFTER_CURSOR, SPACES, HEARTBEAT, H_LAST_EVENT_ID],
    errors: &[BelowFloor, Corrupt],
    ..get(
        RouteId::Feed,
        "/v1/feed",
        "Follows what takes effect, in order",
        Payload::Messages(schema::<body::FeedMessage>),
    )
};
