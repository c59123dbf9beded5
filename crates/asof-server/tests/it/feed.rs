//! Following the feed.

use std::time::Duration;

use asof_api::body::{FeedEvent, FeedMessage};
use asof_server::Body;
use futures_util::StreamExt;
use http_body_util::{BodyDataStream, BodyExt};
use tokio::time::timeout;

use crate::service::Service;

struct Follower {
    body: BodyDataStream<Body>,
    left: Vec<u8>,
}

impl Follower {
    async fn new(service: &Service, query: &str) -> Self {
        let request = http::Request::get(format!("/v1/feed{query}"));
        let response = service.respond(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Self { body: response.into_body().into_data_stream(), left: Vec::new() }
    }

    async fn next(&mut self) -> FeedMessage {
        loop {
            if let Some(end) = self.left.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.left.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let chunk = timeout(Duration::from_secs(10), self.body.next()).await;
            self.left.extend(chunk.unwrap().unwrap().unwrap());
        }
    }

    /// The next commit that writes, past control records, heartbeats and the commits by which
    /// spaces go live; `through` never goes back.
    async fn commit(&mut self) -> (FeedMessage, u64) {
        let mut through = None;
        loop {
            let message = self.next().await;
            assert!(Some(message.through) >= through, "{message:?}");
            through = Some(message.through);
            if let FeedEvent::Commit { commit } = &message.event
                && !commit.writes.is_empty()
            {
                let effective = commit.effective.0.as_micros();
                return (message, effective);
            }
        }
    }
}

#[tokio::test]
async fn commits_come_once_and_in_order() {
    let service = Service::open();
    let first = service.put("/v1/spaces/s/keys/k", "1").await;
    let mut follower = Follower::new(&service, "").await;
    assert_eq!(follower.commit().await.1, first);
    let second = service.put("/v1/spaces/s/keys/k", "2").await;
    let (message, at) = follower.commit().await;
    assert_eq!(at, second);
    drop(follower);
    // From a cursor it goes on after that message, with nothing lost or repeated.
    let third = service.put("/v1/spaces/s/keys/k", "3").await;
    let mut follower = Follower::new(&service, &format!("?after={}", message.cursor)).await;
    assert_eq!(follower.commit().await.1, third);
}

#[tokio::test]
async fn a_snapshot_and_the_feed_after_it_have_no_gap() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let time = service.get("/v1/time").await.json();
    let latest = time["latest"].as_u64().unwrap();
    let cursor = asof_api::Cursor::after_snapshot(
        asof_time::Timestamp::from_micros(latest).unwrap(),
        time["control_sequence"].as_u64().unwrap(),
    );
    let mut follower = Follower::new(&service, &format!("?after={cursor}")).await;
    let message = follower.next().await;
    assert!(matches!(message.event, FeedEvent::Heartbeat), "{message:?}");
    assert!(message.through.0.as_micros() >= latest);
    let second = service.put("/v1/spaces/s/keys/k", "2").await;
    assert_eq!(follower.commit().await.1, second);
}

#[tokio::test]
async fn heartbeats_move_through_at_their_interval() {
    let service = Service::open();
    let mut follower = Follower::new(&service, "?heartbeat=100").await;
    let mut beats = Vec::new();
    while beats.len() < 4 {
        let message = follower.next().await;
        if matches!(message.event, FeedEvent::Heartbeat) {
            beats.push(message.through.0.as_micros());
        }
    }
    // The first comes at once; those after it at least an interval apart, less the idle tick.
    for pair in beats[1..].windows(2) {
        assert!(pair[1] - pair[0] >= 50_000, "{beats:?}");
    }
}

#[tokio::test]
async fn only_the_spaces_asked_for_come() {
    let service = Service::open();
    let mut follower = Follower::new(&service, "?spaces=mine").await;
    service.put("/v1/spaces/theirs/keys/k", "1").await;
    let own = service.put("/v1/spaces/mine/keys/k", "1").await;
    assert_eq!(follower.commit().await.1, own);
}

#[tokio::test]
async fn a_browser_gets_events() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let request = http::Request::get("/v1/feed")
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .unwrap();
    let response = service.respond(request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let chunk = body.next().await.unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    assert!(text.starts_with("id: "), "{text}");
    assert!(text.contains("\ndata: {\"type\":\""), "{text}");
    assert!(text.ends_with("\n\n"), "{text}");
}

#[tokio::test]
async fn a_cursor_of_an_ended_timeline_is_refused() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let own = service.get("/v1/commits?limit=1").await.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(service.get(&format!("/v1/commits?after={own}")).await.status, 200);
    let rest = own.split_once('.').unwrap().1;
    for route in ["/v1/commits", "/v1/feed"] {
        let foreign = service.get(&format!("{route}?after=00000000000001.{rest}")).await;
        assert_eq!(foreign.problem(), (409, "WrongEpoch".to_owned()), "{route}");
        let bad = service.get(&format!("{route}?after=nonsense.{rest}")).await;
        assert_eq!(bad.problem().0, 400, "{route}");
    }
}
