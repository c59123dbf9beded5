//! The route table: everything the HTTP surface can do, as data.
//!
//! The server is built from it and the `OpenAPI` document is generated from it, so that a route
//! without documentation, or documentation without a route, cannot be.

mod control;
mod param;
mod release;
mod table;

pub use param::{Param, ParamKind, Place};
pub use table::ROUTES;

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::ErrorName;

/// One method of one path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Which one it is; also its operation id.
    pub id: RouteId,
    /// The method. A `GET` answers `HEAD` too.
    pub method: Verb,
    /// The path: `{name}` is one segment, `{*name}` the rest of the path, slashes included.
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Which role it takes, where tokens are in use.
    pub needs: Needs,
    /// What it takes in query and headers. Any other query parameter is refused.
    pub params: &'static [Param],
    /// What body it takes.
    pub request: Payload,
    /// How large that may be.
    pub limit: BodyLimit,
    /// What it answers.
    pub answer: Payload,
    /// Under which status: 200, or 202 where it is accepted and not yet in effect.
    pub statuses: &'static [u16],
    /// How it may refuse, beyond what [`COMMON_ERRORS`] says of every route.
    pub errors: &'static [ErrorName],
}

/// How any route but the open ones may refuse.
pub const COMMON_ERRORS: &[ErrorName] = &[
    ErrorName::Invalid,
    ErrorName::Unauthorized,
    ErrorName::Forbidden,
    ErrorName::Unavailable,
    ErrorName::Internal,
];

/// The methods in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Reads.
    Get,
    /// Does something, not safe to repeat unless said.
    Post,
    /// Sets.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Verb {
    /// The method of HTTP.
    pub const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// Which role a route takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// None: it says nothing of the data.
    Nothing,
    /// A reader, writer or operator.
    Reader,
    /// A writer or operator.
    Writer,
    /// An operator.
    Operator,
}

/// How large a request body may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyLimit {
    /// There is none.
    Empty,
    /// As large as a value may be.
    Value,
    /// [`SMALL_BODY_BYTES_MAX`].
    Small,
    /// [`LARGE_BODY_BYTES_MAX`].
    Large,
}

/// Largest body of a control action or a multi-key read, in bytes: 1,000 keys of 1 KiB with
/// their escapes and their space names fit.
pub const SMALL_BODY_BYTES_MAX: usize = 4 << 20;

/// Largest body of a commit or an import, in bytes. It is in memory while it is worked on.
pub const LARGE_BODY_BYTES_MAX: usize = 32 << 20;

/// What a body is.
#[derive(Clone, Copy, Debug)]
pub enum Payload {
    /// There is none.
    None,
    /// JSON.
    Json(SchemaOf),
    /// A JSON value a line.
    Lines(SchemaOf),
    /// A value as it is stored, with its own content type.
    Value,
    /// JSON, or `application/link-format` by `Accept`.
    JsonOrLinks(SchemaOf),
    /// A stream of messages: a JSON value a line, or server-sent events by `Accept`.
    Messages(SchemaOf),
    /// Bytes that only Asof understands.
    Opaque,
    /// `OpenMetrics` text.
    Metrics,
    /// Any JSON object.
    AnyJson,
}

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The [`SchemaOf`] of `T`.
pub(crate) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

macro_rules! route_ids {
    ($($name:ident = $text:literal,)*) => {
        /// Which route it is. Whoever handles requests matches on this without a wildcard.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[expect(missing_docs, reason = "each is explained by its summary in the table")]
        pub enum RouteId { $($name,)* }

        impl RouteId {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in the `OpenAPI` document, in metrics and in logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

route_ids! {
    Time = "time",
    AcceptClock = "accept-clock",
    Spaces = "spaces",
    Space = "space",
    CreateSpace = "create-space",
    GoLive = "go-live",
    Usage = "usage",
    SetRetention = "set-retention",
    Import = "import",
    Source = "source",
    Get = "get",
    Put = "put",
    Delete = "delete",
    History = "history",
    Scan = "scan",
    Read = "read",
    Diff = "diff",
    Commit = "commit",
    Commits = "commits",
    CommitById = "commit-by-id",
    Amend = "amend",
    Cancel = "cancel",
    Feed = "feed",
    Revert = "revert",
    BadCommits = "bad-commits",
    MarkBad = "mark-bad",
    UnmarkBad = "unmark-bad",
    Erase = "erase",
    Erasures = "erasures",
    SetErasable = "set-erasable",
    Cap = "cap",
    SetCap = "set-cap",
    ClearCap = "clear-cap",
    Pins = "pins",
    CreatePin = "create-pin",
    ReleasePin = "release-pin",
    Edges = "edges",
    ReportEdge = "report-edge",
    Releases = "releases",
    Release = "release",
    PlanRelease = "plan-release",
    AmendRelease = "amend-release",
    ApproveRelease = "approve-release",
    ScheduleRelease = "schedule-release",
    CancelRelease = "cancel-release",
    RollBackRelease = "roll-back-release",
    Tokens = "tokens",
    CreateToken = "create-token",
    RevokeToken = "revoke-token",
    Control = "control",
    Backup = "backup",
    OpenApi = "openapi",
    Healthz = "healthz",
    Readyz = "readyz",
    Metrics = "metrics",
}

impl Route {
    /// The names of the query parameters that it takes.
    pub fn query_names(&self) -> impl Iterator<Item = &'static str> {
        self.params.iter().filter(|param| param.place == Place::Query).map(|param| param.name)
    }

    /// The names in its path: `space` of `{space}`, `key` of `{*key}`.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| {
            segment.strip_prefix('{')?.strip_suffix('}').map(|name| name.trim_start_matches('*'))
        })
    }
}
