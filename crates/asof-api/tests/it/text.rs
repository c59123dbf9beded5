//! Header texts.

use asof_api::headers::AsOfValid;
use asof_api::{Hash, Rfc3339, SessionToken};
use asof_time::{Epoch, Timestamp, Validity};
use proptest::prelude::*;

fn timestamps() -> impl Strategy<Value = Timestamp> {
    let micros = prop_oneof![
        0..=Timestamp::MAX.as_micros(),
        (0..=Timestamp::MAX.as_seconds()).prop_map(|seconds| seconds * 1_000_000),
        (0..=Timestamp::MAX.as_micros() / 1_000).prop_map(|millis| millis * 1_000),
    ];
    micros.prop_map(|micros| Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX))
}

proptest! {
    #[test]
    fn rfc_3339_is_what_display_gives(at in timestamps()) {
        prop_assert_eq!(Rfc3339::new(at).to_string(), at.to_string());
    }

    #[test]
    fn validity_survives_its_header(a in timestamps(), b in timestamps()) {
        let (from, end) = (a.min(b), a.max(b));
        for validity in [Validity::until(from, end), Validity::through(from, end)] {
            let Some(validity) = validity else { continue };
            let text = AsOfValid(validity).to_string();
            prop_assert_eq!(text.parse::<AsOfValid>().map(|valid| valid.0), Ok(validity));
        }
    }

    #[test]
    fn a_session_token_survives_its_text(at in timestamps(), bits: u64) {
        let token = SessionToken { epoch: Epoch::from_random(bits), at };
        prop_assert_eq!(token.to_string().parse(), Ok(token));
    }

    #[test]
    fn a_hash_survives_its_text(bytes: [u8; 32]) {
        prop_assert_eq!(Hash(bytes).to_string().parse(), Ok(Hash(bytes)));
    }
}

#[test]
fn the_ends_of_the_range_are_written_right() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00Z"),
        (Timestamp::MAX.as_micros(), "2255-06-05T23:47:34.740991Z"),
    ] {
        let at = Timestamp::from_micros(micros).unwrap();
        assert_eq!(Rfc3339::new(at).as_str(), text);
    }
}

#[test]
fn a_malformed_validity_is_refused() {
    for text in [
        "",
        "from=\"1970-01-01T00:00:00Z\"",
        "until=\"1970-01-01T00:00:00Z\"",
        "from=\"2\", until=\"1\"",
        "from=\"1\", until=\"2\", through=\"2\"",
        "from=\"1\", from=\"1\", until=\"2\"",
        "from=1, until=2",
    ] {
        assert!(text.parse::<AsOfValid>().is_err(), "{text}");
    }
}
