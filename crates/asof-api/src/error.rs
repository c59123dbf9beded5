//! Refusals on the wire: RFC 9457 problem details.

use core::fmt;

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EpochId, Moment};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A status that says that something was refused or failed: 400 to 599 by construction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorStatus(StatusCode);

impl ErrorStatus {
    /// `status`, if it is one of an error.
    pub fn new(status: StatusCode) -> Option<Self> {
        (status.is_client_error() || status.is_server_error()).then_some(Self(status))
    }

    /// The status.
    pub fn get(self) -> StatusCode {
        self.0
    }
}

macro_rules! error_names {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $title:literal;)*) => {
        /// The name of a refusal: what a program decides by.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorName { $($(#[$doc])* $name,)* }

        impl ErrorName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name under which every surface reports it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, in a few words that are the same each time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Its type: a URI reference relative to the service.
            pub const fn type_uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/errors/", stringify!($name)),)* }
            }

            /// The status it is reported with.
            pub const fn status(self) -> ErrorStatus {
                match self { $(Self::$name => ErrorStatus(StatusCode::$status),)* }
            }
        }
    };
}

error_names! {
    /// The request can never succeed as it is: correct it.
    Invalid = BAD_REQUEST, "The request is not valid";
    /// No bearer token, or one that is not known: send one.
    Unauthorized = UNAUTHORIZED, "A bearer token is needed";
    /// The token may not do this, or the request comes from a web page elsewhere.
    Forbidden = FORBIDDEN, "This may not be done";
    /// There is no such route.
    NoSuchRoute = NOT_FOUND, "There is no such route";
    /// The route is there, with other methods.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "The route does not take this method";
    /// There is no such space: create it or correct the name.
    UnknownSpace = NOT_FOUND, "There is no such space";
    /// There is no such commit, pin, token or source id.
    NotFound = NOT_FOUND, "There is no such thing";
    /// The key holds no value at that moment. A fact, with validity, not a failure.
    Absent = NOT_FOUND, "The key holds no value";
    /// The request body did not arrive in time: send it again.
    RequestTimeout = REQUEST_TIMEOUT, "The request took too long to arrive";
    /// The space is still being imported: read it once it is live.
    StillImporting = CONFLICT, "The space is still being imported";
    /// The thing is not in a state for it: read and decide anew.
    Conflict = CONFLICT, "It is not in a state for this";
    /// A condition given with the request does not hold: read and decide anew.
    PreconditionFailed = PRECONDITION_FAILED, "A precondition does not hold";
    /// The time asked for has passed: nothing may take effect at or below `last`.
    InThePast = CONFLICT, "The time has passed";
    /// The moment is not closed yet: wait, or read at `closed`.
    NotYetClosed = CONFLICT, "The moment is not closed yet";
    /// The moment is no longer kept: read at or above `floor`.
    BelowFloor = GONE, "The moment is no longer kept";
    /// The moment is above the operator's cap: read at or below `cap`.
    AboveCap = CONFLICT, "The moment is above the cap";
    /// Many keys are touched: repeat the request with `confirm`.
    Unconfirmed = PRECONDITION_REQUIRED, "This takes a second word";
    /// The data was erased for legal reasons and will not come back.
    Erased = GONE, "The data was erased";
    /// What the request remembers belongs to another timeline than `epoch`.
    WrongEpoch = CONFLICT, "The request is of another epoch";
    /// Something is larger than `limit`: make it smaller.
    TooLarge = PAYLOAD_TOO_LARGE, "Something is too large";
    /// It cannot be done now: try again later.
    Unavailable = SERVICE_UNAVAILABLE, "It cannot be done now";
    /// What is stored is not what was written: restore from a backup.
    Corrupt = INTERNAL_SERVER_ERROR, "The store is damaged";
    /// The service itself failed: report it.
    Internal = INTERNAL_SERVER_ERROR, "The service failed";
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: problem details with the bound that was crossed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `/errors/` and the name.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// What it means, the same for every problem of the name.
    pub title: String,
    /// The HTTP status, 400 to 599.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What happened this time, for people.
    pub detail: String,
    /// What a program decides by.
    pub name: ErrorName,
    /// The closed timestamp, where the request is above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Moment>,
    /// The earliest readable timestamp, where the request is below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Moment>,
    /// The cap, where the request is above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Moment>,
    /// The largest timestamp that is taken, where the request is not above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moment>,
    /// The limit that is exceeded, in the unit that `detail` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The word to repeat as `confirm`, where the request takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The epoch of this store, where the request is of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<EpochId>,
    /// The line of the body at fault, from 1. The good lines before it are imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Commits of the body that were imported all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<u64>,
    /// Commits of the body that the space already had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<u64>,
}

impl Problem {
    /// A problem called `name`, explained by `detail`, without a bound.
    pub fn new(name: ErrorName, detail: impl Into<String>) -> Self {
        Self {
            type_uri: name.type_uri().to_owned(),
            title: name.title().to_owned(),
            status: name.status().get().as_u16(),
            detail: detail.into(),
            name,
            closed: None,
            floor: None,
            cap: None,
            last: None,
            limit: None,
            confirm: None,
            epoch: None,
            line: None,
            imported: None,
            known: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

impl core::error::Error for Problem {}
