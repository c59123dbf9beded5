//! An edge that has just started, in front of services that are used to a warm one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;

use super::world::{Asked, Got, Service, World, on, text};

/// A service that takes so long, and the most that it had at once.
async fn slow(long: Duration) -> (Service, Arc<AtomicUsize>) {
    let (now, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let seen = Arc::clone(&most);
    let page = Service::new("page", move |asked: Asked| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if asked.path != "/quick" {
                tokio::time::sleep(long).await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            text(asked.read("begun").await)
        }
    });
    (page.await, seen)
}

async fn ask(world: &Arc<World>, paths: impl Iterator<Item = String>) -> Vec<Got> {
    let mut all = tokio::task::JoinSet::new();
    for path in paths {
        let world = Arc::clone(world);
        all.spawn(async move { world.get(&path).await });
    }
    all.join_all().await
}

#[tokio::test]
async fn services_are_not_buried_by_all_that_is_not_held_yet() {
    let (page, most) = slow(Duration::from_millis(50)).await;
    let young = on("page", "") + "[limits]\nwarm_up = '1h'\n";
    let world = Arc::new(World::start(&[&page], &young).await);
    let all = ask(&world, (0..96).map(|number| format!("/{number}"))).await;
    assert!(all.iter().all(|got| got.text == "yes"), "everybody had a turn");
    // The bound grows by 16 a minute.
    let most = most.load(Ordering::SeqCst);
    assert!((8..40).contains(&most), "{most} at once");
}

#[tokio::test]
async fn whoever_would_wait_for_long_is_told_to_come_again_and_what_is_held_is_served() {
    let (page, _) = slow(Duration::from_mins(1)).await;
    let young = on("page", "") + "[limits]\nwarm_up = '1h'\n";
    let world = Arc::new(World::start(&[&page], &young).await);
    assert_eq!(world.get("/quick").await.text, "yes");
    let busy = Arc::clone(&world);
    let held = tokio::spawn(async move { ask(&busy, (0..80).map(|n| format!("/{n}"))).await });
    while page.executed() > 0 || world.get("/quick").await.status != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = world.get("/more").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.text.contains("has just started"), "{refused:?}");
    assert_eq!(world.get("/quick").await.outcome(), "asof; hit; detail=verified");
    held.abort();
}
