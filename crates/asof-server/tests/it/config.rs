//! Configurations that are taken, and those that are refused.

use asof_server::{Config, LogFormat, Span};

fn check(text: &str) -> Result<Config, String> {
    let config = Config::from_toml(text).map_err(|error| error.to_string())?;
    config.check().map_err(|error| error.to_string())?;
    Ok(config)
}

#[test]
fn nothing_is_a_configuration() {
    let config = check("").unwrap();
    assert_eq!(config, Config::default());
    assert!(config.listen.ip().is_loopback());
}

#[test]
fn a_whole_configuration_is_read() {
    let config = check(
        r#"
        listen = "0.0.0.0:443"
        [tls]
        cert = "cert.pem"
        key = "key.pem"
        [limits]
        connections = 10
        idle_timeout = "90s"
        [log]
        format = "json"
        filter = "debug"
        [store]
        value_bytes_max = 2097152
        schedule_limit = "400d"
        idle_tick = "20ms"
        "#,
    )
    .unwrap();
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.store.options().value_bytes_max, 2 << 20);
    assert_eq!(config.store.schedule_limit.to_string(), "400d");
}

#[test]
fn what_is_not_known_or_not_safe_is_refused() {
    for (text, says) in [
        ("\nlisen = \"127.0.0.1:1\"", "line 2, column 1"),
        ("[store]\nidle_tick = \"10\"", "is no length of time"),
        ("[store]\nidle_tick = 10", "line 2"),
        ("[tls]\ncert = \"c\"", "missing field `key`"),
        ("listen = \"localhost\"", "line 1"),
        ("listen = \"0.0.0.0:80\"", "beyond loopback"),
        ("[store]\nvalue_bytes_max = 0", "store.value_bytes_max = 0"),
        ("[store]\nidle_tick = \"2s\"", "store.idle_tick = \"2s\""),
        ("[store]\nclock_jump_limit = \"300d\"\nclock_start_limit = \"1d\"", "is above"),
        ("[limits]\nconnections = 0", "limits.connections = 0"),
        ("require_tokens = 1", "line 1"),
        ("listen = ", "line 1"),
    ] {
        let error = check(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn tls_elsewhere_is_a_word_of_its_own() {
    assert!(check("listen = \"0.0.0.0:80\"\ntls_terminated_elsewhere = true").is_ok());
    let both = "tls_terminated_elsewhere = true\n[tls]\ncert = \"c\"\nkey = \"k\"";
    assert!(check(both).unwrap_err().contains("contradicts"));
}

#[test]
fn spans_are_whole_numbers_with_a_unit() {
    for text in ["10ms", "30s", "5m", "12h", "400d", "0ms", "1500ms"] {
        assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
    }
    for text in ["", "10", "ms", "-1s", "1.5s", "1 s", "1w", "99999999999999999999d"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}
