//! Entries as the edge makes them: by executions that read leaves.

use std::sync::Arc;

use asof_cache::{
    Arrival, Cache, Call, CallId, Content, Fact, Fingerprint, Observed, Reach, RouteDigest,
    SpaceId, Start, StoreId, Trace,
};
use asof_time::{Epoch, Timestamp, Validity};
use bytes::Bytes;
use http::header::{CONTENT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

use crate::measure::Result;

pub(crate) const STORE: StoreId = StoreId(0);

/// Moments are counted from here.
const START: u64 = 1_700_000_000_000_000;

pub(crate) fn moment(micros: u64) -> Timestamp {
    Timestamp::from_micros(START + micros).unwrap_or(Timestamp::MAX)
}

/// The space with this number.
pub(crate) fn space(number: u64) -> String {
    format!("space-{number}")
}

/// The key of an input of an entry.
pub(crate) fn key(entry: u64, input: u64) -> String {
    format!("item/{entry:08}/{input}")
}

pub(crate) fn call(service: &str, path: &str) -> Arc<Call> {
    Arc::new(Call {
        service: service.into(),
        method: Method::GET,
        path: path.into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: RouteDigest::default(),
    })
}

/// A body of this size, another one for each number.
pub(crate) fn body(number: u64, bytes: usize) -> Bytes {
    let mut body = vec![b'x'; bytes];
    body.iter_mut().zip(number.to_le_bytes()).for_each(|(place, byte)| *place = byte);
    Bytes::from(body)
}

/// A cache with a store that is followed from the first moment on.
pub(crate) fn follow(cache: &Cache, spaces: u64) -> Result<Vec<SpaceId>> {
    cache.begin(STORE, Epoch::from_random(1), moment(0));
    let numbers = (0..spaces).map(|number| cache.space(STORE, &space(number)));
    numbers.collect::<Option<_>>().ok_or_else(|| "the store is not followed".into())
}

/// Has a service answer `call` from so many keys, which are spread over the spaces.
pub(crate) fn execute(
    cache: &Cache,
    spaces: &[SpaceId],
    (number, inputs): (u64, u64),
    call: &Arc<Call>,
    body: Bytes,
) -> Result<()> {
    let id = CallId(number);
    let start = Start {
        call: Arc::clone(call),
        at: moment(0),
        nonce: 0,
        constant: false,
        clock: None,
        line: None,
        since: cache.since(),
    };
    cache.begin_execution(id, start).map_err(|_| "too many executions")?;
    for (input, space) in (0..inputs).zip(spaces.iter().cycle()) {
        let Arrival::Input { slot, .. } = cache.arrive(id, 0, &call.service) else {
            return Err("the execution is not running".into());
        };
        let read = key(number, input);
        let leaf = self::call("store", &read);
        let content = Content::new(StatusCode::OK, [], Bytes::new());
        let reach = Reach::Key(Fingerprint::of(&read));
        let trace = Trace::leaf(leaf.key(), content.hash(), *space, reach);
        let validity = Validity::through(moment(0), moment(0)).ok_or("no moment")?;
        let fact = Ok(Fact { content, validity, trace });
        cache.settle(id, slot, &Observed { key: leaf.key(), call: leaf, fact });
    }
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LANGUAGE, HeaderValue::from_static("en")),
    ];
    let content = Content::new(StatusCode::OK, headers, body);
    cache.finish(id, call, Ok(content)).map_err(asof_cache::Unstorable::as_str)?;
    Ok(())
}
