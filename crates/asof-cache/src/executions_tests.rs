//! The table of executions: what it forgets, and what it must not.

use super::*;
use crate::rules::Rules;

fn start(service: &str) -> Start {
    let call = Call {
        service: service.into(),
        method: http::Method::GET,
        path: "/".into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: bytes::Bytes::new(),
        release: "".into(),
        route: crate::RouteDigest::default(),
    };
    Start {
        call: Arc::new(call),
        at: Timestamp::MIN,
        nonce: 7,
        constant: true,
        clock: None,
        line: None,
        since: Since::default(),
    }
}

fn answer() -> Arc<Content> {
    Content::new(http::StatusCode::OK, [], bytes::Bytes::new())
}

#[test]
fn finished_executions_are_forgotten_oldest_first() {
    let mut executions = Executions::new(Rules::default());
    for number in 0..=limits::FINISHED_MAX as u64 {
        executions.begin(CallId(number), start("page")).unwrap();
        executions.finish(CallId(number), Ok(answer())).unwrap();
    }
    assert_eq!(executions.finished.len(), limits::FINISHED_MAX);
    assert_eq!(executions.finished_in_order.len(), limits::FINISHED_MAX);
    assert!(matches!(executions.arrive(CallId(0), 7, "page"), Arrival::Unknown));
    assert!(matches!(executions.arrive(CallId(1), 7, "page"), Arrival::Late(None)));
}

#[test]
fn a_lost_context_taints_its_own_service_and_no_other() {
    let mut executions = Executions::new(Rules::default());
    for (number, service) in [(1, "page"), (2, "page"), (3, "part")] {
        executions.begin(CallId(number), start(service)).unwrap();
    }
    executions.taint_service("page");
    executions.begin(CallId(4), start("page")).unwrap();
    let mut why = |number| executions.finish(CallId(number), Ok(answer())).err();
    assert_eq!(why(1), Some(Unstorable::LostContext));
    assert_eq!(why(2), Some(Unstorable::LostContext));
    assert_eq!(why(3), None);
    assert_eq!(why(4), None, "it had not begun");
    assert!(executions.by_service.is_empty() && executions.running.is_empty());
}

#[test]
fn what_is_settled_after_the_end_is_settled_for_nobody() {
    let mut executions = Executions::new(Rules::default());
    executions.begin(CallId(1), start("page")).unwrap();
    let Arrival::Input { slot, .. } = executions.arrive(CallId(1), 7, "page") else { panic!() };
    assert_eq!(executions.finish(CallId(1), Ok(answer())).err(), Some(Unstorable::Unfinished));
    let call = start("part").call;
    let observed = Observed { key: call.key(), call, fact: Err(Unstorable::Status) };
    executions.settle(CallId(1), slot, &observed);
    assert_eq!(executions.finish(CallId(1), Ok(answer())).err(), Some(Unstorable::Truncated));
}

#[test]
fn an_unstorable_answer_is_told_as_such_after_all_inputs() {
    let mut executions = Executions::new(Rules::default());
    executions.begin(CallId(1), start("page")).unwrap();
    let refused = executions.finish(CallId(1), Err(Unstorable::SetCookie));
    assert_eq!(refused.err(), Some(Unstorable::SetCookie));
    assert!(matches!(executions.arrive(CallId(1), 7, "page"), Arrival::Late(None)));
}
