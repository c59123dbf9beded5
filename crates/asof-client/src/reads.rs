//! Reading: values, listings, history, differences.

use core::time::Duration;

use asof_api::body::{DiffBody, HistoryBody, ReadBody, ReadRequest, ScanBody, TimeBody};
use asof_api::{ErrorName, Hash, headers};
use asof_time::{Epoch, Timestamp, Validity};
use bytes::Bytes;
use http::{Method, StatusCode, header};

use crate::client::{read_all, refusal, text};
use crate::path::Target;
use crate::{Client, Error, Request, Response, Result};

/// Which moment a read asks about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadAt {
    /// The moment; latest where `None`.
    pub as_of: Option<Timestamp>,
    /// Whether the moment may lie above closed.
    pub preview: Preview,
    /// How long to wait for the moment to be closed.
    pub wait: Duration,
    /// Whether it may lie above the cap.
    pub cap: Cap,
}

/// Whether a read keeps to the cap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cap {
    /// What lies above it is refused.
    #[default]
    Obey,
    /// An operator looks at what it holds back.
    Above,
}

impl ReadAt {
    /// At latest.
    pub const LATEST: Self =
        Self { as_of: None, preview: Preview::No, wait: Duration::ZERO, cap: Cap::Obey };

    /// At `as_of`.
    pub fn at(as_of: Timestamp) -> Self {
        Self { as_of: Some(as_of), ..Self::LATEST }
    }

    fn on(self, target: Target) -> Target {
        let wait_ms = self.wait.as_millis();
        target
            .maybe("as_of", self.as_of.map(Timestamp::as_micros))
            .flag("preview", self.preview == Preview::Yes)
            .maybe("wait", (wait_ms != 0).then_some(wait_ms))
            .flag("above_cap", self.cap == Cap::Above)
    }
}

/// Whether a read shows commits that are still pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preview {
    /// Only what is closed: the answer never changes.
    #[default]
    No,
    /// What would be read then, as things stand. The answer may change and has no validity.
    Yes,
}

/// The answer to a read of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The moment it was read at.
    pub as_of: Timestamp,
    /// The timeline.
    pub epoch: Option<Epoch>,
    /// When it is true; `None` for a preview.
    pub validity: Option<Validity>,
    /// Whether the cap kept the read below its session token.
    pub capped: bool,
    /// The value; `None` where the key is absent, which is a fact like any other.
    pub found: Option<Found>,
}

/// A value that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The bytes.
    pub bytes: Bytes,
    /// What they are.
    pub content_type: String,
    /// Their hash.
    pub hash: Hash,
}

/// Which keys to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeysQuery {
    /// Keys that begin with this.
    pub prefix: String,
    /// Keys after this one.
    pub after: Option<String>,
    /// Entries a page at most; the server's choice where `None`.
    pub limit: Option<usize>,
    /// Whether the values come along.
    pub values: Values,
}

/// Whether a listing carries the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Values {
    /// Hash and size only.
    #[default]
    Omit,
    /// The bytes as well.
    Include,
}

/// Which versions of a key to list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistoryQuery {
    /// Versions that are still true at this moment or later.
    pub from: Option<Timestamp>,
    /// Versions written before this moment.
    pub before: Option<Timestamp>,
    /// Versions a page at most; the server's choice where `None`.
    pub limit: Option<usize>,
}

/// Which differences of a space to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiffQuery {
    /// The first moment.
    pub from: Timestamp,
    /// The second moment.
    pub to: Timestamp,
    /// Keys after this one.
    pub after: Option<String>,
    /// Entries a page at most; the server's choice where `None`.
    pub limit: Option<usize>,
    /// Whether the moments may lie above the cap.
    pub cap: Cap,
}

impl Client {
    /// Where the store is in time.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Unauthorized`.
    pub fn time(&self) -> Result<TimeBody> {
        self.get_json(Target::new("/v1/time"))
    }

    /// Waits until `at` is closed, or `wait` is over, and says where the store is then.
    ///
    /// # Errors
    ///
    /// As [`time`](Self::time).
    pub fn time_after(&self, at: Timestamp, wait: Duration) -> Result<TimeBody> {
        let target = Target::new("/v1/time")
            .query("wait_for", at.as_micros())
            .query("wait", wait.as_millis());
        let mut request = Request::new(Method::GET, target.into_string());
        request.silence_max = request.silence_max.saturating_add(wait);
        self.json(request)
    }

