//! Who may do what.

use asof_api::routes::{Needs, ROUTES};
use asof_server::Access;
use asof_store::{Role, Scope, SpaceName};

use crate::service::Service;
use http_body_util::BodyExt as _;

fn some(name: &str) -> Scope {
    Scope::Spaces(vec![SpaceName::new(name).unwrap()])
}

#[tokio::test]
async fn each_role_does_what_the_table_says() {
    let service = Service::new(Access::Tokens);
    let secrets = [
        (Role::Reader, service.token("r", Role::Reader, Scope::All)),
        (Role::Writer, service.token("w", Role::Writer, Scope::All)),
        (Role::Operator, service.token("o", Role::Operator, Scope::All)),
    ];
    for route in ROUTES {
        let path = route
            .path
            .replace("{*key}", "k")
            .replace("{space}", "s")
            .replace("{id}", "1")
            .replace("{name}", "n");
        let method = route.method.method();
        let open = route.needs == Needs::Nothing;
        let reply = service.respond(request(&method, &path, None)).await;
        assert_eq!(reply.status() == 401, !open, "{method} {path}");
        for (role, secret) in &secrets {
            let needed = match route.needs {
                Needs::Nothing | Needs::Reader => Role::Reader,
                Needs::Writer => Role::Writer,
                Needs::Operator => Role::Operator,
            };
            let reply = service.respond(request(&method, &path, Some(secret))).await;
            assert_ne!(reply.status(), 401, "{method} {path}");
            assert_eq!(reply.status() == 403, *role < needed, "{method} {path} {role:?}");
        }
    }
}

fn request(
    method: &http::Method,
    path: &str,
    secret: Option<&str>,
) -> http::Request<asof_server::Body> {
    let mut request = http::Request::builder().method(method).uri(path);
    if let Some(secret) = secret {
        request = request.header("authorization", format!("Bearer {secret}"));
    }
    request.body(asof_server::Body::empty()).unwrap()
}

