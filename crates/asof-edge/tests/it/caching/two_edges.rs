//! Trees of calls that go through two edges: one of them records, both answer out of their caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::{Notify, Semaphore};

use super::pair::Pair;
use super::world::{Asked, Service, on, text};
use crate::harness::eventually;

/// A service that says what it reads of the key `one`.
async fn reader(name: &'static str) -> Service {
    Service::new(name, move |asked: Asked| async move {
        text(format!("{name} {}", asked.read("one").await))
    })
    .await
}

/// A page over `part`, which makes do without it if it must.
async fn page() -> Service {
    Service::new("page", |asked: Asked| async move {
        let part = asked.get("part", "/part").await;
        let part = if part.status == 200 { part.text } else { format!("[{}]", part.status) };
        text(format!("page of {part}"))
    })
    .await
}

/// `page` calls through the south, though the north records it.
async fn across(page: &Service, part: &Service) -> Pair {
    let pair = Pair::start(&[page, part], &(on("page", "") + &on("part", ""))).await;
    pair.attach_south(&["page"]);
    pair
}

/// Asks the north twice: what is not kept is executed twice. The second outcome is told.
async fn never_kept(pair: &Pair, page: &Service) -> String {
    page.executed();
    pair.north("/").await;
    let second = pair.north("/").await;
    assert_eq!(page.executed(), 2, "{second:?}");
    second.outcome()
}

#[tokio::test]
async fn a_diamond_over_two_edges_is_cached_verified_and_ends_with_a_write() {
    let page = Service::new("page", |asked: Asked| async move {
        let (left, right) = (asked.get("left", "/l").await, asked.get("right", "/r").await);
        text(format!("{}+{}", left.text, right.text))
    })
    .await;
    let (left, right) = (reader("left").await, reader("right").await);
    let more = on("page", "") + &on("left", "") + &on("right", "");
    let services = [&page, &left, &right];
    let pair = Pair::start(&services, &more).await;
    // The calls of the page are answered in the south; of what runs there, one service reads the
    // store through the south, the other one through the north.
    pair.attach_south(&["page", "right"]);
    let executed = || services.map(Service::executed);
    let token = pair.put("one", "1").await;
    let first = pair.north_after(&token, "/").await;
    assert_eq!(
        (first.text.as_str(), first.outcome().as_str()),
        ("left 1+right 1", "asof; fwd=miss; stored")
    );
    assert_eq!(executed(), [1, 1, 1]);
    let again = pair.north("/").await;
    assert!(again.outcome().starts_with("asof; hit"), "{}", again.outcome());
    assert_eq!(again.text, first.text);
    let token = pair.put("unrelated", "x").await;
    let still = pair.north_after(&token, "/").await;
    assert_eq!(still.outcome(), "asof; hit; detail=verified");
    assert_eq!(executed(), [0, 0, 0]);
    let token = pair.put("one", "2").await;
    let next = pair.north_after(&token, "/").await;
    assert_eq!(next.text, "left 2+right 2");
    assert_eq!(executed(), [1, 1, 1]);
    // The old state is still what it was, and held.
    let then = first.header("as-of");
    assert_ne!(then, next.header("as-of"));
    assert_eq!(pair.north("/").await.text, next.text);
    // A client of the south has the page executed, and nothing below it.
    let south = pair.get(&pair.south, "/", &[("asof-token", token.as_str())]).await;
    assert_eq!((south.text, executed()), (next.text, [1, 0, 0]));
}

#[tokio::test]
async fn an_edge_that_is_away_is_a_503_and_what_made_do_without_is_not_kept() {
    let (page, part) = (page().await, reader("part").await);
    let pair = across(&page, &part).await;
    let token = pair.put("one", "1").await;
    pair.to_north.cut();
    let without = pair.north_after(&token, "/").await;
    assert_eq!(without.text, "page of [503 Service Unavailable]");
    assert_eq!(without.outcome(), "asof; fwd=miss; detail=unstorable-peer-away");
    assert_eq!((page.executed(), part.executed()), (1, 0));
    pair.to_north.mend();
    eventually(|| async {
        let got = pair.north("/").await;
        got.text == "page of part 1" && got.outcome() == "asof; fwd=miss; stored"
    })
    .await;
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
    // Cut off from both sides what is held is served on.
    page.executed();
    pair.to_north.cut();
    pair.to_south.cut();
    let held = pair.north("/").await;
    assert_eq!((held.text.as_str(), page.executed()), ("page of part 1", 0));
}

