//! Requests that are asked again while nothing moves, and all that moves.

use std::time::Duration;

use http::Method;

use super::world::{Asked, Got, Service, World, on, text};
use crate::harness::eventually;

async fn reader() -> Service {
    Service::new("page", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        let language = asked.header("accept-language");
        text(format!("{}{language}", asked.read(&key).await))
    })
    .await
}

impl World {
    /// How many answers were given because the same one had been given before.
    async fn repeats(&self) -> u64 {
        let metrics = self.admin(Method::GET, "/metrics").await.text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("asof_edge_repeats_total "));
        line.unwrap().parse().unwrap()
    }

    /// Asks until such an answer comes.
    async fn repeated(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        for _ in 0..1_000 {
            let before = self.repeats().await;
            let got = self.get_with(path, headers).await;
            if self.repeats().await > before {
                return got;
            }
        }
        panic!("{path} is never answered as before");
    }
}

#[tokio::test]
async fn the_same_request_has_the_same_answer_until_something_is_written() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("a", "1").await;
    world.get_after(&token, "/a").await;
    let again = world.repeated("/a", &[]).await;
    assert_eq!((again.text.as_str(), again.outcome().as_str()), ("1", "asof; hit"));
    assert_eq!(page.executed(), 1);
    let token = world.put("a", "2").await;
    assert_eq!(world.get_after(&token, "/a").await.text, "2");
    // Nobody who was shown the new one is shown the old one again.
    assert_eq!(world.get("/a").await.text, "2");
    assert_eq!(world.repeated("/a", &[]).await.text, "2");
    let report = world.admin(Method::GET, "/metrics").await.text;
    let hits = report
        .lines()
        .find(|line| line.starts_with("asof_edge_calls_total{target=\"page\",outcome=\"hit\""));
    assert!(hits.is_some(), "they are counted as the hits that they are: {report}");
}

#[tokio::test]
async fn requests_that_say_something_else_are_told_apart() {
    let page = reader().await;
    let route = on("page", "headers = ['accept-language']");
    let world = World::start(&[&page], &route).await;
    let (english, german) = ([("accept-language", "en")], [("accept-language", "de")]);
    let first = world.repeated("/begun", &english).await;
    assert_eq!(first.text, "yesen");
    assert_eq!(world.get_with("/begun", &german).await.text, "yesde");
    assert_eq!(world.repeated("/begun", &german).await.text, "yesde");
    assert_eq!(world.repeated("/begun", &english).await.text, "yesen");
    assert_eq!(world.get("/begun").await.text, "yes");
    assert_ne!(world.get("/begun?x=1").await.text, "yes");
    let tag = first.header("etag");
    let held = [("accept-language", "en"), ("if-none-match", tag.as_str())];
    assert_eq!(world.get_with("/begun", &held).await.status.as_u16(), 304);
    let wrong = world.get_with("/begun", &[("asof-token", "nonsense")]).await;
    assert_eq!(wrong.status.as_u16(), 400);
    // Of what means nothing each request may say something else.
    let before = world.repeated("/begun", &[("user-agent", "one"), ("x-request-id", "1")]).await;
    let other = world.repeated("/begun", &[("user-agent", "two"), ("x-request-id", "2")]).await;
    assert_eq!(before.text, other.text);
}

#[tokio::test]
async fn an_operator_who_bypasses_a_route_is_obeyed_at_once() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    world.repeated("/begun", &[]).await;
    page.executed();
    world.admin(Method::POST, "/bypass?route=all&on=true").await;
    let passed = world.get("/begun").await;
    assert!(passed.outcome().starts_with("asof; fwd=bypass"), "{passed:?}");
    assert_eq!(page.executed(), 1);
}

#[tokio::test]
async fn another_configuration_takes_effect_at_once() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let first = world.repeated("/begun", &[]).await;
    assert_eq!(first.header("vary"), "asof-token");
    world.reload("trust = true", "trust = true\nas_of = 'closed'").await;
    assert_eq!(world.get("/begun").await.header("vary"), "as-of, asof-token");
    assert_eq!(world.get_with("/begun", &[("accept-language", "en")]).await.text, "yes");
    world.reload("trust = true", "trust = true\nheaders = ['accept-language']").await;
    assert_eq!(world.get_with("/begun", &[("accept-language", "en")]).await.text, "yesen");
}

#[tokio::test]
async fn a_store_that_falls_silent_is_told_of() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    world.repeated("/begun", &[]).await;
    world.stop_store().await;
    world.clock.advance(Duration::from_secs(6));
    let frozen = world.get("/begun").await;
    assert!(frozen.header("age").parse::<u64>().unwrap() >= 5, "{frozen:?}");
}

#[tokio::test]
async fn a_cap_takes_back_what_was_just_answered() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("a", "good").await;
    let good = world.get_after(&token, "/a").await;
    let token = world.put("a", "bad").await;
    world.get_after(&token, "/a").await;
    assert_eq!(world.repeated("/a", &[]).await.text, "bad");
    world.cap(Some(&good.header("as-of"))).await;
    eventually(|| async { world.get("/a").await.text == "good" }).await;
    assert_eq!(world.repeated("/a", &[]).await.text, "good");
}

#[tokio::test]
async fn what_was_erased_is_not_said_again() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("one", "secret").await;
    world.get_after(&token, "/one").await;
    assert_eq!(world.repeated("/one", &[]).await.text, "secret");
    world.erase("one").await;
    eventually(|| async { world.get("/one").await.text == "[410]" }).await;
    assert_eq!(world.repeated("/one", &[]).await.text, "[410]");
}

#[tokio::test]
async fn hits_are_compared_whether_or_not_they_are_repeats() {
    let page = reader().await;
    let route = on("page", "").replace("shadow = 0.0", "shadow = 1.0");
    let world = World::start(&[&page], &route).await;
    world.repeated("/begun", &[]).await;
    let hits = world.repeats().await;
    assert!(hits >= 1);
    // One execution that was asked for, and one for each hit, a repeat or not.
    let repeated = world.repeated("/begun", &[]).await;
    assert_eq!(repeated.text, "yes");
    eventually(|| async {
        let report = world.admin(Method::GET, "/metrics").await.text;
        let count = |name: &str| -> u64 {
            let line = report.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |count| count.trim().parse().unwrap())
        };
        let hit = count("asof_edge_calls_total{target=\"page\",outcome=\"hit\"}");
        hit > 0 && count("asof_edge_shadow_executions_total ") >= count("asof_edge_repeats_total ")
    })
    .await;
}
