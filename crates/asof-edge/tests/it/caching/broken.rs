//! Answers that break off, services that are away, and clients that go.

use std::time::Duration;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::world::{Asked, Service, World, on, text};
use crate::harness::{eventually, head, nowhere};

/// A service that writes `answer` as it is and closes the connection, by a reset if `reset`.
async fn raw(answer: &'static str, reset: bool) -> Service {
    Service::raw("page", move |mut stream: TcpStream| async move {
        head(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        if reset {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.set_zero_linger().unwrap();
        }
    })
    .await
}

const CONSTANT: &str = "constant = true";

#[tokio::test]
async fn a_truncated_body_is_a_502_and_is_not_kept() {
    for (answer, reset) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", true),
    ] {
        let page = raw(answer, reset).await;
        let world = World::start(&[&page], &on("page", CONSTANT)).await;
        page.executed();
        for _ in 0..2 {
            let got = world.get("/").await;
            assert_eq!(got.status.as_u16(), 502, "{got:?}");
            assert!(got.text.contains("\"BadGateway\""), "{got:?}");
            assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-truncated");
            assert_eq!(got.header("cache-control"), "no-store");
        }
        assert_eq!(page.executed(), 2);
    }
}

/// Such a body ends where the connection does: nobody can tell a whole one from a part.
#[tokio::test]
async fn a_body_that_only_the_connection_ends_passes_and_is_not_kept() {
    let page = raw("HTTP/1.1 200 OK\r\n\r\nperhaps all", false).await;
    let world = World::start(&[&page], &on("page", CONSTANT)).await;
    page.executed();
    for _ in 0..2 {
        let got = world.get("/").await;
        assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "perhaps all"));
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-truncated");
    }
    assert_eq!(page.executed(), 2);
}

#[tokio::test]
async fn a_service_that_is_away_is_a_502_and_its_parent_is_not_kept() {
    let page = Service::new("page", |asked: Asked| async move {
        text(asked.get("part", "/").await.status.as_u16().to_string())
    })
    .await;
    let away = format!(
        "[services.part]\nupstreams = ['http://{}']\negress = '127.0.0.1:0'\n",
        nowhere().await
    );
    let more = on("page", "") + &away + &on("part", "");
    let world = World::start(&[&page], &more).await;
    for _ in 0..2 {
        let got = world.get("/").await;
        assert_eq!(got.text, "502");
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-contagion");
    }
    assert_eq!(page.executed(), 2);
}

#[tokio::test]
async fn a_client_that_goes_lets_those_who_wait_with_it_be_answered_once() {
    static GATE: Semaphore = Semaphore::const_new(0);
    let page = Service::new("page", |asked: Asked| async move {
        let read = asked.read("begun").await;
        GATE.acquire().await.unwrap().forget();
        text(read)
    })
    .await;
    let world = std::sync::Arc::new(World::start(&[&page], &on("page", "")).await);
    let mut leader = TcpStream::connect(world.ingress).await.unwrap();
    leader.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let executed = std::sync::atomic::AtomicUsize::new(0);
    let count = || executed.load(std::sync::atomic::Ordering::SeqCst);
    let look = || {
        executed.fetch_add(page.executed(), std::sync::atomic::Ordering::SeqCst);
        count()
    };
    eventually(|| async { look() == 1 }).await;
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let world = std::sync::Arc::clone(&world);
        followers.spawn(async move { world.get("/").await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(leader);
    tokio::time::sleep(Duration::from_millis(300)).await;
    GATE.add_permits(100);
    while let Some(got) = followers.join_next().await {
        assert_eq!(got.unwrap().text, "yes");
    }
    assert!(look() <= 2, "one execution, and at most one in its place: {}", count());
}

#[tokio::test]
async fn calls_in_a_circle_end() {
    let page = Service::new("page", |asked: Asked| async move {
        let got = asked.get("page", &format!("{}x", asked.path)).await;
        let status = got.status.as_u16();
        if status == 200 { text(got.text) } else { text(status.to_string()) }
    })
    .await;
    let deep = "[limits]\ncall_depth = 5\n";
    let world = World::start(&[&page], &(on("page", "") + deep)).await;
    let got = world.send(Method::GET, "/a", &[], "").await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "508"));
    assert_eq!(page.executed(), 5);
    // One call that makes itself waits for nobody.
    let world = World::start(&[&loops().await], &(on("again", "") + deep)).await;
    let got = world.get("/").await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "508"));
}

async fn loops() -> Service {
    Service::new("again", |asked: Asked| async move {
        let got = asked.get("again", "/").await;
        if got.status == 200 { text(got.text) } else { text(got.status.as_u16().to_string()) }
    })
    .await
}