#[tokio::test]
async fn an_edge_that_nothing_is_heard_of_keeps_others_from_keeping() {
    let page = reader("page").await;
    let pair = Pair::start(&[&page], &on("page", "")).await;
    pair.to_south.cut();
    pair.north.clock.advance(std::time::Duration::from_secs(4));
    let got = pair.north("/").await;
    assert_eq!(got.text, "page [404]");
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-peer-away");
    pair.to_south.mend();
    pair.know_each_other().await;
    assert_eq!(pair.north("/").await.outcome(), "asof; fwd=miss; stored");
}

/// The nonce is another one: nobody was ever given this context.
#[tokio::test]
async fn a_forged_context_of_another_edge_taints_the_service_at_both() {
    let page = Service::new("page", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let given = asked.header("asof-context");
        let digit = if given.ends_with('0') { '1' } else { '0' };
        let forged = format!("{}{digit}", &given[..given.len() - 1]);
        let forged = HeaderValue::try_from(forged).unwrap();
        let part = asked.call_as(Some(&forged), Method::GET, "part", "/part", "").await;
        text(format!("{known} {}", part.text))
    })
    .await;
    let part = reader("part").await;
    let pair = across(&page, &part).await;
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-lost-context");
    assert_eq!(pair.north("/").await.text, "yes part [404]");
}

#[tokio::test]
async fn a_call_without_context_at_another_edge_taints_what_this_one_records() {
    let page = Service::new("page", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let part = asked.call_as(None, Method::GET, "part", "/part", "").await;
        text(format!("{known} {}", part.text))
    })
    .await;
    let part = reader("part").await;
    let pair = across(&page, &part).await;
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-lost-context");
}

/// `page` gives its own context to `part`, which reads the store with it through the other edge.
#[tokio::test]
async fn a_context_leaked_to_a_service_at_another_edge_taints_both() {
    let page = Service::new("page", |asked: Asked| async move {
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", asked.context());
        headers.insert("x-borrowed", asked.context());
        text(asked.call_with(headers, Method::GET, "part", "/part", "").await.text)
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let known = asked.read("begun").await;
        let borrowed = asked.headers.get("x-borrowed").cloned();
        let path = "/v1/spaces/goods/keys/one";
        let one = asked.call_as(borrowed.as_ref(), Method::GET, "main", path, "").await;
        text(format!("{known} {}", one.status.as_u16()))
    })
    .await;
    let more = on("page", "") + &on("part", "headers = ['x-borrowed']");
    let pair = Pair::start(&[&page, &part], &more).await;
    pair.attach_south(&["part"]);
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-leaked-context");
    assert_eq!(pair.north("/").await.text, "yes 404");
    assert!(pair.report(&pair.north).await.contains("\"unstorable-lost-context\":3"));
}

#[tokio::test]
async fn a_context_of_an_unknown_edge_is_refused() {
    let page = Service::new("page", |asked: Asked| async move {
        let given = asked.header("asof-context");
        let other = format!("1-00c0ffee-{}", given.splitn(3, '-').nth(2).unwrap());
        let other = HeaderValue::try_from(other).unwrap();
        let part = asked.call_as(Some(&other), Method::GET, "part", "/part", "").await;
        text(format!("{} {}", asked.read("begun").await, part.status))
    })
    .await;
    let part = reader("part").await;
    let pair = across(&page, &part).await;
    let got = pair.north("/").await;
    assert_eq!(got.text, "yes 503 Service Unavailable");
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-peer-away");
    assert_eq!(part.executed(), 0);
}

