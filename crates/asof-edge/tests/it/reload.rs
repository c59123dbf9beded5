//! Going over to another configuration while running.

use asof_edge::ReloadError;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::harness::{edge, get, plan, service, status, upstream};

async fn says(word: &'static str) -> std::net::SocketAddr {
    upstream(move |_| async move { Response::new(Full::new(Bytes::from_static(word.as_bytes()))) })
        .await
}

#[tokio::test]
async fn a_reload_moves_requests_and_says_what_changed() {
    let (first, second) = (says("first").await, says("second").await);
    let running = edge(&service(first, "")).await;
    assert!(get(running.ingress, "/", "").await.ends_with("first"));
    let next = plan(&service(second, "timeout = '20s'"));
    let differences = running.reloader.reload(next).await.unwrap();
    let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(shown[0], "services.a.timeout: 10s -> 20s");
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(get(running.ingress, "/", "").await.ends_with("second"));
    let same = plan(&service(second, "timeout = '20s'"));
    assert!(running.reloader.reload(same).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_takes_a_restart_changes_nothing() {
    let (first, second) = (says("first").await, says("second").await);
    let running = edge(&service(first, "")).await;
    let mut next = plan(&service(second, ""));
    next.listen = "127.0.0.1:1".parse().unwrap();
    let Err(ReloadError::NeedsRestart(differences)) = running.reloader.reload(next).await else {
        panic!("it was taken");
    };
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].setting, "listen");
    assert!(get(running.ingress, "/", "").await.ends_with("first"));
}

#[tokio::test]
async fn what_is_not_enforced_is_refused() {
    let running = edge(&service(says("first").await, "")).await;
    let next = plan(&service(says("second").await, "[auth]\nmode = 'tokens'\nfile = 'tokens'"));
    let error = running.reloader.reload(next).await.unwrap_err();
    assert!(error.to_string().contains("is not enforced"), "{error}");
    assert_eq!(status(&get(running.ingress, "/", "").await), 200);
}
