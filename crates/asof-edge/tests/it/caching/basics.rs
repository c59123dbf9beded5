//! What a user would try first.

use super::world::{Asked, Service, World, text};

const ON: &str = "path = '/{*path}'\nmode = 'on'\nobserved_min = 0\ntrust = true\nshadow = 0.0\n";

/// `page` calls `part` twice, `part` reads the store.
async fn two_layers() -> (Service, Service) {
    let page = Service::new("page", |asked: Asked| async move {
        let (one, other) = (asked.get("part", "/one").await, asked.get("part", "/other").await);
        text(format!("{}+{}", one.text, other.text))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        text(format!("{key}={}", asked.read(&key).await))
    })
    .await;
    (page, part)
}

fn routes(more: &str) -> String {
    format!("[[services.page.routes]]\n{ON}[[services.part.routes]]\n{ON}{more}")
}

#[tokio::test]
async fn a_tree_of_services_is_cached_and_a_write_is_seen_without_invalidation() {
    let (page, part) = two_layers().await;
    let world = World::start(&[&page, &part], &routes("")).await;
    let token = world.put("one", "1").await;
    let first = world.get_after(&token, "/").await;
    assert_eq!(
        (first.text.as_str(), first.outcome().as_str()),
        ("one=1+other=[404]", "asof; fwd=miss; stored")
    );
    assert_eq!((page.executed(), part.executed()), (1, 2));
    let again = world.get("/").await;
    assert_eq!(again.text, first.text);
    assert!(again.outcome().starts_with("asof; hit"), "{}", again.outcome());
    assert_eq!((page.executed(), part.executed()), (0, 0));
    // What the page did not read does not matter to it.
    let token = world.put("unrelated", "x").await;
    let still = world.get_after(&token, "/").await;
    assert_eq!(still.outcome(), "asof; hit; detail=verified");
    assert_eq!((page.executed(), part.executed()), (0, 0));
    // What it read does: and only what depends on it runs again.
    let token = world.put("other", "2").await;
    let next = world.get_after(&token, "/").await;
    assert_eq!(next.text, "one=1+other=2");
    assert_eq!((page.executed(), part.executed()), (1, 1));
}

#[tokio::test]
async fn a_value_written_anew_as_it_was_cuts_off_early() {
    let (page, part) = two_layers().await;
    let world = World::start(&[&page, &part], &routes("")).await;
    let token = world.put("one", "1").await;
    world.get_after(&token, "/").await;
    page.executed();
    part.executed();
    let token = world.put("one", "1").await;
    let same = world.get_after(&token, "/").await;
    assert_eq!(same.outcome(), "asof; hit; detail=early-cutoff");
    assert_eq!((page.executed(), part.executed()), (0, 0));
}

#[tokio::test]
async fn a_route_must_be_observed_before_it_serves() {
    let (page, part) = two_layers().await;
    let observed = "[[services.page.routes]]\npath = '/{*path}'\nmode = 'on'\nobserved_min = 2\n\
                    [[services.part.routes]]\npath = '/{*path}'\nmode = 'observe'\n";
    let world = World::start(&[&page, &part], observed).await;
    let token = world.put("one", "1").await;
    for _ in 0..3 {
        let got = world.get_after(&token, "/").await;
        assert_eq!(got.outcome(), "asof; fwd=bypass; detail=bypass-not-yet-observed");
    }
    let got = world.get_after(&token, "/").await;
    assert!(got.outcome().starts_with("asof; hit"), "{}", got.outcome());
    let report = world.admin(http::Method::GET, "/report").await.text;
    assert!(report.contains("\"standing\":\"serving\""), "{report}");
}

#[tokio::test]
async fn what_is_held_is_served_on_when_the_store_goes_away() {
    let (page, part) = two_layers().await;
    let world = World::start(&[&page, &part], &routes("")).await;
    let token = world.put("one", "1").await;
    let before = world.get_after(&token, "/").await;
    world.stop_store().await;
    page.executed();
    let after = world.get("/").await;
    assert_eq!((after.text, page.executed()), (before.text, 0));
}
