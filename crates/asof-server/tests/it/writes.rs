//! Writing: conditions, commits, schedules, imports.

use crate::service::Service;

#[tokio::test]
async fn a_condition_that_fails_is_412() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let etag = service.get("/v1/spaces/s/keys/k").await.header("etag").to_owned();
    let wrong = format!("\"{}\"", "0".repeat(64));
    for (name, value, status) in [
        ("if-none-match", "*", 412),
        ("if-match", wrong.as_str(), 412),
        ("if-unchanged-since", "1", 412),
        ("if-match", etag.as_str(), 200),
        ("if-match", "*", 200),
    ] {
        let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[(name, value)], "2").await;
        assert_eq!(reply.status, status, "{name}: {value}: {}", reply.text());
    }
}

#[tokio::test]
async fn conditions_that_mean_nothing_are_refused() {
    let service = Service::open();
    for headers in [
        &[("if-match", "abc")][..],
        &[("if-none-match", "\"abc\"")],
        &[("if-match", "*"), ("if-none-match", "*")],
        &[("if-unmodified-since", "Sat, 23 Nov 2024 03:20:00 GMT")],
        &[("effective-at", "tomorrow")],
    ] {
        let reply = service.send("PUT", "/v1/spaces/s/keys/k", headers, "2").await;
        assert_eq!(reply.problem(), (400, "Invalid".to_owned()), "{headers:?}");
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_the_first_receipt() {
    let service = Service::open();
    let headers = [("idempotency-key", "once")];
    let first = service.send("PUT", "/v1/spaces/s/keys/k", &headers, "1").await;
    let again = service.send("PUT", "/v1/spaces/s/keys/k", &headers, "1").await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    assert_eq!(first.json()["replayed"], false);
    assert_eq!(again.json()["replayed"], true);
}

#[tokio::test]
async fn a_deleted_key_is_absent() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let reply = service.send("DELETE", "/v1/spaces/s/keys/k", &[], "").await;
    assert_eq!(reply.status, 200);
    let reply = service.get("/v1/spaces/s/keys/k").await;
    assert_eq!(reply.problem().1, "Absent");
}

#[tokio::test]
async fn a_commit_keeps_the_exact_text_of_its_values() {
    let service = Service::open();
    let body = r#"{"message":"two","author":"me","writes":[
        {"space":"s","key":"a","value": { "b":1e2 }},
        {"space":"t","key":"b","value_text":"text","if":{"absent":true}}]}"#;
    let reply = service.send("POST", "/v1/commits", &[], body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.json()["id"].clone();
    assert_eq!(service.get("/v1/spaces/s/keys/a").await.text(), r#"{ "b":1e2 }"#);
    let reply = service.get("/v1/spaces/t/keys/b").await;
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    let reply = service.get(&format!("/v1/commits/{id}")).await;
    assert_eq!(reply.json()["message"], "two");
    assert_eq!(reply.json()["writes"].as_array().unwrap().len(), 2);
    let reply = service.get("/v1/commits?spaces=t").await;
    let listed = reply.json()["commits"].clone();
    assert_eq!(listed.as_array().unwrap().last().unwrap()["id"], id);
}

#[tokio::test]
async fn a_pending_commit_is_listed_amended_and_cancelled() {
    let service = Service::open();
    let now = service.put("/v1/spaces/s/keys/k", "1").await;
    let later = now + 3_600_000_000;
    let body =
        format!(r#"{{"effective_at":{later},"writes":[{{"space":"s","key":"k","value":2}}]}}"#);
    let reply = service.send("POST", "/v1/commits", &[], body).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let path = format!("/v1/commits/{}", reply.json()["id"]);
    let listed = service.get("/v1/commits?pending=true").await.json();
    assert_eq!(listed["commits"][0]["effective"], later);
    let change = format!(r#"{{"effective_at":{},"message":"later"}}"#, later + 1);
    let reply = service.send("PATCH", &path, &[], change).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let headers = [("asof-author", "me"), ("asof-reason", "not wanted")];
    let reply = service.send("DELETE", &path, &headers, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["message"], "later");
    let listed = service.get("/v1/commits?pending=true").await.json();
    assert_eq!(listed["commits"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn an_import_keeps_the_lines_before_a_bad_one() {
    let service = Service::open();
    let reply = service.send("PUT", "/v1/spaces/h", &[], r#"{"state":"importing"}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = service.get("/v1/spaces/h/keys/k").await;
    assert_eq!(reply.problem(), (409, "StillImporting".to_owned()));
    let lines = concat!(
        r#"{"at":1000000,"source":"a","writes":[{"key":"k","value":1}]}"#,
        "\n\n",
        r#"{"at":2000000,"source":"b","writes":[{"key":"k","value":2}]}"#,
        "\n",
        r#"{"at":3000000,"sauce":"c","writes":[]}"#,
        "\n",
    );
    let reply = service.send("POST", "/v1/spaces/h/import", &[], lines).await;
    assert_eq!(reply.problem(), (400, "Invalid".to_owned()));
    let json = reply.json();
    assert_eq!(json["line"], 4, "{json}");
    assert_eq!(json["imported"], 2);
    // Again, with a line in the wrong order: what is known is skipped, the line is named.
    let lines = concat!(
        r#"{"at":1000000,"source":"a","writes":[{"key":"k","value":1}]}"#,
        "\n",
        r#"{"at":4000000,"source":"d","writes":[{"key":"k","value":4}]}"#,
        "\n",
        r#"{"at":3000000,"source":"e","writes":[{"key":"k","value":3}]}"#,
    );
    let reply = service.send("POST", "/v1/spaces/h/import", &[], lines).await;
    let json = reply.json();
    assert_eq!(
        (&json["line"], &json["imported"], &json["known"]),
        (&3.into(), &1.into(), &1.into())
    );
    let reply = service.get("/v1/spaces/h/sources/d").await;
    assert_eq!(reply.json()["effective"], 4_000_000);
    let reply = service.send("POST", "/v1/spaces/h/live", &[], "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = service.get("/v1/spaces/h/keys/k").await;
    assert_eq!(reply.text(), "4");
    assert_eq!(service.get("/v1/spaces/h/usage").await.json()["keys"], 1);
}

#[tokio::test]
async fn control_actions_are_carried_out_and_remembered() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let pin = r#"{"owner":"batch","reason":"report","ttl_seconds":60}"#;
    let reply = service.send("PUT", "/v1/pins/report", &[], pin).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(service.get("/v1/pins").await.json()["pins"][0]["name"], "report");
    let headers = [("asof-author", "me"), ("asof-reason", "done")];
    let dry = service.send("DELETE", "/v1/pins/report?dry_run=true", &headers, "").await;
    assert_eq!(dry.json()["dry_run"], true);
    let reply = service.send("DELETE", "/v1/pins/report", &headers, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let retention = r#"{"keep_seconds":86400}"#;
    let reply = service.send("PUT", "/v1/spaces/s/retention", &headers, retention).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let space = service.get("/v1/spaces/s").await.json();
    assert_eq!(space["retention"]["keep_seconds"], 86_400);
    let records = service.get("/v1/control").await.json()["records"].clone();
    let actions: Vec<_> = records.as_array().unwrap().iter().map(|r| r["action"].clone()).collect();
    for action in ["pin-created", "pin-released", "retention-set"] {
        assert!(actions.iter().any(|known| known == action), "{actions:?}");
    }
}

#[tokio::test]
async fn a_backup_streams() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let reply = service.send("POST", "/v1/backup", &[], "").await;
    assert_eq!(reply.status, 200);
    assert!(!reply.body.is_empty());
}
