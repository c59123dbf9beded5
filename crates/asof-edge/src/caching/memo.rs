//! Header values that the next answer is likely to need again: the moment changes a few times a
//! second, and what is asked for often is asked for in that time.
//!
//! Each thread has its own, of a fixed size. What is found is compared whole, so that a clash
//! costs time and nothing else.

use core::cell::RefCell;

use asof_api::Rfc3339;
use asof_api::headers::AsOfValid;
use asof_cache::ContentHash;
use asof_time::{End, Timestamp, Validity};
use http::HeaderValue;

const PLACES: usize = 512;

type Table<K> = RefCell<Vec<Option<(K, HeaderValue)>>>;

thread_local! {
    static MOMENTS: Table<Timestamp> = const { RefCell::new(Vec::new()) };
    static VALIDITIES: Table<Validity> = const { RefCell::new(Vec::new()) };
    static TAGS: Table<ContentHash> = const { RefCell::new(Vec::new()) };
}

/// `As-Of`.
pub(crate) fn as_of(at: Timestamp) -> Option<HeaderValue> {
    let make = || HeaderValue::from_str(Rfc3339::new(at).as_str()).ok();
    MOMENTS.with(|table| recall(table, at, at.as_micros(), make))
}

/// `As-Of-Valid`.
pub(crate) fn valid(validity: Validity) -> Option<HeaderValue> {
    let (End::Until(end) | End::Through(end)) = validity.end();
    let print = validity.from().as_micros() ^ end.as_micros().rotate_left(7);
    let make = || HeaderValue::try_from(AsOfValid(validity).to_string()).ok();
    VALIDITIES.with(|table| recall(table, validity, print, make))
}

/// `ETag`.
pub(crate) fn tag(hash: ContentHash) -> Option<HeaderValue> {
    let print = hash.as_bytes().first_chunk().map_or(0, |short| u64::from_le_bytes(*short));
    let make = || HeaderValue::try_from(format!("\"{hash}\"")).ok();
    TAGS.with(|table| recall(table, hash, print, make))
}

fn recall<K: Copy + PartialEq>(
    table: &Table<K>,
    key: K,
    print: u64,
    make: impl FnOnce() -> Option<HeaderValue>,
) -> Option<HeaderValue> {
    let mut table = table.borrow_mut();
    if table.is_empty() {
        table.resize_with(PLACES, || None);
    }
    let spread = print.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let place = table.get_mut(usize::try_from(spread).unwrap_or_default() % PLACES)?;
    if let Some((_, value)) = place.as_ref().filter(|(known, _)| *known == key) {
        return Some(value.clone());
    }
    let value = make()?;
    *place = Some((key, value.clone()));
    Some(value)
}
