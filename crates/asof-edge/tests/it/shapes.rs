//! Requests that are no requests, or could be read in two ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Running, edge, exchange, service, status, until, upstream};

/// An edge, and how many requests have reached the service behind it.
async fn counted() -> (Running, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let address = upstream(move |request| {
        counting.fetch_add(1, Ordering::SeqCst);
        async move {
            let path = request.uri().path().to_owned();
            // A body that breaks off ends as an error.
            let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
            let text = format!("{path} {:?}", body.unwrap_or_default());
            Response::new(Full::new(Bytes::from(text)))
        }
    })
    .await;
    (edge(&service(address, "")).await, count)
}

/// Each is refused with 400 (or another of `statuses`), the connection ends, and nothing gets to
/// the service: neither it nor what is smuggled behind it.
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let (running, count) = counted().await;
    for request in [
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4, 5\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4x\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nx-fold: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n x-space: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET http://y/ HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nx-null: a\0b\r\n\r\n",
        "GET / x HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET  HTTP/1.1\r\nhost: x\r\n\r\n",
        "G\u{e9}T / HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.9\r\nhost: x\r\n\r\n",
    ] {
        let smuggled = format!("{request}GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = exchange(running.ingress, &smuggled).await;
        assert_eq!(status(&answer), 400, "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
        assert_eq!(count.load(Ordering::SeqCst), 0, "{request:?}");
    }
}

/// Length and chunks together: the chunks count, and nothing after them does.
#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let (running, count) = counted().await;
    for lengths in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\ntransfer-encoding: chunked",
    ] {
        count.store(0, Ordering::SeqCst);
        let request = format!(
            "POST /one HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
             GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        let answer = exchange(running.ingress, &request).await;
        assert!(!answer.contains("/smuggled"), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{lengths}: {answer}");
        assert!(count.load(Ordering::SeqCst) <= 1, "{lengths}");
        if status(&answer) == 200 {
            assert!(answer.contains("/one b\"abc\""), "{lengths}: {answer}");
            assert!(answer.contains("connection: close"), "{lengths}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_same_length_twice_is_one_length() {
    let (running, _) = counted().await;
    let request = "POST /one HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 3\r\n\
                   connection: close\r\n\r\nabc";
    let answer = exchange(running.ingress, request).await;
    assert!(answer.contains("/one b\"abc\""), "{answer}");
}

#[tokio::test]
async fn chunks_that_are_no_chunks_end_the_connection() {
    let (running, _) = counted().await;
    for chunk in ["zz\r\nabc\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "3\r\nabcde\r\n", "3;\n"] {
        let request = format!(
            "POST /one HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}\
             GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        let answer = exchange(running.ingress, &request).await;
        assert!(!answer.contains("/smuggled"), "{chunk:?}: {answer}");
        assert!(answer.is_empty() || status(&answer) >= 400, "{chunk:?}: {answer}");
    }
}

#[tokio::test]
async fn heads_have_a_size() {
    let (running, count) = counted().await;
    let long = "x".repeat(70_000);
    let line = format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(status(&exchange(running.ingress, &line).await), 431);
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n");
    assert_eq!(status(&exchange(running.ingress, &header).await), 431);
    let many = "x-many: 1\r\n".repeat(200);
    let flood = format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    assert_eq!(status(&exchange(running.ingress, &flood).await), 431);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_absolute_request_line_is_taken_where_it_agrees() {
    let (running, _) = counted().await;
    let agree = "GET http://x/one HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(exchange(running.ingress, agree).await.contains("/one"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (running, _) = counted().await;
    let mut stream = TcpStream::connect(running.ingress).await.unwrap();
    let two = "GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(two.as_bytes()).await.unwrap();
    let answers = until(&mut stream, "/2").await;
    assert!(answers.find("/1").unwrap() < answers.find("/2").unwrap(), "{answers}");
}
