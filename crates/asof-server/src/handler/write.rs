//! Writes: handed to the store's writer, which groups them.

use asof_api::SessionToken;
use asof_api::body::WriteRequest;
use asof_api::headers::{
    ASOF_AUTHOR, ASOF_MESSAGE, ASOF_TOKEN, EFFECTIVE_AT, IDEMPOTENCY_KEY, IF_UNCHANGED_SINCE,
};
use asof_api::{ErrorName, Hash};
use asof_store::{
    CommitRequest, ContentHash, ContentType, Effective, IdempotencyKey, Op, Precondition, Receipt,
    SpaceName, Value, Write,
};
use asof_time::Timestamp;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use tokio::sync::oneshot;

use crate::app::off_lane;
use crate::body::Body;
use crate::convert;
use crate::dispatch::{Call, from_json};
use crate::query::parse;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn put(call: &Call<'_>, space: SpaceName, bytes: Bytes) -> Answer {
    let content_type = match call.header(&header::CONTENT_TYPE)? {
        Some(text) => ContentType::new(text)?,
        None => ContentType::binary(),
    };
    let value = Value { content_type, bytes };
    write_key(call, space, Op::Put(value)).await
}

pub(crate) async fn delete(call: &Call<'_>, space: SpaceName) -> Answer {
    write_key(call, space, Op::Delete).await
}

async fn write_key(call: &Call<'_>, space: SpaceName, op: Op) -> Answer {
    let precondition = precondition(call)?;
    let request = CommitRequest {
        effective: effective(call.parsed_header::<Timestamp>(&EFFECTIVE_AT)?),
        author: call.author(call.header(&ASOF_AUTHOR)?),
        message: call.header(&ASOF_MESSAGE)?.unwrap_or_default().to_owned(),
        writes: vec![Write { space, key: call.path.key()?, op, precondition }],
        idempotency: idempotency(call)?,
        source: None,
    };
    let conditional = precondition != Precondition::None;
    submit(call, request).await.map_err(|refusal| {
        // A conflict with a condition of the request has a status of its own in HTTP.
        if conditional && refusal.name() == ErrorName::Conflict {
            refusal.of_precondition()
        } else {
            refusal
        }
    })
}

/// The one condition that the headers set.
fn precondition(call: &Call<'_>) -> Result<Precondition, Refusal> {
    let if_match = call.header(&header::IF_MATCH)?;
    let if_none_match = call.header(&header::IF_NONE_MATCH)?;
    let unchanged_since = call.parsed_header::<Timestamp>(&IF_UNCHANGED_SINCE)?;
    for name in [header::IF_UNMODIFIED_SINCE, header::IF_MODIFIED_SINCE] {
        if call.parts.headers.contains_key(&name) {
            return Err(Refusal::invalid(format!(
                "{name} is too coarse, a second holds many writes: use If-Unchanged-Since"
            )));
        }
    }
    match (if_match.map(str::trim), if_none_match.map(str::trim), unchanged_since) {
        (None, None, None) => Ok(Precondition::None),
        (Some("*"), None, None) => Ok(Precondition::Present),
        (Some(tag), None, None) => {
            let bare = tag
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .ok_or_else(|| Refusal::invalid("If-Match is `*` or one entity tag in quotes"))?;
            let hash: Hash = parse(&"If-Match", bare)?;
            Ok(Precondition::HashIs(ContentHash::from_bytes(hash.0)))
        }
        (None, Some("*"), None) => Ok(Precondition::Absent),
        (None, Some(_), None) => Err(Refusal::invalid("If-None-Match of a write is `*`")),
        (None, None, Some(at)) => Ok(Precondition::UnchangedSince(at)),
        _ => Err(Refusal::invalid(
            "a write has at most one of If-Match, If-None-Match and If-Unchanged-Since",
        )),
    }
}

pub(crate) async fn commit(call: &Call<'_>, bytes: Bytes) -> Answer {
    let length = bytes.len();
    let read = move || {
        let body: WriteRequest = from_json(&bytes)?;
        let writes = convert::writes(&body.writes)?;
        Ok::<_, Refusal>((WriteRequest { writes: Vec::new(), ..body }, writes))
    };
    let (body, writes) = off_lane(length, read).await??;
    for write in &writes {
        call.caller.check_space(&write.space)?;
    }
    let source = body.source.map(convert::source).transpose()?;
    if let Some(source) = &source {
        call.caller.check_space(&source.space)?;
    }
    let request = CommitRequest {
        effective: effective(body.effective_at.map(Into::into)),
        author: call.author(body.author.as_deref()),
        message: body.message.unwrap_or_default(),
        writes,
        idempotency: idempotency(call)?,
        source,
    };
    submit(call, request).await
}

fn effective(at: Option<Timestamp>) -> Effective {
    at.map_or(Effective::Now, Effective::At)
}

fn idempotency(call: &Call<'_>) -> Result<Option<IdempotencyKey>, Refusal> {
    let key = call.header(&IDEMPOTENCY_KEY)?;
    key.map(|key| Ok(IdempotencyKey::new(key)?)).transpose()
}

async fn submit(call: &Call<'_>, request: CommitRequest) -> Answer {
    let (done, outcome) = oneshot::channel();
    let bytes = request.writes.iter().map(|write| match &write.op {
        Op::Put(value) => value.bytes.len(),
        Op::Delete => 0,
    });
    let bytes = bytes.sum();
    let store = call.app.store.clone();
    let hand_in = move || {
        store.submit(
            request,
            Box::new(move |result| {
                // Nobody listens any more where the client has gone; the commit stands all the
                // same.
                let _ = done.send(result);
            }),
        );
    };
    off_lane(bytes, hand_in).await?;
    let result = outcome.await.map_err(|_| {
        Refusal::new(
            ErrorName::Unavailable,
            "the store stopped; whether the commit took effect is not known",
        )
    })?;
    Ok(receipt(call, &result?))
}

/// The answer to an accepted write, with the token by which its writer reads it.
pub(crate) fn receipt(call: &Call<'_>, receipt: &Receipt) -> Response<Body> {
    let mut response = reply::json(&convert::receipt(receipt));
    if receipt.effective > call.app.store.time().closed {
        *response.status_mut() = StatusCode::ACCEPTED;
    } else {
        let token = SessionToken { epoch: receipt.epoch, at: receipt.effective };
        let token = reply::owned_text(token.to_string());
        response.headers_mut().insert(&ASOF_TOKEN, token);
    }
    response
}
