//! Which moment a client is answered at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request};

use super::world::{Asked, Service, World, ask, on, text};
use crate::harness::eventually;

async fn reader() -> Service {
    Service::new("page", |asked: Asked| async move {
        if asked.method == Method::POST {
            let path = "/v1/spaces/goods/keys/begun";
            let value = String::from_utf8(asked.body.to_vec()).unwrap();
            return text(asked.call(Method::PUT, "main", path, &value).await.text);
        }
        text(asked.read("begun").await)
    })
    .await
}

#[tokio::test]
async fn a_writer_reads_its_own_write_through_the_edge() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    for value in ["one", "two", "three"] {
        let written = world.send(Method::POST, "/", &[], value).await;
        let token = written.header("asof-token");
        assert!(!token.is_empty(), "{written:?}");
        assert_eq!(world.get_after(&token, "/").await.text, value);
    }
    let repeated = [("asof-token", "a"), ("asof-token", "b")];
    assert_eq!(world.get_with("/", &repeated).await.status, 400);
    assert_eq!(world.get_with("/", &[("asof-token", "nonsense")]).await.status, 400);
}

#[tokio::test]
async fn a_client_may_ask_for_a_closed_moment_where_the_route_allows_it() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "as_of = 'closed'")).await;
    let token = world.put("begun", "old").await;
    let old = world.get_after(&token, "/").await;
    let token = world.put("begun", "new").await;
    let new = world.get_after(&token, "/").await;
    page.executed();
    let then = old.header("as-of");
    let got = world.get_with("/", &[("as-of", &then)]).await;
    assert_eq!((got.text.as_str(), got.header("as-of")), ("old", then.clone()));
    assert_eq!(got.outcome(), "asof; hit");
    let refused = async |at: &str| {
        let got = world.get_with("/", &[("as-of", at)]).await;
        let name = got.text.split("\"name\":\"").nth(1).map(|rest| rest.split('"').next().unwrap());
        (got.status.as_u16(), name.unwrap_or_default().to_owned())
    };
    let named = |status: u16, name: &str| (status, name.to_owned());
    assert_eq!(refused("2200-01-01T00:00:00Z").await, named(409, "NotYetClosed"));
    assert_eq!(refused("yesterday").await, named(400, "Malformed"));
    assert_eq!(refused("").await, named(400, "Malformed"));
    let twice = [("as-of", then.as_str()), ("as-of", then.as_str())];
    assert_eq!(world.get_with("/", &twice).await.status, 400);
    world.cap(Some(&then)).await;
    eventually(|| async { world.now("/").await == then }).await;
    assert_eq!(refused(&new.header("as-of")).await, named(409, "AboveCap"));
    assert_eq!(page.executed(), 0);
}

#[tokio::test]
async fn where_no_moment_may_be_asked_for_nobody_is_answered_at_another() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let now = world.get("/").await.header("as-of");
    let got = world.get_with("/", &[("as-of", &now)]).await;
    assert_eq!(got.status, 403);
    assert!(got.text.contains("as_of = "), "it says what to do: {}", got.text);
    assert_eq!(got.header("as-of"), "");
}

