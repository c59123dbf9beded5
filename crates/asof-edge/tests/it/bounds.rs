//! Slow, many, and stopping. Where a time-out is waited for, the clock of the runtime is stopped
//! and jumps, so that no test waits.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::harness::{echo, edge, eventually, get, raw, service, status, until, upstream};

/// All that comes until the connection ends, however long that takes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut rather than ended is over too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_the_connection() {
    let running = edge(&service(echo().await, "")).await;
    for begun in ["", "G", "PRI * HT", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = TcpStream::connect(running.ingress).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || status(&answer) == 408, "{begun:?}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_ended() {
    let running = edge(&service(echo().await, "")).await;
    let mut stream = TcpStream::connect(running.ingress).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(status(&rest(&mut stream).await), 200);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_keep_coming_is_refused() {
    let address = upstream(|request| async {
        let whole = request.into_body().collect().await.is_ok();
        Response::new(Full::new(Bytes::from(format!("{whole}"))))
    })
    .await;
    let running = edge(&service(address, "")).await;
    let mut stream = TcpStream::connect(running.ingress).await.unwrap();
    let begun = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    stream.write_all(begun.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_is_not_waited_for() {
    let silent = raw(|mut stream, _| async move {
        rest(&mut stream).await;
    })
    .await;
    let running = edge(&service(silent, "timeout = '1s'")).await;
    let mut stream = TcpStream::connect(running.ingress).await.unwrap();
    let get = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!(status(&answer), 504, "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("GatewayTimeout"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_coming_is_cut_off() {
    let stuck = raw(|mut stream, _| async move {
        let begun = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
        stream.write_all(begun.as_bytes()).await.unwrap();
        rest(&mut stream).await;
    })
    .await;
    let running = edge(&service(stuck, "timeout = '1s'")).await;
    let mut stream = TcpStream::connect(running.ingress).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The client sees that it is not whole: the connection ends before the length is reached.
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
}

/// A service that answers when it is let, and what lets it.
async fn held() -> (std::net::SocketAddr, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let address = upstream(move |_| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.acquire().await.unwrap().forget();
            Response::new(Full::new(Bytes::from_static(b"held")))
        }
    })
    .await;
    (address, gate)
}

#[tokio::test]
async fn what_is_too_much_is_shed_with_a_word_on_when_to_come_back() {
    let (address, gate) = held().await;
    let text = format!("[limits]\nrequests_in_flight = 1\n{}", service(address, ""));
    let running = edge(&text).await;
    let mut first = TcpStream::connect(running.ingress).await.unwrap();
    first.write_all(b"GET /first HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (ingress, admin) = (running.ingress, running.admin);
    eventually(|| async move {
        get(admin, "/metrics", "").await.contains("edge_in_flight{listener=\"ingress\"} 1")
    })
    .await;
    let shed = get(ingress, "/second", "").await;
    assert_eq!(status(&shed), 503, "{shed}");
    assert!(shed.contains("retry-after: 1"), "{shed}");
    // What has begun may still call others.
    let inner = tokio::spawn({
        let egress = running.egress.unwrap();
        async move { get(egress, "/-/a/inner", "").await }
    });
    gate.add_permits(2);
    assert_eq!(status(&inner.await.unwrap()), 200);
    assert!(until(&mut first, "held").await.contains("200 OK"));
    gate.add_permits(1);
    eventually(|| async move { status(&get(ingress, "/third", "").await) == 200 }).await;
}

#[tokio::test]
async fn stopping_lets_what_is_under_way_end() {
    let (address, gate) = held().await;
    let mut running = edge(&service(address, "")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let admin = running.admin;
    eventually(|| async move {
        get(admin, "/metrics", "").await.contains("edge_in_flight{listener=\"ingress\"} 1")
    })
    .await;
    let ingress = running.ingress;
    let stopped = running.begin_stop();
    eventually(|| async move { TcpStream::connect(ingress).await.is_err() }).await;
    gate.add_permits(1);
    let answer = until(&mut client, "never").await;
    assert!(answer.contains("200 OK") && answer.ends_with("held"), "{answer}");
    stopped.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever() {
    let (address, _gate) = held().await;
    let mut running = edge(&service(address, "timeout = '1h'")).await;
    let mut client = TcpStream::connect(running.ingress).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    running.begin_stop().await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}
