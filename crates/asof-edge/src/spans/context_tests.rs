use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn carried(lines: &[(&'static str, &str)]) -> Option<SpanContext> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    SpanContext::of(&headers)
}

/// What is handed on of a `traceparent`.
fn handed(parent: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    carried(&[("traceparent", parent)])?.put(&mut headers);
    Some(headers.get("traceparent")?.to_str().unwrap().to_owned())
}

#[test]
fn a_traceparent_is_read_as_the_standard_says() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(handed(&good), Some(good.clone()));
    let sampled = |parent: String| carried(&[("traceparent", &parent)]).unwrap().sampled();
    assert_eq!(sampled(format!("00-{TRACE}-{SPAN}-01")), Sampled::Yes);
    assert_eq!(sampled(format!("00-{TRACE}-{SPAN}-03")), Sampled::Yes);
    assert_eq!(sampled(format!("00-{TRACE}-{SPAN}-00")), Sampled::No);
    assert_eq!(sampled(format!("00-{TRACE}-{SPAN}-fe")), Sampled::No);
    // Flags that are not known mean nothing here, and would mean something to others.
    assert_eq!(handed(&format!("00-{TRACE}-{SPAN}-ff")), Some(format!("00-{TRACE}-{SPAN}-03")));
    // A later version is known by its beginning.
    for later in ["cc-T-S-01", "cc-T-S-01-", "cc-T-S-01-what-the-future-will-be-like", "01-T-S-01"]
    {
        let later = later.replace('T', TRACE).replace('S', SPAN);
        assert_eq!(handed(&later), Some(good.clone()), "{later}");
    }
}

#[test]
fn what_is_no_traceparent_is_none() {
    for bad in [
        "",
        "00-",
        "00-T-S",
        "00-T-S-1",
        "00-T-S-01-",
        "00-T-S-01-more",
        "00-T-S-01.",
        "00-T-S-0x",
        "00-T-S-01 ",
        "ff-T-S-01",
        "0-T-S-01",
        "000-T-S-01",
        "cc-T-S-01.more",
        "00_T_S_01",
        "00-00000000000000000000000000000000-S-01",
        "00-T-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-S-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-S-01",
        "00-T-00F067AA0BA902B7-01",
        "00-T-S-0A",
        "00-4bf92f3577b34da6-a3ce929d0e0e4736-S-1",
        "FF-T-S-01",
    ] {
        let bad = bad.replace('T', TRACE).replace('S', SPAN);
        assert_eq!(carried(&[("traceparent", &bad)]), None, "{bad}");
    }
    assert_eq!(carried(&[]), None);
    let (one, other) = (format!("00-{TRACE}-{SPAN}-01"), format!("00-{TRACE}-{SPAN}-00"));
    assert_eq!(carried(&[("traceparent", &one), ("traceparent", &other)]), None);
}

#[test]
fn what_others_say_of_the_tree_goes_with_it_and_never_alone() {
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let lines = [("traceparent", parent.as_str()), ("tracestate", "a=1"), ("tracestate", "b=2")];
    let context = carried(&lines).unwrap();
    assert_eq!(context.state.as_ref().unwrap(), "a=1,b=2");
    let mut headers = HeaderMap::new();
    headers.insert("tracestate", HeaderValue::from_static("of=another"));
    context.put(&mut headers);
    assert_eq!(headers.get("tracestate").unwrap(), "a=1,b=2");
    carried(&[("traceparent", &parent), ("tracestate", "")]).unwrap().put(&mut headers);
    assert!(!headers.contains_key("tracestate"));
    assert_eq!(carried(&[("tracestate", "a=1")]), None);
    assert_eq!(carried(&[("traceparent", "00-"), ("tracestate", "a=1")]), None);
}

#[test]
fn identifiers_are_never_zero_and_are_shown_as_they_travel() {
    assert_eq!((TraceId::new(0), SpanId::new(0)), (None, None));
    let context =
        SpanContext::root(TraceId::new(1).unwrap(), SpanId::new(2).unwrap(), Sampled::Yes);
    let mut headers = HeaderMap::new();
    context.put(&mut headers);
    let text = format!("00-{:032x}-{:016x}-03", 1, 2);
    assert_eq!(headers.get("traceparent").unwrap(), text.as_str());
    context.unsampled().put(&mut headers);
    assert!(headers.get("traceparent").unwrap().to_str().unwrap().ends_with("-02"));
}
