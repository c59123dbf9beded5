//! The one part of an entry that moves, and what an entry keeps.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::*;
use crate::changes::{ChangeIndex, Reach, StoreId};

fn t(number: u64) -> Timestamp {
    Timestamp::from_micros(number).unwrap()
}

fn call() -> Arc<Call> {
    Arc::new(Call {
        service: "page".into(),
        method: Method::GET,
        path: "/".into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: crate::RouteDigest::default(),
    })
}

fn fact(says: &'static str, validity: Option<Validity>) -> Fact {
    let mut index = ChangeIndex::new(1);
    index.begin(StoreId(0), asof_time::Epoch::from_random(1), t(0));
    let space = index.space(StoreId(0), "goods").unwrap();
    let content = Content::new(StatusCode::OK, [], Bytes::from_static(says.as_bytes()));
    let trace = Trace::leaf(call().key(), content.hash(), space, Reach::Space);
    Fact { content, validity: validity.unwrap(), trace }
}

#[test]
fn an_open_end_moves_on_and_never_back() {
    let end = MovingEnd::new(End::Through(t(5)));
    end.extend(t(9));
    end.extend(t(7));
    assert_eq!(end.get(), End::Through(t(9)));
    end.extend(Timestamp::MAX);
    assert_eq!(end.get(), End::Through(Timestamp::MAX));
}

#[test]
fn a_certain_end_stays() {
    for until in [t(1), t(5), Timestamp::MAX] {
        let end = MovingEnd::new(End::Until(until));
        end.extend(Timestamp::MAX);
        assert_eq!(end.get(), End::Until(until));
    }
}

#[test]
fn an_end_at_the_first_moment_is_one() {
    let end = MovingEnd::new(End::Through(Timestamp::MIN));
    assert_eq!(end.get(), End::Through(Timestamp::MIN));
}

#[test]
fn of_a_joined_fact_the_trace_is_that_of_its_later_end() {
    let early = fact("same", Validity::through(t(1), t(5)));
    let late = fact("same", Validity::through(t(4), t(9)));
    for (first, second) in [(&early, &late), (&late, &early)] {
        let entry = Entry::new(call(), first.clone()).with(second.clone(), true).unwrap();
        let held: Vec<_> = entry.facts().collect();
        assert_eq!(held.len(), 1);
        assert!(Arc::ptr_eq(&held[0].trace, &late.trace));
    }
}

#[test]
fn a_fact_can_close_the_gap_between_two_others() {
    let entry = Entry::new(call(), fact("same", Validity::until(t(1), t(3))));
    let entry = entry.with(fact("same", Validity::until(t(6), t(8))), true).unwrap();
    let entry = entry.with(fact("same", Validity::until(t(2), t(7))), true).unwrap();
    let held: Vec<_> = entry.facts().map(|fact| fact.validity).collect();
    assert_eq!(held, [Validity::until(t(1), t(8)).unwrap()]);
}

#[test]
fn only_the_fact_that_was_verified_is_ended() {
    let first = fact("same", Validity::through(t(1), t(3)));
    // Known by the same trace: the value had gone and come back.
    let again = Fact { validity: Validity::through(t(6), t(8)).unwrap(), ..first.clone() };
    let entry = Entry::new(call(), first).with(again.clone(), true).unwrap();
    let ended = entry.ended(&again, t(12)).unwrap();
    let held: Vec<_> = ended.facts().map(|fact| fact.validity).collect();
    assert_eq!(
        held,
        [Validity::through(t(1), t(3)).unwrap(), Validity::until(t(6), t(12)).unwrap()]
    );
    // One that took its place in between is another matter.
    let other = fact("same", Validity::through(t(6), t(8)));
    assert!(entry.ended(&other, t(12)).is_none());
    // And where more is known by now, an earlier end is none.
    assert!(entry.ended(&again, t(8)).is_none());
}

#[test]
fn a_fact_is_as_large_as_it_should_be() {
    assert!(size_of::<Held>() <= 32);
    assert!(size_of::<Entry>() <= 40);
    assert!(size_of::<Content>() <= 72);
}
