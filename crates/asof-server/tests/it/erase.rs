//! Erasing keys.

use asof_server::Access;
use asof_store::{Role, Scope, SpaceName};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::service::{Reply, Service};

async fn erase(service: &Service, query: &str, key: &str) -> Reply {
    let body = json!({ "key": key, "author": "Ada", "reason": "request 7" });
    let path = format!("/v1/spaces/s/erasures{query}");
    service.send("POST", &path, &[], body.to_string()).await
}

async fn filled(service: &Service) -> u64 {
    service.put("/v1/spaces/s/keys/bob", "\"b\"").await;
    service.put("/v1/spaces/s/keys/ada", "\"secret 1\"").await;
    service.put("/v1/spaces/s/keys/ada", "\"secret 2\"").await
}

#[tokio::test]
async fn it_takes_a_dry_run_and_a_second_word() {
    let service = Service::open();
    let at = filled(&service).await;
    let dry = erase(&service, "?dry_run=true", "ada").await.json();
    assert_eq!((&dry["versions"], &dry["bytes"]), (&json!(2), &json!(20)));
    assert_eq!((&dry["confirm"], &dry["last"]), (&json!("2-versions"), &json!(at)));
    let copies = dry["out_of_reach"].as_array().unwrap();
    assert!(copies.iter().any(|copy| copy.as_str().unwrap().contains("immutable")));
    assert!(copies.iter().any(|copy| copy.as_str().unwrap().contains("backups")));

    let refused = erase(&service, "", "ada").await;
    assert_eq!(refused.problem(), (428, "Unconfirmed".into()));
    assert_eq!(refused.json()["confirm"], "2-versions");
    for wrong in ["1-versions", "2-keys", "2"] {
        let refused = erase(&service, &format!("?confirm={wrong}"), "ada").await;
        assert!(refused.status.is_client_error(), "{wrong}");
    }
    assert_eq!(erase(&service, "?dry_run=true", "adda").await.problem().0, 404);
    assert_eq!(service.get("/v1/spaces/s/keys/ada").await.status, 200);

    let done = erase(&service, "?confirm=2-versions", "ada").await.json();
    assert_eq!(done["confirm"], Value::Null);
    let listed = service.get("/v1/erasures").await.json();
    assert_eq!(listed["erasures"], json!([done["erasure"]]));
    assert_eq!(listed["erasures"][0]["reason"], "request 7");
    assert_eq!(erase(&service, "?dry_run=true", "ada").await.problem(), (410, "Erased".into()));
}

#[tokio::test]
async fn an_erased_key_is_gone_and_says_so() {
    let service = Service::open();
    let at = filled(&service).await;
    let epoch = service.store.time().epoch;
    erase(&service, "?confirm=2-versions", "ada").await;
    for path in [
        "/v1/spaces/s/keys/ada".to_owned(),
        format!("/v1/spaces/s/keys/ada?as_of={at}"),
        format!("/v1/spaces/s/keys/ada?as_of={at}&epoch={epoch}"),
        "/v1/spaces/s/history/ada".to_owned(),
    ] {
        let reply = service.get(&path).await;
        assert_eq!(reply.problem(), (410, "Erased".into()), "{path}");
        assert!(!reply.text().contains("secret"));
        // Whoever reads a key need not be asked again; a history has no validity as a whole.
        let is_fact = !reply.header("as-of-valid").is_empty();
        assert_eq!(is_fact, path.contains("/keys/"), "{path}");
        if is_fact {
            let valid: asof_api::headers::AsOfValid = reply.header("as-of-valid").parse().unwrap();
            assert!(valid.0.from() == asof_time::Timestamp::MIN && valid.0.is_open());
            assert_eq!(reply.header("cache-control"), "no-cache");
        }
    }
    let read = json!({ "keys": [{ "space": "s", "key": "bob" }, { "space": "s", "key": "ada" }] });
    let reply = service.send("POST", "/v1/read", &[], read.to_string()).await;
    assert_eq!(reply.problem(), (410, "Erased".into()));
    let reply = service.send("PUT", "/v1/spaces/s/keys/ada", &[], "1").await;
    assert_eq!(reply.problem(), (410, "Erased".into()));
    let page = service.get("/v1/spaces/s/keys?values=true").await.json();
    assert_eq!((&page["erased"], page["entries"].as_array().unwrap().len()), (&json!(["ada"]), 1));
    let diff = service.get(&format!("/v1/spaces/s/diff?from=0&to={at}")).await.json();
    assert_eq!(diff["erased"], json!(["ada"]));
    let log = service.get("/v1/commits").await.json();
    let writes = log["commits"].as_array().unwrap().iter();
    let writes: Vec<_> = writes.flat_map(|commit| commit["writes"].as_array().unwrap()).collect();
    let of_ada = json!({ "space": "s", "key": "ada", "erased": true });
    assert_eq!(writes.iter().filter(|write| ***write == of_ada).count(), 2);
    assert_eq!(service.get("/v1/spaces/s/usage").await.json()["erased_keys"], 1);
}