#[tokio::test]
async fn a_token_for_some_spaces_is_for_no_others() {
    let service = Service::new(Access::Tokens);
    let all = bearer(&service.token("all", Role::Operator, Scope::All));
    let own = bearer(&service.token("own", Role::Operator, some("mine")));
    let all = [("authorization", all.as_str())];
    let own = [("authorization", own.as_str())];
    for space in ["mine", "theirs"] {
        let path = format!("/v1/spaces/{space}/keys/k");
        assert_eq!(service.send("PUT", &path, &all, "1").await.status, 200);
    }
    for (method, path, body, status) in [
        ("GET", "/v1/spaces/mine/keys/k", "", 200),
        ("GET", "/v1/spaces/theirs/keys/k", "", 403),
        ("PUT", "/v1/spaces/theirs/keys/k", "2", 403),
        ("GET", "/v1/spaces/theirs/history/k", "", 403),
        ("GET", "/v1/spaces/theirs", "", 403),
        ("GET", "/v1/commits", "", 403),
        ("GET", "/v1/commits?spaces=mine", "", 200),
        ("GET", "/v1/commits?spaces=mine,theirs", "", 403),
        ("GET", "/v1/feed", "", 403),
        ("GET", "/v1/control", "", 403),
        ("GET", "/v1/tokens", "", 403),
        ("DELETE", "/v1/cap", "", 403),
        ("POST", "/v1/backup", "", 403),
        ("POST", "/v1/read", r#"{"keys":[{"space":"theirs","key":"k"}]}"#, 403),
        ("POST", "/v1/read", r#"{"keys":[{"space":"mine","key":"k"}]}"#, 200),
        ("POST", "/v1/commits", r#"{"writes":[{"space":"theirs","key":"k","value":1}]}"#, 403),
        ("PUT", "/v1/spaces/mine/retention", r#""all""#, 200),
    ] {
        let headers = [own[0], ("asof-reason", "test")];
        let reply = service.send(method, path, &headers, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
    }
    let spaces = service.send("GET", "/v1/spaces", &own, "").await.json();
    assert_eq!(spaces["spaces"].as_array().unwrap().len(), 1);
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked_at_once() {
    let service = Service::new(Access::Loopback);
    let reply = service.send("PUT", "/v1/tokens/first", &[], r#"{"role":"reader"}"#).await;
    assert_eq!(reply.problem(), (409, "Conflict".to_owned()));
    let body = r#"{"role":"operator"}"#;
    let headers = [("asof-reason", "setup")];
    let reply = service.send("PUT", "/v1/tokens/first", &headers, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let secret = reply.json()["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("asof_") && secret.len() == 48, "{secret}");
    // From now on a token is needed, on loopback too.
    let reply = service.get("/v1/time").await;
    assert_eq!(reply.problem(), (401, "Unauthorized".to_owned()));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    let secret = bearer(&secret);
    let headers = [("authorization", secret.as_str()), ("asof-reason", "setup")];
    let listed = service.send("GET", "/v1/tokens", &headers, "").await;
    assert!(!listed.text().contains("secret"), "{}", listed.text());
    let reply = service
        .send("PUT", "/v1/tokens/second", &headers, r#"{"role":"reader","spaces":["s"]}"#)
        .await;
    let second = bearer(reply.json()["secret"].as_str().unwrap());
    let as_second = [("authorization", second.as_str())];
    assert_eq!(service.send("GET", "/v1/time", &as_second, "").await.status, 200);
    let reply = service.send("DELETE", "/v1/tokens/second", &headers, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = service.send("GET", "/v1/time", &as_second, "").await;
    assert_eq!(reply.problem(), (401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn with_a_token_answers_are_private() {
    let service = Service::new(Access::Tokens);
    let secret = bearer(&service.token("w", Role::Writer, Scope::All));
    let headers = [("authorization", secret.as_str())];
    service.send("PUT", "/v1/spaces/s/keys/k", &headers, "1").await;
    let time = service.store.time();
    let path = format!("/v1/spaces/s/keys/k?as_of={}&epoch={}", time.closed, time.epoch);
    let reply = service.send("GET", &path, &headers, "").await;
    assert_eq!(reply.header("cache-control"), "private, max-age=31536000, immutable");
    let reply = service.send("GET", "/v1/commits/1", &headers, "").await;
    assert_eq!(reply.json()["author"], "w");
}

/// The audit named whom the pin claimed as its owner, and nobody knew whose token had made it.
#[tokio::test]
async fn the_audit_names_the_token_that_made_a_pin_and_not_only_its_claimed_owner() {
    let service = Service::new(Access::Tokens);
    let secret = bearer(&service.token("night", Role::Operator, Scope::All));
    let headers = [("authorization", secret.as_str())];
    service.send("PUT", "/v1/spaces/s/keys/k", &headers, "1").await;
    let pin = r#"{"owner":"batch","reason":"report","ttl_seconds":60}"#;
    let reply = service.send("PUT", "/v1/pins/report", &headers, pin).await;
    assert_eq!(reply.json()["owner"], "batch", "{}", reply.text());
    let audit = service.send("GET", "/v1/control", &headers, "").await.json();
    let records = audit["records"].as_array().unwrap();
    let made = records.iter().find(|record| record["action"] == "pin-created").unwrap();
    assert_eq!(made["by"], "batch (token night)", "{made}");
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_and_a_rebound_name_reads_nothing() {
    let service = Service::new(Access::Loopback);
    let put = "PUT";
    for (method, headers, status) in [
        (put, &[("host", "localhost:7400")][..], 200),
        (put, &[("host", "[::1]:7400"), ("origin", "http://[::1]:7400")], 200),
        (put, &[("host", "127.0.0.1"), ("sec-fetch-site", "same-origin")], 200),
        (put, &[("host", "127.0.0.1"), ("sec-fetch-site", "cross-site")], 403),
        (put, &[("host", "127.0.0.1"), ("sec-fetch-site", "same-site")], 403),
        (put, &[("host", "localhost"), ("origin", "https://evil.example")], 403),
        (put, &[("host", "localhost"), ("origin", "null")], 403),
        ("GET", &[("host", "localhost"), ("sec-fetch-site", "cross-site")], 200),
        ("GET", &[("host", "evil.example:7400")], 403),
        ("GET", &[("host", "localhost.evil.example")], 403),
    ] {
        let body = if method == put { "1" } else { "" };
        let reply = service.send(method, "/v1/spaces/s/keys/k", headers, body).await;
        assert_eq!(reply.status, status, "{method} {headers:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_commit_over_several_spaces_shows_a_scoped_token_its_own_part_only() {
    let service = Service::new(Access::Tokens);
    let all = bearer(&service.token("all", Role::Operator, Scope::All));
    let own = bearer(&service.token("own", Role::Reader, some("mine")));
    let all = [("authorization", all.as_str())];
    let own = [("authorization", own.as_str())];
    let both = r#"{"writes":[{"space":"mine","key":"k","value":1},
                             {"space":"theirs","key":"secret","value":2}]}"#;
    let receipt = service.send("POST", "/v1/commits", &all, both).await.json();
    let by_id = format!("/v1/commits/{}", receipt["id"]);

    let listed = service.send("GET", "/v1/commits?spaces=mine", &own, "").await;
    assert!(listed.text().contains(r#""key":"k""#), "{}", listed.text());
    let shown = service.send("GET", &by_id, &own, "").await;
    let mut request = request(&http::Method::GET, "/v1/feed?spaces=mine", Some("asof_own"));
    request.headers_mut().insert("accept", "*/*".parse().unwrap());
    let mut feed = service.respond(request).await.into_body().into_data_stream();
    let first = futures_util::StreamExt::next(&mut feed).await.unwrap().unwrap();
    let first = String::from_utf8(first.to_vec()).unwrap();
    assert!(first.contains(r#""key":"k""#), "{first}");
    assert!(first.contains(r#""subject":"mine""#), "{first}");
    for text in [listed.text(), shown.text(), first] {
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.contains("theirs"), "{text}");
    }
}
