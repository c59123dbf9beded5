//! Services whose answers are no functions of what they read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;

use super::world::{Asked, Service, World, on, text};
use crate::harness::eventually;

async fn counting(name: &'static str) -> Service {
    let count: Arc<AtomicUsize> = Arc::default();
    Service::new(name, move |asked: Asked| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        async move { text(format!("{} {number}", asked.read("begun").await)) }
    })
    .await
}

/// The cap holds the moment still, so that one moment is asked about twice.
async fn still(world: &World) {
    let token = world.put("unrelated", "x").await;
    let now = world.get_after(&token, "/").await.header("as-of");
    world.cap(Some(&now)).await;
    eventually(|| async { world.now("/").await == now }).await;
}

async fn quarantined(world: &World, why: &str) {
    eventually(|| async { world.admin(Method::GET, "/report").await.text.contains(why) }).await;
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    assert!(metrics.contains("edge_quarantines_total 1"), "{metrics}");
    let got = world.get("/").await;
    assert!(!got.outcome().starts_with("asof; hit"), "{}", got.outcome());
}

#[tokio::test]
async fn a_service_that_answers_otherwise_each_time_is_found_while_it_is_observed() {
    let page = counting("page").await;
    let route = "[[services.page.routes]]\npath = '/{*path}'\nmode = 'observe'\n";
    let world = World::start(&[&page], route).await;
    still(&world).await;
    world.get("/").await;
    world.get("/").await;
    quarantined(&world, "\"standing\":\"quarantined: ").await;
    assert_eq!(world.get("/").await.outcome(), "asof; fwd=bypass; detail=bypass-quarantined");
}

#[tokio::test]
async fn the_shadow_finds_it_where_it_is_served_and_drops_what_was_made_of_it() {
    let front =
        Service::new(
            "front",
            |asked: Asked| async move { text(asked.get("page", "/").await.text) },
        )
        .await;
    let page = counting("page").await;
    let route = on("page", "").replace("shadow = 0.0", "shadow = 1.0");
    let world = World::start(&[&front, &page], &(on("front", "") + &route)).await;
    still(&world).await;
    // `front` holds an answer made of the one that is found to be wrong.
    let held = world.get("/").await;
    assert!(held.outcome().starts_with("asof; hit"), "{}", held.outcome());
    let other = world.get("/other").await;
    assert!(other.text.starts_with("yes "), "{other:?}");
    quarantined(&world, "\"standing\":\"quarantined: ").await;
    let report = world.admin(Method::GET, "/report").await.text;
    assert!(report.contains("\"mismatches\":1"), "{report}");
}

#[tokio::test]
async fn a_service_that_answers_alike_is_trusted_by_its_shadow() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.read("begun").await) }).await;
    let route = on("page", "").replace("shadow = 0.0", "shadow = 1.0");
    let world = World::start(&[&page], &route).await;
    world.get("/").await;
    world.get("/").await;
    eventually(|| async {
        world.admin(Method::GET, "/report").await.text.contains("\"agreed\":1")
    })
    .await;
    assert_eq!(page.executed(), 2);
}
