//! What a route declares: state, stores, time, inputs. What it does not declare it does not see.

use http::{HeaderMap, Method, Request};

use super::world::{Asked, Service, World, ask, on, text};

/// Where the theme of a visitor comes from: cookie, session, user, theme.
const THEME: &str = "[state.theme]\ndefault = 'light'\nvalues = ['light', 'dark']\nstore = 'main'\n\
                     from = [{ cookie = 'sid' }, { lookup = 'sessions', field = 'user' }, \
                     { lookup = 'users', field = 'theme' }]\n";

async fn themed() -> Service {
    Service::new("page", |asked: Asked| async move {
        let read = asked.read("begun").await;
        text(format!("{read} in {}", asked.header("asof-state-theme")))
    })
    .await
}

impl World {
    async fn put_json(&self, space: &str, key: &str, json: &str) -> String {
        let uri = format!("http://{}/v1/spaces/{space}/keys/{key}", self.store);
        let request = Request::put(uri).header("content-type", "application/json");
        let got = ask(&self.http, request.body(json.to_owned().into()).unwrap()).await;
        assert!(got.status.is_success(), "{got:?}");
        got.header("asof-token")
    }
}

#[tokio::test]
async fn state_is_found_by_a_chain_of_look_ups() {
    let page = themed().await;
    let world = World::start(&[&page], &(on("page", "state = ['theme']") + THEME)).await;
    for user in ["ann", "bob", "cleo", "dan"] {
        let session = format!("{{\"user\":\"{user}\"}}");
        world.put_json("sessions", &format!("of-{user}"), &session).await;
    }
    world.put_json("users", "ann", "{\"theme\":\"dark\"}").await;
    world.put_json("users", "bob", "{\"theme\":\"<script>\"}").await;
    let token = world.put_json("users", "cleo", "{\"other\":1}").await;
    let shown = async |cookie: &str, token: &str| {
        let headers = [("cookie", cookie), ("asof-token", token)];
        world.get_with("/", &headers).await.text
    };
    for (cookie, theme) in [
        ("a=b; sid=of-ann", "dark"),
        ("sid=of-bob", "light"),
        ("sid=of-cleo", "light"),
        ("sid=of-dan", "light"),
        ("sid=of-nobody", "light"),
        ("sid=../../v1/time", "light"),
        ("other=1", "light"),
    ] {
        assert_eq!(shown(cookie, &token).await, format!("yes in {theme}"), "{cookie}");
    }
    // The value counts and not who has it: two executions for all of them.
    assert_eq!(page.executed(), 2);
    let token = world.put_json("users", "ann", "{\"theme\":\"light\"}").await;
    assert_eq!(shown("sid=of-ann", &token).await, "yes in light");
    assert_eq!(page.executed(), 0);
}

#[tokio::test]
async fn a_nested_call_may_use_only_the_state_that_its_parent_declares() {
    let front =
        Service::new(
            "front",
            |asked: Asked| async move { text(asked.get("page", "/").await.text) },
        )
        .await;
    for (declared, wanted) in [
        ("", "asof; fwd=miss; detail=unstorable-undeclared-state"),
        ("state = ['theme']", "asof; fwd=miss; stored"),
    ] {
        let page = themed().await;
        let more = on("front", declared) + &on("page", "state = ['theme']") + THEME;
        let world = World::start(&[&front, &page], &more).await;
        assert_eq!(world.get("/").await.outcome(), wanted);
    }
}

#[tokio::test]
async fn a_store_that_is_not_declared_is_refused_and_taints() {
    let front =
        Service::new(
            "front",
            |asked: Asked| async move { text(asked.get("page", "/").await.text) },
        )
        .await;
    let page = Service::new("page", |asked: Asked| async move { text(asked.read("begun").await) });
    let page = page.await;
    // Whether the route of the client or that of the reader does not declare it.
    for (of_front, of_page) in [("stores = ['other']", ""), ("", "stores = ['other']")] {
        let other = "[stores.other]\nurl = 'http://STORE'\n";
        let more = on("front", of_front) + &on("page", of_page) + other;
        let world = World::start(&[&front, &page], &more).await;
        for _ in 0..2 {
            let got = world.get("/").await;
            assert_eq!(got.text, "[403]", "{of_front}{of_page}");
            assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-contagion");
        }
        let report = world.admin(Method::GET, "/report").await.text;
        assert!(report.contains("\"unstorable-undeclared-store\":2"), "{report}");
    }
}

#[tokio::test]
async fn an_answer_without_inputs_is_kept_only_where_the_route_is_constant() {
    let page = Service::new("page", |_| async { text("always") }).await;
    for (declared, outcome) in
        [("", "asof; fwd=miss; detail=unstorable-no-inputs"), ("constant = true", "asof; hit")]
    {
        let world = World::start(&[&page], &on("page", declared)).await;
        world.get("/").await;
        world.put("unrelated", "x").await;
        assert_eq!(world.get("/").await.outcome(), outcome);
    }
}

