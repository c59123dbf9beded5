//! Asks a store at the moment of the request, and makes a fact of the answer.
//!
//! The answer that a service is given says nothing of time: what it cannot see cannot matter.

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;

use asof_api::headers as wire;
use asof_api::headers::AsOfValid;
use asof_cache::{
    Call, Content, Execute, Fact, Fingerprint, KeyRange, Outcome, Reach, Trace, Unstorable,
};
use asof_time::{Epoch, Validity};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Inner;
use super::execute::{Answered, clean, gather};
use super::level::Level;
use super::preview;
use super::root::Root;
use super::serve::{Reply, Served};
use super::stores::Followed;
use crate::body::Body;
use crate::config::StoreName;
use crate::problem::{Problem, ProblemKind};
use crate::spans::{Draft, names};
use crate::target::Target;
use crate::upstream::EndsWithConnection;

/// What every service is told of a key that is absent, whoever asks and whenever.
const ABSENT: &str =
    r#"{"type":"/errors/Absent","title":"There is no value","status":404,"name":"Absent"}"#;

/// The same of a key that was erased.
const ERASED: &str =
    r#"{"type":"/errors/Erased","title":"The data was erased","status":410,"name":"Erased"}"#;

/// The members of a listing that say when.
const TIMES: [&str; 6] = ["as_of", "commit", "effective", "from", "through", "until"];

/// A read of a store that can be cached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Read {
    pub(crate) space: String,
    pub(crate) what: What,
}

/// What is read of a space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    Key(String),
    Range(KeyRange),
}

impl Read {
    /// The read that a path and query are, if the edge knows what it reaches. A moment of its own
    /// makes it another question, which is not cached.
    pub(crate) fn of(path: &str, query: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/spaces/")?;
        let (space, rest) = rest.split_once('/')?;
        let space = decoded(space)?;
        let parameters: Vec<(String, String)> = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
            .map(|(name, value)| Some((decoded(name)?, decoded(value)?)))
            .collect::<Option<_>>()?;
        let value = |wanted: &str| {
            parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        if let Some(key) = rest.strip_prefix("keys/") {
            return parameters
                .is_empty()
                .then_some(())
                .and_then(|()| Some(Self { space, what: What::Key(decoded(key)?) }));
        }
        let known = |name: &str| matches!(name, "prefix" | "after" | "limit" | "values");
        if rest != "keys" || !parameters.iter().all(|(name, _)| known(name)) {
            return None;
        }
        let (prefix, after) = (value("prefix").unwrap_or(""), value("after").unwrap_or(""));
        let from = if after > prefix { after } else { prefix };
        let to = successor(prefix).map_or(Bound::Unbounded, |end| Bound::Excluded(end.into()));
        Some(Self { space, what: What::Range(KeyRange { from: from.into(), to }) })
    }

    /// What all reads of its kind have in common.
    fn template(&self) -> &'static str {
        match self.what {
            What::Key(_) => "/v1/spaces/{space}/keys/{key}",
            What::Range(_) => "/v1/spaces/{space}/keys",
        }
    }

    fn reach(&self) -> Reach {
        match &self.what {
            What::Key(key) => Reach::Key(Fingerprint::of(key)),
            What::Range(range) => Reach::Range(Arc::new(range.clone())),
        }
    }
}

/// The first text that is behind all that begin with `prefix`; `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // Characters have the order of their bytes in UTF-8. The surrogates are no characters.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

