//! What may not be kept, and may not be made part of anything that is.

use http::Method;

use super::world::{Asked, Service, World, on, status, text};

/// A service that answers with what it reads of `key` and does `more` on the way.
async fn page_over(part: &'static str) -> Service {
    Service::new("page", move |asked: Asked| async move {
        let part = asked.get(part, "/part").await;
        text(format!("{}:{}", part.status.as_u16(), part.text))
    })
    .await
}

/// Asks twice; both must be executed by every service, and the last outcome is told.
async fn never_kept(world: &World, services: &[&Service]) -> String {
    for service in services {
        service.executed();
    }
    let first = world.get("/").await;
    let second = world.get("/").await;
    assert_eq!(first.status, second.status);
    for service in services {
        assert_eq!(service.executed(), 2, "{}", second.outcome());
    }
    second.outcome()
}

#[tokio::test]
async fn a_nested_call_that_writes_keeps_all_above_it_out() {
    let page = page_over("part").await;
    let part = Service::new("part", |asked: Asked| async move {
        let path = "/v1/spaces/goods/keys/visits";
        let written = asked.call(Method::PUT, "main", path, "one more").await;
        text(written.status.as_u16().to_string())
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    let outcome = never_kept(&world, &[&page, &part]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-write");
}

#[tokio::test]
async fn a_call_of_an_undeclared_method_counts_as_a_write() {
    let page = Service::new("page", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let posted = asked.call(Method::POST, "part", "/do", "it").await;
        text(format!("{known}:{}", posted.text))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        text(format!("{} {:?}", asked.method, asked.body))
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    assert_eq!(world.get("/").await.text, "yes:POST b\"it\"");
    let outcome = never_kept(&world, &[&page, &part]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-write");
}

#[tokio::test]
async fn an_answer_that_sets_a_cookie_is_for_one_client_only() {
    let page = page_over("part").await;
    let part = Service::new("part", |asked: Asked| async move {
        let mut answer = text(asked.read("begun").await);
        answer.headers_mut().insert("set-cookie", "session=1".parse().unwrap());
        answer
    })
    .await;
    let more = on("page", "") + &on("part", "");
    let world = World::start(&[&page, &part], &more).await;
    let outcome = never_kept(&world, &[&page, &part]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-contagion");
    // A service in front hands it on to its client.
    let world = World::start(&[&part_alone().await], &on("alone", "")).await;
    let got = world.get("/").await;
    assert_eq!(got.header("set-cookie"), "session=1");
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-set-cookie");
}

async fn part_alone() -> Service {
    Service::new("alone", |asked: Asked| async move {
        let mut answer = text(asked.read("begun").await);
        answer.headers_mut().insert("set-cookie", "session=1".parse().unwrap());
        answer
    })
    .await
}

#[tokio::test]
async fn errors_are_not_kept_but_for_recorded_404_and_410() {
    for (code, kept) in [(404, true), (410, true), (500, false), (403, false), (429, false)] {
        let page = page_over("part").await;
        let part = Service::new("part", move |asked: Asked| async move {
            status(code, &asked.read("begun").await)
        })
        .await;
        let more = on("page", "") + &on("part", "");
        let world = World::start(&[&page, &part], &more).await;
        if kept {
            let first = world.get("/").await;
            let second = world.get("/").await;
            assert_eq!((first.text.clone(), part.executed()), (second.text.clone(), 1), "{code}");
            assert!(second.outcome().starts_with("asof; hit"), "{code}: {}", second.outcome());
        } else {
            let outcome = never_kept(&world, &[&page, &part]).await;
            assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-contagion", "{code}");
        }
    }
}

#[tokio::test]
async fn an_oversize_answer_passes_whole_and_is_not_kept() {
    let page = Service::new("page", |asked: Asked| async move {
        text(asked.get("part", "/large").await.text.len().to_string())
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        assert_eq!(asked.read("begun").await, "yes");
        text("x".repeat(100_000))
    })
    .await;
    let more = on("page", "") + &on("part", "") + "[limits]\nbody_bytes = '64KiB'\n";
    let world = World::start(&[&page, &part], &more).await;
    assert_eq!(world.get("/").await.text, "100000");
    let outcome = never_kept(&world, &[&page, &part]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-contagion");
}

#[tokio::test]
async fn a_stored_value_that_is_oversize_passes_whole_too() {
    let page = Service::new("page", |asked: Asked| async move {
        text(asked.read("large").await.len().to_string())
    })
    .await;
    let more = on("page", "") + "[limits]\nbody_bytes = '64KiB'\n";
    let world = World::start(&[&page], &more).await;
    let token = world.put("large", &"x".repeat(100_000)).await;
    let got = world.get_after(&token, "/").await;
    assert_eq!(got.text, "100000", "{got:?}");
    let outcome = never_kept(&world, &[&page]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-contagion");
}

#[tokio::test]
async fn a_bypassed_route_keeps_all_above_it_out() {
    let page = page_over("part").await;
    let part =
        Service::new("part", |asked: Asked| async move { text(asked.read("begun").await) }).await;
    let world = World::start(&[&page, &part], &on("page", "")).await;
    let outcome = never_kept(&world, &[&page, &part]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-no-validity");
}

#[tokio::test]
async fn an_operator_sends_a_route_past_the_cache_and_back() {
    let page =
        Service::new("page", |asked: Asked| async move { text(asked.read("begun").await) }).await;
    let world = World::start(&[&page], &on("page", "")).await;
    world.get("/").await;
    page.executed();
    let post = Method::POST;
    assert!(world.admin(post.clone(), "/bypass?route=all&on=true").await.status.is_success());
    let outcome = never_kept(&world, &[&page]).await;
    assert_eq!(outcome, "asof; fwd=bypass; detail=bypass-operator");
    assert!(world.admin(post, "/bypass?route=all&on=false").await.status.is_success());
    let got = world.get("/").await;
    assert!(got.outcome().starts_with("asof; hit"), "{}", got.outcome());
}

#[tokio::test]
async fn a_space_that_is_not_known_says_no_validity() {
    let page = Service::new("page", |asked: Asked| async move {
        let got = asked.get("main", "/v1/spaces/nowhere/keys/a").await;
        text(got.status.as_u16().to_string())
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    assert_eq!(world.get("/").await.text, "404");
    let outcome = never_kept(&world, &[&page]).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-contagion");
}
