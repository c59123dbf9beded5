//! Each refusal has its status and its bound.

use std::sync::Arc;
use std::time::Duration;

use asof_api::routes::ROUTES;
use asof_env::testing::ManualClock;
use asof_server::{Access, Settings, router};
use asof_store::{Options, Store};
use asof_time::Timestamp;

use crate::service::Service;

#[tokio::test]
async fn refusals_have_their_status() {
    let service = Service::open();
    let at = service.put("/v1/spaces/s/keys/k", "1").await;
    let last = at.to_string();
    let now = (at + 1).to_string();
    for (method, path, headers, status, name) in [
        ("GET", "/v1/nothing", &[][..], 404, "NoSuchRoute"),
        ("POST", "/v1/cap", &[], 405, "MethodNotAllowed"),
        ("GET", "/v1/spaces/none/keys/k", &[], 404, "UnknownSpace"),
        ("GET", "/v1/spaces/none", &[], 404, "UnknownSpace"),
        ("GET", "/v1/spaces/s/keys/none", &[], 404, "Absent"),
        ("GET", "/v1/commits/4000000000", &[], 404, "NotFound"),
        ("DELETE", "/v1/pins/none", &[], 404, "NotFound"),
        ("DELETE", "/v1/tokens/none", &[], 404, "NotFound"),
        ("DELETE", "/v1/cap", &[], 409, "Conflict"),
        ("POST", "/v1/spaces/s/live", &[], 409, "Conflict"),
        ("DELETE", "/v1/spaces/s/keys/k", &[("effective-at", last.as_str())], 409, "InThePast"),
        ("GET", "/v1/spaces/s/keys/k?as_of=9007199254740991", &[], 409, "NotYetClosed"),
        ("GET", "/v1/spaces/s/keys/k?epoch=00000000000000", &[], 409, "WrongEpoch"),
        ("GET", "/v1/spaces/s/keys/k", &[("asof-token", "00000000000000.1")], 409, "WrongEpoch"),
        ("GET", "/v1/spaces/s/keys/k", &[("asof-token", "x")], 400, "Invalid"),
        ("GET", "/v1/spaces/s/keys/k", &[("as-of", &now), ("as-of", &now)], 400, "Invalid"),
    ] {
        let reply = service.send(method, path, headers, "").await;
        assert_eq!(reply.problem(), (status, name.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn bounds_are_carried() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let time = service.get("/v1/time").await.json();
    let reply = service.get("/v1/spaces/s/keys/k?epoch=00000000000000").await;
    assert_eq!(reply.json()["epoch"], time["epoch"]);
    let headers = [("effective-at", "1")];
    let reply = service.send("DELETE", "/v1/spaces/s/keys/k", &headers, "").await;
    assert!(reply.json()["last"].is_u64());
    let cap = format!(r#"{{"at":{},"author":"a","reason":"r"}}"#, time["closed"]);
    let reply = service.send("PUT", "/v1/cap", &[], cap.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let above = time["closed"].as_u64().unwrap() + 1;
    let reply = service.get(&format!("/v1/spaces/s/keys/k?as_of={above}&wait=1000")).await;
    assert_eq!(reply.problem(), (409, "AboveCap".to_owned()));
    assert_eq!(reply.json()["cap"], time["closed"]);
    let dry = service
        .send("DELETE", "/v1/cap?dry_run=true", &[("asof-author", "a"), ("asof-reason", "r")], "")
        .await;
    assert_eq!(dry.json()["dry_run"], true, "{}", dry.text());
    assert_eq!(dry.json()["before"]["cap"], time["closed"]);
    assert!(dry.json()["after"]["cap"].is_null());
    assert_eq!(service.get("/v1/cap").await.json()["cap"]["at"], time["closed"]);
}

#[tokio::test]
async fn a_method_that_is_not_there_names_those_that_are() {
    let service = Service::open();
    let reply = service.send("PATCH", "/v1/cap", &[], "").await;
    assert_eq!(reply.status, 405);
    assert_eq!(reply.header("allow"), "GET,HEAD,PUT,DELETE");
}

/// Every route of the table is routed: what it refuses, it refuses for a reason of its own.
#[tokio::test]
async fn no_route_is_missing() {
    let service = Service::open();
    for route in ROUTES {
        let path = route
            .path
            .replace("{*key}", "k")
            .replace("{space}", "s")
            .replace("{id}", "1")
            .replace("{name}", "n");
        let method = route.method.method();
        let request = http::Request::builder().method(method).uri(&path);
        let request = request.body(asof_server::Body::empty()).unwrap();
        let response = service.respond(request).await;
        assert_ne!(response.status(), 405, "{path}");
        assert_ne!(response.status(), 500, "{path}");
        if response.status() == 404 {
            let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
            let text = String::from_utf8(bytes.to_bytes().to_vec()).unwrap();
            assert!(!text.contains("NoSuchRoute"), "{path}");
        }
    }
}

#[tokio::test]
async fn machines_are_told_how_it_is() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    assert_eq!(service.get("/healthz").await.json()["status"], "ok");
    assert_eq!(service.get("/readyz").await.json()["status"], "ok");
    let document = service.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let metrics = service.get("/metrics").await.text();
    for line in [
        "asof_requests_total{route=\"put\",status=\"200\"} 1",
        "asof_closed_lag_seconds ",
        "asof_commit_groups_total ",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_clock_that_jumped_makes_it_unready_until_it_is_accepted() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(7_000_000_000).unwrap()));
    let options = Options { clock: clock.clone(), ..Options::default() };
    let store = Store::in_memory(options).unwrap();
    let settings = Settings { clock: clock.clone(), ..Settings::default() };
    let router = router(store.clone(), Access::InProcess, settings);
    let service = Service { store, router };
    service.put("/v1/spaces/s/keys/k", "1").await;
    clock.advance_wall(Duration::from_hours(2));
    let mut tries = 0;
    while service.get("/readyz").await.status == 200 {
        tries += 1;
        assert!(tries < 500, "the store does not mind a jump of two hours");
        clock.advance(Duration::from_millis(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["status"], "read-only");
    let reply = service.send("PUT", "/v1/spaces/s/keys/k", &[], "2").await;
    assert_eq!(reply.problem(), (503, "Unavailable".to_owned()));
    assert_eq!(service.get("/v1/spaces/s/keys/k").await.text(), "1");
    assert!(service.get("/metrics").await.text().contains("asof_read_only 1"));
    let body = r#"{"author":"op","reason":"the clock is right"}"#;
    let reply = service.send("POST", "/v1/time/accept-clock", &[], body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(service.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn paths_are_those_of_the_table_to_the_letter() {
    let service = Service::open();
    for path in ["/", "/v1", "/v1/time/", "//v1/time", "/v1/spaces/s/keys/"] {
        let reply = service.get(path).await;
        assert_eq!(reply.problem(), (404, "NoSuchRoute".to_owned()), "{path}");
    }
}