#[tokio::test]
async fn an_answer_that_comes_after_that_of_its_caller_is_delivered_to_nobody() {
    let (go, came) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (refused, noted) = (Arc::new(AtomicBool::new(false)), Arc::clone(&came));
    let told = Arc::clone(&refused);
    let page = Service::new("page", move |asked: Asked| {
        let (noted, told) = (Arc::clone(&noted), Arc::clone(&told));
        async move {
            let known = asked.read("begun").await;
            let entered = Arc::clone(&noted);
            tokio::spawn(async move {
                let part = asked.get("part", "/part").await;
                told.store(part.status == 503, Ordering::SeqCst);
            });
            entered.notified().await;
            text(known)
        }
    })
    .await;
    let (gate, entered) = (Arc::clone(&go), Arc::clone(&came));
    let part = Service::new("part", move |asked: Asked| {
        let (gate, entered) = (Arc::clone(&gate), Arc::clone(&entered));
        async move {
            entered.notify_one();
            gate.acquire().await.unwrap().forget();
            text(asked.read("one").await)
        }
    })
    .await;
    let pair = across(&page, &part).await;
    let got = pair.north("/").await;
    assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-unfinished");
    go.add_permits(1);
    eventually(|| async { refused.load(Ordering::SeqCst) }).await;
    page.executed();
    go.add_permits(1);
    pair.north("/").await;
    assert_eq!(page.executed(), 1, "nothing was kept");
}

#[tokio::test]
async fn a_call_after_the_answer_at_another_edge_drops_what_was_stored() {
    let again = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&again);
    let page = Service::new("page", move |asked: Asked| {
        let gate = Arc::clone(&gate);
        async move {
            let part = asked.get("part", "/part").await.text;
            tokio::spawn(async move {
                gate.acquire().await.unwrap().forget();
                asked.get("part", "/part").await;
            });
            text(part)
        }
    })
    .await;
    let part = reader("part").await;
    let pair = across(&page, &part).await;
    assert_eq!(pair.north("/").await.outcome(), "asof; fwd=miss; stored");
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
    again.add_permits(1);
    eventually(|| async { pair.north("/").await.outcome().contains("bypass-quarantined") }).await;
}

/// The south finds out that an answer was wrong of which the north has made a page.
#[tokio::test]
async fn what_another_edge_drops_as_wrong_is_dropped_with_all_that_was_made_of_it() {
    let again = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&again);
    let page = page().await;
    let part = Service::new("part", move |asked: Asked| {
        let gate = Arc::clone(&gate);
        async move {
            let one = asked.read("one").await;
            tokio::spawn(async move {
                gate.acquire().await.unwrap().forget();
                asked.read("other").await;
            });
            text(one)
        }
    })
    .await;
    let pair = across(&page, &part).await;
    pair.attach_south(&["page", "part"]);
    assert_eq!(pair.north("/").await.outcome(), "asof; fwd=miss; stored");
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
    again.add_permits(1);
    eventually(|| async { !pair.north("/").await.outcome().starts_with("asof; hit") }).await;
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-no-validity");
}

#[tokio::test]
async fn what_an_edge_helped_to_make_is_dropped_when_it_starts_anew() {
    let (page, part) = (page().await, reader("part").await);
    let mut pair = across(&page, &part).await;
    assert_eq!(pair.north("/").await.outcome(), "asof; fwd=miss; stored");
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
    page.executed();
    pair.restart_south().await;
    pair.attach_south(&["page"]);
    eventually(|| async { pair.north("/").await.outcome() == "asof; fwd=miss; stored" }).await;
    assert!(page.executed() >= 1);
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
}

#[tokio::test]
async fn edges_of_different_configurations_share_no_tree() {
    let (page, part) = (page().await, reader("part").await);
    let more = on("page", "") + "[[services.part.routes]]\npath = '/other'\nmode = 'on'\n";
    let southern = "[[services.part.routes]]\npath = '/part'\nmode = 'on'\n";
    let pair = Pair::differing(&[&page, &part], &more, southern).await;
    pair.attach_south(&["page"]);
    assert_eq!(pair.north("/").await.text, "page of [503 Service Unavailable]");
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-unfinished");
    assert_eq!(part.executed(), 0);
}

