use super::*;

fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    map
}

#[test]
fn what_connection_names_goes_and_what_decides_stays() {
    let mut headers = map(&[
        ("connection", "keep-alive, X-Hop, Authorization"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "1"),
        ("x-end", "1"),
        ("authorization", "a"),
        ("te", "trailers, deflate"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
    ]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(headers, map(&[("x-end", "1"), ("authorization", "a"), ("te", "trailers")]));
}

#[test]
fn only_our_member_of_the_baggage_stops() {
    let mut headers = map(&[
        ("baggage", "asof=1-x ; p=1, user=7"),
        ("baggage", "asof = 2"),
        ("baggage", "asofx=3,asof"),
        ("asof-context", "c"),
        ("asof-token", "t"),
    ]);
    strip_inward(&mut headers);
    assert_eq!(headers, map(&[("baggage", "user=7"), ("baggage", "asofx=3")]));
}

#[test]
fn outward_the_session_token_stays() {
    let mut headers = map(&[
        ("asof-context", "c"),
        ("asof-version", "1"),
        ("asof-depth", "1"),
        ("asof-token", "t"),
    ]);
    strip_outward(&mut headers);
    assert_eq!(headers, map(&[("asof-token", "t")]));
}

#[test]
fn depth_is_the_largest_that_is_said() {
    assert_eq!(depth(&map(&[])), 0);
    assert_eq!(depth(&map(&[("asof-depth", "x"), ("asof-depth", "3"), ("asof-depth", "2")])), 3);
    let mut headers = map(&[("asof-depth", "3"), ("asof-depth", "2")]);
    set_depth(&mut headers, u32::MAX);
    assert_eq!(depth(&headers), u32::MAX);
    assert_eq!(headers.len(), 1);
}
