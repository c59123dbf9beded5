//! Reading: values, validity, caching.

use crate::service::Service;

#[tokio::test]
async fn a_value_comes_back_as_it_was_put() {
    let service = Service::open();
    let at = service.put("/v1/spaces/prices/keys/a%2Fb/c", r#"{ "p":1.50 }"#).await;
    let reply = service.get("/v1/spaces/prices/keys/a/b%2Fc").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text(), r#"{ "p":1.50 }"#);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "no-cache");
    assert!(reply.header("vary").contains("as-of"));
    assert_eq!(reply.header("etag").len(), 66);
    let valid: asof_api::headers::AsOfValid = reply.header("as-of-valid").parse().unwrap();
    assert_eq!(valid.0.from().as_micros(), at);
    let as_of = reply.header("as-of").parse().unwrap();
    assert!(valid.0.contains(as_of));
}

#[tokio::test]
async fn a_page_of_somebodys_runs_nothing_here() {
    let service = Service::open();
    for (content_type, sandboxed) in [
        ("text/html; charset=utf-8", true),
        ("image/svg+xml", true),
        ("application/xhtml+XML", true),
        ("text/plain; charset=utf-8", false),
        ("application/json", false),
    ] {
        let headers = [("content-type", content_type)];
        service.send("PUT", "/v1/spaces/s/keys/k", &headers, "<script>1</script>").await;
        let reply = service.get("/v1/spaces/s/keys/k").await;
        let policy = reply.headers.get("content-security-policy");
        assert_eq!(policy.is_some_and(|policy| policy == "sandbox"), sandboxed, "{content_type}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "12345").await;
    let reply = service.send("HEAD", "/v1/spaces/s/keys/k", &[], "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-length"), "5");
    assert!(reply.body.is_empty());
}

#[tokio::test]
async fn absence_is_a_fact_with_validity() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let reply = service.get("/v1/spaces/s/keys/other").await;
    assert_eq!(reply.problem(), (404, "Absent".to_owned()));
    assert!(!reply.header("as-of-valid").is_empty());
    assert_eq!(reply.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn the_past_stays_as_it_was() {
    let service = Service::open();
    let first = service.put("/v1/spaces/s/keys/k", "1").await;
    let second = service.put("/v1/spaces/s/keys/k", "2").await;
    let reply = service.get(&format!("/v1/spaces/s/keys/k?as_of={first}")).await;
    assert_eq!(reply.text(), "1");
    let valid: asof_api::headers::AsOfValid = reply.header("as-of-valid").parse().unwrap();
    assert_eq!(valid.0.last().next().unwrap().as_micros(), second);
    let header = first.to_string();
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &[("as-of", &header)], "").await;
    assert_eq!(reply.text(), "1");
}

#[tokio::test]
async fn the_same_content_is_not_sent_again() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let etag = service.get("/v1/spaces/s/keys/k").await.header("etag").to_owned();
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let headers = [("if-none-match", tags.as_str())];
        let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
        assert_eq!(reply.status, 304, "{tags}");
        assert!(!reply.header("as-of-valid").is_empty());
        assert_eq!(reply.header("etag"), etag);
        assert!(reply.body.is_empty());
    }
    let headers = [("if-none-match", "\"x\"")];
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn only_a_url_with_time_and_epoch_is_for_ever() {
    let service = Service::open();
    let at = service.put("/v1/spaces/s/keys/k", "1").await;
    let epoch = service.store.time().epoch;
    let with_both = format!("/v1/spaces/s/keys/k?as_of={at}&epoch={epoch}");
    let reply = service.get(&with_both).await;
    let for_ever = "public, max-age=31536000, immutable";
    assert_eq!(reply.header("cache-control"), for_ever);
    assert_eq!(reply.header("vary"), "");
    let with_time = format!("/v1/spaces/s/keys/k?as_of={at}");
    assert_eq!(service.get(&with_time).await.header("cache-control"), "no-cache");
    let with_epoch = format!("/v1/spaces/s/keys/k?epoch={epoch}");
    assert_eq!(service.get(&with_epoch).await.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn a_read_waits_for_its_moment() {
    let service = Service::open();
    let at = service.put("/v1/spaces/s/keys/k", "1").await + 200_000;
    let soon = format!("/v1/spaces/s/keys/k?as_of={at}");
    let reply = service.get(&soon).await;
    assert_eq!(reply.problem(), (409, "NotYetClosed".to_owned()));
    assert_eq!(reply.header("retry-after"), "1");
    assert!(reply.json()["closed"].is_u64());
    let reply = service.get(&format!("{soon}&wait=5000")).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_writer_reads_its_own_write() {
    let service = Service::open();
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], "1").await;
    let token = reply.header("asof-token").to_owned();
    let headers = [("asof-token", token.as_str())];
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
    assert_eq!(reply.text(), "1");
    assert_eq!(reply.header("as-of-capped"), "");
}

#[tokio::test]
async fn the_cap_wins_over_a_token_and_says_so() {
    let service = Service::open();
    let first = service.put("/v1/spaces/s/keys/k", "1").await;
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], "2").await;
    let token = reply.header("asof-token").to_owned();
    let cap = format!(r#"{{"at":{first},"author":"op","reason":"bad prices"}}"#);
    let reply = service.send("PUT", "/v1/cap", &[], cap).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let headers = [("asof-token", token.as_str())];
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
    assert_eq!(reply.text(), "1");
    assert_eq!(reply.header("as-of-capped"), "true");
}

#[tokio::test]
async fn a_preview_shows_what_is_pending_and_claims_nothing() {
    let service = Service::open();
    let now = service.put("/v1/spaces/s/keys/k", "1").await;
    let later = now + 3_600_000_000;
    let headers = [("effective-at", later.to_string())];
    let headers = [(headers[0].0, headers[0].1.as_str())];
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &headers, "2").await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.header("asof-token"), "");
    let reply = service.get(&format!("/v1/spaces/s/keys/k?as_of={later}&preview=true")).await;
    assert_eq!(reply.text(), "2");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("as-of-valid"), "");
}

