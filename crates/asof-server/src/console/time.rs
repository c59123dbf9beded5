//! The slider, and the density of changes that it moves over.

use asof_console::density::Window;
use asof_console::frame::Page;
use asof_console::picture::Picture;
use asof_time::Timestamp;
use http::{HeaderValue, Response, header};

use super::visit::Visit;
use crate::access::Caller;
use crate::body::Body;
use crate::refusal::{Answer, Refusal};
use crate::reply;

/// The picture under the slider.
pub(super) async fn picture(visit: &Visit<'_>) -> Answer {
    let Drawn { picture, .. } = drawn(visit).await?;
    Ok(fresh(reply::typed("image/svg+xml", picture.svg())))
}

/// Where the slider begins, ends and stands, in microseconds.
pub(super) async fn span(visit: &Visit<'_>) -> Answer {
    let Drawn { picture, window, whole } = drawn(visit).await?;
    let [from, to, shown] = [picture.from, picture.to, picture.shown].map(Timestamp::as_micros);
    let window = window.as_str();
    let json = format!(
        "{{\"from\":{from},\"to\":{to},\"shown\":{shown},\"window\":\"{window}\",\
         \"whole\":{whole}}}"
    );
    Ok(fresh(reply::typed(reply::JSON, json)))
}

fn fresh(mut response: Response<Body>) -> Response<Body> {
    let caching = HeaderValue::from_static("private, no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    response
}

/// The picture, of which window it is, and whether all of the log is counted in it.
struct Drawn {
    picture: Picture,
    window: Window,
    whole: bool,
}

async fn drawn(visit: &Visit<'_>) -> Result<Drawn, Refusal> {
    let frame = visit.frame(Page::Overview)?;
    let time = visit.app.store.time();
    let shown = frame.shown.min(time.closed);
    // How much others write is not for a token of some spaces.
    let all = matches!(&visit.caller, Caller::Anybody) || visit.caller.covers_all();
    let counted = visit.app.console.tally.log(visit.app, |log| {
        let first = log.first.filter(|_| all).unwrap_or(time.closed).max(time.floor);
        let window = frame.window.unwrap_or_else(|| Window::fitting(first, time.closed));
        let (from, to) = window.stretch(shown, first, time.closed);
        let bars = if all { log.density.bars(from, to) } else { Vec::new() };
        (from, to, window, bars, log.through.effective >= time.closed)
    });
    let (from, to, window, bars, whole) = counted.await;
    let picture = Picture { from, to, shown, cap: time.cap, bars };
    Ok(Drawn { picture, window, whole })
}
