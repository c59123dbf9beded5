//! The seam: what an engine is handed, and what it can do.

use std::path::Path;
use std::sync::{Arc, Mutex};

use asof_edge::{Answer, Body, Call, Edge, Engine, Forwarder, Origin, Outcome, Plan, Target};
use asof_env::SystemClock;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::harness::{echo, get, service, status};

/// Keeps the first answer for each path, for ever.
struct Keeping {
    forwarder: Forwarder,
    kept: Mutex<std::collections::BTreeMap<String, Bytes>>,
}

impl Keeping {
    fn kept(&self, path: &str) -> Option<Bytes> {
        self.kept.lock().unwrap().get(path).cloned()
    }
}

impl Engine for Keeping {
    async fn call(&self, call: Call) -> Answer {
        let path = call.request.uri().to_string();
        if let Some(bytes) = self.kept(&path) {
            return Answer {
                response: Response::new(Body::whole(bytes)),
                outcome: Outcome("kept"),
            };
        }
        let from = match &call.origin {
            Origin::Client { .. } | Origin::Preview { .. } => "client".to_owned(),
            Origin::Service(name) => name.to_string(),
        };
        // The service gets exactly what counts, and nothing of the client.
        let request = Request::get(&path).header("x-from", from).body(Body::empty()).unwrap();
        let response = self.forwarder.forward(&call.target, request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        self.kept.lock().unwrap().insert(path, bytes.clone());
        Answer { response: Response::new(Body::whole(bytes)), outcome: Outcome("ran") }
    }

    fn accepts(plan: &Plan) -> Result<(), String> {
        if plan.services.is_empty() { Err("there is no service".to_owned()) } else { Ok(()) }
    }

    fn ready(&self) -> Result<(), String> {
        let warm = !self.kept.lock().unwrap().is_empty();
        if warm { Ok(()) } else { Err("nothing is kept yet".to_owned()) }
    }

    async fn admin(&self, request: Request<Body>) -> Option<Response<Body>> {
        let path = request.uri().path().to_owned();
        let sent = request.into_body().collect().await.ok()?.to_bytes();
        (path == "/mirror").then(|| Response::new(Body::whole(sent)))
    }
}

fn plan(text: &str) -> Plan {
    let text = format!("listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n{text}");
    Plan::from_toml(&text, Path::new("")).unwrap()
}

async fn bind(plan: Plan) -> Result<Edge<Keeping>, asof_edge::EdgeError> {
    Edge::bind(plan, Arc::new(SystemClock), |forwarder| Keeping {
        forwarder,
        kept: Mutex::default(),
    })
    .await
}

#[tokio::test]
async fn an_engine_decides_what_is_asked_and_answered() {
    let edge = bind(plan(&service(echo().await, ""))).await.unwrap();
    let addresses = edge.addresses().clone();
    tokio::spawn(edge.run(std::future::pending()));
    let ready = get(addresses.admin, "/readyz", "").await;
    assert_eq!(status(&ready), 503, "{ready}");
    assert!(ready.contains("nothing is kept yet"), "{ready}");
    let first = get(addresses.ingress, "/x?y", "cookie: private\r\n").await;
    assert!(first.contains("GET /x?y\n") && first.contains("x-from: client"), "{first}");
    assert!(!first.contains("private") && !first.contains("forwarded"), "{first}");
    let again = get(addresses.egress["a"], "/-/a/x?y", "").await;
    assert!(again.contains("x-from: client"), "the first answer was kept: {again}");
    let other = get(addresses.egress["a"], "/-/a/z", "").await;
    assert!(other.contains("x-from: a"), "{other}");
    assert_eq!(status(&get(addresses.admin, "/readyz", "").await), 200);
    let metrics = get(addresses.admin, "/metrics", "").await;
    assert!(
        metrics.contains("listener=\"egress\",target=\"a\",status=\"200\",outcome=\"kept\"} 1")
    );
    let mirror = "content-length: 4\r\n\r\nsent";
    let mirrored = get(addresses.admin, "/mirror", mirror).await;
    assert!(mirrored.ends_with("sent"), "{mirrored}");
}

#[tokio::test]
async fn an_engine_refuses_what_it_cannot_run_by() {
    let refused = bind(plan("")).await.err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("there is no service"));
    let edge = bind(plan(&service(echo().await, ""))).await.unwrap();
    let reloader = edge.reloader();
    tokio::spawn(edge.run(std::future::pending()));
    let text = service(echo().await, "").replace("services.a", "services.b");
    assert!(Plan::from_toml(&text, Path::new("")).is_err(), "the rule leads nowhere");
    assert!(reloader.reload(plan("")).await.is_err());
    assert_ne!(Target::Service("a".parse().unwrap()), Target::Store("a".parse().unwrap()));
}