impl Inner {
    /// Asks the store that `call` reads, or whether what was true is still so.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        execute: Execute,
        level: &Level,
    ) -> Served {
        let mut draft = self.asks(level.above(root), &call.method, &call.path, &call.service);
        self.read(root, call, execute, draft.as_mut()).await.ends(draft)
    }

    async fn read(
        self: &Arc<Self>,
        root: &Arc<Root>,
        call: &Arc<Call>,
        execute: Execute,
        mut draft: Option<&mut Draft>,
    ) -> Served {
        let Some(name) = root.plan.stores.get_key_value(&*call.service).map(|(name, _)| name)
        else {
            return Served::problem(
                gone("the store is not configured any more"),
                Unstorable::NoValidity,
            );
        };
        let (Some(read), Some(store)) =
            (Read::of(&call.path, &call.query), self.stores.get(name.as_str()))
        else {
            return Served::problem(gone("the store cannot be asked that"), Unstorable::NoValidity);
        };
        let prior = execute.prior.as_ref().filter(|prior| prior.status() == StatusCode::OK);
        let prior = prior.filter(|_| matches!(read.what, What::Key(_)));
        let etag = prior.and_then(|prior| header_of(prior, &header::ETAG));
        let mut request = match request(root, call, &store, etag) {
            Ok(request) => request,
            Err(problem) => return Served::problem(problem, Unstorable::Truncated),
        };
        if let Some(draft) = &mut draft {
            draft.by(read.template());
            draft.context().put(request.headers_mut());
        }
        self.metrics.reads.inc();
        let target = Target::Store(name.clone());
        let answered = match self.forwarder.forward(&target, request).await {
            Ok(response) => gather(response, root.plan.limits.body_bytes).await,
            Err(error) => Err(error.problem()),
        };
        let (parts, body) = match answered {
            Ok(Answered::Whole(parts, body)) => (parts, body),
            Ok(Answered::Large(mut response)) => {
                clean(response.headers_mut());
                return Served::streamed(response);
            }
            Err(problem) => return Served::unanswered(problem),
        };
        if parts.extensions.get::<EndsWithConnection>().is_some() {
            let content = Content::new(parts.status, kept(&parts.headers), body);
            return unstorable(content, Unstorable::Truncated);
        }
        if is_of_another_epoch(root.epochs.get(name).copied(), &parts.headers) {
            let problem = gone("the store began another timeline while this was answered");
            return Served::problem(problem, Unstorable::OtherEpoch);
        }
        let content = match (parts.status, prior) {
            (StatusCode::NOT_MODIFIED, Some(prior)) => {
                self.metrics.unchanged.inc();
                if let Some(draft) = &mut draft {
                    draft.note(names::UNCHANGED, true);
                }
                Arc::clone(prior)
            }
            (StatusCode::OK, _) => found(&parts.headers, body, &read),
            (StatusCode::NOT_FOUND, _) if parts.headers.contains_key(&wire::AS_OF_VALID) => {
                absent()
            }
            (StatusCode::GONE, _) if parts.headers.contains_key(&wire::AS_OF_VALID) => erased(),
            (status, _) => {
                if status == StatusCode::CONFLICT && is_above_cap(&body) {
                    // Whoever else of the tree is refused is so for the same cause.
                    let _ = root.overtaken_in.set(name.clone());
                }
                let content = Content::new(status, kept(&parts.headers), body);
                return unstorable(content, Unstorable::Status);
            }
        };
        match self.fact(root, call, name, &read, &parts.headers, &content) {
            Ok(fact) => match self.cache.insert(call, fact, execute.since) {
                Ok(fact) => Served {
                    reply: Reply::Content(content),
                    fact: Ok(fact),
                    outcome: Outcome::Miss,
                },
                Err(why) => unstorable(content, why),
            },
            Err(why) => unstorable(content, why),
        }
    }

    /// What the headers of an answer prove.
    fn fact(
        &self,
        root: &Root,
        call: &Arc<Call>,
        name: &StoreName,
        read: &Read,
        headers: &HeaderMap,
        content: &Arc<Content>,
    ) -> Result<Fact, Unstorable> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let validity: Validity = text(&wire::AS_OF_VALID)
            .and_then(|text| text.parse::<AsOfValid>().ok())
            .map(|valid| valid.0)
            .filter(|validity| validity.contains(root.at))
            .ok_or(Unstorable::NoValidity)?;
        let epoch: Option<Epoch> = text(&wire::AS_OF_EPOCH).and_then(|text| text.parse().ok());
        if epoch.is_none() || root.epochs.get(name) != epoch.as_ref() {
            return Err(Unstorable::OtherEpoch);
        }
        let store = self.stores.get(name.as_str()).ok_or(Unstorable::OtherEpoch)?;
        let space = self.cache.space(store.id, &read.space).ok_or(Unstorable::NoValidity)?;
        // Looked at after the number was taken: had the store been restored before, the number
        // would be one of the new epoch, and nothing would ever take this fact out again.
        if self.cache.index().epoch(store.id) != epoch {
            return Err(Unstorable::OtherEpoch);
        }
        let trace = Trace::leaf(call.key(), content.hash(), space, read.reach());
        Ok(Fact { content: Arc::clone(content), validity, trace })
    }
}

