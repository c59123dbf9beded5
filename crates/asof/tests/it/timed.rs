//! A timed release from its plan to its end, with load on two layers of services behind an edge:
//! scheduled, looked at before it comes, live to the microsecond in all layers, rolled back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use asof_env::{Clock, SystemClock};
use serde_json::json;

use crate::shop::{SPOILT, Shop, judge};

/// The pages that the release changes.
fn items() -> Vec<usize> {
    (0..SPOILT).collect()
}

/// Writes the plan of a release to a file of its own.
fn plan(text: &str) -> tempfile::NamedTempFile {
    let writes = items().into_iter().flat_map(|item| {
        ["prices", "names"]
            .map(|space| json!({ "space": space, "key": item.to_string(), "value_text": text }))
    });
    let body = json!({ "message": "spring", "writes": writes.collect::<Vec<_>>() });
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(file.path(), body.to_string()).unwrap();
    file
}

#[test]
fn a_release_is_looked_at_comes_to_the_microsecond_in_all_layers_and_goes_back() {
    let shop = Shop::start();
    shop.shared.writing.store(true, Ordering::SeqCst);
    shop.until_all_pages("pages are served", |_| true);

    // However slow the machine is: nothing below asks whether the time has come yet.
    let soon = SystemClock.wall().saturating_add(Duration::from_secs(6));
    let (at, before) = (soon.as_micros(), soon.as_micros() - 1);
    let file = plan("spring");
    let (path, time) = (file.path().to_str().unwrap(), at.to_string());
    let planned = shop.operated(&[
        "release",
        "plan",
        path,
        "--name",
        "spring",
        "--at",
        &time,
        "--schedule",
        "--reason",
        "agreed",
    ]);
    assert_eq!(planned["state"], "scheduled", "{planned}");
    shop.shared.written.lock().unwrap().insert(at, (items(), "spring".to_owned()));
    for item in items() {
        assert_eq!(shop.preview(item, at), "spring spring", "item {item}");
        assert_eq!(shop.preview(item, before), "good good", "item {item}");
    }

    shop.until_all_pages("the release is live", |seen| seen.as_of >= at);
    for item in items() {
        assert_eq!(shop.page_at(item, at), "spring spring", "item {item}");
        assert_eq!(shop.page_at(item, before), "good good", "item {item}");
    }

    let rolled = shop.operated(&["release", "roll-back", "spring", "--reason", "too early"]);
    let effective =
        rolled["release"]["rolled_back_at"].as_u64().unwrap_or_else(|| panic!("{rolled}"));
    shop.shared.written.lock().unwrap().insert(effective, (items(), "good".to_owned()));
    shop.until_all_pages("everything is as it was", |seen| seen.as_of >= effective);
    assert_eq!(shop.page_at(0, at), "spring spring", "history stays");

    let failures = core::mem::take(&mut *shop.shared.failures.lock().unwrap());
    assert!(failures.is_empty(), "{failures:#?}");
    let (seen, written) = shop.stop();
    judge(&seen, &written);
    assert!(seen.iter().any(|seen| seen.price == "spring"), "clients saw the release");
}
