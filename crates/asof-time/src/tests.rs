//! The laws of the algebra, over small numbers and over the last ones of the range.

use proptest::prelude::*;

use crate::{End, Epoch, ParseTimestampError, Timestamp, Validity};

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).expect("in range")
}

/// Small moments, and moments as close to the end of time: wrap-around bugs show there.
fn moments() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..12_u64, (Timestamp::MAX.as_micros() - 12)..=Timestamp::MAX.as_micros()]
        .prop_map(at)
}

fn validities() -> impl Strategy<Value = Validity> {
    (moments(), moments(), any::<bool>()).prop_filter_map("empty", |(from, end, open)| {
        if open { Validity::through(from, end) } else { Validity::until(from, end) }
    })
}

proptest! {
    #[test]
    fn an_intersection_holds_exactly_what_both_hold(a in validities(), b in validities(), t in moments()) {
        let both = a.intersect(b).is_some_and(|i| i.contains(t));
        prop_assert_eq!(both, a.contains(t) && b.contains(t));
        prop_assert_eq!(a.intersect(b), b.intersect(a));
    }

    #[test]
    fn intersection_does_not_care_for_order(a in validities(), b in validities(), c in validities()) {
        let left = a.intersect(b).and_then(|ab| ab.intersect(c));
        let right = b.intersect(c).and_then(|bc| a.intersect(bc));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn a_known_end_is_never_invented(a in validities(), b in validities()) {
        if let Some(End::Until(until)) = a.intersect(b).map(Validity::end) {
            prop_assert!([a.end(), b.end()].contains(&End::Until(until)));
        }
    }

    #[test]
    fn a_join_holds_exactly_what_either_holds(a in validities(), b in validities(), t in moments()) {
        if let Some(joined) = a.join(b) {
            prop_assert_eq!(joined.contains(t), a.contains(t) || b.contains(t));
        } else {
            prop_assert!(a.intersect(b).is_none());
        }
        prop_assert_eq!(a.join(b), b.join(a));
    }

    #[test]
    fn text_reads_back(micros in 0..=Timestamp::MAX.as_micros()) {
        prop_assert_eq!(at(micros).to_string().parse(), Ok(at(micros)));
        prop_assert_eq!(micros.to_string().parse(), Ok(at(micros)));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        let _ = text.parse::<Timestamp>();
    }
}

#[test]
fn the_ends_of_time_do_not_wrap() {
    assert_eq!(Timestamp::MAX.next(), None);
    assert_eq!(Timestamp::MIN.prev(), None);
    assert_eq!(Timestamp::MAX.saturating_add(std::time::Duration::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.saturating_sub(std::time::Duration::MAX), Timestamp::MIN);
    assert!(Validity::instant(Timestamp::MAX).contains(Timestamp::MAX));
    assert_eq!(Timestamp::from_micros(1 << 53), None);
}

#[test]
fn texts_that_are_no_timestamp_say_why() {
    use ParseTimestampError::{OutOfRange, Syntax, TooFine};
    for (text, error) in [
        ("", Syntax),
        ("yesterday", Syntax),
        ("-1", Syntax),
        ("2024-11-23", Syntax),
        ("2024-11-23T03:20:00", Syntax),
        ("2024-11-23T03:20:00.Z", Syntax),
        ("2024-11-23T03:20:00Z[Europe/Berlin]", Syntax),
        ("2024-13-23T03:20:00Z", Syntax),
        ("1969-12-31T23:59:59Z", OutOfRange),
        ("9007199254740992", OutOfRange),
        ("99999999999999999999999", OutOfRange),
        ("2300-01-01T00:00:00Z", OutOfRange),
        ("2024-11-23T03:20:00.1234567Z", TooFine),
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(error), "{text}");
    }
}

#[test]
fn offsets_and_short_fractions_are_read() {
    let utc: Timestamp = "2024-11-23T03:20:00.5Z".parse().expect("RFC 3339");
    assert_eq!("2024-11-23T04:20:00.500000+01:00".parse(), Ok(utc));
    assert_eq!(utc.to_string(), "2024-11-23T03:20:00.500Z");
}

#[test]
fn an_epoch_reads_back() {
    let epoch = Epoch::from_random(u64::MAX);
    assert_eq!(epoch.to_string().parse(), Ok(epoch));
    assert!("ffffffffffffff".parse::<Epoch>().is_err());
    assert!("+1fffffffffff0".parse::<Epoch>().is_err());
}