/// Whether a store answers out of another timeline than the tree is of. What it says is then no
/// answer at the tree's moment: beside what was read before, it would make a whole that never was.
fn is_of_another_epoch(known: Option<Epoch>, headers: &HeaderMap) -> bool {
    let said = headers.get(&wire::AS_OF_EPOCH).and_then(|value| value.to_str().ok());
    let said: Option<Epoch> = said.and_then(|text| text.parse().ok());
    said.zip(known).is_some_and(|(said, known)| said != known)
}

/// Whether a refusal is that the moment lies above the cap.
fn is_above_cap(body: &[u8]) -> bool {
    let problem = serde_json::from_slice::<Value>(body).ok();
    problem.is_some_and(|problem| problem.get("name").is_some_and(|name| name == "AboveCap"))
}

fn gone(detail: &str) -> Problem {
    Problem::new(ProblemKind::Unavailable, detail)
}

fn unstorable(content: Arc<Content>, why: Unstorable) -> Served {
    Served { reply: Reply::Content(content), fact: Err(why), outcome: Outcome::Unstorable(why) }
}

fn request(
    root: &Root,
    call: &Call,
    store: &Followed,
    etag: Option<&HeaderValue>,
) -> Result<Request<Body>, Problem> {
    let query = if root.is_preview() {
        Cow::Owned(preview::question(&call.query, root.at))
    } else {
        Cow::Borrowed(&*call.query)
    };
    let mark = if query.is_empty() { "" } else { "?" };
    let uri: Uri = format!("{}{mark}{query}", call.path).parse().map_err(|error| {
        Problem::new(ProblemKind::Malformed, format!("the path is no path: {error}"))
    })?;
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if !root.is_preview() {
        headers.insert(&wire::AS_OF, HeaderValue::from(root.at.as_micros()));
    }
    let usual = &store.authorization;
    let authorization = if root.is_preview() { &store.preview } else { usual };
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    if let Some(etag) = etag {
        headers.insert(header::IF_NONE_MATCH, etag.clone());
    }
    Ok(request)
}

/// A value as it is, or a listing without its times.
fn found(headers: &HeaderMap, body: Bytes, read: &Read) -> Arc<Content> {
    let body = match read.what {
        What::Key(_) => body,
        What::Range(_) => timeless(&body).unwrap_or(body),
    };
    Content::new(StatusCode::OK, kept(headers), body)
}

fn absent() -> Arc<Content> {
    says(StatusCode::NOT_FOUND, ABSENT)
}

fn erased() -> Arc<Content> {
    says(StatusCode::GONE, ERASED)
}

fn says(status: StatusCode, problem: &'static str) -> Arc<Content> {
    let media_type = HeaderValue::from_static("application/problem+json");
    let headers = [(header::CONTENT_TYPE, media_type)];
    Content::new(status, headers, Bytes::from_static(problem.as_bytes()))
}

fn timeless(body: &[u8]) -> Option<Bytes> {
    let mut page: Value = serde_json::from_slice(body).ok()?;
    let object = page.as_object_mut()?;
    object.retain(|name, _| !TIMES.contains(&name.as_str()));
    for entry in object.get_mut("entries").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(entry) = entry.as_object_mut() {
            entry.retain(|name, _| !TIMES.contains(&name.as_str()));
        }
    }
    serde_json::to_vec(&page).ok().map(Bytes::from)
}

/// What of a store's headers is about the content and not about when.
fn kept(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let wanted = [header::CONTENT_TYPE, header::ETAG];
    let kept =
        wanted.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone())));
    kept.collect()
}

fn header_of<'c>(content: &'c Content, wanted: &HeaderName) -> Option<&'c HeaderValue> {
    content.headers().iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
