//! The table itself.

use super::param::{
    AFTER_CURSOR, AFTER_KEY, AFTER_NUMBER, AS_OF, BEFORE, DIFF_FROM, DIFF_TO, DRY_RUN, EPOCH,
    H_ACCEPT_DATETIME, H_AS_OF, H_AUTHOR, H_EFFECTIVE_AT, H_IDEMPOTENCY_KEY, H_IF_MATCH,
    H_IF_NONE_MATCH, H_IF_NONE_MATCH_ANY, H_IF_UNCHANGED_SINCE, H_LAST_EVENT_ID, H_MESSAGE,
    H_REASON, H_TOKEN, HEARTBEAT, HISTORY_FROM, LIMIT, PENDING, PREFIX, PREVIEW, SPACES, VALUES,
    WAIT, WAIT_FOR,
};
use super::{BodyLimit, Needs, Payload, Route, RouteId, Verb, schema};
use crate::ErrorName::{
    AboveCap, Absent, BelowFloor, Conflict, Corrupt, Erased, InThePast, NotFound, NotYetClosed,
    PreconditionFailed, RequestTimeout, StillImporting, TooLarge, UnknownSpace, WrongEpoch,
};
use crate::body;

const fn route(
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

const fn get(id: RouteId, path: &'static str, summary: &'static str, answer: Payload) -> Route {
    Route {
        answer,
        ..route(id, Verb::Get, path, summary, Needs::Reader)
    }
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
    CAP,
    SET_CAP,
    CLEAR_CAP,
    PINS,
    CREATE_PIN,
    RELEASE_PIN,
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

const ACCEPT_CLOCK: Route = Route {
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

const SPACE_LIST: Route = get(
    RouteId::Spaces,
    "/v1/spaces",
    "Lists the spaces that the caller may read",
    Payload::Json(schema::<body::SpaceListBody>),
);

const SPACE: Route = Route {
    errors: &[UnknownSpace],
    ..get(
        RouteId::Space,
        "/v1/spaces/{space}",
        "Shows a space",
        Payload::Json(schema::<body::SpaceBody>),
    )
};

const CREATE_SPACE: Route = Route {
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

const GO_LIVE: Route = Route {
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

const USAGE: Route = Route {
    errors: &[UnknownSpace, Corrupt],
    ..get(
        RouteId::Usage,
        "/v1/spaces/{space}/usage",
        "Counts what a space holds, by walking it",
        Payload::Json(schema::<body::UsageBody>),
    )
};

const SET_RETENTION: Route = Route {
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

const IMPORT: Route = Route {
    request: Payload::Lines(schema::<body::ImportLine>),
    limit: BodyLimit::Large,
    answer: Payload::Json(schema::<body::ImportBody>),
    errors: &[UnknownSpace, Conflict, TooLarge, RequestTimeout],
    ..route(
        RouteId::Import,
        Verb::Post,
        "/v1/spaces/{space}/import",
        "Writes history into an importing space, a commit a line; the lines before a bad one are \
         imported",
        Needs::Operator,
    )
};

const SOURCE: Route = Route {
    errors: &[UnknownSpace, NotFound, Corrupt],
    ..get(
        RouteId::Source,
        "/v1/spaces/{space}/sources/{id}",
        "Finds the commit that brought a source id into a space",
        Payload::Json(schema::<body::SourceAnswerBody>),
    )
};

const GET: Route = Route {
    params: &[
        AS_OF,
        EPOCH,
        WAIT,
        PREVIEW,
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
    errors: &[
        PreconditionFailed,
        Conflict,
        InThePast,
        StillImporting,
        Erased,
    ],
    ..route(
        RouteId::Delete,
        Verb::Delete,
        "/v1/spaces/{space}/keys/{*key}",
        "Deletes a key, now or at a future moment",
        Needs::Writer,
    )
};

const HISTORY: Route = Route {
    params: &[AS_OF, HISTORY_FROM, BEFORE, LIMIT, EPOCH, H_AS_OF, H_TOKEN],
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
        PREFIX, AFTER_KEY, LIMIT, VALUES, AS_OF, EPOCH, WAIT, PREVIEW, H_AS_OF, H_TOKEN,
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
    params: &[EPOCH, WAIT, H_AS_OF, H_TOKEN],
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
    params: &[DIFF_FROM, DIFF_TO, AFTER_KEY, LIMIT, EPOCH],
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
    errors: &[
        Conflict,
        InThePast,
        StillImporting,
        Erased,
        TooLarge,
        RequestTimeout,
    ],
    ..route(
        RouteId::Commit,
        Verb::Post,
        "/v1/commits",
        "Writes several keys, of several spaces, at once or not at all",
        Needs::Writer,
    )
};

const COMMITS: Route = Route {
    params: &[AFTER_CURSOR, SPACES, LIMIT, PENDING],
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
    errors: &[NotFound, Conflict, InThePast, TooLarge, RequestTimeout],
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

const CAP: Route = get(
    RouteId::Cap,
    "/v1/cap",
    "Shows the cap",
    Payload::Json(schema::<body::CapState>),
);

const SET_CAP: Route = Route {
    request: Payload::Json(schema::<body::CapRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::CapOutcome>),
    params: &[DRY_RUN],
    errors: &[NotYetClosed, BelowFloor, TooLarge, RequestTimeout],
    ..route(
        RouteId::SetCap,
        Verb::Put,
        "/v1/cap",
        "Sets the cap: nothing above it is read until it is cleared",
        Needs::Operator,
    )
};

const CLEAR_CAP: Route = Route {
    answer: Payload::Json(schema::<body::CapOutcome>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[Conflict],
    ..route(
        RouteId::ClearCap,
        Verb::Delete,
        "/v1/cap",
        "Clears the cap",
        Needs::Operator,
    )
};

const PINS: Route = get(
    RouteId::Pins,
    "/v1/pins",
    "Lists the live pins",
    Payload::Json(schema::<body::PinListBody>),
);

const CREATE_PIN: Route = Route {
    request: Payload::Json(schema::<body::PinRequest>),
    limit: BodyLimit::Small,
    answer: Payload::Json(schema::<body::PinBody>),
    errors: &[
        NotYetClosed,
        BelowFloor,
        AboveCap,
        Conflict,
        TooLarge,
        RequestTimeout,
    ],
    ..route(
        RouteId::CreatePin,
        Verb::Put,
        "/v1/pins/{name}",
        "Creates or renews a pin",
        Needs::Operator,
    )
};

const RELEASE_PIN: Route = Route {
    answer: Payload::Json(schema::<body::PinOutcome>),
    params: &[DRY_RUN, H_AUTHOR, H_REASON],
    errors: &[NotFound],
    ..route(
        RouteId::ReleasePin,
        Verb::Delete,
        "/v1/pins/{name}",
        "Releases a pin",
        Needs::Operator,
    )
};

const TOKENS: Route = Route {
    needs: Needs::Operator,
    ..get(
        RouteId::Tokens,
        "/v1/tokens",
        "Lists the bearer tokens, without their secrets",
        Payload::Json(schema::<body::TokenListBody>),
    )
};

const CREATE_TOKEN: Route = Route {
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

const REVOKE_TOKEN: Route = Route {
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

const CONTROL: Route = Route {
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

const BACKUP: Route = Route {
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

const OPENAPI: Route = Route {
    needs: Needs::Nothing,
    ..get(
        RouteId::OpenApi,
        "/openapi.json",
        "This document",
        Payload::AnyJson,
    )
};

const HEALTHZ: Route = Route {
    needs: Needs::Nothing,
    ..get(
        RouteId::Healthz,
        "/healthz",
        "Whether the process works",
        Payload::Json(schema::<body::HealthBody>),
    )
};

const READYZ: Route = Route {
    needs: Needs::Nothing,
    statuses: &[200, 503],
    ..get(
        RouteId::Readyz,
        "/readyz",
        "Whether the store takes writes",
        Payload::Json(schema::<body::HealthBody>),
    )
};

const METRICS: Route = get(
    RouteId::Metrics,
    "/metrics",
    "Metrics, as OpenMetrics text",
    Payload::Metrics,
);
