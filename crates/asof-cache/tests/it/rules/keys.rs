//! No two different calls have one key, and no call has two.

use asof_cache::{Call, RouteDigest};
use bytes::Bytes;
use http::Method;
use proptest::prelude::*;

/// Texts so short, and of so few letters, that parts of calls look alike.
fn text() -> impl Strategy<Value = String> {
    "[ab]{0,3}"
}

prop_compose! {
    fn calls()(
        (service, path, query, release) in (text(), text(), text(), text()),
        post in any::<bool>(),
        headers in prop::collection::vec((text(), text()), 0..3),
        state in prop::collection::vec((text(), text()), 0..3),
        (body, route) in (text(), 0_u8..2),
    ) -> Call {
        Call {
            service: service.into(),
            method: if post { Method::POST } else { Method::GET },
            path: path.into(),
            query: query.into(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.into(), value.into_bytes().into()))
                .collect(),
            state: state.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: Bytes::from(body),
            release: release.into(),
            route: RouteDigest::of(&[route]),
        }
    }
}

/// Moves a letter over the border between two neighbouring parts, which changes the call and
/// not the letters of it.
fn shifted(call: &Call, border: usize) -> Call {
    let mut parts =
        [&call.service, &call.path, &call.query, &call.release].map(ToString::to_string);
    let from = border % 4;
    if let Some(letter) = parts[from].pop() {
        parts[(from + 1) % 4].insert(0, letter);
    }
    let [service, path, query, release] = parts.map(String::into_boxed_str);
    Call { service, path, query, release, ..call.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn two_calls_have_one_key_only_if_they_are_one_call(one in calls(), other in calls()) {
        prop_assert_eq!(one == other, one.key() == other.key());
    }

    #[test]
    fn a_letter_that_moves_into_the_next_part_makes_another_call(call in calls(), border in 0_usize..4) {
        let other = shifted(&call, border);
        prop_assert_eq!(call == other, call.key() == other.key());
    }

    #[test]
    fn a_pair_that_moves_from_the_headers_to_the_state_makes_another_call(call in calls()) {
        let mut headers = call.headers.to_vec();
        if let Some((name, value)) = headers.pop() {
            let mut state = vec![(name, String::from_utf8(value.to_vec()).unwrap().into())];
            state.extend(call.state.iter().cloned());
            let other = Call { headers: headers.into(), state: state.into(), ..call.clone() };
            prop_assert_ne!(call.key(), other.key());
        }
    }
}

#[test]
fn digests_come_back_from_their_text_and_nothing_else_is_one() {
    let call = super::story::leaf("goods/a");
    let hash = super::story::content("says").hash();
    assert_eq!(call.key().to_string().parse(), Ok(call.key()));
    assert_eq!(hash.to_string().parse(), Ok(hash));
    let text = call.key().to_string();
    for wrong in
        ["", "0", &text[1..], &format!("{text}00"), &text.to_uppercase(), &hash.to_string()]
    {
        if wrong != text {
            assert_eq!(wrong.parse::<asof_cache::CallKey>(), Err(asof_cache::NoDigest), "{wrong}");
        }
    }
}
