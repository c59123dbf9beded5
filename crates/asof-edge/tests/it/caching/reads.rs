//! Reads of stores by services.

use http::{HeaderMap, Method};

use super::world::{Asked, Service, World, on, text};

const BEGUN: &str = "/v1/spaces/goods/keys/begun";

/// A service that reads what its query says, with the header `As-Of` of its request's path.
async fn reader() -> Service {
    Service::new("page", |asked: Asked| async move {
        let (_, path) = asked.path.split_once("?read=").unwrap();
        let got = asked.get("main", &path.replace("%3F", "?").replace("%26", "&")).await;
        let told = got.headers.contains_key("as-of") || got.headers.contains_key("as-of-valid");
        text(format!("{} {} {told}", got.status.as_u16(), got.text))
    })
    .await
}

#[tokio::test]
async fn a_service_may_name_a_moment_of_its_own_and_is_not_kept() {
    let page = reader().await;
    let world = World::start(&[&page], &on("page", "")).await;
    let token = world.put("begun", "old").await;
    let then = world.get_after(&token, &format!("/?read={BEGUN}")).await;
    assert_eq!(then.text, "200 old false");
    let then = then.header("as-of");
    let token = world.put("begun", "new").await;
    for _ in 0..2 {
        let path = format!("/?read={BEGUN}%3Fas_of={then}");
        let got = world.get_after(&token, &path).await;
        assert_eq!(got.text, "200 old false");
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-no-validity");
    }
    assert_eq!(page.executed(), 3);
}

/// What lies above the moment of the request is not there yet.
#[tokio::test]
async fn a_service_may_not_look_above_the_moment_of_its_request() {
    let page = Service::new("page", |asked: Asked| async move {
        let (_, at) = asked.path.split_once("?at=").unwrap();
        let url = asked.get("main", &format!("{BEGUN}?as_of={at}")).await;
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", asked.context());
        headers.insert("as-of", at.parse().unwrap());
        let header = asked.call_with(headers, Method::GET, "main", BEGUN, "").await;
        text(format!("{} {}", url.text, header.text))
    })
    .await;
    let world = World::start(&[&page], &on("page", "as_of = 'closed'")).await;
    let token = world.put("begun", "old").await;
    let then = world.get_after(&token, "/?at=0").await.header("as-of");
    let token = world.put("begun", "new").await;
    let now = world.get_after(&token, "/?at=0").await.header("as-of");
    let path = format!("/?at={now}");
    let got = world.get_with(&path, &[("as-of", &then)]).await;
    assert!(!got.text.contains("new"), "{got:?}");
    assert_eq!(got.text.matches("\"NotYetClosed\"").count(), 2, "{got:?}");
    assert_eq!(world.get_after(&token, &path).await.text, "new new");
}

/// What the edge does not cache is still read as it was at the moment of the request.
#[tokio::test]
async fn reads_that_are_not_cached_see_the_same_moment() {
    let page = Service::new("page", |asked: Asked| async move {
        let body = "{\"keys\":[{\"space\":\"goods\",\"key\":\"begun\"}]}";
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", asked.context());
        headers.insert("content-type", "application/json".parse().unwrap());
        let several = asked.call_with(headers, Method::POST, "main", "/v1/read", body).await;
        let history = asked.get("main", "/v1/spaces/goods/history/begun").await;
        text(format!("{} | {}", several.text, history.text))
    })
    .await;
    let world = World::start(&[&page], &on("page", "as_of = 'closed'")).await;
    let token = world.put("begun", "zzz").await;
    let then = world.get_after(&token, "/").await.header("as-of");
    let token = world.put("begun", "zzzzzzzz").await;
    let now = world.get_after(&token, "/").await;
    assert!(now.text.contains("\"bytes\":8"), "{}", now.text);
    let got = world.get_with("/", &[("as-of", &then)]).await;
    assert!(got.text.contains("\"bytes\":3"), "{}", got.text);
    assert!(!got.text.contains("\"bytes\":8"), "{}", got.text);
}

#[tokio::test]
async fn a_listing_is_true_until_something_within_its_reach_changes() {
    let page = Service::new("page", |asked: Asked| async move {
        let (mut keys, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/spaces/goods/keys?prefix=n/&limit=2{after}");
            let got = asked.get("main", &path).await;
            let quoted = got.text.split("\"key\":\"").skip(1);
            keys.extend(quoted.map(|rest| rest.split('"').next().unwrap().to_owned()));
            let Some((_, next)) = got.text.split_once("\"next\":\"") else { break };
            after = format!("&after={}", next.split('"').next().unwrap());
        }
        text(keys.join(","))
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    for key in ["n/1", "n/3", "n/5", "n/7", "n/9"] {
        world.put(key, key).await;
    }
    let token = world.put("other", "x").await;
    let all = world.get_after(&token, "/").await;
    assert_eq!(all.text, "n/1,n/3,n/5,n/7,n/9");
    assert_eq!(page.executed(), 1);
    // Beside the range: nothing runs.
    for key in ["m", "o", "n"] {
        let token = world.put(key, "x").await;
        let got = world.get_after(&token, "/").await;
        assert_eq!((got.text.as_str(), page.executed()), (all.text.as_str(), 0), "{key}");
    }
    // In the first page, between pages, behind the last.
    for (key, wanted) in [
        ("n/0", "n/0,n/1,n/3,n/5,n/7,n/9"),
        ("n/4", "n/0,n/1,n/3,n/4,n/5,n/7,n/9"),
        ("n/99", "n/0,n/1,n/3,n/4,n/5,n/7,n/9,n/99"),
    ] {
        let token = world.put(key, "x").await;
        assert_eq!(world.get_after(&token, "/").await.text, wanted);
        assert_eq!(page.executed(), 1, "{key}");
    }
}

/// A store beyond this machine speaks TLS: its feed is followed so, and its answers are read so.
#[tokio::test]
async fn a_store_is_followed_and_read_over_tls() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.read("one").await) }).await;
    let world = World::start(&[&page], &on("page", "")).await;
    let port = crate::tls::in_front_of(world.store, &["http/1.1"]).await.port();
    let rest =
        "preview_listen = '127.0.0.1:0'\n[[ingress.rules]]\nservice = 'page'\n[stores.main]\n";
    let plain = format!("{rest}url = 'http://{}'", world.store);
    let secured = crate::tls::believing() + rest + &format!("url = 'https://localhost:{port}'");
    world.reload(&plain, &secured).await;
    world.ready().await;
    for value in ["1", "2"] {
        let token = world.put("one", value).await;
        let first = world.get_with("/", &[("asof-token", &token)]).await;
        assert_eq!(
            (first.text.as_str(), first.outcome().as_str()),
            (value, "asof; fwd=miss; stored")
        );
        let again = world.get("/").await;
        assert!(again.outcome().starts_with("asof; hit"), "{again:?}");
    }
}
