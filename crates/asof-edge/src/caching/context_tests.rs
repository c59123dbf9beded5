use super::*;

fn token(call: u64) -> Token {
    Token { edge: 7, context: 1, call: CallId(call), nonce: u64::MAX }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_token_survives_its_text_and_nothing_else_is_one() {
    let text = token(9).to_string();
    assert_eq!(text.parse(), Ok(token(9)));
    for wrong in ["", "1", &text.replacen('1', "2", 1), &text.to_uppercase(), &format!("{text}-0")]
    {
        assert_eq!(wrong.parse::<Token>(), Err(NoToken), "{wrong}");
    }
}

#[test]
fn either_carrier_is_enough() {
    let text = token(1).to_string();
    let baggage = format!("user=x,asof={text};property");
    assert_eq!(carried(&headers(&[("asof-context", &text)])), Carried::Token(token(1)));
    assert_eq!(carried(&headers(&[("baggage", &baggage)])), Carried::Token(token(1)));
    let both = headers(&[("asof-context", &text), ("baggage", &baggage)]);
    assert_eq!(carried(&both), Carried::Token(token(1)));
}

#[test]
fn an_overwritten_context_is_seen_as_several() {
    let (one, other) = (token(1).to_string(), format!("asof={}", token(2)));
    let both = headers(&[("asof-context", &one), ("baggage", &other)]);
    assert_eq!(carried(&both), Carried::Several(vec![token(1), token(2)]));
}

#[test]
fn what_a_client_made_up_is_no_context() {
    assert_eq!(carried(&headers(&[("asof-context", "hello")])), Carried::Nothing);
    assert_eq!(carried(&headers(&[("asof-context", "a,b"), ("baggage", "x=1")])), Carried::Nothing);
}

#[test]
fn a_token_takes_the_place_of_another() {
    let mut headers = headers(&[("asof-context", "old"), ("baggage", "user=x,asof=old")]);
    token(3).put(&mut headers);
    assert_eq!(carried(&headers), Carried::Token(token(3)));
    let baggage: Vec<_> = headers.get_all("baggage").iter().collect();
    assert_eq!(baggage[0], "user=x");
}
