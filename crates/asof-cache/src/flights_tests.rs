//! What is left of flights that are over.

use super::*;

fn key(number: u8) -> CallKey {
    let call = crate::Call {
        service: "page".into(),
        method: http::Method::GET,
        path: number.to_string().into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: bytes::Bytes::new(),
        release: "".into(),
        route: crate::RouteDigest::default(),
    };
    call.key()
}

fn lead(flights: &Flights, number: u8, line: Option<&Arc<Line>>) -> Lead {
    match flights.join(key(number), line) {
        Joined::Lead(lead) => lead,
        other => panic!("{other:?}"),
    }
}

fn follow(flights: &Flights, number: u8, line: Option<&Arc<Line>>) -> Ticket {
    match flights.join(key(number), line) {
        Joined::Follow(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn is_empty(flights: &Flights) -> bool {
    let table = flights.lock();
    table.by_key.is_empty() && table.flights.is_empty() && table.waits.is_empty()
}

#[test]
fn nothing_is_left_behind_in_whatever_order_they_go() {
    let flights = Flights::new(Rules::default());
    let (one, two) = (lead(&flights, 1, None), lead(&flights, 2, None));
    let (first, second) = (follow(&flights, 2, Some(one.line())), follow(&flights, 2, None));
    drop(first);
    two.refuse(Unstorable::Status);
    drop(one);
    assert!(!is_empty(&flights), "somebody has not picked up what came of it");
    drop(second);
    assert!(is_empty(&flights));
    drop((lead(&flights, 1, None), lead(&flights, 2, None)));
    assert!(is_empty(&flights));
}

#[test]
fn a_cycle_through_a_third_one_is_a_cycle() {
    let flights = Flights::new(Rules::default());
    let leads = [1, 2, 3].map(|number| lead(&flights, number, None));
    let _waits =
        (follow(&flights, 2, Some(leads[0].line())), follow(&flights, 3, Some(leads[1].line())));
    assert!(matches!(flights.join(key(1), Some(leads[2].line())), Joined::Alone));
    // A call far below waits for all that are above it.
    let below = lead(&flights, 4, Some(leads[2].line()));
    assert_eq!(Line::depth(Some(below.line())), 2);
    assert!(matches!(flights.join(key(1), Some(below.line())), Joined::Alone));
    assert!(matches!(flights.join(key(1), None), Joined::Follow(_)));
}

#[test]
fn who_no_longer_waits_is_in_nobody_s_way() {
    let flights = Flights::new(Rules::default());
    let (one, two) = (lead(&flights, 1, None), lead(&flights, 2, None));
    let waiting = follow(&flights, 2, Some(one.line()));
    let again = follow(&flights, 2, Some(one.line()));
    drop(waiting);
    assert!(matches!(flights.join(key(1), Some(two.line())), Joined::Alone), "one still waits");
    drop(again);
    assert!(matches!(flights.join(key(1), Some(two.line())), Joined::Follow(_)));
}

#[test]
fn a_call_does_not_wait_for_itself() {
    let flights = Flights::new(Rules::default());
    let one = lead(&flights, 1, None);
    assert!(matches!(flights.join(key(1), Some(one.line())), Joined::Alone));
}
