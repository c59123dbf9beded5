//! What the edge itself answers where it cannot hand on a service's answer: RFC 9457.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::body::Body;
use crate::limits;

/// The media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $title:literal;)*) => {
        /// The name of a refusal of the edge: what a program decides by.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum ProblemKind { $($(#[$doc])* $name,)* }

        impl ProblemKind {
            /// The name under which every surface reports it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, in a few words that are the same each time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The status it is reported with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

kinds! {
    /// The request can be read in more than one way: correct it.
    Malformed = BAD_REQUEST, "The request is not valid";
    /// Credentials are missing or wrong.
    Unauthorized = UNAUTHORIZED, "A token is needed";
    /// This may not be done from there.
    Forbidden = FORBIDDEN, "This may not be done";
    /// No rule leads anywhere.
    NoSuchRoute = NOT_FOUND, "There is no such route";
    /// The edge opens no tunnels to anywhere.
    NoTunnels = METHOD_NOT_ALLOWED, "Tunnels are not opened";
    /// The request body did not keep coming.
    RequestTimeout = REQUEST_TIMEOUT, "The request took too long to arrive";
    /// The target is neither a service nor a store of this edge.
    NoSuchTarget = MISDIRECTED_REQUEST, "There is no such service or store here";
    /// The service cannot be reached, or what it answered is no HTTP.
    BadGateway = BAD_GATEWAY, "The service cannot be reached";
    /// The moment is not known here yet: ask for an earlier one, or later.
    NotYetClosed = CONFLICT, "The moment is not closed yet";
    /// The moment is no longer kept.
    BelowFloor = GONE, "The moment is no longer kept";
    /// An operator keeps the system below the moment.
    AboveCap = CONFLICT, "The moment is above the cap";
    /// The URL names a fact of another timeline, or of another configuration: drop it.
    WrongEpoch = CONFLICT, "The request is of another epoch";
    /// More is asked than can be done: ask again later.
    Overloaded = SERVICE_UNAVAILABLE, "More is asked than can be done";
    /// It cannot be done now: ask again later.
    Unavailable = SERVICE_UNAVAILABLE, "It cannot be done now";
    /// The service did not answer in time.
    GatewayTimeout = GATEWAY_TIMEOUT, "The service took too long";
    /// The request went in a circle.
    Loop = LOOP_DETECTED, "The request goes in a circle";
}

/// A refusal, explained.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What a program decides by.
    pub kind: ProblemKind,
    /// What happened this time, for people. It goes to clients: no addresses, no secrets.
    pub detail: String,
}

#[derive(Serialize)]
struct Wire<'p> {
    #[serde(rename = "type")]
    type_uri: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    name: &'static str,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// As an answer. Whoever may come back later is told when.
    pub fn answer(&self) -> Response<Body> {
        let wire = Wire {
            type_uri: format!("/errors/{}", self.kind.as_str()),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            name: self.kind.as_str(),
        };
        // Strings and a number always serialise.
        let text = serde_json::to_vec(&wire).unwrap_or_default();
        let mut response = Response::new(Body::whole(text));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(limits::RETRY_AFTER_S));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Whether what may still come over the connection cannot be told apart from the request.
    fn closes(&self) -> bool {
        use ProblemKind::{Malformed, NoTunnels, RequestTimeout};
        matches!(self.kind, Malformed | NoTunnels | RequestTimeout)
    }
}
