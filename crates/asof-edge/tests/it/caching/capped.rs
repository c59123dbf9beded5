//! An operator lowers the cap while clients keep asking: everything held then is served again, and
//! nobody above or below is asked for anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;
use tokio::task::JoinSet;

use super::world::{Asked, Service, World, on, text};
use crate::harness::eventually;

const KEYS: usize = 12;
const CLIENTS: usize = 6;
/// Answers that each client must have had before the cap, and under it.
const ROUNDS: usize = 40;

/// What clients are told about the cap, and how far they are.
#[derive(Default)]
struct Load {
    /// The edge has heard of the cap.
    capped: AtomicBool,
    stopped: AtomicBool,
    before: AtomicUsize,
    under: AtomicUsize,
}

/// Asks one key after the other. From when the edge knows of the cap, every answer is the old one.
async fn client(world: Arc<World>, load: Arc<Load>, then: String, nth: usize) {
    for round in nth.. {
        if load.stopped.load(Ordering::SeqCst) {
            return;
        }
        let capped = load.capped.load(Ordering::SeqCst);
        let got = world.get(&format!("/k{}", round % KEYS)).await;
        assert_eq!(got.status, 200, "{got:?}");
        assert!(got.outcome().starts_with("asof; hit"), "{got:?}");
        let old = got.header("as-of") == then;
        assert_eq!(got.text, if old { "good!" } else { "bad!" }, "{got:?}");
        assert!(old || !capped, "a new state under the cap: {got:?}");
        let count = if capped { &load.under } else { &load.before };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// How often services were executed and the store was read so far.
async fn upstream_calls(world: &World) -> (String, String) {
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} is not in {metrics}")).trim().to_owned()
    };
    (value("asof_edge_executions_total "), value("asof_edge_store_reads_total "))
}

#[tokio::test]
async fn lowering_the_cap_under_load_asks_nobody_for_anything_and_all_clients_see_the_old_state() {
    let page = Service::new("page", |asked: Asked| async move {
        text(format!("{}!", asked.get("part", &asked.path).await.text))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        text(asked.read(asked.path.trim_start_matches('/')).await)
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    let world = Arc::new(world);
    let mut then = String::new();
    for value in ["good", "bad"] {
        let mut token = String::new();
        for key in 0..KEYS {
            token = world.put(&format!("k{key}"), value).await;
        }
        for key in 0..KEYS {
            let got = world.get_after(&token, &format!("/k{key}")).await;
            assert_eq!(got.text, format!("{value}!"));
            // The moment of the first of them is one at which all are good, and held to be.
            then = if then.is_empty() { got.header("as-of") } else { then };
        }
    }
    let calls = upstream_calls(&world).await;
    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for nth in 0..CLIENTS {
        clients.spawn(client(Arc::clone(&world), Arc::clone(&load), then.clone(), nth));
    }
    let enough = |count: &AtomicUsize| count.load(Ordering::SeqCst) > CLIENTS * ROUNDS;
    eventually(|| async { enough(&load.before) }).await;
    world.cap(Some(&then)).await;
    // The feed's delay: until the edge has heard of it, and not a request longer.
    eventually(|| async {
        let report = world.admin(Method::GET, "/report").await.text;
        report.contains("\"cap\":")
    })
    .await;
    load.capped.store(true, Ordering::SeqCst);
    eventually(|| async { enough(&load.under) || clients.is_empty() }).await;
    load.stopped.store(true, Ordering::SeqCst);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(upstream_calls(&world).await, calls);
    assert_eq!(world.get("/k0").await.header("as-of"), then);
}
