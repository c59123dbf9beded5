//! Contexts that are lost, late, leaked or forged.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::Semaphore;

use super::world::{Asked, Service, World, on, text};
use crate::harness::eventually;

const BEGUN: &str = "/v1/spaces/goods/keys/begun";

#[tokio::test]
async fn a_service_that_answers_before_its_call_is_answered_is_not_kept() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let page = Service::new("page", |asked: Asked| async move {
        let slow = asked.clone();
        tokio::spawn(async move { slow.get("part", "/slow").await });
        GATE.acquire().await.unwrap().forget();
        text(asked.read("begun").await)
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        GATE.add_permits(1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        text(asked.read("begun").await)
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    let first = world.get("/").await;
    assert_eq!(first.outcome(), "asof; fwd=miss; detail=unstorable-unfinished");
    tokio::time::sleep(Duration::from_millis(400)).await;
    GATE.add_permits(1);
    world.get("/").await;
    assert_eq!(page.executed(), 2);
}

#[tokio::test]
async fn a_lost_context_taints_all_that_the_service_executes() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let page = Service::new("page", |asked: Asked| async move {
        let read = asked.read("begun").await;
        if asked.path == "/loses" {
            let lost = asked.call_as(None, Method::GET, "main", BEGUN, "").await;
            GATE.add_permits(1);
            return text(lost.text);
        }
        GATE.acquire().await.unwrap().forget();
        text(read)
    })
    .await;
    let world = Arc::new(World::start(&[&page], &on("page", "")).await);
    let other = Arc::clone(&world);
    let waits = tokio::spawn(async move { other.get("/waits").await });
    eventually(|| async { page.executed() == 1 }).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let loses = world.get("/loses").await;
    assert_eq!(loses.text, "yes");
    for got in [loses, waits.await.unwrap()] {
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-lost-context");
    }
}

#[tokio::test]
async fn a_call_after_the_answer_drops_it_with_all_above_and_quarantines_the_route() {
    let front =
        Service::new(
            "front",
            |asked: Asked| async move { text(asked.get("late", "/").await.text) },
        )
        .await;
    let late = Service::new("late", |asked: Asked| async move {
        let read = asked.read("begun").await;
        let after = asked.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            after.read("more").await
        });
        text(read)
    })
    .await;
    let world = World::start(&[&front, &late], &(on("front", "") + &on("late", ""))).await;
    assert_eq!(world.get("/").await.outcome(), "asof; fwd=miss; stored");
    assert!(world.get("/").await.outcome().starts_with("asof; hit"));
    eventually(|| async {
        world.admin(Method::GET, "/report").await.text.contains("called out after")
    })
    .await;
    front.executed();
    late.executed();
    let got = world.get("/").await;
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-no-validity");
    assert_eq!((front.executed(), late.executed()), (1, 1));
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    assert!(metrics.contains("edge_late_calls_total 1"), "{metrics}");
    // Forgiven, it begins anew.
    let forgiven = world.admin(Method::POST, "/forgive?route=all").await;
    assert!(forgiven.text.contains("\"serving\""), "{forgiven:?}");
}

/// `a` gives its own context to `b` as a value, and `b` calls out with it.
#[tokio::test]
async fn a_leaked_context_taints_both_who_leaked_it_and_who_used_it() {
    let a = Service::new("a", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", asked.context());
        headers.insert("x-borrowed", asked.context());
        let b = asked.call_with(headers, Method::GET, "b", "/", "").await;
        text(format!("{known}{}", b.text))
    })
    .await;
    let b = Service::new("b", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let borrowed = asked.headers.get("x-borrowed").cloned();
        let other = asked
            .call_as(borrowed.as_ref(), Method::GET, "main", "/v1/spaces/goods/keys/other", "")
            .await;
        text(format!("{known}{}", other.status.as_u16()))
    })
    .await;
    let more = on("a", "") + &on("b", "headers = ['x-borrowed']");
    let world = World::start(&[&a, &b], &more).await;
    world.get("/").await;
    let got = world.get("/").await;
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-leaked-context");
    assert_eq!((a.executed(), b.executed()), (2, 2));
    let report = world.admin(Method::GET, "/report").await.text;
    let of_b = report.split("\"b GET").nth(1).unwrap();
    assert!(of_b.contains("\"unstorable-lost-context\":2"), "{report}");
}

