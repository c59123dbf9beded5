use super::*;

#[test]
fn the_configuration_comes_before_the_environment_and_the_signals_own_before_the_common() {
    let none = |_: &str| None;
    assert_eq!(url(None, none), "http://localhost:4318/v1/traces");
    let base: Uri = "https://otlp.test/base/".parse().unwrap();
    assert_eq!(url(Some(&base), none), "https://otlp.test/base/v1/traces");
    let common = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://h:1/".into());
    assert_eq!(url(None, common), "http://h:1/v1/traces");
    assert_eq!(url(Some(&base), common), "https://otlp.test/base/v1/traces");
    let own = |name: &str| {
        let own = name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        own.then(|| "http://own/here".into()).or_else(|| common(name))
    };
    assert_eq!(url(None, own), "http://own/here", "as it is");
    let empty = |name: &str| common(name).map(|_| " ".to_owned());
    assert_eq!(url(None, empty), "http://localhost:4318/v1/traces");
}

#[test]
fn what_is_no_url_is_refused_at_once() {
    let endpoint = Some("/nowhere".parse().unwrap());
    let error = Collector::start(&Settings::new(endpoint, None)).unwrap_err();
    assert!(error.to_string().contains("/nowhere/v1/traces"), "{error}");
    let endpoint = Some("https://otlp.test".parse().unwrap());
    let settings = Settings::new(endpoint, Some("/missing.pem".into()));
    let error = settings.check().unwrap_err();
    assert!(error.to_string().contains("/missing.pem"), "{error}");
}
