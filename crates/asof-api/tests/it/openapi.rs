//! The route table and the document made of it.

use std::collections::HashSet;
use std::path::Path;

use asof_api::routes::{BodyLimit, Payload, ROUTES, RouteId};

#[test]
fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi.golden.json");
    let document = asof_api::openapi::document("0.0.0");
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        text == expected,
        "the wire has changed: see whether old clients bear it, then renew the golden file with \
         UPDATE_GOLDEN=1"
    );
}

#[test]
fn each_route_is_in_the_table_once() {
    let ids: Vec<RouteId> = ROUTES.iter().map(|route| route.id).collect();
    assert_eq!(ids, RouteId::ALL);
    let places: HashSet<_> =
        ROUTES.iter().map(|route| (route.method.method(), route.path)).collect();
    assert_eq!(places.len(), ROUTES.len());
}

#[test]
fn a_body_has_a_limit_and_no_body_has_none() {
    for route in ROUTES {
        let empty = matches!(route.request, Payload::None);
        assert_eq!(empty, route.limit == BodyLimit::Empty, "{:?}", route.id);
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = asof_api::openapi::document("0.0.0");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