#[tokio::test]
async fn nobody_keeps_for_ever_what_may_be_erased() {
    let service = Service::open();
    let at = filled(&service).await;
    service.put("/v1/spaces/t/keys/x", "1").await;
    let at = at.max(service.put("/v1/spaces/t/keys/y", "1").await);
    let epoch = service.store.time().epoch;
    let facts = |space: &str| {
        let moment = format!("as_of={at}&epoch={epoch}");
        [
            format!("/v1/spaces/{space}/keys/ada?{moment}"),
            format!("/v1/spaces/{space}/keys/bob?{moment}"),
            format!("/v1/spaces/{space}/keys?{moment}"),
            format!("/v1/spaces/{space}/history/bob?{moment}"),
            format!("/v1/spaces/{space}/diff?from=0&to={at}&epoch={epoch}"),
        ]
    };
    for path in facts("s") {
        let kept = service.get(&path).await.header("cache-control").to_owned();
        assert_eq!(kept, "public, max-age=31536000, immutable", "{path}");
    }
    assert_eq!(service.send("PUT", "/v1/spaces/s/erasable", &[], "").await.status, 200);
    assert_eq!(service.send("PUT", "/v1/spaces/s/erasable", &[], "").await.problem().0, 409);
    assert_eq!(service.get("/v1/spaces/s").await.json()["erasable"], true);
    for path in facts("s") {
        assert_eq!(service.get(&path).await.header("cache-control"), "no-cache", "{path}");
    }
    for path in facts("t") {
        assert!(service.get(&path).await.header("cache-control").contains("immutable"), "{path}");
    }
    // Foreseen, no cache in front was told otherwise.
    let dry = erase(&service, "?dry_run=true", "bob").await.json();
    let copies = dry["out_of_reach"].as_array().unwrap();
    assert!(!copies.iter().any(|copy| copy.as_str().unwrap().contains("immutable")));
}

#[tokio::test]
async fn followers_hear_of_it_whatever_spaces_they_see() {
    let service = Service::new(Access::Tokens);
    let of_s = Scope::Spaces(vec![SpaceName::new("s").unwrap()]);
    let of_t = Scope::Spaces(vec![SpaceName::new("t").unwrap()]);
    let all = service.token("o", Role::Operator, Scope::All);
    let readers = [
        (service.token("s", Role::Reader, of_s), "s"),
        (service.token("t", Role::Reader, of_t), "t"),
    ];
    let bearer = |secret: &str| format!("Bearer {secret}");
    let operator = bearer(&all);
    let headers = [("authorization", operator.as_str())];
    for space in ["s", "t"] {
        let path = format!("/v1/spaces/{space}/keys/ada");
        assert_eq!(service.send("PUT", &path, &headers, "secret").await.status, 200);
    }
    let body = json!({ "key": "ada", "author": "Ada", "reason": "request 7" }).to_string();
    let path = "/v1/spaces/s/erasures?confirm=1-versions";
    assert_eq!(service.send("POST", path, &headers, body).await.status, 200);
    for (secret, space) in readers {
        let request = http::Request::get(format!("/v1/feed?heartbeat=10&spaces={space}"))
            .header("authorization", bearer(&secret))
            .body(asof_server::Body::empty())
            .unwrap();
        let feed = service.respond(request).await;
        assert_eq!(feed.status(), 200);
        let (mut feed, sees) = (feed.into_body(), space == "s");
        let mut told = String::new();
        while !told.contains("heartbeat") {
            let frame = feed.frame().await.unwrap().unwrap();
            told += &String::from_utf8_lossy(frame.data_ref().unwrap());
        }
        assert_eq!(told.contains("\"key-erased\""), sees, "{told}");
        assert_eq!(told.contains("s/ada"), sees, "{told}");
    }
}
