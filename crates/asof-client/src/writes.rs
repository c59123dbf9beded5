//! Writing: single keys, commits, and what is still pending.

use asof_api::body::{AmendRequest, CommitBody, CommitListBody, ReceiptBody, WriteRequest};
use asof_api::{Cursor, Hash, headers};
use asof_time::{Sequence, Timestamp};
use bytes::Bytes;
use http::{HeaderValue, Method, header};

use crate::client::{set_json, set_text};
use crate::path::Target;
use crate::reads::{Cap, key_target};
use crate::{Body, Client, Request, Result};

/// How a single key is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteOptions {
    /// The future moment at which it takes effect; now where `None`.
    pub effective_at: Option<Timestamp>,
    /// Why, in one line.
    pub message: String,
    /// What must hold just before.
    pub condition: Condition,
    /// Makes the request safe to repeat.
    pub idempotency_key: Option<String>,
}

/// What must hold of a key just before it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Condition {
    /// Nothing.
    #[default]
    None,
    /// It holds no value.
    Absent,
    /// It holds a value.
    Present,
    /// It holds the value with this hash.
    HashIs(Hash),
    /// It was not written after this moment.
    UnchangedSince(Timestamp),
}

/// Which commits to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommitsQuery {
    /// Commits after this place.
    pub after: Option<Cursor>,
    /// Commits that touch one of these spaces; all where empty.
    pub spaces: Vec<String>,
    /// Commits a page at most; the server's choice where `None`.
    pub limit: Option<usize>,
    /// Whether what the cap holds back comes along.
    pub cap: Cap,
}

impl Client {
    /// Writes the value of one key.
    ///
    /// # Errors
    ///
    /// `Invalid`, `TooLarge`, `Conflict`, `PreconditionFailed`, `InThePast`, `StillImporting`,
    /// `Unavailable`: then it is unknown whether it took effect, unless an idempotency key was
    /// given and the request is repeated.
    pub fn put(
        &self,
        space: &str,
        key: &str,
        content_type: &str,
        bytes: Bytes,
        options: &WriteOptions,
    ) -> Result<ReceiptBody> {
        let mut request = self.write(Method::PUT, space, key, options)?;
        set_text(&mut request, &header::CONTENT_TYPE, content_type)?;
        request.body = Body::Bytes(bytes);
        self.json(request)
    }

    /// Deletes one key. Deleting an absent key is no error.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn delete(&self, space: &str, key: &str, options: &WriteOptions) -> Result<ReceiptBody> {
        self.json(self.write(Method::DELETE, space, key, options)?)
    }

    fn write(
        &self,
        method: Method,
        space: &str,
        key: &str,
        options: &WriteOptions,
    ) -> Result<Request> {
        let mut request = Request::new(method, key_target(space, key).into_string());
        set_text(&mut request, &headers::ASOF_AUTHOR, self.author())?;
        set_text(&mut request, &headers::ASOF_MESSAGE, &options.message)?;
        if let Some(at) = options.effective_at {
            request.headers.insert(headers::EFFECTIVE_AT.clone(), at.as_micros().into());
        }
        if let Some(name) = &options.idempotency_key {
            set_text(&mut request, &headers::IDEMPOTENCY_KEY, name)?;
        }
        match options.condition {
            Condition::None => {}
            Condition::Absent => {
                let any = HeaderValue::from_static("*");
                request.headers.insert(header::IF_NONE_MATCH, any);
            }
            Condition::Present => {
                let any = HeaderValue::from_static("*");
                request.headers.insert(header::IF_MATCH, any);
            }
            Condition::HashIs(hash) => {
                set_text(&mut request, &header::IF_MATCH, &format!("\"{hash}\""))?;
            }
            Condition::UnchangedSince(at) => {
                request.headers.insert(headers::IF_UNCHANGED_SINCE.clone(), at.as_micros().into());
            }
        }
        Ok(request)
    }

    /// Commits several writes at once. The author of the client stands in where none is given.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn commit(
        &self,
        commit: &WriteRequest,
        idempotency_key: Option<&str>,
    ) -> Result<ReceiptBody> {
        let mut request = Request::new(Method::POST, "/v1/commits");
        if commit.author.is_none() && !self.author().is_empty() {
            let mut signed = commit.clone();
            signed.author = Some(self.author().to_owned());
            set_json(&mut request, &signed)?;
        } else {
            set_json(&mut request, commit)?;
        }
        if let Some(name) = idempotency_key {
            set_text(&mut request, &headers::IDEMPOTENCY_KEY, name)?;
        }
        self.json(request)
    }

    /// A page of the commits that took effect, oldest first.
    ///
    /// # Errors
    ///
    /// `BelowFloor` where the place lies below what is kept of the log.
    pub fn commits(&self, query: &CommitsQuery) -> Result<CommitListBody> {
        self.get_json(query.on(Target::new("/v1/commits")))
    }

    /// A page of the commits that are still to take effect, soonest first.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Forbidden`.
    pub fn pending(&self, query: &CommitsQuery) -> Result<CommitListBody> {
        self.get_json(query.on(Target::new("/v1/commits").flag("pending", true)))
    }

    /// One commit, pending or not.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn commit_by_id(&self, id: Sequence) -> Result<CommitBody> {
        self.get_json(commit_target(id))
    }

    /// Changes a pending commit.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its old or new time has passed; as [`commit`](Self::commit).
    pub fn amend(&self, id: Sequence, amendment: &AmendRequest) -> Result<ReceiptBody> {
        let mut request = Request::new(Method::PATCH, commit_target(id).into_string());
        set_json(&mut request, amendment)?;
        self.sign(&mut request, "")?;
        self.json(request)
    }

    /// Cancels a pending commit, as if it had never been asked for.
    ///
    /// # Errors
    ///
    /// `NotFound`; `InThePast` where its time has passed.
    pub fn cancel(&self, id: Sequence, reason: &str) -> Result<CommitBody> {
        self.act(Method::DELETE, commit_target(id), reason)
    }
}

impl CommitsQuery {
    fn on(&self, target: Target) -> Target {
        let spaces = (!self.spaces.is_empty()).then(|| self.spaces.join(","));
        target
            .maybe("after", self.after.as_ref())
            .maybe("spaces", spaces)
            .maybe("limit", self.limit)
            .flag("above_cap", self.cap == Cap::Above)
    }
}

pub(crate) fn commit_target(id: Sequence) -> Target {
    Target::new("/v1/commits").segment(&id.to_string())
}
