//! Reads that walk: scans, several keys, differences. Their answers may be large, so they are
//! written out where the walk is.

use asof_api::body::{DiffBody, DiffEntryBody, ReadBody, ReadRequest, ScanBody, ValidityBody};
use asof_store::{AsOf, Erasable, Key, ScanRange, SpaceName, WithValues};
use asof_time::limits::MULTI_KEYS_MAX;
use asof_time::{Epoch, Timestamp, Validity};
use http::header;

use crate::body::Body;
use crate::convert;
use crate::dispatch::Call;
use crate::moment::{Asked, ask};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn scan(call: &Call<'_>, space: SpaceName) -> Answer {
    let asked = ask(call, None).await?;
    let range = ScanRange {
        prefix: call.query.text("prefix")?.unwrap_or_default().into_owned(),
        after: after_key(call)?,
        limit: call.query.limit()?,
        values: if call.query.flag("values")? { WithValues::Include } else { WithValues::Omit },
    };
    let view = asked.view(&call.app.store)?;
    let (walked, within) = (view.clone(), space.clone());
    let (response, validity) = call
        .app
        .walk(move |_| {
            let read = walked.scan(&space, &range)?;
            let body = ScanBody {
                as_of: walked.as_of().into(),
                validity: read.validity.map(ValidityBody::from),
                entries: read.value.entries.into_iter().map(convert::entry).collect(),
                erased: names(&read.value.erased),
                next: read.value.next.map(|key| key.to_string()),
            };
            Ok((reply::json(&body), read.validity))
        })
        .await?;
    Ok(fact(call, &asked, &view, Some(&within), validity, response))
}

pub(crate) async fn read(call: &Call<'_>, request: ReadRequest) -> Answer {
    if request.keys.len() > MULTI_KEYS_MAX {
        let detail = format!("keys has {} keys, the limit is {MULTI_KEYS_MAX}", request.keys.len());
        return Err(Refusal::too_large(detail, MULTI_KEYS_MAX));
    }
    let mut keys = Vec::with_capacity(request.keys.len());
    for key in &request.keys {
        let space = SpaceName::new(&key.space)?;
        call.caller.check_space(&space)?;
        keys.push((space, Key::new(&key.key)?));
    }
    let asked = ask(call, request.as_of.map(Into::into)).await?;
    let view = asked.view(&call.app.store)?;
    let walked = view.clone();
    let (response, validity) = call
        .app
        .walk(move |_| {
            let reads = walked.get_many(&keys)?;
            // The whole is true where each of its parts is.
            let validity = reads
                .iter()
                .map(|read| read.validity)
                .reduce(|all, one| all?.intersect(one?))
                .flatten();
            let entries = keys
                .iter()
                .zip(reads)
                .map(|((space, key), read)| convert::read_entry(space, key, read))
                .collect();
            let as_of = walked.as_of().into();
            Ok((reply::json(&ReadBody { as_of, entries }), validity))
        })
        .await?;
    // A request with a body is kept by nobody.
    Ok(fact(call, &asked, &view, None, validity, response))
}

fn fact(
    call: &Call<'_>,
    asked: &Asked,
    view: &asof_store::View,
    space: Option<&SpaceName>,
    validity: Option<Validity>,
    mut response: http::Response<Body>,
) -> http::Response<Body> {
    asked.put_headers(call, view, space, validity, response.headers_mut());
    response
}

pub(crate) async fn diff(call: &Call<'_>, space: SpaceName) -> Answer {
    let epoch = call.query.parsed::<Epoch>("epoch")?;
    if let Some(epoch) = epoch {
        crate::moment::check_epoch(call, epoch)?;
    }
    let moment = |name| {
        call.query
            .parsed::<Timestamp>(name)?
            .ok_or_else(|| Refusal::invalid(format!("query parameter `{name}` is missing")))
    };
    let as_of = if crate::moment::beyond_cap(call)? { AsOf::Beyond } else { AsOf::At };
    let (from, to) = (as_of(moment("from")?), as_of(moment("to")?));
    let after = after_key(call)?;
    let limit = call.query.limit()?;
    let within = space.clone();
    let mut response = call
        .app
        .walk(move |store| {
            let page = store.diff(&space, from, to, after.as_ref(), limit)?;
            let entries = page.entries.into_iter().map(|entry| DiffEntryBody {
                key: entry.key.to_string(),
                before: entry.before.as_ref().map(convert::content),
                after: entry.after.as_ref().map(convert::content),
            });
            let (erased, next) = (names(&page.erased), page.next.map(|key| key.to_string()));
            Ok(reply::json(&DiffBody { entries: entries.collect(), erased, next }))
        })
        .await?;
    let lasting = call.app.store.space(&within)?.erasable == Erasable::No;
    let caching = crate::moment::caching_of_url(call, epoch.is_some() && lasting);
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    Ok(response)
}

fn names(keys: &[Key]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn after_key(call: &Call<'_>) -> Result<Option<Key>, Refusal> {
    let after = call.query.text("after")?;
    after.map(|key| Ok(Key::new(&key)?)).transpose()
}
