use std::sync::Arc;

use tokio::time::{Duration, advance};

use super::set::{Settings, Upstreams};
use super::tls::Trusted;
use crate::limits;
use crate::metrics::Metrics;
use crate::target::Target;

fn set(count: u16) -> Arc<Upstreams> {
    let urls = (1..=count).map(|port| format!("http://127.0.0.1:{port}").parse().unwrap());
    let settings = Settings {
        urls: urls.collect(),
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        health: None,
        http2: false,
        trusted: Trusted::default(),
    };
    Upstreams::start(Target::Service("a".parse().unwrap()), settings, &Metrics::new())
}

fn ports(set: &Upstreams, count: usize) -> Vec<u16> {
    (0..count).map(|_| set.choose(None).unwrap().url.port()).collect()
}

#[tokio::test(start_paused = true)]
async fn equals_take_turns_and_the_idle_come_first() {
    let set = set(3);
    let mut turns = ports(&set, 6);
    turns.sort_unstable();
    assert_eq!(turns, [1, 1, 2, 2, 3, 3]);
    let busy = set.choose(None).unwrap();
    let held = busy.enter().unwrap();
    assert!(!ports(&set, 6).contains(&busy.url.port()));
    drop(held);
    assert_eq!(busy.in_flight(), 0);
    assert!(!Arc::ptr_eq(&busy, &set.choose(Some(&busy)).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_connected_to_is_left_alone_for_longer_and_longer() {
    let set = set(2);
    let bad = set.choose(None).unwrap();
    for _ in 1..limits::FAILURES_TO_EJECT {
        bad.connect_failed();
    }
    assert_eq!(set.health(), (2, 2));
    let mut wait = limits::EJECTION_MIN;
    for _ in 0..10 {
        bad.connect_failed();
        assert_eq!(set.health(), (2, 1));
        assert!(!ports(&set, 4).contains(&bad.url.port()));
        advance(wait.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(set.health(), (2, 1));
        advance(Duration::from_millis(1)).await;
        assert_eq!(set.health(), (2, 2));
        wait = (wait * 2).min(limits::EJECTION_MAX);
    }
    bad.connect_failed();
    bad.connected();
    assert_eq!(set.health(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn where_none_is_well_all_are_tried() {
    let set = set(2);
    for _ in 0..2 {
        let instance = set.choose(None).unwrap();
        instance.set_ill(true);
    }
    assert_eq!(set.health(), (2, 0));
    let mut turns = ports(&set, 2);
    turns.sort_unstable();
    assert_eq!(turns, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_takes_only_so_many() {
    let set = set(1);
    let instance = set.choose(None).unwrap();
    let held: Vec<_> =
        (0..limits::UPSTREAM_IN_FLIGHT_MAX).map(|_| instance.enter().unwrap()).collect();
    assert!(instance.enter().is_none());
    assert_eq!(instance.in_flight(), limits::UPSTREAM_IN_FLIGHT_MAX);
    drop(held);
    assert!(instance.enter().is_some());
}
