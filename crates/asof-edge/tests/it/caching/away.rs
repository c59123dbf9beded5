//! A store that is away, comes back, or comes back as another.

use std::time::Duration;

use super::world::{Asked, Service, World, on, text};
use crate::harness::eventually;

async fn reader() -> Service {
    Service::new("page", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        text(asked.read(&key).await)
    })
    .await
}

/// Longer than a store may be silent.
const SILENT: Duration = Duration::from_secs(6);

#[tokio::test]
async fn an_idle_store_does_not_count_as_lost() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "on_loss = 'refuse'")).await;
    for _ in 0..30 {
        let got = world.get("/begun").await;
        assert_eq!((got.status.as_u16(), got.header("age").as_str()), (200, ""), "{got:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Each look is 0.3 s later by the clock of the edge, and the store speaks once
        // a second: it never comes near what counts as lost.
        world.clock.advance(Duration::from_millis(200));
    }
}

#[tokio::test]
async fn a_lost_store_freezes_the_moment_for_a_while_and_then_refuses() {
    let page = reader().await;
    let world = World::start_with(&[&page], "freeze_max = '1m'", &on("page", "")).await;
    let token = world.put("a", "1").await;
    assert_eq!(world.get_after(&token, "/a").await.text, "1");
    world.stop_store().await;
    page.executed();
    world.clock.advance(SILENT);
    let frozen = world.get("/a").await;
    assert_eq!((frozen.status.as_u16(), frozen.text.as_str()), (200, "1"));
    assert!(frozen.header("age").parse::<u64>().unwrap() >= 6, "{frozen:?}");
    world.clock.advance(Duration::from_secs(20));
    let later = world.get("/a").await;
    assert_eq!(later.header("as-of"), frozen.header("as-of"));
    assert!(later.header("age").parse::<u64>().unwrap() >= 26, "{later:?}");
    // What is not held cannot be had, and nobody makes something up.
    let other = world.get("/b").await;
    assert_ne!(other.text, "[404]", "{other:?}");
    assert!(!other.outcome().contains("stored"), "{other:?}");
    world.clock.advance(Duration::from_mins(1));
    let refused = world.get("/a").await;
    assert_eq!(refused.status.as_u16(), 503, "{refused:?}");
    assert!(refused.text.contains("\"Unavailable\""), "{refused:?}");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(page.executed(), 1);
}

#[tokio::test]
async fn a_store_that_comes_back_is_taken_up_again_without_a_wrong_answer() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("a", "1").await;
    world.put("c", "1").await;
    assert_eq!(world.get_after(&token, "/a").await.text, "1");
    world.get("/c").await;
    world.stop_store().await;
    world.clock.advance(SILENT);
    let frozen = world.get("/a").await;
    assert_eq!(frozen.text, "1");
    world.start_store(0).await;
    // Written while the edge hears nothing, or not yet.
    let token = world.put("a", "2").await;
    page.executed();
    eventually(|| async { world.get_after(&token, "/a").await.status == 200 }).await;
    let got = world.get_after(&token, "/a").await;
    assert_eq!((got.text.as_str(), got.header("age").as_str()), ("2", ""));
    assert!(got.header("as-of") > frozen.header("as-of"));
    assert_eq!(page.executed(), 1);
    // What did not change over the gap is asked for, and still true.
    let kept = world.get_after(&token, "/c").await;
    assert_eq!(kept.text, "1");
    assert!(kept.outcome().starts_with("asof; hit"), "{}", kept.outcome());
    assert_eq!(page.executed(), 0);
}

#[tokio::test]
async fn a_store_restored_as_another_epoch_is_a_new_world() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("a", "lost by the restore").await;
    assert_eq!(world.get_after(&token, "/a").await.text, "lost by the restore");
    world.stop_store().await;
    world.start_store(1).await;
    world.put("a", "restored").await;
    eventually(|| async { world.get("/a").await.text == "restored" }).await;
    // A token of the other timeline says nothing in this one.
    assert_eq!(world.get_after(&token, "/a").await.text, "restored");
    assert_eq!(world.get("/begun").await.text, "[404]");
}

#[tokio::test]
async fn a_route_may_pass_or_refuse_while_its_store_is_lost() {
    let page = Service::new("page", |asked: Asked| async move {
        text(format!("{:?}", asked.headers.get("asof-context").is_some()))
    })
    .await;
    let route = |path: &str, on_loss: &str| {
        format!(
            "[[services.page.routes]]\npath = '{path}'\nmode = 'on'\nobserved_min = 0\n\
             trust = true\nconstant = true\non_loss = '{on_loss}'\n"
        )
    };
    let more = route("/pass", "pass") + &route("/refuse", "refuse");
    let world = World::start_with(&[&page], "freeze_max = '10s'", &more).await;
    assert_eq!(world.get("/refuse").await.status, 200);
    world.stop_store().await;
    world.clock.advance(Duration::from_secs(20));
    let passed = world.get("/pass").await;
    assert_eq!((passed.status.as_u16(), passed.text.as_str()), (200, "false"));
    assert_eq!(world.get("/refuse").await.status, 503);
    // A route that is off has nothing to do with stores.
    let off = world.get("/off").await;
    assert_eq!((off.status.as_u16(), off.text.as_str()), (200, "false"), "{off:?}");
}

/// Nobody is shown the default of a setting because the store is away.
#[tokio::test]
async fn a_state_value_that_cannot_be_found_out_is_not_the_default() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.header("asof-state-theme")) })
            .await;
    let theme = "[state.theme]\ndefault = 'light'\nstore = 'main'\n\
                 from = [{ cookie = 'sid' }, { lookup = 'goods', field = 'theme' }]\n";
    let more = on("page", "constant = true\nstate = ['theme']") + theme;
    let world = World::start(&[&page], &more).await;
    assert_eq!(world.get_with("/", &[("cookie", "sid=a")]).await.text, "light");
    world.stop_store().await;
    let held = world.get_with("/", &[("cookie", "sid=a")]).await;
    assert_eq!((held.status.as_u16(), held.text.as_str()), (200, "light"));
    let unknown = world.get_with("/", &[("cookie", "sid=b")]).await;
    assert_eq!(unknown.status.as_u16(), 503, "{unknown:?}");
}
