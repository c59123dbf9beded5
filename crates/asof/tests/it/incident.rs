//! An incident from its beginning to its end, with load on two layers of services behind an edge: a
//! bad commit, the cap, everything as it was with no call of a service, revert, clear.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::shop::{SPOILT, Seen, Shop, judge, since_start};

#[test]
fn an_incident_ends_with_no_inconsistent_page_and_no_call_of_a_service() {
    let shop = Shop::start();
    let shared = Arc::clone(&shop.shared);
    // Load, and writes; then a moment at which all pages are known.
    shop.shared.writing.store(true, Ordering::SeqCst);
    shop.until_all_pages("pages are served", |_| true);
    shop.shared.writing.store(false, Ordering::SeqCst);
    let last = *shared.written.lock().unwrap().last_key_value().unwrap().0;
    shop.until_all_pages("all pages are of after the last write", |seen| seen.as_of >= last);
    let good = shop.operated(&["time"])["closed"].as_u64().unwrap();

    let bad = shop.commit((0..SPOILT).collect(), "bad").to_string();
    shop.shared.writing.store(true, Ordering::SeqCst);
    let spoilt = |seen: &Seen| seen.item >= SPOILT || seen.price == "bad";
    shop.until_all_pages("clients see the bad pages", spoilt);

    // An edge tells the store of itself a little after its start; a loaded machine may be here first.
    let told =
        || shop.operated(&["cap", "show"])["edges"].as_array().is_some_and(|e| !e.is_empty());
    shop.until("the edge tells how it stands", told);

    // The cap: what it touches, then everything as it was.
    let at = good.to_string();
    let set = ["cap", "set", &at, "--reason", "prices are wrong"];
    let trial = shop.operated(&[&set[..], &["--dry-run"]].concat());
    let touched = trial["blast"]["keys"].as_u64().unwrap();
    assert!(touched >= 2 * SPOILT as u64, "{trial}");
    let setting = since_start();
    let done = shop.operated(&set);
    assert_eq!(done["after"]["latest"], good);
    // The command came back once the edge had said so; beforehand it went by no cap.
    let edge = &done["edges"][0];
    assert_eq!((&edge["name"], &edge["confirmed"]), (&"edge-1".into(), &true.into()), "{done}");
    assert_eq!(edge["cap"], good);
    assert!(trial["edges"][0]["cap"].is_null(), "{trial}");
    assert_eq!(trial["edges"][0]["releases"], serde_json::json!([]), "no releases are kept");
    shop.until_all_pages("all pages are of the cap", |seen| seen.as_of == good);
    // What was under way when the cap came has ended by then.
    shop.until_all_pages("all pages are of the cap", |seen| seen.as_of == good);
    let (capped, before) = (since_start(), shop.executions());
    shop.until_all_pages("again", |seen| seen.as_of == good);

    shop.operated(&["bad", "mark", &bad, "--reason", "prices are wrong"]);
    let refused = shop.operate(&["cap", "clear", "--reason", "too early"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    // The revert is written under the cap; nobody reads it yet. Its effect is noted before anybody
    // can.
    let reverted = shop.operated(&["revert", &bad, "--reason", "prices are wrong"]);
    assert_eq!((&reverted["keys"], &reverted["conflicts"]), (&(2 * SPOILT).into(), &0.into()));
    let effective = reverted["receipt"]["effective"].as_u64().unwrap();
    let put_back = ((0..SPOILT).collect(), "good".to_owned());
    shared.written.lock().unwrap().insert(effective, put_back);
    shop.until_all_pages("still of the cap", |seen| seen.as_of == good);
    assert_eq!(shop.executions(), before, "all of it was held: no service was called");

    let lifted = since_start();
    let cleared = shop.operated(&["cap", "clear", "--reason", "prices are put back"]);
    assert!(cleared["after"]["cap"].is_null());
    assert_eq!(cleared["edges"][0]["confirmed"], true, "{cleared}");
    shop.until_all_pages("readers go on", |seen| seen.as_of > effective);
    hold(shop, &Times { good, setting, capped, lifted, effective });
}

/// When the operator did what.
struct Times {
    /// Where the cap was.
    good: u64,
    /// Before the cap was set, after all clients were held at it, before it was cleared.
    setting: Duration,
    capped: Duration,
    lifted: Duration,
    /// When the revert took effect.
    effective: u64,
}

/// Holds every page against what was true at its moment, and each moment against what the
/// operator had said by then.
fn hold(shop: Shop, times: &Times) {
    let Times { good, setting, capped, lifted, effective } = *times;
    let shared = Arc::clone(&shop.shared);
    let (seen, written) = shop.stop();
    // A request whose moment was taken before the cap came, and whose read of the store came
    // after it, is refused: the store reads nothing above the cap.
    for (begun, ended, failure) in shared.failures.lock().unwrap().iter() {
        assert!(*ended >= setting && *begun <= capped, "{failure}");
    }
    judge(&seen, &written);
    let mut bad_pages = 0;
    for seen in &seen {
        let Seen { item, begun, ended, as_of, price, .. } = seen;
        bad_pages += u64::from(price == "bad");
        if *begun >= capped && *ended < lifted {
            assert_eq!(*as_of, good, "page {item}: every client is held at the cap");
        }
        if *begun >= capped {
            assert!(*as_of == good || *as_of >= effective, "page {item}: nobody saw {as_of} again");
            assert_ne!(price, "bad", "page {item} at {as_of}");
        }
    }
    assert!(bad_pages > 0, "the incident was one");
}