#[tokio::test]
async fn a_write_below_another_edge_taints_and_is_told_to_the_client_of_this_one() {
    let page = page().await;
    let part = Service::new("part", |asked: Asked| async move {
        let path = "/v1/spaces/goods/keys/visits";
        let written = asked.call(Method::PUT, "main", path, "one more").await;
        text(written.status.as_u16().to_string())
    })
    .await;
    let pair = across(&page, &part).await;
    pair.attach_south(&["page", "part"]);
    let outcome = never_kept(&pair, &page).await;
    assert_eq!(outcome, "asof; fwd=miss; detail=unstorable-write");
    let token = pair.north("/").await.header("asof-token");
    assert!(!token.is_empty());
    let seen = pair.get(&pair.south, "/", &[("asof-token", token.as_str())]).await;
    assert_eq!(seen.status, 200);
}

#[tokio::test]
async fn state_is_the_same_at_both_edges_and_counts_where_it_is_used() {
    let page = page().await;
    let part =
        Service::new("part", |asked: Asked| async move { text(asked.header("asof-state-theme")) })
            .await;
    let theme = "[state.theme]\ndefault = 'light'\nstore = 'main'\n\
                 from = [{ cookie = 'sid' }, { lookup = 'goods', field = 'theme' }]\n";
    let part_route = on("part", "constant = true\nstate = ['theme']");
    let declared = on("page", "state = ['theme']") + &part_route + theme;
    let undeclared = on("page", "shared = true") + &part_route + theme;
    for (more, kept) in [(declared, true), (undeclared, false)] {
        let pair = Pair::start(&[&page, &part], &more).await;
        pair.attach_south(&["page"]);
        let token = pair.put("ann", "{\"theme\":\"dark\"}").await;
        let ann = [("cookie", "sid=ann"), ("asof-token", token.as_str())];
        let got = pair.get(&pair.north, "/", &ann).await;
        assert_eq!(got.text, "page of dark", "{got:?}");
        let detail = "asof; fwd=miss; detail=unstorable-undeclared-state";
        assert_eq!(got.outcome(), if kept { "asof; fwd=miss; stored" } else { detail });
        assert_eq!(
            pair.get(&pair.north, "/", &[("cookie", "sid=bob")]).await.text,
            "page of light"
        );
    }
}

#[tokio::test]
async fn a_deploy_is_seen_through_another_edge() {
    let (page, part) = (page().await, reader("part").await);
    let more = on("page", "") + &on("part", "") + "[releases]\nstore = 'main'\nspace = 'goods'\n";
    let pair = Pair::start(&[&page, &part], &more).await;
    pair.attach_south(&["page"]);
    assert_eq!(pair.north("/").await.outcome(), "asof; fwd=miss; stored");
    assert!(pair.north("/").await.outcome().starts_with("asof; hit"));
    assert_eq!((page.executed(), part.executed()), (1, 1));
    let token = pair.put("part", "2").await;
    assert_eq!(pair.north_after(&token, "/").await.outcome(), "asof; fwd=miss; stored");
    assert_eq!((page.executed(), part.executed()), (1, 1));
}

#[tokio::test]
async fn a_circle_of_calls_over_two_edges_comes_to_an_end() {
    let page = Service::new("page", |asked: Asked| async move {
        let below = asked.get("part", "/part").await;
        text(format!("page of {}", below.status.as_u16()))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let below = asked.get("page", &asked.path).await;
        text(format!("part of {}", below.status.as_u16()))
    })
    .await;
    let more = on("page", "") + &on("part", "") + "[limits]\ncall_depth = 6\n";
    let pair = Pair::start(&[&page, &part], &more).await;
    pair.attach_south(&["page"]);
    let got = pair.north("/").await;
    assert_eq!(got.status, 200, "{got:?}");
    assert!(page.executed() + part.executed() <= 12);
    assert!(!got.outcome().contains("stored"), "{}", got.outcome());
}
