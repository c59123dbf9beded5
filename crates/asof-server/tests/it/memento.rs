//! RFC 7089: every key is an Original Resource and its own TimeGate.

use crate::service::Service;

#[tokio::test]
async fn a_date_leads_to_the_memento_of_its_second() {
    let service = Service::open();
    service.put("/v1/spaces/s/keys/k", "1").await;
    let now = service.get("/v1/spaces/s/keys/k").await;
    let date = now.header("memento-datetime").to_owned();
    assert!(date.ends_with(" GMT"));
    let headers = [("accept-datetime", date.as_str())];
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("memento-datetime"), date);
    assert!(reply.header("vary").contains("accept-datetime"));
    let location = reply.header("content-location").to_owned();
    let memento = service.get(&location).await;
    assert_eq!(memento.text(), "1");
    assert!(memento.header("cache-control").contains("immutable"));
    let link = reply.header("link");
    assert!(link.starts_with("</v1/spaces/s/keys/k>; rel=\"original timegate\""));
    assert!(link.contains("</v1/spaces/s/history/k>; rel=\"timemap\""));
}

#[tokio::test]
async fn a_bad_date_is_refused() {
    let service = Service::open();
    let headers = [("accept-datetime", "yesterday")];
    let reply = service.send("GET", "/v1/spaces/s/keys/k", &headers, "").await;
    assert_eq!(reply.problem(), (400, "Invalid".to_owned()));
}

#[tokio::test]
async fn a_history_is_a_time_map() {
    let service = Service::open();
    let first = service.put("/v1/spaces/s/keys/a%20b", "1").await;
    let second = service.put("/v1/spaces/s/keys/a%20b", "2").await;
    let reply = service.get("/v1/spaces/s/history/a%20b").await;
    let json = reply.json();
    assert_eq!(json["versions"][0]["effective"], second);
    assert_eq!(json["versions"][1]["until"], second);
    assert!(json["next"].is_null());
    let headers = [("accept", "application/link-format")];
    let reply = service.send("GET", "/v1/spaces/s/history/a%20b?limit=1", &headers, "").await;
    assert_eq!(reply.header("content-type"), "application/link-format");
    let text = reply.text();
    assert!(text.contains(&format!("</v1/spaces/s/keys/a%20b?as_of={second}&epoch=")), "{text}");
    assert!(text.contains("rel=\"timemap\""), "{text}");
    assert!(!text.contains(&format!("as_of={first}&epoch")), "{text}");
}