#[tokio::test]
async fn several_keys_are_read_at_one_moment() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/a", r#"{"x": 1}"#).await;
    service.send("PUT", "/v1/spaces/t/keys/b", &[], "raw").await;
    let body = r#"{"keys":[{"space":"s","key":"a"},{"space":"t","key":"b"},
        {"space":"t","key":"none"}]}"#;
    let reply = service.send("POST", "/v1/read", &[], body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let json = reply.json();
    assert_eq!(json["entries"][0]["value"]["x"], 1);
    assert_eq!(json["entries"][1]["value_base64"], "cmF3");
    assert_eq!(json["entries"][2]["absent"], true);
    assert!(json["entries"][2]["from"].is_u64());
    assert!(!reply.header("as-of-valid").is_empty());
}

#[tokio::test]
async fn a_scan_goes_on_where_its_page_ended() {
    let service = Service::open();
    for key in ["a", "b", "c"] {
        let path = format!("/v1/spaces/s/keys/p-{key}");
        service.put(&path, "1").await;
    }
    let reply = service.get("/v1/spaces/s/keys?prefix=p-&limit=2&values=true").await;
    let json = reply.json();
    assert_eq!(json["entries"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["entries"][0]["value"], 1);
    let next = json["next"].as_str().unwrap();
    let as_of = &json["as_of"];
    let reply = service
        .get(&format!("/v1/spaces/s/keys?prefix=p-&limit=2&after={next}&as_of={as_of}"))
        .await;
    let json = reply.json();
    assert_eq!(json["entries"][0]["key"], "p-c");
    assert!(json["next"].is_null());
}

#[tokio::test]
async fn a_difference_names_before_and_after() {
    let service = Service::open();
    let first = service.put("/v1/spaces/s/keys/k", "1").await;
    let second = service.put("/v1/spaces/s/keys/l", "2").await;
    let reply = service.get(&format!("/v1/spaces/s/diff?from={first}&to={second}")).await;
    let json = reply.json();
    assert_eq!(json["entries"][0]["key"], "l");
    assert!(json["entries"][0]["before"].is_null());
    assert_eq!(json["entries"][0]["after"]["bytes"], 1);
}
