//! Reading one key at one moment: the path that is taken most. It runs on the async worker.

use core::fmt::Write as _;
use core::time::Duration;
use std::time::SystemTime;

use asof_api::headers::MEMENTO_DATETIME;
use asof_api::{ErrorName, Hash};
use asof_store::{SpaceName, Version, View};
use asof_time::Timestamp;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::convert;
use crate::dispatch::Call;
use crate::moment::{Asked, NamedBy, ask};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn get(call: &Call<'_>, space: &SpaceName) -> Answer {
    let asked = ask(call, None).await?;
    let key = call.path.key()?;
    let view = asked.view(&call.app.store)?;
    let read = view.get(space, &key)?;
    let Some(version) = read.value else {
        let detail = format!("space `{space}` holds no `{key}` as of {}", view.as_of());
        let mut refusal = Refusal::new(ErrorName::Absent, detail);
        let headers = refusal.headers_mut();
        asked.put_headers(call, &view, read.validity, headers);
        put_links(call, &asked, &view, None, headers);
        return Err(refusal);
    };
    let hash = convert::hash(version.hash);
    let mut response = if none_match(call, hash)? {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        reply::value(&version.content_type, version.bytes.clone())
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(hash));
    asked.put_headers(call, &view, read.validity, headers);
    put_links(call, &asked, &view, Some(&version), headers);
    Ok(response)
}

/// `"<hash>"`.
fn etag(hash: Hash) -> HeaderValue {
    let mut text = [b'"'; 66];
    if let Some(middle) = text.get_mut(1..65) {
        middle.copy_from_slice(&hash.to_hex());
    }
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Whether If-None-Match holds the tag of `hash`, so that the content need not be sent.
fn none_match(call: &Call<'_>, hash: Hash) -> Result<bool, Refusal> {
    let Some(tags) = call.header(&header::IF_NONE_MATCH)? else {
        return Ok(false);
    };
    let hex = hash.to_hex();
    Ok(tags.split(',').any(|tag| {
        let tag = tag.trim();
        // The comparison is the weak one of RFC 9110.
        let bare = tag.strip_prefix("W/").unwrap_or(tag);
        bare == "*" || bare.trim_matches('"').as_bytes() == hex
    }))
}

/// RFC 7089: the key is its own TimeGate and answers 200 by itself (pattern 1.2); its history is
/// the TimeMap; a read with `as_of` in its URL is a Memento.
fn put_links(
    call: &Call<'_>,
    asked: &Asked,
    view: &View,
    version: Option<&Version>,
    headers: &mut HeaderMap,
) {
    if asked.named_by == NamedBy::Preview {
        return;
    }
    let original = call.path.whole();
    let (space, key) = (call.path.raw_space(), call.path.raw_key());
    let mut links = String::with_capacity(3 * original.len() + 256);
    // Writing into a string does not fail.
    let _ = write!(
        links,
        "<{original}>; rel=\"original timegate\", \
         </v1/spaces/{space}/history/{key}>; rel=\"timemap\"; type=\"{}\"",
        reply::LINKS
    );
    if let Some(version) = version {
        let date = http_date(version.effective);
        let memento =
            format!("{original}?as_of={}&epoch={}", view.as_of().as_micros(), view.epoch());
        let _ = write!(links, ", <{memento}>; rel=\"memento\"; datetime=\"{date}\"");
        headers.insert(&MEMENTO_DATETIME, reply::owned_text(date));
        if asked.named_by == NamedBy::Datetime {
            headers.insert(header::CONTENT_LOCATION, reply::owned_text(memento));
        }
    }
    headers.insert(header::LINK, reply::owned_text(links));
}

/// A moment as HTTP writes dates, to the second.
pub(crate) fn http_date(at: Timestamp) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_seconds()))
}
