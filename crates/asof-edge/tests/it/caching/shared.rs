//! Many who ask the same at once.

use std::sync::Arc;
use std::time::Duration;

use super::world::{Asked, Service, World, on, status, text};

async fn all_at_once(world: &Arc<World>, number: usize) -> Vec<super::world::Got> {
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..number {
        let world = Arc::clone(world);
        all.spawn(async move { world.get("/").await });
    }
    all.join_all().await
}

#[tokio::test]
async fn many_who_ask_the_same_share_one_execution() {
    let page = Service::new("page", |asked: Asked| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        text(asked.read("begun").await)
    })
    .await;
    let world = Arc::new(World::start(&[&page], &on("page", "")).await);
    let all = all_at_once(&world, 200).await;
    assert!(all.iter().all(|got| got.text == "yes"));
    assert_eq!(page.executed(), 1);
    let coalesced = all.iter().filter(|got| got.outcome() == "asof; hit; detail=coalesced");
    assert!(coalesced.count() > 0);
}

/// Those who waited for it are told what it was told: all of them asking at once what the service
/// could not answer one would hold it down, and a client would wait for two time-outs.
#[tokio::test]
async fn a_leader_that_timed_out_sends_nobody_after_it() {
    let page = Service::new("page", |_| async move {
        tokio::time::sleep(Duration::from_mins(1)).await;
        text("late")
    })
    .await;
    // The time-out is of the service, which comes before its routes.
    let more = format!("timeout = '3s'\n{}", on("page", ""));
    let world = World::start(&[&page], &more).await;
    let world = Arc::new(world);
    let all = all_at_once(&world, 50).await;
    assert!(all.iter().all(|got| got.status == 504), "{:?}", all.first());
    // One, unless a client came so late that the first had been given up.
    let executed = page.executed();
    assert!((1..=2).contains(&executed), "{executed}");
}

/// What one could not share the next one cannot: everybody is answered, nobody waits in line.
#[tokio::test]
async fn a_failed_leader_releases_those_who_wait() {
    let page = Service::new("page", |asked: Asked| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        status(500, &asked.read("begun").await)
    })
    .await;
    let world = Arc::new(World::start(&[&page], &on("page", "")).await);
    let all = tokio::time::timeout(Duration::from_secs(10), all_at_once(&world, 50)).await.unwrap();
    assert!(all.iter().all(|got| got.status == 500 && got.text == "yes"));
    assert_eq!(page.executed(), 50);
}
