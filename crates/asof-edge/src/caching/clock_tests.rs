use super::*;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_day_is_the_zones_own_even_when_it_has_23_hours() {
    let (text, validity) = unit(Bucket::Day, "Europe/Berlin", t("2026-03-29T12:00:00Z")).unwrap();
    assert_eq!(text, "2026-03-29T00:00:00+01:00");
    let expected = Validity::until(t("2026-03-28T23:00:00Z"), t("2026-03-29T22:00:00Z"));
    assert_eq!(Some(validity), expected);
}

#[test]
fn the_hour_that_comes_twice_is_two_hours() {
    let first = unit(Bucket::Hour, "Europe/Berlin", t("2026-10-25T00:30:00Z")).unwrap().1;
    let second = unit(Bucket::Hour, "Europe/Berlin", t("2026-10-25T01:30:00Z")).unwrap().1;
    assert_eq!(first.intersect(second), None);
    assert!(first.touches(second));
}

#[test]
fn every_unit_holds_the_moment_up_to_the_end_of_time() {
    let moments = [t("1970-01-01T00:00:00Z"), t("2026-12-31T23:59:59.999999Z"), Timestamp::MAX];
    for at in moments {
        for bucket in [Bucket::Year, Bucket::Month, Bucket::Day, Bucket::Hour, Bucket::Minute] {
            let (_, validity) = unit(bucket, "America/St_Johns", at).unwrap();
            assert!(validity.contains(at), "{bucket:?} at {at}");
        }
    }
}

#[test]
fn a_zone_that_is_none_is_told() {
    assert_eq!(unit(Bucket::Day, "Mars/Olympus", t("2026-03-29T12:00:00Z")), None);
}
