//! The alert rules that are shipped speak of metrics that there are.

use std::collections::BTreeSet;

use http::Method;

use super::world::{Asked, Service, World, on, text};
use crate::harness::eventually;

const RULES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/alerts.yml"));

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("asof_edge_")).collect()
}

#[tokio::test]
async fn every_metric_of_the_alert_rules_is_one() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.get("gone", "/").await.text) })
            .await;
    // A second service that fails, so that failures are counted too.
    let away =
        format!("[services.gone]\nupstreams = ['http://{}']\n", crate::harness::nowhere().await);
    let world = World::start(&[&page], &(on("page", "") + &away)).await;
    world.get("/").await;
    let metrics = || async { world.admin(Method::GET, "/metrics").await.text };
    let known = metrics().await;
    let declared: Vec<&str> =
        known.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let rules = names(RULES);
    assert!(rules.len() > 6, "{rules:?}");
    for name in rules {
        let stem = name.strip_suffix("_total").unwrap_or(name);
        let stem = stem.strip_suffix("_bucket").unwrap_or(stem);
        assert!(declared.contains(&stem), "{name} is not among {declared:#?}");
    }
}

#[tokio::test]
async fn the_silence_of_a_store_and_its_cap_are_measured() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.read("begun").await) }).await;
    let world = World::start(&[&page], &on("page", "")).await;
    let then = world.now("/").await;
    world.cap(Some(&then)).await;
    eventually(|| async {
        let metrics = world.admin(Method::GET, "/metrics").await.text;
        metrics.contains("asof_edge_store_capped{store=\"main\"} 1.0")
    })
    .await;
    world.stop_store().await;
    world.clock.advance(std::time::Duration::from_mins(1));
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    let silent = metrics
        .lines()
        .find_map(|line| line.strip_prefix("asof_edge_store_silent_seconds{store=\"main\"} "));
    assert!(silent.unwrap().parse::<f64>().unwrap() >= 60.0, "{metrics}");
}
