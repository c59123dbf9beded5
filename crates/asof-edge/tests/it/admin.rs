//! What operators see, and who they are.

use std::path::Path;
use std::sync::Arc;

use asof_edge::{Edge, EdgeError, PassThrough, Plan};
use asof_env::{SystemClock, SystemRandom};

use crate::harness::{echo, edge, exchange, get, nowhere, service, status};

#[tokio::test]
async fn health_and_readiness_are_two_things() {
    let running = edge(&service(echo().await, "")).await;
    assert_eq!(status(&get(running.admin, "/healthz", "").await), 200);
    let ready = get(running.admin, "/readyz", "").await;
    assert!(ready.contains("a: 1 of 1 instances are well"), "{ready}");
    assert_eq!(status(&get(running.admin, "/else", "").await), 404);
    let rebound = "GET /healthz HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&exchange(running.admin, rebound).await), 403);
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let text = format!(
        "{}[services.gone]\nupstreams = ['http://{}']\n",
        service(echo().await, ""),
        nowhere().await
    );
    let running = edge(&text).await;
    get(running.ingress, "/", "").await;
    get(running.egress.unwrap(), "/-/gone/", "").await;
    get(running.egress.unwrap(), "/-/nobody/", "").await;
    let metrics = get(running.admin, "/metrics", "").await;
    for line in [
        "listener=\"ingress\",target=\"a\",status=\"200\",outcome=\"passed\"} 1",
        "listener=\"egress\",target=\"gone\",status=\"502\",outcome=\"upstream_failed\"} 1",
        "listener=\"egress\",target=\"\",status=\"421\",outcome=\"refused\"} 1",
        "edge_upstream_failures_total{target=\"gone\",kind=\"connect\"} 1",
        "application/openmetrics-text",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_page_in_a_browser_may_not_ask() {
    let running = edge(&service(echo().await, "")).await;
    let foreign = get(running.admin, "/metrics", "sec-fetch-site: cross-site\r\n").await;
    assert_eq!(status(&foreign), 403, "{foreign}");
}

#[tokio::test]
async fn with_a_token_only_probes_go_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "a-token-that-is-long\n").unwrap();
    let text = "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\nadmin_token_file = 'token'";
    let start = async |text: &str| {
        let plan = Plan::from_toml(text, folder.path()).unwrap();
        Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
            PassThrough::new(forwarder, Arc::new(SystemRandom))
        })
        .await
    };
    let edge = start(text).await.unwrap();
    let admin = edge.addresses().admin;
    tokio::spawn(edge.run(std::future::pending()));
    assert_eq!(status(&get(admin, "/healthz", "").await), 200);
    assert_eq!(status(&get(admin, "/metrics", "").await), 401);
    let wrong = "authorization: Bearer a-token-that-is-lonG\r\n";
    assert_eq!(status(&get(admin, "/metrics", wrong).await), 401);
    let right = "authorization: Bearer a-token-that-is-long\r\n";
    assert_eq!(status(&get(admin, "/metrics", right).await), 200);
    let missing = text.replace("'token'", "'tokne'");
    assert!(
        matches!(start(&missing).await, Err(EdgeError::Token(path, _)) if path.ends_with("tokne"))
    );
}

#[tokio::test]
async fn two_edges_do_not_share_an_address() {
    let running = edge("").await;
    let text = format!("listen = '{}'\nadmin = '127.0.0.1:0'", running.ingress);
    let plan = Plan::from_toml(&text, Path::new("")).unwrap();
    let bound = Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
        PassThrough::new(forwarder, Arc::new(SystemRandom))
    });
    assert!(matches!(bound.await, Err(EdgeError::Listen(..))));
}
