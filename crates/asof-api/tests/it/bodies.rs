//! JSON in and out.

use asof_api::body::{IfBody, ReadBody, RetentionBody, True, WriteBody, WriteRequest};
use asof_api::{ErrorName, Moment, Problem, ValueForm, ValueFormError, ValueOutput};
use asof_time::Timestamp;

#[test]
fn the_exact_text_of_a_json_value_is_kept() {
    let text = r#"{ "b":1.50,  "a" : [1e2, "\u0041"] }"#;
    let write: WriteBody =
        serde_json::from_str(&format!(r#"{{"space":"s","key":"k","value": {text} }}"#)).unwrap();
    let form = write.input().form().unwrap();
    assert_eq!(
        form,
        ValueForm::Put { content_type: "application/json", bytes: text.as_bytes().to_vec() }
    );
}

#[test]
fn null_is_a_value() {
    let write: WriteBody = serde_json::from_str(r#"{"space":"s","key":"k","value":null}"#).unwrap();
    assert!(matches!(write.input().form(), Ok(ValueForm::Put { bytes, .. }) if bytes == b"null"));
}

#[test]
fn a_write_is_one_thing() {
    for (members, error) in [
        ("", ValueFormError::NotOne),
        (r#","value":1,"delete":true"#, ValueFormError::NotOne),
        (r#","value_text":"a","value":1"#, ValueFormError::NotOne),
        (r#","delete":false"#, ValueFormError::NotOne),
        (r#","value_base64":"?""#, ValueFormError::Base64),
        (r#","delete":true,"content_type":"text/plain""#, ValueFormError::DeleteWithType),
    ] {
        let text = format!(r#"{{"space":"s","key":"k"{members}}}"#);
        let write: WriteBody = serde_json::from_str(&text).unwrap();
        assert_eq!(write.input().form(), Err(error), "{text}");
    }
}

#[test]
fn what_calls_itself_json_and_is_not_is_shown_as_base64() {
    assert!(matches!(ValueOutput::new("application/json", b"{"), ValueOutput::Base64(_)));
    assert!(matches!(ValueOutput::new("application/json", b"[1, 2]"), ValueOutput::Json(_)));
}

#[test]
fn a_misspelt_member_is_refused() {
    for text in [
        r#"{"writes":[],"effectiv_at":1}"#,
        r#"{"writes":[{"space":"s","key":"k","value":1,"iff":{"absent":true}}]}"#,
    ] {
        assert!(serde_json::from_str::<WriteRequest>(text).is_err(), "{text}");
    }
    let retention = r#"{"keep_seconds":1,"every_seconds":2}"#;
    assert!(serde_json::from_str::<RetentionBody>(retention).is_err());
}

#[test]
fn a_time_is_read_as_number_or_text_and_written_as_number() {
    let at = Moment(Timestamp::from_micros(1_732_332_000_123_456).unwrap());
    for text in ["1732332000123456", "\"1732332000123456\"", "\"2024-11-23T03:20:00.123456Z\""] {
        assert_eq!(serde_json::from_str::<Moment>(text).unwrap(), at);
    }
    assert_eq!(serde_json::to_string(&at).unwrap(), "1732332000123456");
    for text in ["-1", "1.5", "9007199254740992", "\"now\"", "null"] {
        assert!(serde_json::from_str::<Moment>(text).is_err(), "{text}");
    }
}

#[test]
fn a_precondition_has_exactly_one_member() {
    let absent: IfBody = serde_json::from_str(r#"{"absent":true}"#).unwrap();
    assert_eq!(absent, IfBody::Absent(True));
    for text in ["{}", r#"{"absent":false}"#, r#"{"absent":true,"present":true}"#] {
        assert!(serde_json::from_str::<IfBody>(text).is_err(), "{text}");
    }
}

#[test]
fn retention_has_three_forms() {
    for (text, body) in [
        (r#""all""#, RetentionBody::ALL),
        (r#"{"keep_seconds":60}"#, RetentionBody::KeepFor { keep_seconds: 60 }),
        (
            r#"{"dense_seconds":60,"every_seconds":10}"#,
            RetentionBody::Sparse { dense_seconds: 60, every_seconds: 10 },
        ),
    ] {
        assert_eq!(serde_json::from_str::<RetentionBody>(text).unwrap(), body);
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
    }
}

#[test]
fn an_answer_with_values_can_be_read_back() {
    let text = r#"{"as_of":9,"entries":[
        {"space":"s","key":"k","from":1,"through":9,"effective":1,"commit":7,"bytes":4,
         "content_type":"application/json","value":{"a": 1}},
        {"space":"s","key":"l","absent":true,"from":1,"until":12}]}"#;
    let body: ReadBody = serde_json::from_str(text).unwrap();
    assert_eq!(body.entries[0].value.as_ref().unwrap().get(), r#"{"a": 1}"#);
    assert!(body.entries[1].absent);
    assert!(body.entries[1].validity.unwrap().validity().is_some());
}

#[test]
fn a_problem_says_its_name_and_status() {
    for name in ErrorName::ALL {
        let status = name.status().get();
        assert!(status.is_client_error() || status.is_server_error());
        let problem = Problem::new(*name, "detail");
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], format!("/errors/{name}"));
        assert_eq!(json["status"], status.as_u16());
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }
}