#[tokio::test]
async fn credentials_and_cookies_pass_whole_where_the_route_declares_nothing_of_them() {
    let page = Service::new("page", |asked: Asked| async move {
        let read = asked.read("begun").await;
        text(format!("{read} {} {}", asked.header("authorization"), asked.header("cookie")))
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    for (name, value, seen) in
        [("authorization", "Bearer x", "yes Bearer x "), ("cookie", "a=b", "yes  a=b")]
    {
        for _ in 0..2 {
            let got = world.get_with("/", &[(name, value)]).await;
            assert_eq!(got.text, seen);
            assert_eq!(got.outcome(), "asof; fwd=bypass; detail=bypass-credentials");
        }
        assert_eq!(page.executed(), 2);
    }
    assert_eq!(world.get("/").await.text, "yes  ");
}

#[tokio::test]
async fn credentials_of_a_nested_call_pass_whole_and_keep_its_caller_out() {
    let page = Service::new("page", |asked: Asked| async move {
        let mut headers = HeaderMap::new();
        headers.insert("asof-context", asked.context());
        headers.insert("authorization", "Bearer inner".parse().unwrap());
        text(asked.call_with(headers, Method::GET, "part", "/", "").await.text)
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let read = asked.read("begun").await;
        text(format!("{read} {}", asked.header("authorization")))
    })
    .await;
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    for _ in 0..2 {
        let got = world.get("/").await;
        assert_eq!(got.text, "yes Bearer inner");
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-no-validity");
    }
    // Where it counts, it is part of the call.
    let more = on("page", "") + &on("part", "headers = ['x-tenant']");
    let world = World::start(&[&page, &part], &more).await;
    assert_eq!(world.get("/").await.text, "yes Bearer inner");
}

/// What a service and what it calls see of time, as lines.
async fn clocked() -> Service {
    Service::new("page", |asked: Asked| async move {
        let nested = asked.get("main", "/v1/spaces/goods/keys/begun").await;
        let listed = asked.get("main", "/v1/spaces/goods/keys?values=true").await;
        let part = asked.get("part", "/").await;
        let mut lines = Vec::new();
        for (whose, headers) in [
            ("own", &asked.headers),
            ("nested", &nested.headers),
            ("listed", &listed.headers),
            ("part", &part.headers),
        ] {
            for name in headers.keys().map(http::HeaderName::as_str) {
                let harmless = matches!(
                    name,
                    "host"
                        | "asof-context"
                        | "asof-depth"
                        | "baggage"
                        | "traceparent"
                        | "via"
                        | "content-type"
                        | "content-length"
                        | "etag"
                        | "forwarded"
                        | "accept"
                );
                if !harmless {
                    lines.push(format!("{whose} {name}={}", headers[name].to_str().unwrap()));
                }
            }
        }
        lines.push(format!("etag {}", listed.header("etag")));
        lines.push(format!("page {}", listed.text));
        text(lines.join("\n"))
    })
    .await
}

async fn dated() -> Service {
    Service::new("part", |asked: Asked| async move {
        let mut answer = text(asked.read("begun").await);
        let headers = answer.headers_mut();
        headers.insert("date", "Mon, 23 Nov 2026 09:00:00 GMT".parse().unwrap());
        headers.insert("as-of", "2026-11-23T09:00:00Z".parse().unwrap());
        headers.insert("age", "7".parse().unwrap());
        answer
    })
    .await
}

#[tokio::test]
async fn the_moment_does_not_leak_to_services_that_do_not_declare_time() {
    let (page, part) = (clocked().await, dated().await);
    let world = World::start(&[&page, &part], &(on("page", "") + &on("part", ""))).await;
    let asked = [
        ("date", "Mon, 23 Nov 2026 09:00:00 GMT"),
        ("if-modified-since", "Mon, 23 Nov 2026 09:00:00 GMT"),
        ("x-time", "now"),
    ];
    let got = world.get_with("/", &asked).await;
    let told =
        got.text.lines().filter(|line| !line.starts_with("etag") && !line.starts_with("page"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&str>::new());
    for time in ["as_of", "from", "through", "until", "effective", "commit"] {
        assert!(!got.text.contains(&format!("\"{time}\"")), "{}", got.text);
    }
    // The same listing at another moment is the same to the last byte.
    let token = world.put("begun", "yes").await;
    let again = world.get_after(&token, "/").await;
    assert_eq!(again.text, got.text);
}

#[tokio::test]
async fn exact_time_is_shown_and_true_for_that_instant() {
    let page = Service::new("page", |asked: Asked| async move {
        let nested = asked.get("main", "/v1/spaces/goods/keys/begun").await;
        text(format!("{}{}", asked.header("as-of"), nested.header("as-of")))
    })
    .await;
    let world = World::start(&[&page], &on("page", "time = 'exact'")).await;
    let token = world.put("a", "b").await;
    let one = world.get_after(&token, "/").await;
    assert_eq!(one.text, one.header("as-of"));
    let token = world.put("a", "b").await;
    let other = world.get_after(&token, "/").await;
    assert_eq!(other.text, other.header("as-of"));
    assert_ne!(one.text, other.text);
    assert_eq!(other.outcome(), "asof; fwd=miss; stored");
}

#[tokio::test]
async fn a_bucket_of_time_is_shown_and_true_until_it_ends() {
    let page = Service::new("page", |asked: Asked| async move {
        let read = asked.read("begun").await;
        text(format!("{read} {} {}", asked.header("asof-time"), asked.header("as-of")))
    })
    .await;
    let more = on("page", "time = 'year'\nzone = 'Europe/Berlin'\nas_of = 'closed'");
    let world = World::start(&[&page], &more).await;
    let token = world.put("unrelated", "x").await;
    let one = world.get_after(&token, "/").await;
    assert!(one.text.contains("-01-01T00:00:00+01:00"), "{}", one.text);
    let token = world.put("unrelated", "y").await;
    let other = world.get_after(&token, "/").await;
    assert_eq!(other.text, one.text);
    assert_eq!(other.outcome(), "asof; hit; detail=verified");
    assert_eq!(page.executed(), 1);
}
