//! What is resolved at the root of a request, over sockets: releases, who asks, the session.

mod auth;
mod releases;
mod session;

use http::{Method, Request, StatusCode};
use http_body_util::Full;

use crate::caching::world::{Asked, Got, Service, World, ask, text};

/// A route that takes everything and is trusted.
const ON: &str = "path = '/{*path}'\nmode = 'on'\nobserved_min = 0\ntrust = true\nshadow = 0\n";

/// `ON` for a service, and more of it.
fn on(service: &str, more: &str) -> String {
    format!("[[services.{service}.routes]]\n{ON}{more}\n")
}

/// A service that says `word`, and what the key `one` holds.
async fn reader(name: &'static str, word: &'static str) -> Service {
    Service::new(name, move |asked: Asked| async move {
        text(format!("{word} {}", asked.read("one").await))
    })
    .await
}

/// A service that shows what `part` says.
async fn page() -> Service {
    Service::new("page", |asked: Asked| async move {
        text(format!("page of {}", asked.get("part", "/x").await.text))
    })
    .await
}

/// Writes to any space, past the edge, and waits until the edge knows; returns the token of the
/// write.
async fn put(world: &World, space: &str, key: &str, value: &str) -> String {
    let path = format!("/v1/spaces/{space}/keys/{key}");
    let got = store(world, Method::PUT, &path, value).await;
    assert!(got.status.is_success(), "{got:?}");
    let token = got.header("asof-token");
    crate::harness::eventually(|| async {
        let report = world.admin(Method::GET, "/report").await.text;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let through = report.pointer("/stores/0/through").and_then(serde_json::Value::as_u64);
        through.is_some_and(|through| through >= micros(&token))
    })
    .await;
    token
}

/// Asks the store as its operator.
async fn store(world: &World, method: Method, path: &str, body: &str) -> Got {
    let media_type = if path == "/v1/cap" { "application/json" } else { "text/plain" };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", world.store))
        .header("content-type", media_type)
        .header("asof-author", "a test")
        .header("asof-reason", "to see");
    ask(&world.http, request.body(Full::from(body.to_owned())).unwrap()).await
}

/// Sets the cap to the moment of a token, and waits until the edge knows.
async fn cap_at(world: &World, token: &str) {
    let at = micros(token);
    let body = format!("{{\"at\": {at}, \"author\": \"a test\", \"reason\": \"to see\"}}");
    let got = store(world, Method::PUT, "/v1/cap", &body).await;
    assert_eq!(got.status, StatusCode::OK, "{got:?}");
    crate::harness::eventually(|| async {
        let report = world.admin(Method::GET, "/report").await.text;
        report.contains(&format!("\"cap\":{at}"))
    })
    .await;
}

fn micros(token: &str) -> u64 {
    token.split_once('.').unwrap().1.parse().unwrap()
}
