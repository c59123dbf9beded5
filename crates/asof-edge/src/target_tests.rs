use std::path::Path;

use super::*;

fn plan() -> Plan {
    let text = "[services.files]\nupstreams = ['http://h']\nhosts = ['files.internal']\n\
                [stores.main]\nurl = 'http://h'\n";
    Plan::from_toml(text, Path::new("")).unwrap()
}

fn aimed(host: Option<&str>, uri: &str) -> Result<(String, String), ProblemKind> {
    let mut request = Request::get(uri);
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    let request = request.body(()).unwrap();
    let authority = authority(&request).map_err(|problem| problem.kind)?;
    resolve(&plan(), authority.as_deref(), request.uri())
        .map(|(target, path)| (target.to_string(), path.to_string()))
        .map_err(|problem| problem.kind)
}

#[track_caller]
fn goes(host: Option<&str>, uri: &str, target: &str, path: &str) {
    assert_eq!(aimed(host, uri), Ok((target.to_owned(), path.to_owned())));
}

#[test]
fn a_target_is_named_by_host_or_by_path() {
    goes(Some("127.0.0.1:7491"), "/-/files/a/b?c=/d", "files", "/a/b?c=/d");
    goes(Some("127.0.0.1:7491"), "/-/files", "files", "/");
    goes(Some("127.0.0.1:7491"), "/-/files?x", "files", "/?x");
    goes(Some("127.0.0.1:7491"), "/-/main/v1/time", "main", "/v1/time");
    goes(Some("127.0.0.1:7491"), "/-/files.internal//x", "files", "//x");
    goes(Some("FILES:80"), "/a", "files", "/a");
    goes(Some("files.internal."), "/-/main/x", "files", "/-/main/x");
    goes(Some("main"), "http://main/v1/time", "main", "/v1/time");
    goes(None, "http://files.internal:9/a?b", "files", "/a?b");
    goes(None, "/-/main/x", "main", "/x");
}

#[test]
fn nobody_else_is_reached() {
    for (host, uri) in [
        (Some("example.org"), "http://example.org/"),
        (Some("example.org"), "/"),
        (Some("127.0.0.1:7491"), "/-/example.org/"),
        (Some("127.0.0.1:7491"), "/-/"),
        (Some("127.0.0.1:7491"), "/-/..%2Fmain/x"),
        (Some("127.0.0.1:7491"), "/files/a"),
        (None, "/files/a"),
        (None, "https://169.254.169.254/latest"),
    ] {
        assert_eq!(aimed(host, uri), Err(ProblemKind::NoSuchTarget), "{host:?} {uri}");
    }
}

#[test]
fn a_request_says_one_host() {
    assert_eq!(aimed(Some("main"), "http://files/a"), Err(ProblemKind::Malformed));
    assert_eq!(aimed(Some("a b"), "/-/files/"), Err(ProblemKind::Malformed));
    assert_eq!(aimed(Some("u@files"), "/a"), Err(ProblemKind::Malformed));
    let twice = Request::get("/a").header("host", "files").header("host", "main").body(()).unwrap();
    assert_eq!(authority(&twice).unwrap_err().kind, ProblemKind::Malformed);
    let same = Request::get("http://Files/a").header("host", "files").body(()).unwrap();
    assert_eq!(authority(&same).unwrap().as_deref(), Some("Files"));
}

#[test]
fn a_host_that_is_plain_is_read_as_any_other() {
    let texts = [
        "a",
        "a.b:80",
        "127.0.0.1:8080",
        "A.b",
        "a.",
        "a.:80",
        "",
        ":80",
        "a:",
        "a:b",
        "[::1]:80",
        "a@b",
    ];
    for text in texts {
        if let Some(host) = plain(text) {
            let authority: Authority = text.parse().unwrap();
            assert_eq!(authority.host(), host, "{text}");
            assert_eq!(host_of(text).as_deref(), Some(host), "{text}");
        }
    }
    assert_eq!(plain("127.0.0.1:8080"), Some("127.0.0.1"));
    assert!(
        ["A.b", "a.", "a:", "a:b", "[::1]:80", "a@b", ""].iter().all(|text| plain(text).is_none())
    );
}
