//! Whoever wrote something sees it, and a browser need not be told how.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

use super::{cap_at, on, put};
use crate::caching::world::{Asked, Got, Service, World, ask, text};

const COOKIE: &str = "[session]\ncookie = 'asof_session'\n";

/// A service that writes what it is posted, and shows it.
async fn writer() -> Service {
    Service::new("page", |asked: Asked| async move {
        if let Some(value) = asked.path.strip_prefix("/write/") {
            let path = "/v1/spaces/goods/keys/one";
            let got = asked.call(Method::PUT, "main", path, value).await;
            return text(got.status.as_str().to_owned());
        }
        text(format!("{}|{}", asked.read("one").await, asked.header("cookie")))
    })
    .await
}

async fn write(world: &World, value: &str) -> Got {
    let uri = format!("http://{}/write/{value}", world.ingress);
    let request = Request::post(uri).body(Full::new(Bytes::new())).unwrap();
    ask(&world.http, request).await
}

#[tokio::test]
async fn a_browser_sees_its_own_write() {
    let page = writer().await;
    let world = World::start(&[&page], &format!("{COOKIE}{}", on("page", ""))).await;
    for nth in 0..20 {
        let value = format!("value-{nth}");
        let wrote = write(&world, &value).await;
        let cookie = wrote.header("set-cookie");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{wrote:?}");
        assert_eq!(wrote.header("asof-token"), cookie_value(&cookie));
        let session = cookie.split(';').next().unwrap();
        let seen = world.get_with("/", &[("cookie", session)]).await;
        assert_eq!(seen.text, format!("{value}|"), "the write is seen, and the cookie stops");
        assert_eq!(seen.header("set-cookie"), "", "reading writes nothing");
    }
    // The cookie alone makes nobody somebody: what is held is served.
    let cookie = write(&world, "last").await.header("set-cookie");
    let session = cookie.split(';').next().unwrap();
    world.get_with("/", &[("cookie", session)]).await;
    let hit = world.get_with("/", &[("cookie", session)]).await;
    assert!(hit.outcome().starts_with("asof; hit"), "{}", hit.outcome());
    let other = format!("{session}; user=7");
    let with_another = world.get_with("/", &[("cookie", &other)]).await;
    assert_eq!(with_another.outcome(), "asof; fwd=bypass; detail=bypass-credentials");
    assert_eq!(with_another.text, "last|user=7");
}

fn cookie_value(cookie: &str) -> &str {
    cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap().1
}

#[tokio::test]
async fn where_the_cap_is_below_the_write_the_cap_wins_and_the_answer_says_so() {
    let page = writer().await;
    let world = World::start(&[&page], &format!("{COOKIE}{}", on("page", ""))).await;
    let before = put(&world, "goods", "one", "good").await;
    let after = put(&world, "goods", "one", "bad").await;
    let session = format!("asof_session={after}");
    let seen = world.get_with("/", &[("cookie", &session)]).await;
    assert_eq!((seen.text.as_str(), seen.header("as-of-capped").as_str()), ("bad|", ""));
    cap_at(&world, &before).await;
    let capped = world.get_with("/", &[("cookie", &session)]).await;
    assert_eq!((capped.text.as_str(), capped.header("as-of-capped").as_str()), ("good|", "true"));
    let capped = world.get_after(&before, "/").await;
    assert_eq!(capped.header("as-of-capped"), "", "that write is in it");
}

#[tokio::test]
async fn a_token_of_another_timeline_is_nothing_to_wait_for() {
    let page = writer().await;
    let world = World::start(&[&page], &format!("{COOKIE}{}", on("page", ""))).await;
    let token = put(&world, "goods", "one", "1").await;
    world.get_after(&token, "/").await;
    let other = "asof_session=00000000000001.9007199254740000";
    for cookie in [other, "asof_session=nonsense", "asof_session="] {
        let got = world.get_with("/", &[("cookie", cookie)]).await;
        assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "1|"), "{cookie}");
    }
}

#[tokio::test]
async fn nobody_waits_for_ever_for_a_write_that_does_not_come() {
    let page = writer().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = put(&world, "goods", "one", "1").await;
    let (epoch, _) = token.split_once('.').unwrap();
    let far = format!("{epoch}.9007199254740000");
    let asked = world.get_after(&far, "/");
    let got = tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
    assert_eq!(got.status.as_u16(), 503, "{got:?}");
    assert_eq!(got.header("retry-after"), "1");
}
