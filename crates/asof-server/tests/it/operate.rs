//! Operating on time: the cap, commits marked bad, reverts.

use asof_server::{Access, Body, Settings};
use asof_store::{Role, Scope};
use serde_json::{Value, json};

use crate::service::{Reply, Service};

async fn ask(service: &Service, method: &str, path: &str, body: Value) -> Reply {
    let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
    service.send(method, path, &[("asof-author", "Ada"), ("asof-reason", "why")], body).await
}

fn cap(at: u64) -> Value {
    json!({ "at": at, "author": "Ada", "reason": "wrong" })
}

/// A good value, then a bad commit; when the good one was written, and the id of the bad one.
async fn incident(service: &Service) -> (u64, u64) {
    let good = service.put("/v1/spaces/s/keys/k", "\"good\"").await;
    service.put("/v1/spaces/s/keys/k", "\"bad\"").await;
    let log = service.get("/v1/commits").await.json();
    let bad = log["commits"].as_array().unwrap().last().unwrap()["id"].as_u64().unwrap();
    (good, bad)
}

#[tokio::test]
async fn a_cap_says_what_it_touches() {
    let service = Service::open();
    let (good, _) = incident(&service).await;
    let trial = ask(&service, "PUT", "/v1/cap?dry_run=true", cap(good)).await.json();
    assert_eq!((&trial["dry_run"], &trial["blast"]["keys"]), (&json!(true), &json!(1)));
    let sample = &trial["blast"]["sample"][0];
    assert_eq!((&sample["space"], &sample["key"]), (&json!("s"), &json!("k")));
    assert_eq!(sample["before"]["excerpt"], "\"bad\"");
    assert_eq!(sample["after"]["excerpt"], "\"good\"");
    assert_eq!(service.get("/v1/cap").await.json()["cap"], Value::Null);
    let done = ask(&service, "PUT", "/v1/cap", cap(good)).await.json();
    assert_eq!((&done["dry_run"], &done["after"]["cap"]), (&json!(false), &json!(good)));
    assert_eq!(done["blast"]["spaces"], trial["blast"]["spaces"]);
}

#[tokio::test]
async fn the_second_operator_is_told() {
    let service = Service::open();
    let (good, _) = incident(&service).await;
    assert_eq!(ask(&service, "PUT", "/v1/cap", cap(good)).await.status, 200);
    let second = ask(&service, "PUT", "/v1/cap", cap(good - 1)).await;
    assert_eq!(second.problem(), (409, "Conflict".into()));
    assert!(second.json()["detail"].as_str().unwrap().contains("by Ada (wrong)"));
    let mut moved = cap(good - 1);
    moved["replaces"] = good.into();
    moved["ttl_seconds"] = 3600.into();
    assert_eq!(ask(&service, "PUT", "/v1/cap", moved).await.status, 200);
    assert!(service.get("/v1/cap").await.json()["cap"]["expires"].is_number());
    let stale = format!("/v1/cap?at={good}");
    assert_eq!(ask(&service, "DELETE", &stale, Value::Null).await.problem().0, 409);
    let known = format!("/v1/cap?at={}", good - 1);
    assert_eq!(ask(&service, "DELETE", &known, Value::Null).await.status, 200);
}

#[tokio::test]
async fn many_keys_take_a_second_word() {
    let settings = Settings { confirm_above_keys: 0, ..Settings::default() };
    let service = Service::with(Access::InProcess, settings);
    let (good, bad) = incident(&service).await;
    let refused = ask(&service, "PUT", "/v1/cap", cap(good)).await;
    assert_eq!(refused.problem(), (428, "Unconfirmed".into()));
    assert_eq!(refused.json()["confirm"], "1-keys");
    let trial = ask(&service, "PUT", "/v1/cap?dry_run=true", cap(good)).await;
    assert_eq!(trial.json()["confirm"], "1-keys");
    for wrong in ["0-keys", "x"] {
        let path = format!("/v1/cap?confirm={wrong}");
        assert!(ask(&service, "PUT", &path, cap(good)).await.status.is_client_error());
    }
    assert_eq!(ask(&service, "PUT", "/v1/cap?confirm=1-keys", cap(good)).await.status, 200);
    let revert = json!({ "commit": bad, "author": "Ada", "reason": "wrong" });
    assert_eq!(ask(&service, "POST", "/v1/revert", revert.clone()).await.problem().0, 428);
    let done = ask(&service, "POST", "/v1/revert?confirm=1-keys", revert).await;
    assert_eq!(done.json()["receipt"]["replayed"], false);
}