#[tokio::test]
async fn a_context_that_is_not_the_one_given_is_none() {
    let forge: fn(&str) -> HeaderMap = |given| {
        let mut headers = HeaderMap::new();
        let digit = if given.ends_with('0') { '1' } else { '0' };
        let wrong = format!("{}{digit}", &given[..given.len() - 1]);
        headers.insert("asof-context", HeaderValue::try_from(wrong).unwrap());
        headers
    };
    let overwritten: fn(&str) -> HeaderMap = |given| {
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", HeaderValue::try_from(given).unwrap());
        // Some have no 0 in them, and would be the same.
        let digit = if given.ends_with('0') { '1' } else { '0' };
        let other = format!("asof={}{digit}", &given[..given.len() - 1]);
        headers.insert("baggage", HeaderValue::try_from(other).unwrap());
        headers
    };
    let torn: fn(&str) -> HeaderMap = |given| {
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", HeaderValue::try_from(given).unwrap());
        let half = format!("asof={}", &given[..given.len() / 2]);
        headers.insert("baggage", HeaderValue::try_from(half).unwrap());
        headers
    };
    let baggage_only: fn(&str) -> HeaderMap = |given| {
        let mut headers = HeaderMap::new();
        let member = format!("tenant=7,asof={given};p=1");
        headers.insert("baggage", HeaderValue::try_from(member).unwrap());
        headers
    };
    for (make, wanted) in [
        (forge, "asof; fwd=miss; detail=unstorable-lost-context"),
        (overwritten, "asof; fwd=miss; detail=unstorable-leaked-context"),
        (torn, "asof; fwd=miss; detail=unstorable-leaked-context"),
        (baggage_only, "asof; fwd=miss; stored"),
    ] {
        let page = Service::new("page", move |asked: Asked| async move {
            let known = asked.read("begun").await;
            let headers = make(&asked.header("asof-context"));
            let other = asked.call_with(headers, Method::GET, "main", BEGUN, "").await;
            text(format!("{known}{}", other.text))
        })
        .await;
        let world = World::start(&[&page], &on("page", "")).await;
        let got = world.get("/").await;
        assert_eq!((got.text.as_str(), got.outcome().as_str()), ("yesyes", wanted));
    }
}

#[tokio::test]
async fn a_context_from_outside_is_stripped() {
    let page = Service::new("page", |asked: Asked| async move {
        let mut seen: Vec<String> = ["asof-context", "baggage", "asof-state-theme", "asof-x"]
            .into_iter()
            .filter(|name| asked.header(name).contains("forged"))
            .map(str::to_owned)
            .collect();
        seen.push(asked.header("tenant"));
        seen.push(asked.header("baggage").split(',').next().unwrap().to_owned());
        text(seen.join(" "))
    })
    .await;
    let forged = [
        ("asof-context", "forged"),
        ("baggage", "tenant=7,asof=forged"),
        ("asof-state-theme", "forged"),
        ("asof-x", "forged"),
    ];
    let world = World::start(&[&page], &on("page", CONSTANT)).await;
    let got = world.get_with("/", &forged).await.text;
    assert!(!got.contains("asof-") || got.trim().starts_with("asof="), "{got}");
    assert!(!got.contains("forged"), "{got}");
    // On a route that is off all else passes.
    let off = World::start(&[&plain().await], "").await;
    let got = off.get_with("/", &forged).await;
    assert!(!got.text.contains("forged"), "{got:?}");
    assert!(got.text.contains("tenant=7"), "{got:?}");
    assert_eq!(got.header("asof-context"), "", "{got:?}");
}

const CONSTANT: &str = "constant = true";

/// Says what it was sent, and gives its context away.
async fn plain() -> Service {
    Service::new("plain", |asked: Asked| async move {
        let mut answer = text(format!("{:?}", asked.headers));
        answer.headers_mut().insert("asof-context", asked.context());
        answer.headers_mut().insert("asof-version", HeaderValue::from_static("1"));
        answer
    })
    .await
}

/// A page that asks for more at once than the edge has places for, and makes do with what it gets.
#[tokio::test]
async fn a_call_that_the_edge_has_no_place_for_keeps_its_caller_out() {
    let page = Service::new("page", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let mut parts = tokio::task::JoinSet::new();
        for part in 0..12 {
            let asked = asked.clone();
            parts.spawn(async move { asked.get("part", &format!("/{part}")).await.status });
        }
        let shed = parts.join_all().await.iter().filter(|status| **status == 503).count();
        text(format!("{known} {shed}"))
    })
    .await;
    let part = Service::new("part", |_| async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        text("part")
    })
    .await;
    // Eight calls of services at once, for the one request of a client.
    let more = on("page", "") + &on("part", CONSTANT) + "[limits]\nrequests_in_flight = 1\n";
    let world = World::start(&[&page, &part], &more).await;
    let got = world.get("/").await;
    assert_ne!(got.text, "yes 0", "some were shed");
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-lost-context");
}
