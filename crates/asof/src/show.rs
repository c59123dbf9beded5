//! How answers of the store look, to people and as JSON.

use asof_api::Moment;
use asof_api::body::{ReceiptBody, TimeBody, ValidityBody};
use asof_time::{End, Timestamp, Validity};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// The end of a validity for a table: a moment, or that it is open.
pub(crate) fn until(validity: Option<ValidityBody>) -> String {
    match validity.and_then(ValidityBody::validity).map(Validity::end) {
        Some(End::Until(until)) => until.to_string(),
        Some(End::Through(_)) => "open".to_owned(),
        None => "-".to_owned(),
    }
}

/// The begin of a validity for a table.
pub(crate) fn from(validity: Option<ValidityBody>) -> String {
    moment_or_dash(validity.and_then(ValidityBody::validity).map(|validity| validity.from().into()))
}

/// A moment, or a dash for none.
pub(crate) fn moment_or_dash(moment: Option<Moment>) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| moment.0.to_string())
}

/// When an answer is true, as a sentence.
pub(crate) fn sentence(as_of: Timestamp, validity: Option<Validity>) -> String {
    match validity {
        Some(validity) => format!("as of {as_of}, true {validity}"),
        None => format!("preview of {as_of}: it may still change"),
    }
}

/// The first characters of a hash, enough to tell versions apart.
pub(crate) fn short_hash(hash: asof_api::Hash) -> String {
    hash.to_string().chars().take(12).collect()
}

/// Whether a commit is for now or for later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// It took effect.
    Now,
    /// It is pending.
    Later,
}

impl When {
    /// What asking for `effective_at` means.
    pub(crate) fn of(effective_at: Option<Timestamp>) -> Self {
        match effective_at {
            Some(_) => Self::Later,
            None => Self::Now,
        }
    }
}

/// That a commit was accepted.
pub(crate) fn receipt(out: &mut Output, receipt: &ReceiptBody, when: When) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(receipt);
    }
    let verb = match when {
        When::Now => "took",
        When::Later => "takes",
    };
    let again = if receipt.replayed { " (known from an earlier, identical request)" } else { "" };
    out.line(&format!("commit {} {verb} effect at {}{again}", receipt.id.0, receipt.effective.0))
}

/// Where a store is in time.
#[derive(Serialize)]
struct TimeLine {
    epoch: asof_api::EpochId,
    floor: Moment,
    closed: Moment,
    cap: Option<Moment>,
    latest: Moment,
}

/// Where a store is in time: these five and no others.
pub(crate) fn time(out: &mut Output, time: &TimeBody) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&TimeLine {
            epoch: time.epoch,
            floor: time.floor,
            closed: time.closed,
            cap: time.cap,
            latest: time.latest,
        });
    }
    let cap = time.cap.map_or_else(|| "none".to_owned(), |cap| cap.0.to_string());
    for (name, value) in [
        ("epoch", time.epoch.0.to_string()),
        ("floor", time.floor.0.to_string()),
        ("closed", time.closed.0.to_string()),
        ("cap", cap),
        ("latest", time.latest.0.to_string()),
    ] {
        out.line(&format!("{name:<8}{value}"))?;
    }
    Ok(())
}
