//! What is too much, and what is not known.

use asof_server::{Access, Body, Settings};
use bytes::Bytes;
use futures_util::stream;

use crate::service::Service;

fn small() -> Service {
    let settings = Settings { value_bytes_max: 10, ..Settings::default() };
    Service::with(Access::InProcess, settings)
}

#[tokio::test]
async fn a_value_over_the_limit_is_refused_announced_or_not() {
    let service = small();
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], "0123456789").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], "0123456789+").await;
    assert_eq!(reply.problem(), (413, "TooLarge".to_owned()));
    assert_eq!(reply.json()["limit"], 10);
    let pieces = (0..6).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"ab")));
    let body = Body::from_stream(stream::iter(pieces));
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], body).await;
    assert_eq!(reply.problem(), (413, "TooLarge".to_owned()));
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused() {
    let service = Service::open();
    let reply = service.send("GET", "/v1/time", &[], "body").await;
    assert_eq!(reply.problem(), (400, "Invalid".to_owned()));
}

#[tokio::test]
async fn queries_are_strict() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    for path in [
        "/v1/time?asof=1",
        "/v1/spaces/s/keys/k?asof=1",
        "/v1/spaces/s/keys/k?as_of=1&as_of=1",
        "/v1/spaces/s/keys/k?as_of=now",
        "/v1/spaces/s/keys/k?as_of=",
        "/v1/spaces/s/keys/k?epoch=1",
        "/v1/spaces/s/keys/k?wait=60001",
        "/v1/spaces/s/keys/k?preview=true",
        "/v1/spaces/s/keys/k?preview=yes",
        "/v1/spaces/s/keys?limit=0",
        "/v1/spaces/s/keys?limit=10001",
        "/v1/spaces/s/keys?prefix=%ff",
        "/v1/spaces/s/diff?from=1",
        "/v1/spaces/S/keys/k",
        "/v1/commits?after=x",
        "/v1/commits/x",
        "/v1/feed?heartbeat=1",
        "/v1/time?wait=5",
    ] {
        let reply = service.get(path).await;
        assert_eq!(reply.problem(), (400, "Invalid".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn bodies_are_strict() {
    let service = Service::open();
    for (path, body) in [
        ("/v1/read", r#"{"keys":[],"asof":1}"#),
        ("/v1/read", "{"),
        ("/v1/commits", r#"{"writes":[{"space":"s","key":"k"}]}"#),
        ("/v1/commits", r#"{"writes":[{"space":"s","key":"","value":1}]}"#),
    ] {
        let reply = service.send("POST", path, &[], body).await;
        assert_eq!(reply.problem(), (400, "Invalid".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn there_are_only_so_many_followers() {
    let settings = Settings { followers_max: 1, ..Settings::default() };
    let service = Service::with(Access::InProcess, settings);
    let request = || http::Request::get("/v1/feed").body(Body::empty()).unwrap();
    let first = service.respond(request()).await;
    assert_eq!(first.status(), 200);
    assert_eq!(service.respond(request()).await.status(), 503);
    drop(first);
    // Its task finds out at its next step.
    for _ in 0..100 {
        if service.respond(request()).await.status() == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a follower that has gone still takes its place");
}
