//! Several instances, connections that break, and second attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt;

use crate::harness::{
    echo, edge, eventually, exchange, get, head, nowhere, raw, service, status, upstream,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn connections_are_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&connections);
    let address = raw(move |mut stream, _| {
        counting.fetch_add(1, Ordering::SeqCst);
        async move {
            while head(&mut stream).await.ends_with("\r\n\r\n") {
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let running = edge(&service(address, "")).await;
    for _ in 0..5 {
        assert_eq!(status(&get(running.ingress, "/", "").await), 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// A service that answers once on each connection and closes it at the next request, unanswered.
async fn forgetful() -> std::net::SocketAddr {
    raw(|mut stream, _| async move {
        head(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        head(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn a_stale_connection_is_replaced_where_that_is_safe() {
    let running = edge(&service(forgetful().await, "")).await;
    assert_eq!(status(&get(running.ingress, "/", "").await), 200);
    for _ in 0..3 {
        // Over the connection that closes, then over a new one.
        assert_eq!(status(&get(running.ingress, "/", "").await), 200);
    }
    // What may have been done is not done again.
    let post = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(status(&exchange(running.ingress, post).await), 502);
    let bare = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&exchange(running.ingress, bare).await), 200);
    assert_eq!(status(&exchange(running.ingress, bare).await), 502);
}

#[tokio::test]
async fn a_new_connection_that_breaks_is_not_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&tries);
    let address = raw(move |mut stream, _| {
        counting.fetch_add(1, Ordering::SeqCst);
        async move {
            head(&mut stream).await;
        }
    })
    .await;
    let running = edge(&service(address, "")).await;
    let answer = get(running.ingress, "/", "").await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert!(!answer.contains("127.0.0.1"), "nothing of where it is: {answer}");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_instance_is_tried_where_one_is_gone() {
    let (gone, here) = (nowhere().await, echo().await);
    let text = format!(
        "[[ingress.rules]]\nservice = 'a'\n[services.a]\n\
         upstreams = ['http://{gone}', 'http://{here}']\n"
    );
    let running = edge(&text).await;
    for _ in 0..8 {
        let post = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(status(&exchange(running.ingress, post).await), 200);
    }
    let metrics = get(running.admin, "/metrics", "").await;
    assert!(metrics.contains("asof_edge_ejections_total 1"), "{metrics}");
    assert!(get(running.admin, "/readyz", "").await.contains("a: 1 of 2 instances are well"));
}

#[tokio::test]
async fn where_nobody_is_the_client_is_told() {
    let running = edge(&service(nowhere().await, "")).await;
    let answer = get(running.ingress, "/", "").await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("`a` cannot be connected to"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_bad_gateway() {
    for wrong in
        ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"]
    {
        let address = raw(move |mut stream, _| async move {
            head(&mut stream).await;
            stream.write_all(wrong.as_bytes()).await.unwrap();
        })
        .await;
        let running = edge(&service(address, "")).await;
        assert_eq!(status(&get(running.ingress, "/", "").await), 502, "{wrong}");
    }
}

#[tokio::test]
async fn a_service_that_is_ill_gets_no_requests() {
    let well = Arc::new(AtomicUsize::new(1));
    let asked = Arc::clone(&well);
    let ill = upstream(move |request| {
        let well = asked.load(Ordering::SeqCst) == 1;
        async move {
            let check = request.uri().path() == "/health";
            let mut response = Response::new(Full::new(Bytes::from_static(b"first")));
            if check && !well {
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            }
            response
        }
    })
    .await;
    let text = format!(
        "[[ingress.rules]]\nservice = 'a'\n[services.a]\n\
         upstreams = ['http://{ill}', 'http://{}']\nhealth = {{ path = '/health', every = '10ms' }}",
        echo().await
    );
    let running = edge(&text).await;
    let (ingress, admin) = (running.ingress, running.admin);
    let says = |word: &'static str| async move { get(admin, "/readyz", "").await.contains(word) };
    eventually(|| says("a: 2 of 2")).await;
    well.store(0, Ordering::SeqCst);
    eventually(|| says("a: 1 of 2")).await;
    for _ in 0..4 {
        assert!(!get(ingress, "/", "").await.contains("first"));
    }
    well.store(1, Ordering::SeqCst);
    eventually(|| says("a: 2 of 2")).await;
}

#[tokio::test]
async fn a_name_is_resolved() {
    let address = echo().await;
    let text = format!(
        "[[ingress.rules]]\nservice = 'a'\n[services.a]\nupstreams = ['http://localhost:{}']\n",
        address.port()
    );
    let running = edge(&text).await;
    assert_eq!(status(&get(running.ingress, "/", "").await), 200);
    let nobody = edge(
        "[[ingress.rules]]\nservice = 'a'\n[services.a]\nupstreams = ['http://no.such.invalid']\n",
    )
    .await;
    let answer = get(nobody.ingress, "/", "").await;
    assert_eq!(status(&answer), 502, "{answer}");
}
