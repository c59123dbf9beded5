use super::*;

fn asked(request: &Request<Body>, meaningless: &Arc<Meaningless>) -> Asked {
    let headers = meaningful(request.headers(), meaningless);
    Asked {
        age: 0,
        since: Since::default(),
        // Of different requests it may be the same.
        print: 0,
        version: request.version(),
        uri: request.uri().clone(),
        headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        meaningless: Arc::clone(meaningless),
    }
}

fn request(uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

#[test]
fn what_a_request_says_is_compared_whole() {
    let names = ["user-agent", "accept"];
    let meaningless = names.iter().map(|name| (HeaderName::from_static(name), ()));
    let meaningless = Arc::new(meaningless.collect::<Meaningless>());
    let host = ("host", "shop");
    let known = asked(&request("/a?b", &[host, ("cookie", "1")]), &meaningless);
    let is = |uri: &str, headers: &[(&str, &str)]| known.is(&request(uri, headers), &meaningless);
    assert!(is("/a?b", &[host, ("cookie", "1")]));
    assert!(is("/a?b", &[("user-agent", "x"), host, ("accept", "y"), ("cookie", "1")]));
    assert!(!is("/a?c", &[host, ("cookie", "1")]));
    assert!(!is("/a", &[host, ("cookie", "1")]));
    assert!(!is("/a?b", &[host, ("cookie", "2")]));
    assert!(!is("/a?b", &[host]));
    assert!(!is("/a?b", &[host, ("cookie", "1"), ("cookie", "1")]));
    assert!(!is("/a?b", &[("host", "other"), ("cookie", "1")]));
    assert!(!is("/a?b", &[host, ("cookie", "1"), ("as-of", "1")]));
    let mut older = request("/a?b", &[host, ("cookie", "1")]);
    *older.version_mut() = Version::HTTP_10;
    assert!(!known.is(&older, &meaningless));
    // By the rules of another configuration the same headers may say something.
    let other = Arc::new(Meaningless::clone(&meaningless));
    assert!(!known.is(&request("/a?b", &[host, ("cookie", "1")]), &other));
}

#[test]
fn what_moved_is_older_for_ever() {
    let repeats = Repeats::default();
    let cache = Cache::new(asof_cache::Settings::default());
    let known = asked(&request("/", &[]), &Arc::default());
    assert!(repeats.is_now(&known, &cache));
    repeats.moved();
    assert!(!repeats.is_now(&known, &cache));
    let known = Asked { age: 1, ..known };
    assert!(repeats.is_now(&known, &cache));
    cache.drop_where(|_| true);
    assert!(!repeats.is_now(&known, &cache));
}
