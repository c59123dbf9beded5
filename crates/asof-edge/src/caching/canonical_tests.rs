use super::*;

#[test]
fn the_order_of_parameters_does_not_matter_but_for_those_of_one_name() {
    assert_eq!(query("b=2&a=1", None), query("a=1&b=2", None));
    assert_ne!(query("a=1&a=2", None), query("a=2&a=1", None));
    assert_eq!(query("&&a&", None), "a");
}

#[test]
fn undeclared_parameters_do_not_count() {
    let declared = ["a".to_owned(), "x y".to_owned()];
    assert_eq!(query("utm=3&a=1", Some(&declared)), "a=1");
    assert_eq!(query("utm=3", Some(&declared)), "");
    assert_eq!(query("%61=1", Some(&declared)), "a=1", "the same name, encoded");
}

#[test]
fn one_meaning_has_one_encoding() {
    assert_eq!(normal("%7e%2f%41"), "~%2FA");
    assert_eq!(normal("100%"), "100%");
    assert_eq!(normal("%zz%4"), "%zz%4");
    assert_eq!(normal("%+1"), "%+1");
    assert_eq!(normal("ä%c3%a4"), "ä%C3%A4");
}

#[test]
fn declared_headers_are_sorted_and_others_left_out() {
    let mut headers = HeaderMap::new();
    headers.append("x-b", "2".parse().unwrap());
    headers.append("accept", "1".parse().unwrap());
    headers.append("x-b", "3".parse().unwrap());
    headers.append("other", "4".parse().unwrap());
    let names = ["x-b", "accept"].map(HeaderName::from_static);
    let found = declared(&headers, &names);
    let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(found, [("accept", &b"1"[..]), ("x-b", b"2"), ("x-b", b"3")]);
}