    /// The value of one key.
    ///
    /// # Errors
    ///
    /// `UnknownSpace`, `StillImporting`, `NotYetClosed`, `BelowFloor`, `AboveCap`, `Unavailable`,
    /// `Corrupt`.
    pub fn get(&self, space: &str, key: &str, at: ReadAt) -> Result<Answer> {
        let target = at.on(key_target(space, key));
        let mut request = Request::new(Method::GET, target.into_string());
        request.silence_max = request.silence_max.saturating_add(at.wait);
        let answer = self.send(request)?;
        match answer.status {
            status if status.is_success() => found(answer),
            StatusCode::NOT_FOUND => absent(answer),
            _ => Err(refusal(answer)),
        }
    }

    /// Several keys at one moment.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); `TooLarge` where there are more than 1,000.
    pub fn read(&self, request: &ReadRequest) -> Result<ReadBody> {
        self.send_json(Method::POST, Target::new("/v1/read"), request)
    }

    /// A page of the keys of a space, in order.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn keys(&self, space: &str, query: &KeysQuery, at: ReadAt) -> Result<ScanBody> {
        let prefix = (!query.prefix.is_empty()).then_some(&query.prefix);
        let target = space_target(space)
            .segment("keys")
            .maybe("prefix", prefix)
            .maybe("after", query.after.as_ref())
            .maybe("limit", query.limit)
            .flag("values", query.values == Values::Include);
        self.get_json(at.on(target))
    }

    /// A page of the versions of one key, newest first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn history(
        &self,
        space: &str,
        key: &str,
        query: HistoryQuery,
        at: ReadAt,
    ) -> Result<HistoryBody> {
        let target = space_target(space)
            .segment("history")
            .key(key)
            .maybe("from", query.from.map(Timestamp::as_micros))
            .maybe("before", query.before.map(Timestamp::as_micros))
            .maybe("limit", query.limit);
        self.get_json(at.on(target))
    }

    /// A page of the keys that hold something else at `to` than at `from`, in order.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) at either moment; `Invalid` where `to` is before `from`.
    pub fn diff(&self, space: &str, query: &DiffQuery) -> Result<DiffBody> {
        let target = space_target(space)
            .segment("diff")
            .query("from", query.from.as_micros())
            .query("to", query.to.as_micros())
            .maybe("after", query.after.as_ref())
            .maybe("limit", query.limit)
            .flag("above_cap", query.cap == Cap::Above);
        self.get_json(target)
    }
}

/// The target of a space.
pub(crate) fn space_target(space: &str) -> Target {
    Target::new("/v1/spaces").segment(space)
}

/// The target of a key.
pub(crate) fn key_target(space: &str, key: &str) -> Target {
    space_target(space).segment("keys").key(key)
}

fn found(answer: Response) -> Result<Answer> {
    let hash = text(&answer.headers, &header::ETAG)
        .and_then(|etag| etag.trim_matches('"').parse().ok())
        .ok_or_else(|| Error::answer("it has no ETag that is a content hash"))?;
    let content_type =
        text(&answer.headers, &header::CONTENT_TYPE).unwrap_or(asof_api::BINARY).to_owned();
    let head = head(&answer)?;
    Ok(Answer { found: Some(Found { bytes: read_all(answer)?, content_type, hash }), ..head })
}

fn absent(answer: Response) -> Result<Answer> {
    // Without these headers it is another kind of not-found, or another server's.
    let head = head(&answer);
    let refusal = refusal(answer);
    if refusal.name() == ErrorName::Absent { head } else { Err(refusal) }
}

/// What the headers say, without a value.
fn head(answer: &Response) -> Result<Answer> {
    let headers = &answer.headers;
    let as_of = text(headers, &headers::AS_OF)
        .and_then(|as_of| as_of.parse().ok())
        .ok_or_else(|| Error::answer("it has no As-Of"))?;
    let validity = match text(headers, &headers::AS_OF_VALID) {
        Some(valid) => {
            let valid: headers::AsOfValid = valid.parse().map_err(Error::answer)?;
            Some(valid.0)
        }
        None => None,
    };
    Ok(Answer {
        as_of,
        epoch: text(headers, &headers::AS_OF_EPOCH).and_then(|epoch| epoch.parse().ok()),
        validity,
        capped: text(headers, &headers::AS_OF_CAPPED) == Some("true"),
        found: None,
    })
}
