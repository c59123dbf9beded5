//! The change feed: one task a follower, which asks the store when something took effect.
//!
//! The body channel is bounded, so a slow reader slows only its own task; a reader that goes away
//! ends it. Messages of items go at once, heartbeats at most one an interval.

use core::time::Duration;
use std::sync::Arc;

use asof_api::ErrorName;
use asof_api::body::{FeedEvent, FeedMessage};
use asof_api::headers::LAST_EVENT_ID;
use asof_store::{Cursor, FeedItem, FeedPage, SpaceName};
use asof_time::{Sequence, Timestamp};
use bytes::Bytes;
use http::{HeaderValue, header};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::access::Caller;
use crate::app::App;
use crate::body::Body;
use crate::convert;
use crate::dispatch::Call;
use crate::handler::spaces_asked;
use crate::limits::{
    END_WAIT, FEED_CHUNKS_MAX, FEED_PAGE_ITEMS, HEARTBEAT_DEFAULT, HEARTBEAT_MAX, HEARTBEAT_MIN,
};
use crate::refusal::{Answer, Refusal};
use crate::{cursor, reply, sight};

pub(crate) async fn feed(call: &Call<'_>) -> Answer {
    let after = match call.header(&LAST_EVENT_ID)? {
        Some(text) => cursor::read(call, "Last-Event-ID", text)?,
        None => match call.query.text("after")? {
            Some(text) => cursor::read(call, "query parameter `after`", &text)?,
            None => Cursor::START,
        },
    };
    let format = match call.header(&header::ACCEPT)? {
        Some(accept) if accept.contains(reply::EVENTS) => Format::Events,
        _ => Format::Lines,
    };
    let place = Arc::clone(&call.app.followers)
        .try_acquire_owned()
        .map_err(|_| Refusal::new(ErrorName::Unavailable, "there are too many followers"))?;
    let mut follower = Follower {
        app: call.app.clone(),
        spaces: spaces_asked(call)?,
        heartbeat: heartbeat(call)?,
        format,
        through: seen_through(after),
        after,
        caller: call.caller.clone(),
        moved: call.app.moved.clone(),
        _place: place,
        _counted: Counted::new(&call.app.metrics.followers),
    };
    // The first page is asked for here, so that a cursor that is too old still has a status.
    let page = follower.ask().await?;
    let (chunks, mut stream) = mpsc::channel(FEED_CHUNKS_MAX);
    tokio::spawn(async move { follower.run(page, chunks).await });
    let body = futures_util::stream::poll_fn(move |context| stream.poll_recv(context));
    let media_type = match format {
        Format::Events => reply::EVENTS,
        Format::Lines => reply::NDJSON,
    };
    let body = futures_util::StreamExt::map(body, Ok::<_, core::convert::Infallible>);
    let mut response = reply::typed(media_type, Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family hold a stream back unless told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn heartbeat(call: &Call<'_>) -> Result<Duration, Refusal> {
    let Some(millis) = call.query.parsed::<u64>("heartbeat")? else {
        return Ok(HEARTBEAT_DEFAULT);
    };
    let interval = Duration::from_millis(millis);
    if (HEARTBEAT_MIN..=HEARTBEAT_MAX).contains(&interval) {
        Ok(interval)
    } else {
        Err(Refusal::invalid(format!(
            "heartbeat={millis} is not within {} to {} milliseconds",
            HEARTBEAT_MIN.as_millis(),
            HEARTBEAT_MAX.as_millis()
        )))
    }
}

/// How far a follower at `cursor` knows the log to be complete.
fn seen_through(cursor: Cursor) -> Timestamp {
    if cursor.sequence == Sequence::MAX {
        cursor.effective
    } else {
        cursor.effective.prev().unwrap_or(Timestamp::MIN)
    }
}

/// How messages are put into bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Lines,
    Events,
}

impl Format {
    fn put(self, message: &FeedMessage, out: &mut Vec<u8>) {
        if self == Self::Events {
            out.extend_from_slice(b"id: ");
            out.extend_from_slice(message.cursor.0.as_bytes());
            out.extend_from_slice(b"\ndata: ");
        }
        // Into memory, and the bodies are ours: it does not fail.
        let _ = serde_json::to_writer(&mut *out, message);
        out.extend_from_slice(match self {
            Self::Events => b"\n\n",
            Self::Lines => b"\n",
        });
    }
}

/// Counts a follower as long as it lives.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

struct Follower {
    app: App,
    spaces: Option<Vec<SpaceName>>,
    heartbeat: Duration,
    format: Format,
    after: Cursor,
    through: Timestamp,
    caller: Caller,
    moved: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Follower {
    async fn ask(&mut self) -> Result<FeedPage, Refusal> {
        // Before the page: what moves from here on wakes the follower again.
        self.moved.borrow_and_update();
        let (after, spaces) = (self.after, self.spaces.clone());
        let mut page = self
            .app
            .ask_feed(move |store| Ok(store.feed(after, spaces.as_deref(), FEED_PAGE_ITEMS)?))
            .await?;
        page.items.retain_mut(|(_, item)| match item {
            FeedItem::Commit(commit) => {
                sight::narrow(&self.caller, commit);
                true
            }
            FeedItem::Control(record) => sight::shows(&self.caller, record),
        });
        Ok(page)
    }

    async fn run(mut self, first: FeedPage, chunks: mpsc::Sender<Bytes>) {
        let mut stopping = self.app.stopping.clone();
        let reason = tokio::select! {
            () = stopped(&mut stopping) => "the service stops".to_owned(),
            reason = self.follow(first, &chunks) => reason,
            () = chunks.closed() => return,
        };
        let end = self.message(FeedEvent::End { reason }, self.after, self.through);
        let mut bytes = Vec::new();
        self.format.put(&end, &mut bytes);
        // A reader too slow for a last word goes without.
        let _ = timeout(END_WAIT, chunks.send(bytes.into())).await;
    }

    /// Sends what comes until it cannot go on; says why. What the follower was sent and where it
    /// stands change together, so that it may be stopped at any await.
    async fn follow(&mut self, first: FeedPage, chunks: &mpsc::Sender<Bytes>) -> String {
        let mut page = first;
        // The first message goes at once, so that the follower knows where it stands.
        let mut due = Instant::now();
        loop {
            let more = page.more;
            if more || !page.items.is_empty() || Instant::now() >= due {
                let Ok(place) = chunks.reserve().await else {
                    return "the follower has gone".to_owned();
                };
                place.send(self.encode(page));
                due = Instant::now() + self.heartbeat;
            } else {
                self.after = page.cursor;
                self.through = page.through;
            }
            if !more {
                // Woken by something that took effect, or by the time for a heartbeat. Should the
                // store be gone, heartbeats go on until the service stops.
                if let Ok(Err(_)) = timeout_at(due, self.moved.changed()).await {
                    sleep_until(due).await;
                }
            }
            page = match self.ask().await {
                Ok(page) => page,
                Err(refusal) => return format!("{}: {}", refusal.name(), refusal.detail()),
            };
        }
    }

    fn encode(&mut self, page: FeedPage) -> Bytes {
        let mut bytes = Vec::new();
        let mut at = Place { after: self.after, through: self.through };
        for message in messages(page, &mut at) {
            self.format.put(&message, &mut bytes);
        }
        (self.after, self.through) = (at.after, at.through);
        bytes.into()
    }

    fn message(&self, event: FeedEvent, cursor: Cursor, through: Timestamp) -> FeedMessage {
        let time = self.app.store.time();
        FeedMessage {
            event,
            cursor: cursor::write(time.epoch, cursor),
            through: through.into(),
            epoch: time.epoch.into(),
            floor: time.floor.into(),
            cap: time.cap.map(Into::into),
        }
    }
}

/// Where a follower stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// It was sent everything up to here.
    pub after: Cursor,
    /// It knows the log to be complete up to here.
    pub through: Timestamp,
}

impl Place {
    /// Of a follower that takes the feed up after a cursor.
    pub fn at(after: Cursor) -> Self {
        Self { after, through: seen_through(after) }
    }
}

/// The messages of a page, for a follower that stands at `at` and then after the page. The last one
/// is complete up to where the page is; one before it only up to just before its own time, since
/// others may share that. A page without items is a heartbeat.
pub fn messages(page: FeedPage, at: &mut Place) -> Vec<FeedMessage> {
    let count = page.items.len();
    let (epoch, floor, cap) = (page.epoch, page.floor, page.cap);
    let message = |event, cursor, through: Timestamp| FeedMessage {
        event,
        cursor: cursor::write(epoch, cursor),
        through: through.into(),
        epoch: epoch.into(),
        floor: floor.into(),
        cap: cap.map(Into::into),
    };
    let mut messages = Vec::with_capacity(count.max(1));
    for (place, (mut cursor, item)) in (1..).zip(page.items) {
        if place == count {
            // Whoever goes on from here knows all that the message says that it knows.
            (cursor, at.through) = (page.cursor, page.through);
        } else if let FeedItem::Commit(commit) = &item {
            let before = commit.effective.prev().unwrap_or(Timestamp::MIN);
            at.through = at.through.max(before);
        }
        let event = match item {
            FeedItem::Commit(commit) => FeedEvent::Commit { commit: convert::commit(commit) },
            FeedItem::Control(record) => FeedEvent::Control { control: convert::control(record) },
        };
        messages.push(message(event, cursor, at.through));
    }
    (at.after, at.through) = (page.cursor, page.through);
    if count == 0 {
        messages.push(message(FeedEvent::Heartbeat, at.after, at.through));
    }
    messages
}

/// Returns once the service stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        // Nobody is left who could stop it.
        core::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use asof_store::{
        CommitRequest, Key, Op, Options, Precondition, SpaceName, Store, Value, Write,
    };

    use super::*;

    /// Found by the simulation: the last message of a page said that all was known up to closed,
    /// and whoever lost the connection after it and went on from its cursor was told less.
    #[test]
    fn whoever_goes_on_from_a_message_knows_no_less_than_it_said() {
        let store = Store::in_memory(Options::default()).unwrap();
        for value in ["1", "2", "3"] {
            let write = Write {
                space: SpaceName::new("s").unwrap(),
                key: Key::new("k").unwrap(),
                op: Op::Put(Value::binary(value.as_bytes().to_vec())),
                precondition: Precondition::None,
            };
            let request = CommitRequest { writes: vec![write], ..CommitRequest::default() };
            store.commit(request).unwrap();
        }
        for limit in 1..=5 {
            let mut at = Place::at(Cursor::START);
            loop {
                let page = store.feed(at.after, None, limit).unwrap();
                let more = page.more;
                for message in messages(page, &mut at) {
                    let (_, cursor) = message.cursor.0.split_once('.').unwrap();
                    let again = Place::at(cursor.parse().unwrap());
                    assert!(
                        again.through >= message.through.0,
                        "{message:?} with pages of {limit}"
                    );
                }
                if !more {
                    break;
                }
            }
        }
    }
}
