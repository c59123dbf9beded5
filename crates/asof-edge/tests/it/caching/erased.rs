//! A key is erased: nothing that was made of it is served again.

use std::net::SocketAddr;
use std::sync::Arc;

use asof_store::{Actor, DryRun, Erase, Key, Known, SpaceName, Store};
use asof_time::Timestamp;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::world::{Asked, Got, Service, World, ask, edge, on, text};
use crate::harness::eventually;

async fn reader() -> Service {
    Service::new("page", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        text(asked.read(&key).await)
    })
    .await
}

/// Deploys are told, so that answers are facts with URLs.
const RELEASES: &str = "[releases]\nstore = 'main'\nspace = 'goods'\n";

/// The URL of what was answered, as it was then.
fn fact(path: &str, got: &Got) -> String {
    format!("{path}?as_of={}&epoch={}", got.header("as-of"), got.header("as-of-epoch"))
}

#[tokio::test]
async fn what_was_made_of_an_erased_key_is_dropped_in_all_layers_and_at_all_moments() {
    let front = Service::new("front", |asked: Asked| async move {
        text(format!("front of {}", asked.get("page", &asked.path).await.text))
    })
    .await;
    let page = reader().await;
    let more = on("front", "as_of = 'closed'") + &on("page", "as_of = 'closed'") + RELEASES;
    let world = World::start(&[&front, &page], &more).await;
    world.put("other", "kept").await;
    let token = world.put("one", "secret").await;
    let old = world.get_after(&token, "/one").await;
    assert_eq!(old.text, "front of secret");
    let then = fact("/one", &old);
    assert_eq!(world.get(&then).await.text, "front of secret");
    front.executed();
    world.erase("one").await;
    eventually(|| async { world.get("/one").await.text == "front of [410]" }).await;
    // The moment of before has it no more either.
    assert_eq!(world.get(&then).await.text, "front of [410]");
    // It is a fact that it was erased: whoever shows it goes on being cached.
    front.executed();
    assert_eq!(world.get("/one").await.outcome(), "asof; hit");
    assert_eq!(world.get("/other").await.text, "front of kept");
    assert!(front.executed() <= 1);
}

/// Erases `one` past everybody; returns when.
fn erase(store: &Store) -> Timestamp {
    let request = Erase {
        space: SpaceName::new("goods").unwrap(),
        key: Key::new("one").unwrap(),
        versions: Some(9),
        known: Known::Must,
    };
    store.erase(&request, by(), DryRun::No).unwrap().erasure.unwrap().at
}

fn by() -> Actor {
    Actor { name: "me".into(), reason: "test".into() }
}

/// An edge that holds a page of `one` loses the store, and finds it as `meanwhile` left it: no
/// answer after the moment that this returns shows the page.
async fn is_away(meanwhile: impl AsyncFnOnce(&World) -> Timestamp) {
    let page = reader().await;
    let more = on("page", "as_of = 'closed'") + RELEASES;
    let world = World::start_with(&[&page], "freeze_max = '1h'", &more).await;
    let token = world.put("one", "secret").await;
    let old = world.get_after(&token, "/one").await;
    assert_eq!(old.text, "secret");
    world.stop_store().await;
    let erased = meanwhile(&world).await;
    world.start_store(0).await;
    eventually(|| async {
        let got = world.get("/one").await;
        let at: Timestamp = got.header("as-of").parse().unwrap();
        assert!(got.text == "[410]" || at < erased, "{got:?}");
        got.text == "[410]"
    })
    .await;
    // Nor does the moment of before.
    assert_eq!(world.get(&fact("/one", &old)).await.text, "[410]");
}

#[tokio::test]
async fn an_edge_that_was_away_drops_it_before_it_serves_again() {
    is_away(async |world| world.meanwhile(0, erase)).await;
}

/// Somebody else answers at the address of the store, until the edge has begun to follow anew.
async fn impostor(at: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    let mut began_anew = 0;
    while began_anew < 2 {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.unwrap_or(0);
        let asked = head.get(..read).unwrap_or_default();
        began_anew += usize::from(asked.starts_with(b"GET /v1/time"));
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\nwelcome\n";
        let _ = stream.write_all(answer).await;
    }
}