#[tokio::test]
async fn what_the_cap_holds_back_takes_an_operator_and_is_kept_by_nobody() {
    let service = Service::new(Access::Tokens);
    let writer = service.token("w", Role::Writer, Scope::All);
    let operator = service.token("o", Role::Operator, Scope::All);
    let as_who = |secret: &str| format!("Bearer {secret}");
    let send = async |method: &str, path: &str, secret: &str, body: String| {
        let headers = [("authorization", &*as_who(secret))];
        service.send(method, path, &headers, body).await
    };
    for value in ["good", "bad"] {
        send("PUT", "/v1/spaces/s/keys/k", &writer, value.into()).await;
    }
    let history = send("GET", "/v1/spaces/s/history/k", &writer, String::new()).await.json();
    let at = |n: usize| history["versions"][n]["effective"].as_u64().unwrap();
    let (bad, good) = (at(0), at(1));
    let capped = send("PUT", "/v1/cap", &operator, cap(good).to_string()).await;
    assert_eq!(capped.status, 200, "{}", capped.text());
    let epoch = service.store.time().epoch;
    let diff = format!("/v1/spaces/s/diff?from={good}&to={bad}&epoch={epoch}");
    for path in [
        format!("/v1/spaces/s/keys/k?as_of={bad}&epoch={epoch}"),
        format!("/v1/spaces/s/keys?as_of={bad}"),
        format!("/v1/spaces/s/history/k?as_of={bad}"),
        diff,
    ] {
        let refused = send("GET", &path, &operator, String::new()).await;
        assert_eq!(refused.problem(), (409, "AboveCap".into()), "{path}");
        let path = format!("{path}&above_cap=true");
        assert_eq!(send("GET", &path, &writer, String::new()).await.problem().0, 403, "{path}");
        let reply = send("GET", &path, &operator, String::new()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    let latest = send("GET", "/v1/spaces/s/keys/k?above_cap=true", &operator, String::new()).await;
    assert_eq!(latest.text(), "bad");
    let log = |path| send("GET", path, &operator, String::new());
    let seen = async |path| log(path).await.json()["commits"].as_array().unwrap().len();
    assert_eq!(seen("/v1/commits?above_cap=true").await, seen("/v1/commits").await + 1);
}

#[tokio::test]
async fn a_bad_commit_is_marked_taken_back_and_let_go() {
    let service = Service::open();
    let (good, bad) = incident(&service).await;
    let path = format!("/v1/commits/{bad}/bad");
    ask(&service, "PUT", "/v1/cap", cap(good)).await;
    let marked = ask(&service, "PUT", &path, Value::Null).await.json();
    assert_eq!((&marked["commit"], &marked["reason"]), (&json!(bad), &json!("why")));
    assert_eq!(service.get("/v1/bad").await.json()["bad"], json!([marked]));
    assert_eq!(ask(&service, "DELETE", "/v1/cap", Value::Null).await.problem().0, 409);
    let revert = json!({ "commit": bad, "author": "Ada", "reason": "wrong" });
    let done = ask(&service, "POST", "/v1/revert", revert).await.json();
    assert_eq!((&done["keys"], &done["conflicts"]), (&json!(1), &json!(0)));
    let cleared = ask(&service, "DELETE", "/v1/cap", Value::Null).await.json();
    assert_eq!(cleared["blast"]["keys"], 0);
    assert_eq!(service.get("/v1/spaces/s/keys/k").await.text(), "\"good\"");
    assert_eq!(ask(&service, "DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(ask(&service, "DELETE", &path, Value::Null).await.problem().0, 404);
}

#[tokio::test]
async fn a_revert_that_is_not_clear_is_refused() {
    let service = Service::open();
    let (good, bad) = incident(&service).await;
    let with = |more: Value| {
        let mut request = json!({ "author": "Ada", "reason": "wrong" });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for more in [
        json!({}),
        json!({ "after": good }),
        json!({ "commit": bad, "after": good, "through": good + 1 }),
        json!({ "commit": bad, "keep": [{ "space": "s", "key": "other" }] }),
        json!({ "commit": bad, "reason": "" }),
        json!({ "commit": bad, "unknown": 1 }),
    ] {
        let reply = ask(&service, "POST", "/v1/revert", with(more.clone())).await;
        assert_eq!(reply.problem(), (400, "Invalid".into()), "{more}");
    }
    let unknown = ask(&service, "POST", "/v1/revert", with(json!({ "commit": 99 }))).await;
    assert_eq!(unknown.problem().0, 404);
    service.put("/v1/spaces/s/keys/k", "\"later\"").await;
    let one = with(json!({ "commit": bad }));
    assert_eq!(ask(&service, "POST", "/v1/revert", one.clone()).await.problem().0, 409);
    let listed = ask(&service, "POST", "/v1/revert?dry_run=true", one).await.json();
    assert_eq!(listed["in_conflict"][0]["before"]["excerpt"], "\"later\"");
    let kept = with(json!({ "commit": bad, "skip_conflicts": true }));
    let kept = ask(&service, "POST", "/v1/revert", kept).await.json();
    assert_eq!((&kept["kept"], &kept["receipt"]), (&json!(1), &Value::Null));
}

/// What an edge tells that follows the timeline `epoch` by the cap `cap`, and can ask some versions.
fn told(epoch: &Value, cap: Option<u64>, versions: &[&str], unstated: u64) -> Value {
    json!({
        "routes": [], "peers": [],
        "stores": [{"store": "main", "epoch": epoch, "through": 5, "cap": cap}],
        "cache": {"entries": 0, "bytes": 0, "executions": 0, "changes": 0, "evicted": 0,
                  "evicted_inside_window": 0},
        "releases": [{"store": "main", "space": "releases", "key": "prices", "service": "prices",
                      "versions": versions, "unstated": unstated}]
    })
}

#[tokio::test]
async fn a_cap_says_which_edges_go_by_it_and_which_software_is_gone() {
    let service = Service::open();
    let old = service.put("/v1/spaces/releases/keys/prices", "{\"version\": \"7\"}").await;
    service.put("/v1/spaces/releases/keys/prices", "\"8\"").await;
    let trial = ask(&service, "PUT", "/v1/cap?dry_run=true", cap(old)).await.json();
    assert_eq!(trial["edges"], json!([]), "nobody tells, so nothing is said of anybody");

    let epoch = service.get("/v1/time").await.json()["epoch"].clone();
    let mut silent = told(&epoch, None, &[], 0);
    silent.as_object_mut().unwrap().remove("releases");
    let edges = [
        ("gone", told(&epoch, None, &["8", "9"], 0)),
        ("has", told(&epoch, None, &["7"], 0)),
        ("may", told(&epoch, None, &["8"], 2)),
        ("other", told(&json!("0000000000000001"), None, &["8"], 0)),
        ("silent", silent),
        ("young", told(&Value::Null, None, &["8"], 0)),
    ];
    for (name, report) in edges {
        let path = format!("/v1/edges/{name}");
        assert_eq!(ask(&service, "PUT", &path, report).await.status, 200);
    }
    let trial = ask(&service, "PUT", "/v1/cap?dry_run=true", cap(old)).await.json();
    let upstreams: Vec<_> = trial["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let release = &edge["releases"][0];
            (
                edge["name"].as_str().unwrap(),
                release["version"].clone(),
                release["upstreams"].clone(),
            )
        })
        .collect();
    let expected = [
        ("gone", json!("7"), json!("none")),
        ("has", json!("7"), json!("own")),
        ("may", json!("7"), json!("unstated")),
        ("other", Value::Null, Value::Null),
        ("silent", Value::Null, Value::Null),
        ("young", Value::Null, Value::Null),
    ];
    assert_eq!(upstreams, expected);
    let edge = |n: usize| trial["edges"][n].clone();
    assert_eq!(edge(3)["releases"], json!([]), "its releases are of another store");
    assert!(edge(4)["releases"].is_null() && edge(5)["releases"].is_null(), "unknown, not none");
    // There is no cap, and these know it.
    let confirmed: Vec<_> = (0..6).map(|n| edge(n)["confirmed"] == true).collect();
    assert_eq!(confirmed, [true, true, true, false, true, false]);

    // None has confirmed the cap at first; then one does.
    let done = ask(&service, "PUT", "/v1/cap", cap(old)).await.json();
    let edges = done["edges"].as_array().unwrap();
    assert!(edges.iter().all(|edge| edge["confirmed"] == false), "{done}");
    ask(&service, "PUT", "/v1/edges/has", told(&epoch, Some(old), &["7"], 0)).await;
    ask(&service, "PUT", "/v1/edges/gone", told(&epoch, Some(old - 1), &["7"], 0)).await;
    let state = service.get("/v1/cap").await.json();
    let edges = state["edges"].as_array().unwrap().iter();
    let confirmed = edges.filter(|edge| edge["confirmed"] == true);
    assert_eq!(confirmed.map(|edge| edge["name"].as_str().unwrap()).collect::<Vec<_>>(), ["has"]);

    // Clearing looks above the cap.
    let trial = ask(&service, "DELETE", "/v1/cap?dry_run=true", Value::Null).await.json();
    assert_eq!(trial["edges"][1]["releases"][0]["version"], "8", "{trial}");
    assert_eq!(trial["edges"][1]["releases"][0]["upstreams"], "none");
}

#[tokio::test]
async fn only_operators_are_told_of_edges() {
    let service = Service::with(Access::Tokens, Settings::default());
    for (role, shown) in [(Role::Reader, false), (Role::Operator, true)] {
        let bearer = format!("Bearer {}", service.token(role.as_str(), role, Scope::All));
        let reply = service.send("GET", "/v1/cap", &[("authorization", &bearer)], "").await;
        assert_eq!(reply.json().get("edges").is_some(), shown, "{role:?}");
    }
}
