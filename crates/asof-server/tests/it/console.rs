//! The console as a browser meets it.

mod acts;

use std::sync::Arc;

use asof_env::testing::ManualClock;
use asof_server::{Access, Settings, Transport};
use asof_store::{DryRun, Erase, Known, Role, Scope, SpaceName};
use asof_time::Timestamp;

use crate::service::{Reply, Service};

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml");
const HOST: (&str, &str) = ("host", "localhost:7400");
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Every page, with the query it takes in a store that holds `s/k` and commit 1.
const PAGES: [&str; 9] = [
    "/",
    "/console/space?space=s",
    "/console/key?space=s&key=k",
    "/console/diff?space=s",
    "/console/log",
    "/console/commit?id=1",
    "/console/pins",
    "/console/cap",
    "/console/density.svg",
];

/// Those that take an operator.
const OPERATORS: [&str; 4] =
    ["/console/releases", "/console/plan", "/console/audit", "/console/edges"];

impl Service {
    async fn page(&self, path: &str) -> Reply {
        self.send("GET", path, &[HTML, HOST], "").await
    }

    async fn visit(&self, path: &str, cookie: &str) -> Reply {
        self.send("GET", path, &[HTML, HOST, ("cookie", cookie)], "").await
    }

    async fn act(&self, form: &str, cookie: &str) -> Reply {
        let headers = [HTML, HOST, OWN, FORM, ("cookie", cookie)];
        self.send("POST", "/console/act", &headers, form.to_owned()).await
    }

