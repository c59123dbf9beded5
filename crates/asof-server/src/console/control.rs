//! The cap, pins, and who changed what.

use asof_api::routes::RouteId;
use asof_console::frame::Frame;
use asof_console::page::{Audit, AuditRow, Cap as CapPage, CapLine, PinRow, Pins};
use asof_store::{Cap, ControlAction, ControlRecord, Store};
use asof_time::Timestamp;

use super::visit::Visit;
use crate::access::Caller;
use crate::limits::CONSOLE_ROWS;
use crate::refusal::Refusal;
use crate::sight;

/// Records that are looked through for those of the cap.
const LOOKED_THROUGH: usize = 1_000;

/// Records of the cap on its page.
const CAP_RECORDS: usize = 20;

pub(super) fn cap_line(cap: Cap) -> CapLine {
    CapLine {
        at: cap.at,
        by: cap.by.name,
        reason: cap.by.reason,
        set: cap.set,
        expires: cap.expires,
    }
}

pub(super) async fn cap(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Cap)?;
    let caller = visit.caller.clone();
    let history = if visit.may(RouteId::Control).is_ok() {
        visit.app.walk(move |store| history_of_cap(store, &caller)).await?
    } else {
        Vec::new()
    };
    let cap = visit.app.store.cap().map(cap_line);
    Ok(CapPage { cap, history, acts: visit.acts(RouteId::SetCap), frame }.html())
}

fn history_of_cap(store: &Store, caller: &Caller) -> Result<Vec<AuditRow>, Refusal> {
    use ControlAction::{CapCleared, CapExpired, CapSet};
    let last = store.control_sequence();
    let records = records(store, caller, last, LOOKED_THROUGH)?;
    let of_cap = records
        .into_iter()
        .filter(|record| matches!(record.action, CapSet | CapCleared | CapExpired));
    Ok(of_cap.take(CAP_RECORDS).map(row).collect())
}

pub(super) fn pins(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Pins)?;
    let rows = visit.app.store.pins().into_iter().map(|pin| PinRow {
        name: pin.name,
        owner: pin.owner,
        reason: pin.reason,
        at: pin.at,
        expires: pin.expires,
    });
    let rows: Vec<PinRow> = rows.collect();
    let renewed =
        visit.fields.text("name").and_then(|name| rows.iter().find(|row| row.name == name));
    let page = Pins {
        renewed: renewed.cloned(),
        owner: frame.who.as_ref().map_or("console", |who| &who.name).to_owned(),
        acts: visit.acts(RouteId::CreatePin),
        rows,
        frame,
    };
    Ok(page.html())
}

pub(super) async fn audit(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Control)?;
    let before = visit.fields.parsed::<u64>("before")?;
    let at = frame.at;
    let caller = visit.caller.clone();
    let records = visit
        .app
        .walk(move |store| {
            let mut last = store.control_sequence();
            if let Some(before) = before {
                last = last.min(before.saturating_sub(1));
            }
            if let Some(at) = at {
                last = last_at(store, at, last)?;
            }
            records(store, &caller, last, CONSOLE_ROWS)
        })
        .await?;
    let oldest = records.last().map_or(0, |record| record.sequence);
    let older = (oldest > 1).then(|| frame.with("before", &oldest.to_string()));
    Ok(Audit { rows: records.into_iter().map(row).collect(), older, frame }.html())
}

/// The `count` records up to number `last`, newest first. They are numbered without gaps.
fn records(
    store: &Store,
    caller: &Caller,
    last: u64,
    count: usize,
) -> Result<Vec<ControlRecord>, Refusal> {
    let count = count.min(usize::try_from(last).unwrap_or(usize::MAX));
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut records = store.control_log(last - count as u64, count)?;
    records.retain(|record| sight::shows(caller, record));
    records.reverse();
    Ok(records)
}

/// The number of the last record at or before `at`, of those up to `last`, by halving: the wall
/// clock hardly ever steps back between two of them.
fn last_at(store: &Store, at: Timestamp, last: u64) -> Result<u64, Refusal> {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let record = store.control_log(middle - 1, 1)?;
        if record.first().is_some_and(|record| record.at <= at) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}

fn row(record: ControlRecord) -> AuditRow {
    AuditRow {
        sequence: record.sequence,
        at: record.at,
        by: record.by.name,
        reason: record.by.reason,
        action: record.action.as_str(),
        subject: record.subject,
        detail: record.detail,
    }
}
