//! The versions of a key: its RFC 7089 TimeMap, as JSON or as links.

use core::fmt::Write as _;

use asof_api::body::HistoryBody;
use asof_store::{HistoryPage, HistoryRange, SpaceName};
use asof_time::Timestamp;
use http::header;

use crate::convert;
use crate::dispatch::Call;
use crate::handler::point::http_date;
use crate::moment::ask;
use crate::refusal::Answer;
use crate::reply;

pub(crate) async fn history(call: &Call<'_>, space: SpaceName) -> Answer {
    let asked = ask(call, None).await?;
    let range = HistoryRange {
        from: call.query.parsed::<Timestamp>("from")?.unwrap_or(Timestamp::MIN),
        before: call.query.parsed("before")?,
        limit: call.query.limit()?,
    };
    let links = call.header(&header::ACCEPT)?.is_some_and(|accept| accept.contains(reply::LINKS));
    let key = call.path.key()?;
    let view = asked.view(&call.app.store)?;
    let (walked, within) = (view.clone(), space.clone());
    let page = call.app.walk(move |_| Ok(walked.history(&space, &key, &range)?)).await?;
    let mut response = if links {
        reply::typed(reply::LINKS, time_map(call, &view, &page))
    } else {
        reply::json(&HistoryBody {
            as_of: view.as_of().into(),
            next: page.next.map(Into::into),
            versions: page.versions.into_iter().map(convert::history_version).collect(),
        })
    };
    // Each version carries its own validity; the list as a whole has none.
    let headers = response.headers_mut();
    asked.put_headers(call, &view, Some(&within), None, headers);
    headers.append(header::VARY, http::HeaderValue::from_static("accept"));
    Ok(response)
}

/// The page as `application/link-format`, with a Memento for each version that holds a value.
fn time_map(call: &Call<'_>, view: &asof_store::View, page: &HistoryPage) -> String {
    let own = call.path.whole();
    let (space, key) = (call.path.raw_space(), call.path.raw_key());
    let original = format!("/v1/spaces/{space}/keys/{key}");
    let mut links = String::with_capacity(256 + 256 * page.versions.len());
    // Writing into a string does not fail.
    let _ = write!(
        links,
        "<{original}>; rel=\"original timegate\",\n\
         <{own}?as_of={}>; rel=\"self\"; type=\"{}\"",
        view.as_of().as_micros(),
        reply::LINKS
    );
    if let Some(before) = page.next {
        let _ = write!(
            links,
            ",\n<{own}?as_of={}&before={}>; rel=\"timemap\"; type=\"{}\"",
            view.as_of().as_micros(),
            before.as_micros(),
            reply::LINKS
        );
    }
    for version in page.versions.iter().filter(|v| v.content.is_some()) {
        let _ = write!(
            links,
            ",\n<{original}?as_of={}&epoch={}>; rel=\"memento\"; datetime=\"{}\"",
            version.effective.as_micros(),
            view.epoch(),
            http_date(version.effective)
        );
    }
    links.push('\n');
    links
}
