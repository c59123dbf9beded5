//! Where the store is in time, and the clock.

use asof_api::body::AcceptClockRequest;
use asof_time::Timestamp;
use http::{HeaderValue, header};

use crate::convert;
use crate::dispatch::Call;
use crate::moment::{not_yet_closed, wait_bound};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn time(call: &Call<'_>) -> Answer {
    let wait = wait_bound(call)?;
    match (call.query.parsed::<Timestamp>("wait_for")?, wait) {
        (Some(at), wait) => {
            let closed = call.app.wait_closed(at, wait.unwrap_or_default()).await;
            if closed < at {
                return Err(not_yet_closed(at, closed));
            }
        }
        (None, Some(_)) => return Err(Refusal::invalid("wait=MS takes wait_for=T")),
        (None, None) => {}
    }
    let mut response = reply::json(&convert::time(&call.app.store));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(crate) async fn accept_clock(call: &Call<'_>, body: AcceptClockRequest) -> Answer {
    let by = call.actor_called(&body.author, &body.reason);
    let time = call
        .app
        .walk(move |store| {
            let time = store.accept_clock(by)?;
            Ok(convert::time_body(time, store.control_sequence()))
        })
        .await?;
    Ok(reply::json(&time))
}