    /// Logs in; returns the cookie as the browser sends it back.
    async fn log_in(&self, secret: &str) -> String {
        let form = format!("token={secret}&next=%2Fconsole%2Fcap");
        let reply = self.send("POST", "/console/login", &[HOST, OWN, FORM], form).await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        assert_eq!(reply.header("location"), "/console/cap");
        reply.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

fn filled(access: Access) -> Service {
    let service = Service::new(access);
    service.store.create_space(&SpaceName::new("s").unwrap(), crate::service::actor()).unwrap();
    let writes = asof_store::CommitRequest {
        author: "ada".to_owned(),
        writes: vec![asof_store::Write {
            space: SpaceName::new("s").unwrap(),
            key: asof_store::Key::new("k").unwrap(),
            op: asof_store::Op::Put(asof_store::Value::json(r#"{"a":1}"#)),
            precondition: asof_store::Precondition::None,
        }],
        ..asof_store::CommitRequest::default()
    };
    let at = service.store.commit(writes).unwrap().effective;
    service.store.wait_closed(at, std::time::Duration::from_secs(10));
    service
}

#[tokio::test]
async fn every_page_is_there_and_says_what_a_browser_may_do_with_it() {
    let service = filled(Access::Loopback);
    for path in PAGES.iter().chain(&OPERATORS) {
        let reply = service.page(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert_eq!(reply.header("cache-control"), "private, no-cache", "{path}");
        assert_eq!(reply.header("vary"), "cookie");
        let head = service.send("HEAD", path, &[HTML, HOST], "").await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
        let posted = service.send("POST", path, &[HTML, HOST, OWN], "").await;
        let allow = posted.header("allow").to_owned();
        assert_eq!((posted.problem().0, allow.as_str()), (405, "GET,HEAD"), "{path}");
    }
}

#[tokio::test]
async fn the_root_is_for_browsers_and_other_paths_are_as_unknown_as_before() {
    let service = filled(Access::InProcess);
    assert_eq!(service.get("/").await.problem(), (404, "NoSuchRoute".to_owned()));
    for path in ["/console", "/console/", "/console/else", "/else", "/console/assets/x/console.js"]
    {
        assert_eq!(service.page(path).await.problem().0, 404, "{path}");
    }
    assert!(!service.get("/openapi.json").await.text().contains("console"));
    let wrong = service.page("/console/space?space=s&prefics=a").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("knows no `prefics`"), "{}", wrong.text());
}

#[tokio::test]
async fn assets_are_those_of_the_build_and_kept_for_ever() {
    let service = filled(Access::InProcess);
    let page = service.page("/").await.text();
    for name in ["console.css", "console.js", "icon.svg"] {
        let end = page.find(name).unwrap() + name.len();
        let start = page[..end].rfind('"').unwrap() + 1;
        let reply = service.page(&page[start..end]).await;
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_page_about_a_closed_moment_is_at_one_url_and_kept_for_ever() {
    let service = filled(Access::InProcess);
    let at = service.store.time().latest.as_micros();
    for path in [
        format!("/console/space?space=s&at={at}"),
        format!("/console/key?space=s&key=k&at={at}"),
        format!("/console/diff?space=s&at={at}"),
        format!("/console/diff?space=s&from=0&at={at}"),
    ] {
        let reply = service.page(&path).await;
        assert_eq!(reply.status, 302, "{path}: {}", reply.text());
        let whole = reply.header("location").to_owned();
        for part in [format!("at={at}"), "epoch=".to_owned(), "build=".to_owned()] {
            assert!(whole.contains(&part), "{whole}");
        }
        assert!(!path.contains("diff") || whole.contains("from="), "{whole}");
        let first = service.page(&whole).await;
        assert_eq!(first.status, 200, "{whole}: {}", first.text());
        assert_eq!(first.header("cache-control"), "private, max-age=31536000, immutable");
        // Another commit later, the page is what it was.
        service.put("/v1/spaces/s/keys/k", r#"{"a":2}"#).await;
        service.put("/v1/spaces/t/keys/k", "1").await;
        let later = service.page(&whole).await.text();
        let open = "on, not written since";
        assert_eq!(until(&first.text(), open), until(&later, open), "{whole}");
        // Of another program, the page is elsewhere; of another timeline, nowhere.
        let build = whole.replace("build=", "build=x");
        assert_eq!(service.page(&build).await.header("location"), whole);
        let epoch = &whole[whole.find("epoch=").unwrap() + 6..][..14];
        let reply = service.page(&whole.replace(epoch, "00000000000000")).await;
        assert!(reply.text().contains("WrongEpoch"), "{}", reply.text());
    }
    let reply = service.page("/console/space?space=s&at=2250-01-01").await;
    assert!(reply.text().contains("NotYetClosed"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
}

/// A page without how long a value is known to be true: that may be told more widely later.
fn until(page: &str, open: &str) -> String {
    let lines = page.lines().filter(|line| !line.contains(open) && !line.contains("\"truth\""));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_no_page_of_the_console_sent_is_refused_by_name() {
    let service = filled(Access::InProcess);
    let at = service.store.time().latest.as_micros();
    let form = format!("action=cap-set&step=do&at={at}&reason=x");
    for (headers, why) in [
        (vec![HOST], "neither Sec-Fetch-Site nor Origin"),
        (vec![HOST, ("sec-fetch-site", "cross-site")], "Sec-Fetch-Site is `cross-site`"),
        (vec![HOST, ("sec-fetch-site", "same-site")], "Sec-Fetch-Site is `same-site`"),
        (vec![HOST, ("origin", "http://localhost:3000")], "Origin is `http://localhost:3000`"),
        (vec![HOST, OWN, ("origin", "http://evil.example")], "Origin is `http://evil.example`"),
        (vec![HOST, OWN, ("origin", "null")], "Origin is `null`"),
    ] {
        for path in ["/console/act", "/console/login", "/console/logout"] {
            let reply = service.send("POST", path, &headers, form.clone()).await;
            assert_eq!(reply.problem(), (403, "Forbidden".to_owned()), "{headers:?}");
            assert!(reply.text().contains(why), "{why}: {}", reply.text());
        }
    }
    assert_eq!(service.store.cap(), None);
    let own = [HOST, ("origin", "http://localhost:7400")];
    assert_eq!(service.send("POST", "/console/act", &own, form).await.status, 303);
    assert_eq!(service.store.cap().unwrap().at.as_micros(), at);
}

#[tokio::test]
async fn without_tokens_only_this_machine_is_a_host() {
    let service = filled(Access::Loopback);
    let rebound = [HTML, ("host", "evil.example")];
    let reply = service.send("GET", "/console/log", &rebound, "").await;
    assert_eq!(reply.problem(), (403, "Forbidden".to_owned()));
    assert_eq!(service.page("/console/log").await.status, 200);
}

#[tokio::test]
async fn a_token_is_sent_once_and_a_session_takes_its_place() {
    let service = filled(Access::Tokens);
    let secret = service.token("ops", Role::Operator, Scope::All);
    let asked = service.page("/console/cap?at=5").await;
    assert_eq!((asked.status.as_u16(), asked.header("www-authenticate")), (401, "Bearer"));
    assert!(asked.text().contains(r#"name="next" value="/console/cap?at=5""#), "{}", asked.text());
    for path in ["/console/feed", "/console/density.svg"] {
        assert_eq!(service.page(path).await.problem().0, 401, "{path}");
    }
    let wrong = service
        .send("POST", "/console/login", &[HOST, OWN, FORM], "token=asof_x&next=//evil.example")
        .await;
    assert_eq!((wrong.status.as_u16(), wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text().contains(r#"name="next" value="/""#), "no way to another host");
    let cookie = service.log_in(&secret).await;
    for path in PAGES.iter().chain(&OPERATORS) {
        let reply = service.visit(path, &cookie).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert!(!reply.text().contains(&secret), "{path}");
    }
    // The API knows nothing of sessions.
    let api = service.send("GET", "/v1/time", &[("cookie", &cookie)], "").await;
    assert_eq!(api.status, 401);
    // Another session is another one.
    let other = service.log_in(&secret).await;
    assert_ne!(cookie, other);
    let headers = [HOST, OWN, ("cookie", cookie.as_str())];
    let out = service.send("POST", "/console/logout", &headers, "").await;
    assert_eq!((out.status.as_u16(), out.header("clear-site-data")), (303, "\"cache\""));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(service.visit("/", &cookie).await.status, 401);
    assert_eq!(service.visit("/", &other).await.status, 200);
    // A token that is revoked takes its sessions with it.
    service.store.revoke_token("ops", crate::service::actor()).unwrap();
    assert_eq!(service.visit("/", &other).await.status, 401);
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone() {
    let settings = Settings { transport: Transport::Tls, ..Settings::default() };
    let service = Service::with(Access::Tokens, settings);
    let secret = service.token("ops", Role::Operator, Scope::All);
    let form = format!("token={secret}");
    let reply = service.send("POST", "/console/login", &[HOST, OWN, FORM], form).await;
    let cookie = reply.header("set-cookie");
    assert!(cookie.starts_with("__Host-asof-session="), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure", "; Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let clock = Arc::new(ManualClock::new(Timestamp::MIN));
    let settings = Settings { clock: clock.clone(), ..Settings::default() };
    let service = Service::with(Access::Tokens, settings);
    let secret = service.token("ops", Role::Operator, Scope::All);
    let cookie = service.log_in(&secret).await;
    assert_eq!(service.visit("/console/cap", &cookie).await.status, 200);
    clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(service.visit("/console/cap", &cookie).await.status, 401);
}

#[tokio::test]
async fn roles_and_spaces_are_those_of_the_api() {
    let service = filled(Access::Tokens);
    let operator = service.log_in(&service.token("o", Role::Operator, Scope::All)).await;
    let writer = service.log_in(&service.token("w", Role::Writer, Scope::All)).await;
    let reader = service.log_in(&service.token("r", Role::Reader, Scope::All)).await;
    let other = Scope::Spaces(vec![SpaceName::new("other").unwrap()]);
    let other = service.log_in(&service.token("x", Role::Reader, other)).await;
    let at = service.store.time().latest.as_micros();
    let form = format!("action=cap-set&step=do&at={at}&reason=x");
    for cookie in [&reader, &writer] {
        for path in PAGES {
            assert_eq!(service.visit(path, cookie).await.status, 200, "{path}");
        }
        for path in OPERATORS {
            assert_eq!(service.visit(path, cookie).await.status, 403, "{path}");
        }
        let beyond = format!("/console/space?space=s&at={at}&above_cap=true");
        assert_eq!(service.visit(&beyond, cookie).await.status, 403);
        let cap = service.visit("/console/cap", cookie).await.text();
        assert!(!cap.contains("/console/act"), "what one may not do is not offered");
        for step in [form.clone(), form.replace("&step=do", "")] {
            let reply = service.act(&step, cookie).await;
            assert_eq!(reply.status, 403, "{}", reply.text());
        }
    }
    assert_eq!(service.store.cap(), None);
    for path in ["/console/space?space=s", "/console/key?space=s&key=k", "/console/diff?space=s"] {
        assert_eq!(service.visit(path, &other).await.status, 403, "{path}");
    }
    assert_eq!(service.visit("/console/commit?id=1", &other).await.status, 404);
    for path in ["/", "/console/log", "/console/density.svg"] {
        let reply = service.visit(path, &other).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(!reply.text().contains("space=s&") && !reply.text().contains("ada"), "{path}");
        assert!(!reply.text().contains("<rect"), "how much others write is not told");
    }
    assert_eq!(service.act(&form, &operator).await.status, 303);
    let by = service.store.cap().unwrap().by;
    assert_eq!((by.name.as_str(), by.reason.as_str()), ("o", "x"));
}

#[tokio::test]
async fn a_cap_takes_the_word_that_its_dry_run_says() {
    let settings = Settings { confirm_above_keys: 3, ..Settings::default() };
    let service = Service::with(Access::InProcess, settings);
    let start = service.put("/v1/spaces/s/keys/a", "1").await;
    for key in ["a", "b", "c", "d", "<script>"] {
        let path = format!("/v1/spaces/s/keys/{}", key.replace('<', "%3C").replace('>', "%3E"));
        service.put(&path, "\"<img src=x onerror=alert(1)>\"").await;
    }
    let form = format!("action=cap-set&at={start}&reason=too+high&expires=1h");
    let look = service.act(&form, "").await;
    let text = look.text();
    assert_eq!(look.status, 200, "{text}");
    assert_eq!(look.header("cache-control"), "no-store");
    assert!(text.contains("5 keys answer differently"), "{text}");
    assert!(text.contains("type <code>5-keys</code>") && !text.contains("<img src=x"), "{text}");
    assert_eq!(service.store.cap(), None, "looking does nothing");
    for wrong in ["", "&confirm=4-keys", "&confirm=5", "&confirm=yes"] {
        let reply = service.act(&format!("{form}&step=do{wrong}"), "").await;
        assert!(reply.status.is_client_error(), "{wrong}: {}", reply.status);
        assert!(reply.text().contains("Nothing was done"), "{}", reply.text());
        assert_eq!(service.store.cap(), None, "{wrong}");
    }
    let done = service.act(&format!("{form}&step=do&confirm=5-keys"), "").await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/console/cap"));
    let cap = service.store.cap().unwrap();
    assert_eq!(cap.at.as_micros(), start);
    assert!(cap.expires.is_some());
    // A second operator who saw no cap is told.
    let late = service.act(&format!("{form}&step=do&confirm=5-keys"), "").await;
    assert_eq!(late.status, 409, "{}", late.text());
    assert!(late.text().contains("there is a cap already"), "{}", late.text());
    let at = cap.at.as_micros();
    let clear = format!("action=cap-clear&at={at}&reason=mended&step=do&confirm=5-keys");
    assert_eq!(service.act(&clear, "").await.status, 303);
    assert_eq!(service.store.cap(), None);
}

#[tokio::test]
async fn above_the_cap_an_operator_looks_by_name() {
    let service = filled(Access::InProcess);
    let low = service.store.time().latest;
    let high = service.put("/v1/spaces/s/keys/k", r#"{"a":"after"}"#).await;
    let set = format!("action=cap-set&at={}&reason=x&step=do", low.as_micros());
    assert_eq!(service.act(&set, "").await.status, 303);
    let path = format!("/console/key?space=s&key=k&at={high}");
    let whole = service.page(&path).await.header("location").to_owned();
    let refused = service.page(&whole).await;
    assert!(refused.text().contains("AboveCap"), "{}", refused.text());
    let beyond = service.page(&format!("{whole}&above_cap=true")).await;
    assert_eq!(beyond.status, 200, "{}", beyond.text());
    assert!(beyond.text().contains("after"));
    assert_eq!(beyond.header("cache-control"), "private, no-cache");
    // At latest everybody sees what was.
    let latest = service.page("/console/key?space=s&key=k").await.text();
    assert!(!latest.contains("after"), "{latest}");
    let log = service.page("/console/log").await.text();
    assert!(!log.contains(&format!("at={high}")), "{log}");
}

#[tokio::test]
async fn a_key_of_any_text_is_found_again_from_every_page() {
    let service = Service::open();
    for key in ["a/b c", "..", "?&=#", "ä\u{202e}", "nul\0\n", "%2e%2e", "+"] {
        let encoded =
            percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        let body = serde_json::json!({"writes": [{"space": "s", "key": key, "value": "held"}]});
        let headers = [("content-type", "application/json")];
        let reply = service.send("POST", "/v1/commits", &headers, body.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let page = service.page(&format!("/console/key?space=s&key={encoded}")).await;
        assert_eq!(page.status, 200, "{key:?}: {}", page.text());
        assert!(page.text().contains("&#34;held&#34;"), "{key:?}: {}", page.text());
        let list = service.page("/console/space?space=s").await.text();
        let links = list.split("href=\"/console/key?").skip(1);
        let mut found = 0;
        for link in links {
            let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
            let shown = service.page(&format!("/console/key?{link}")).await;
            assert_eq!(shown.status, 200, "{link}: {}", shown.text());
            assert!(!shown.text().contains("It holds nothing"), "{link}");
            found += 1;
        }
        assert!(found > 0);
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_or_no_form_is_refused() {
    let service = filled(Access::InProcess);
    let large = format!("action=cap-set&reason={}", "x".repeat(40 << 10));
    assert_eq!(service.act(&large, "").await.problem(), (413, "TooLarge".to_owned()));
    for wrong in ["action=%ff", "action=cap-set&action=cap-set", "unknown=1"] {
        assert_eq!(service.act(wrong, "").await.problem().0, 400, "{wrong}");
    }
    for (wrong, status) in [
        ("", 400),
        ("action=drop", 400),
        ("action=cap-set&at=5&step=do", 400),
        ("action=cap-set&at=x&reason=r&step=do", 400),
        ("action=cap-set&reason=a%0Ab&at=5&step=do", 400),
        ("action=cap-clear&at=5&reason=r&step=do", 409),
        ("action=pin-release&name=none&step=do", 404),
        ("action=release-cancel&name=none&step=do", 404),
        ("action=bad-mark&id=99&reason=r&step=do", 404),
        ("action=bad-mark&id=x&reason=r&step=do", 400),
    ] {
        let reply = service.act(wrong, "").await;
        assert_eq!(reply.status, status, "{wrong}: {}", reply.text());
    }
    assert_eq!(service.store.cap(), None);
}

#[tokio::test]
async fn the_density_holds_every_commit_and_history_that_was_imported_later() {
    let service = filled(Access::InProcess);
    let bars = async || {
        // Counting goes on in the background; a page waits for it only a little.
        for _ in 0..1_000 {
            let span = service.page("/console/density.json?window=all").await.json();
            if span["whole"] == true {
                let svg = service.page("/console/density.svg?window=all").await;
                assert_eq!(svg.header("content-type"), "image/svg+xml");
                return (svg.text().matches("<rect").count(), span);
            }
        }
        panic!("the log is never counted");
    };
    let (few, span) = bars().await;
    assert_eq!(few, 1);
    assert!(span["from"].as_u64() < span["shown"].as_u64(), "{span}");
    let reply = service.send("PUT", "/v1/spaces/h", &[], r#"{"state":"importing"}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let now = service.store.time().closed.as_micros();
    let days: Vec<String> = (1..=90_u64)
        .rev()
        .map(|day| {
            let at = now - day * 86_400_000_000;
            format!("{{\"at\":{at},\"source\":\"{day}\",\"writes\":[{{\"key\":\"k\",\"value\":{day}}}]}}")
        })
        .collect();
    assert_eq!(service.send("POST", "/v1/spaces/h/import", &[], days.join("\n")).await.status, 200);
    assert_eq!(bars().await.0, 1, "what is being imported is not seen");
    let live = service.send("POST", "/v1/spaces/h/live", &[("asof-reason", "x")], "").await;
    assert_eq!(live.status, 200, "{}", live.text());
    let (many, _) = bars().await;
    assert!((40..=160).contains(&many), "{many}");
}

/// What an edge tells, with so many answers out of what it held.
fn told(held: u64) -> serde_json::Value {
    serde_json::json!({
        "routes": [{
            "route": "GET pages /{*path}", "mode": "on", "standing": "quarantined: <b>why</b>",
            "agreed": 5, "observed_min": 5, "mismatches": 1, "executions": 2, "held": held,
            "hit_rate": 0.5, "unstorable": {"set-cookie": 3}
        }],
        "stores": [{
            "store": "main", "epoch": null, "through": 5_000_000, "cap": null, "floor": 0,
            "silent_ms": 12, "lag_ms": 40
        }],
        "peers": [],
        "cache": {
            "entries": 7, "bytes": 2_048, "executions": 0, "changes": 0, "evicted": 0,
            "evicted_inside_window": 0
        },
        "explained": [{
            "call": "GET pages /<script>", "key": "k", "known": "held", "from": 1, "through": 5,
            "inputs": [{"call": "GET main /v1/spaces/s/keys/k", "key": "l", "known": "held",
                        "limits": ["from", "end"]}]
        }],
        "of-a-later-version": true
    })
}

#[tokio::test]
async fn an_edge_that_tells_how_it_stands_is_shown_and_nothing_is_believed_twice() {
    let clock = Arc::new(ManualClock::new(Timestamp::MIN));
    let settings = Settings { clock: clock.clone(), ..Settings::default() };
    let service = Service::with(Access::Tokens, settings);
    let operator = service.log_in(&service.token("o", Role::Operator, Scope::All)).await;
    let bearer = |name| format!("Bearer {}", service.token(name, Role::Reader, Scope::All));
    let (one, other) = (bearer("e1"), bearer("e2"));
    let tell = async |name: &str, token: &str, body: serde_json::Value| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        service.send("PUT", &format!("/v1/edges/{name}"), &headers, body.to_string()).await
    };
    for held in [10, 30] {
        let reply = tell("edge-1", &one, told(held)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        clock.advance(std::time::Duration::from_secs(10));
    }
    // Nobody else speaks under its name while it lives.
    assert_eq!(tell("edge-1", &other, told(1)).await.problem(), (409, "Conflict".to_owned()));
    let page = service.visit("/console/edges", &operator).await.text();
    for text in
        ["edge-1", "10 s ago", "quarantined: &#60;b&#62;why", "set-cookie 3", "/&#60;script&#62;"]
    {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains("limits: from, end") && page.matches("<rect").count() == 2, "{page}");
    let headers = [("authorization", one.as_str())];
    let list = service.send("GET", "/v1/edges", &headers, "").await;
    assert_eq!(list.problem(), (403, "Forbidden".to_owned()), "a reader tells, and does not look");
    clock.advance(std::time::Duration::from_secs(30));
    let page = service.visit("/console/edges", &operator).await.text();
    assert!(page.contains("last heard 40 s ago"), "{page}");
    // What is too much is refused: names, routes, bytes, edges.
    let mut large = told(1);
    large["explained"][0]["call"] = "x".repeat(300 << 10).into();
    assert_eq!(tell("edge-2", &one, large).await.problem(), (413, "TooLarge".to_owned()));
    assert_eq!(tell("a%00b", &one, told(1)).await.problem().0, 400);
    assert_eq!(tell(&"n".repeat(129), &one, told(1)).await.problem().0, 400);
    for number in 0..63 {
        assert_eq!(tell(&format!("many-{number}"), &one, told(1)).await.status, 200);
    }
    assert_eq!(tell("one-too-many", &one, told(1)).await.problem().0, 413);
    clock.advance(std::time::Duration::from_hours(1));
    let page = service.visit("/console/edges", &operator).await;
    assert_eq!(page.status, 401, "the session went with the hour");
    assert_eq!(tell("edge-1", &other, told(1)).await.status, 200, "and so did the edges");
}

#[tokio::test]
async fn what_was_erased_is_called_so_and_no_page_is_kept_for_ever_from_then_on() {
    let service = filled(Access::Loopback);
    let before = service.store.time().closed.as_micros();
    let space = SpaceName::new("s").unwrap();
    let then = |path: &str| format!("{path}&at={before}");
    let fact =
        service.page(&then("/console/key?space=s&key=k")).await.header("location").to_owned();
    let kept = service.page(&fact).await;
    assert_eq!(kept.header("cache-control"), "private, max-age=31536000, immutable");
    let key = asof_store::Key::new("k").unwrap();
    let erase = Erase { space, key, versions: Some(1), known: Known::default() };
    service.store.erase(&erase, crate::service::actor(), DryRun::No).unwrap();
    let gone = service.page(&fact).await;
    assert_eq!(gone.status, 410, "{}", gone.text());
    assert!(!gone.text().contains("&#34;a&#34;"), "{}", gone.text());
    let shown = "class=\"grow gone\">erased";
    assert!(service.page("/console/space?space=s").await.text().contains(shown));
    let written = service.page("/console/commit?id=2").await;
    assert!(written.text().contains("<span class=\"gone\">erased</span>"), "{}", written.text());
    let space = service.page(&then("/console/space?space=s")).await.header("location").to_owned();
    assert_eq!(service.page(&space).await.header("cache-control"), "private, no-cache");
    let changed = service.page("/console/diff?space=s&from=1").await;
    assert!(changed.text().contains("<span class=\"kind erased\">erased</span>"));
}