#[tokio::test]
async fn lowering_the_cap_executes_nothing_that_is_held_and_shows_the_old_state() {
    let page = Service::new("page", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        let part = asked.get("part", &format!("/{key}")).await;
        text(format!("{}!", part.text))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        text(asked.read(&key).await)
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let mut token = String::new();
    for key in &keys {
        token = world.put(key, "good").await;
    }
    let mut then = String::new();
    for key in &keys {
        let got = world.get_after(&token, &format!("/{key}")).await;
        assert_eq!(got.text, "good!");
        then = if then.is_empty() { got.header("as-of") } else { then };
    }
    for key in &keys {
        token = world.put(key, "bad").await;
    }
    for key in &keys {
        assert_eq!(world.get_after(&token, &format!("/{key}")).await.text, "bad!");
    }
    page.executed();
    part.executed();
    world.cap(Some(&then)).await;
    eventually(|| async { world.now("/k0").await == then }).await;
    for key in &keys {
        // The cap is above the session, and the answer says so.
        let got = world.get_after(&token, &format!("/{key}")).await;
        assert_eq!((got.text.as_str(), got.header("as-of")), ("good!", then.clone()));
        assert_eq!(got.header("as-of-capped"), "true");
    }
    assert_eq!((page.executed(), part.executed()), (0, 0));
    world.cap(None).await;
    eventually(|| async { world.now("/k0").await != then }).await;
    for key in &keys {
        let got = world.get_after(&token, &format!("/{key}")).await;
        assert_eq!((got.text.as_str(), got.header("as-of-capped").as_str()), ("bad!", ""));
    }
    assert_eq!((page.executed(), part.executed()), (0, 0));
}

/// The store refuses what lies above its cap at once, and the edge hears of the cap a little later:
/// nobody is shown the gap between.
#[tokio::test]
async fn a_cap_that_comes_while_a_request_is_under_way_costs_nobody_an_answer() {
    let (arrived, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (seen, told) = (Arc::clone(&arrived), Arc::clone(&go));
    let page = Service::new("page", move |asked: Asked| {
        let (seen, told) = (Arc::clone(&seen), Arc::clone(&told));
        async move {
            seen.store(true, Ordering::SeqCst);
            eventually(|| async { told.load(Ordering::SeqCst) }).await;
            let got = asked.get("main", "/v1/spaces/goods/keys/begun").await;
            let status = if got.status.is_success() { 200 } else { 502 };
            super::world::status(status, &got.text)
        }
    })
    .await;
    let world = Arc::new(World::start(&[&page], &on("page", "")).await);
    go.store(true, Ordering::SeqCst);
    let token = world.put("begun", "old").await;
    let then = world.get_after(&token, "/").await.header("as-of");
    let token = world.put("begun", "new").await;
    go.store(false, Ordering::SeqCst);
    arrived.store(false, Ordering::SeqCst);
    let under_way = {
        let (world, token) = (Arc::clone(&world), token.clone());
        // A page that is not held: what it reads is first read while it is executed.
        tokio::spawn(async move { world.get_after(&token, "/fresh").await })
    };
    eventually(|| async { arrived.load(Ordering::SeqCst) }).await;
    world.cap(Some(&then)).await;
    go.store(true, Ordering::SeqCst);
    let got = under_way.await.unwrap();
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "old"));
    assert_eq!((got.header("as-of"), got.header("as-of-capped").as_str()), (then, "true"));
}

#[tokio::test]
async fn head_and_conditional_requests_are_the_edges_own_business() {
    let page = Service::new("page", |asked: Asked| async move {
        assert_eq!(asked.method, Method::GET);
        for name in ["if-none-match", "if-modified-since", "range", "accept-encoding"] {
            assert_eq!(asked.header(name), "");
        }
        text(asked.read("begun").await)
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    let head = world.send(Method::HEAD, "/", &[], "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), "3");
    let got = world.get_with("/", &[("range", "bytes=0-0"), ("accept-encoding", "gzip")]).await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "yes"));
    assert_eq!(page.executed(), 1);
    let tag = got.header("etag");
    for (condition, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
    ] {
        let got = world.get_with("/", &[("if-none-match", &condition)]).await;
        assert_eq!(got.status.as_u16(), status, "{condition}");
        assert_eq!(got.header("etag"), tag);
        assert_eq!(got.text.is_empty(), status == 304);
        assert!(!got.header("as-of").is_empty());
    }
    let token = world.put("begun", "no").await;
    let headers = [("if-none-match", tag.as_str()), ("asof-token", token.as_str())];
    let got = world.get_with("/", &headers).await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "no"));
}

/// Two keys are written in one commit, over and over; a page reads one itself and the other
/// through another service. It must never show two different numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_never_torn_while_writes_go_on() {
    let page = Service::new("page", |asked: Asked| async move {
        let own = asked.read("left").await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        text(format!("{own} {}", asked.get("part", "/").await.text))
    })
    .await;
    let part =
        Service::new("part", |asked: Asked| async move { text(asked.read("right").await) }).await;
    let world = Arc::new(World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await);
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..2 {
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        writers.spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::SeqCst) {
                commit(&world, &format!("{writer}-{number}")).await;
                number += 1;
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
            number
        });
    }
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
        readers.spawn(async move {
            let mut seen = std::collections::HashSet::new();
            let mut last = String::new();
            while !stop.load(Ordering::SeqCst) {
                let got = world.get("/").await;
                let (left, right) = got.text.split_once(' ').unwrap();
                assert_eq!(left, right, "{got:?}");
                assert!(last <= got.header("as-of"), "time goes back");
                last = got.header("as-of");
                seen.insert(left.to_owned());
            }
            seen.len()
        });
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::SeqCst);
    let written: i32 = writers.join_all().await.into_iter().sum();
    let seen = readers.join_all().await;
    assert!(written > 20 && seen.iter().all(|seen| *seen > 5), "{written} {seen:?}");
}

async fn commit(world: &World, value: &str) {
    let write = |key| format!("{{\"space\":\"goods\",\"key\":\"{key}\",\"value\":\"{value}\"}}");
    let body = format!("{{\"writes\":[{},{}]}}", write("left"), write("right"));
    let request = Request::post(format!("http://{}/v1/commits", world.store));
    let request = request.header("content-type", "application/json");
    let got = ask(&world.http, request.body(body.into()).unwrap()).await;
    assert!(got.status.is_success(), "{got:?}");
}