#[tokio::test]
async fn an_edge_that_begins_to_follow_anew_is_told_of_it_first() {
    is_away(async |world| {
        impostor(world.store).await;
        world.meanwhile(0, erase)
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_when_a_key_is_erased_is_not_kept() {
    let (read, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has_read, may_go_on) = (Arc::clone(&read), Arc::clone(&go_on));
    let page = Service::new("page", move |asked: Asked| {
        let (has_read, may_go_on) = (Arc::clone(&has_read), Arc::clone(&may_go_on));
        async move {
            let key = asked.path.trim_start_matches('/').to_owned();
            let value = asked.read(&key).await;
            if value == "secret" {
                has_read.notify_one();
                may_go_on.notified().await;
            }
            text(value)
        }
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("one", "secret").await;
    let (slow, ()) = tokio::join!(world.get_after(&token, "/one"), async {
        read.notified().await;
        world.erase("one").await;
        // Until the edge has heard of it: what is done later is told later.
        let later = world.put("later", "x").await;
        assert_eq!(world.get_after(&later, "/later").await.text, "x");
        go_on.notify_one();
    });
    assert_eq!(slow.text, "secret", "it was asked before");
    assert!(!slow.outcome().contains("stored"), "{slow:?}");
    assert_eq!(world.get("/one").await.text, "[410]");
}

#[tokio::test]
async fn facts_of_a_space_that_is_erased_from_are_not_immutable() {
    let page = reader().await;
    let world = World::start(&[&page], &(on("page", "as_of = 'closed'") + RELEASES)).await;
    let token = world.put("one", "1").await;
    let got = world.get_after(&token, "/one").await;
    let then = fact("/one", &got);
    let kept = world.get(&then).await.header("cache-control");
    assert_eq!(kept, "public, max-age=31536000, immutable");
    let uri = format!("http://{}/v1/spaces/goods/erasable", world.store);
    let marked = ask(&world.http, Request::put(uri).body(Full::default()).unwrap()).await;
    assert!(marked.status.is_success(), "{marked:?}");
    eventually(|| async { world.get(&then).await.header("cache-control") == "no-cache" }).await;
    assert_eq!(world.get(&then).await.text, "1");
    // An edge that begins to follow later is told as well.
    let Service { address, .. } = page;
    let settings = format!(
        "[[ingress.rules]]\nservice = 'page'\n[stores.main]\nurl = 'http://{}'\n\
         [services.page]\nupstreams = ['http://{address}']\negress = '127.0.0.1:0'\n{}",
        world.store,
        on("page", "as_of = 'closed'") + RELEASES
    );
    let (late, _stop) =
        edge(crate::harness::plan(&settings), &[&page], Arc::clone(&world.clock)).await;
    let asked = async |path: &str| {
        let uri = format!("http://{}{path}", late.ingress);
        ask(&world.http, Request::get(uri).body(Full::default()).unwrap()).await
    };
    eventually(|| async { asked("/one").await.text == "1" }).await;
    let got = asked("/one").await;
    assert_eq!(asked(&fact("/one", &got)).await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn a_visitor_whose_settings_were_erased_is_one_without_settings() {
    const THEME: &str = "[state.theme]\ndefault = 'light'\nstore = 'main'\n\
                         from = [{ header = 'x-user' }, { lookup = 'goods', field = 'theme' }]\n";
    let page = Service::new("page", |asked: Asked| async move {
        text(format!("{} in {}", asked.read("begun").await, asked.header("asof-state-theme")))
    })
    .await;
    let world = World::start(&[&page], &(on("page", "state = ['theme']") + THEME)).await;
    let token = world.put("ann", "{\"theme\":\"dark\"}").await;
    let shown = async |token: &str| {
        let headers = [("x-user", "ann"), ("asof-token", token)];
        world.get_with("/", &headers).await
    };
    assert_eq!(shown(&token).await.text, "yes in dark");
    world.erase("ann").await;
    let later = world.put("later", "x").await;
    let got = shown(&later).await;
    assert_eq!((got.status.as_u16(), got.text.as_str()), (200, "yes in light"), "{got:?}");
    assert_eq!(shown(&later).await.outcome(), "asof; hit");
}
