//! Reading one key at one moment: the path that is taken most. It runs on the lane.

use core::time::Duration;
use std::time::SystemTime;

use asof_api::headers::MEMENTO_DATETIME;
use asof_api::{ErrorName, Hash};
use asof_store::{ErrorKind, SpaceName, View};
use asof_time::Timestamp;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use httpdate::HttpDate;

use crate::body::Body;
use crate::convert;
use crate::dispatch::Call;
use crate::moment::{Asked, MOMENT_BYTES, NamedBy};
use crate::refusal::{Answer, Refusal};
use crate::reply::{self, Texts};

/// Room for the texts of tag, date and links, paths aside.
const LINK_BYTES: usize = 400;

pub(crate) fn get(call: &Call<'_>, space: &SpaceName, asked: &Asked) -> Answer {
    let key = call.path.key()?;
    let view = asked.view(&call.app.store)?;
    let read = match view.get(space, &key) {
        Err(error) if error.kind() == ErrorKind::Erased => {
            // As true at every other moment: whoever reads it need not be asked again.
            let validity = view.erased_over(space)?;
            let mut refusal = Refusal::from(error);
            let mut texts = texts(call);
            let headers = refusal.headers_mut();
            asked.put_headers_of(call, &view, Some(space), validity, &mut texts, headers);
            return Err(refusal);
        }
        read => read?,
    };
    let Some(version) = read.value else {
        let detail = format!("space `{space}` holds no `{key}` as of {}", view.as_of());
        let mut refusal = Refusal::new(ErrorName::Absent, detail);
        let headers = refusal.headers_mut();
        let mut texts = texts(call);
        asked.put_headers_of(call, &view, Some(space), read.validity, &mut texts, headers);
        put_links(call, asked, &view, None, &mut texts, headers);
        return Err(refusal);
    };
    let hash = convert::hash(version.hash);
    let mut response = if none_match(call, hash)? {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        reply::value(&version.content_type, version.bytes)
    };
    let mut texts = texts(call);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(hash, &mut texts));
    asked.put_headers_of(call, &view, Some(space), read.validity, &mut texts, headers);
    put_links(call, asked, &view, Some(version.effective), &mut texts, headers);
    Ok(response)
}

/// Room for all that the headers of an answer say.
fn texts(call: &Call<'_>) -> Texts {
    Texts::with_capacity(MOMENT_BYTES + LINK_BYTES + 3 * call.path.whole().len())
}

/// `"<hash>"`.
fn etag(hash: Hash, texts: &mut Texts) -> HeaderValue {
    texts.put("\"");
    texts.put(core::str::from_utf8(&hash.to_hex()).unwrap_or_default());
    texts.put("\"");
    texts.cut()
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
    effective: Option<Timestamp>,
    texts: &mut Texts,
    headers: &mut HeaderMap,
) {
    if asked.named_by == NamedBy::Preview {
        return;
    }
    let original = call.path.whole();
    let date = effective.map(|effective| {
        texts.put_shown(date_of(effective));
        texts.cut()
    });
    texts.put("<");
    texts.put(original);
    texts.put(">; rel=\"original timegate\", </v1/spaces/");
    texts.put(call.path.raw_space());
    texts.put("/history/");
    texts.put(call.path.raw_key());
    texts.put(">; rel=\"timemap\"; type=\"");
    texts.put(reply::LINKS);
    texts.put("\"");
    if let Some(date) = date {
        texts.put(", <");
        put_memento(call, view, texts);
        texts.put(">; rel=\"memento\"; datetime=\"");
        texts.put(date.to_str().unwrap_or_default());
        texts.put("\"");
        headers.insert(&MEMENTO_DATETIME, date);
    }
    headers.insert(header::LINK, texts.cut());
    if effective.is_some() && asked.named_by == NamedBy::Datetime {
        put_memento(call, view, texts);
        headers.insert(header::CONTENT_LOCATION, texts.cut());
    }
}

/// Where the key can be read at this moment for ever.
fn put_memento(call: &Call<'_>, view: &View, texts: &mut Texts) {
    texts.put(call.path.whole());
    texts.put("?as_of=");
    texts.put_shown(view.as_of().as_micros());
    texts.put("&epoch=");
    // That of the view, made text once.
    texts.put(&call.app.epoch);
}

/// A moment as HTTP writes dates, to the second.
pub(crate) fn http_date(at: Timestamp) -> String {
    date_of(at).to_string()
}

fn date_of(at: Timestamp) -> HttpDate {
    (SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_seconds())).into()
}
