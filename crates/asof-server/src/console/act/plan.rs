//! Releases: what is planned, and how it differs from what is read now.

use asof_api::body::{ReleaseAmendRequest, ReleaseRequest, WriteBody, WriteRequest};
use asof_console::diff::{self, Line, Sign};
use asof_console::page::{Change, Planned, PlannedRow};
use asof_console::text::{self, Shown};
use asof_store::{AsOf, ErrorKind, Op, Value, View, Write};

use crate::app::off_lane;
use crate::console::keys::{beginning, laid_out};
use crate::console::visit::Visit;
use crate::convert;
use crate::limits::{PLANNED_COMPARED_MAX, PLANNED_LINES_MAX, PLANNED_ROWS};
use crate::refusal::Refusal;

/// What the form says that a release writes.
#[derive(Debug)]
pub(super) struct Source {
    message: Option<String>,
    writes: Vec<WriteBody>,
}

/// The text of the form, with the line ends that the file had: a browser makes two characters of
/// each, which would be part of a value of several lines.
pub(super) fn text_of(visit: &Visit<'_>) -> Option<String> {
    visit.fields.text("writes").map(|text| text.replace("\r\n", "\n"))
}

/// Reads it: the object that `asof release plan FILE` takes.
pub(super) async fn source(visit: &Visit<'_>) -> Result<Option<Source>, Refusal> {
    let Some(text) = text_of(visit) else {
        return Ok(None);
    };
    let read = move || {
        let request: WriteRequest = serde_json::from_str(&text)
            .map_err(|error| Refusal::invalid(format!("not a set of writes: {error}")))?;
        if request.effective_at.is_some() || request.source.is_some() {
            return Err(Refusal::invalid(
                "a release has its time from its own field and no source: leave out \
                 `effective_at` and `source`",
            ));
        }
        Ok(Source { message: request.message, writes: request.writes })
    };
    off_lane(visit.fields.text("writes").map_or(0, str::len), read).await?.map(Some)
}

/// What the form asks to be planned.
pub(super) fn request(visit: &Visit<'_>, source: Option<&Source>) -> Result<Vec<u8>, Refusal> {
    let at = visit.moment("at")?.ok_or_else(|| Refusal::invalid("`at` is missing"))?;
    let source = source.ok_or_else(|| Refusal::invalid("`writes` is missing"))?;
    let message = visit.fields.text("message").or(source.message.as_deref());
    json(&ReleaseRequest {
        at: at.into(),
        message: message.unwrap_or_default().to_owned(),
        needs_approval: visit.fields.flag("approval")?,
        alone: visit.fields.flag("alone")?,
        writes: source.writes.clone(),
    })
}

/// What of a release the form asks to be changed: what it says otherwise than the release does.
pub(super) fn amendment(visit: &Visit<'_>, source: Option<&Source>) -> Result<Vec<u8>, Refusal> {
    let (release, _) = visit.app.store.release(visit.fields.needed("name")?)?;
    let at = visit.moment("at")?.filter(|at| *at != release.plan.at);
    let said = visit.fields.text("message").unwrap_or_default();
    // As the form had it: a field has one line, and shows what a screen would not.
    let offered = Shown::line(&release.plan.message).to_string();
    let message = (said != offered).then(|| said.to_owned());
    let message = match source.and_then(|source| source.message.clone()) {
        Some(message) if said.is_empty() => Some(message),
        _ => message,
    };
    if at.is_none() && message.is_none() && source.is_none() {
        return Err(Refusal::invalid(
            "this is what is planned already: say another time, another message, or other writes",
        ));
    }
    json(&ReleaseAmendRequest {
        at: at.map(Into::into),
        message,
        writes: source.map(|source| source.writes.clone()),
    })
}

fn json(request: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(request).map_err(|error| Refusal::invalid(error.to_string()))
}

/// How often each kind of difference was met.
#[derive(Clone, Copy, Default, Debug)]
struct Kinds {
    new: u64,
    changed: u64,
    gone: u64,
    same: u64,
}

/// What the release writes, against what is read at latest.
pub(super) async fn against_latest(visit: &Visit<'_>, source: Source) -> Result<Planned, Refusal> {
    let compare = move |store: &asof_store::Store| {
        let writes = convert::writes(&source.writes)?;
        let view = store.view(AsOf::Latest)?;
        let (mut kinds, mut rows) = (Kinds::default(), Vec::new());
        for write in writes.iter().take(PLANNED_COMPARED_MAX) {
            let row = compared(&view, write, &mut kinds)?;
            if rows.len() < PLANNED_ROWS {
                rows.push(row);
            }
        }
        let all = writes.len() as u64;
        let rest = all.saturating_sub(PLANNED_COMPARED_MAX as u64);
        let rest =
            if rest > 0 { format!(", {} not compared", text::count(rest)) } else { String::new() };
        let Kinds { new, changed, gone, same } = kinds;
        Ok(Planned {
            keys: text::counted(all, "key is written", "keys are written"),
            kinds: format!("{new} new, {changed} changed, {gone} gone, {same} the same{rest}"),
            more: all.saturating_sub(rows.len() as u64),
            rows,
        })
    };
    visit.app.walk(compare).await
}

fn compared(view: &View, write: &Write, kinds: &mut Kinds) -> Result<PlannedRow, Refusal> {
    let held = match view.get(&write.space, &write.key) {
        Ok(read) => read.value,
        Err(error) if matches!(error.kind(), ErrorKind::UnknownSpace) => None,
        Err(error) => return Err(error.into()),
    };
    let before = held.map(|held| Value { content_type: held.content_type, bytes: held.bytes });
    let after = match &write.op {
        Op::Put(value) => Some(value),
        Op::Delete => None,
    };
    let (kind, count) = match (&before, after) {
        (None, Some(_)) => ("new", &mut kinds.new),
        (Some(_), None) => ("gone", &mut kinds.gone),
        (before, after) if before.as_ref() == after => ("same", &mut kinds.same),
        _ => ("changed", &mut kinds.changed),
    };
    *count += 1;
    let glance = |value: &Value| beginning(&value.bytes).unwrap_or_else(|| sized(value));
    Ok(PlannedRow {
        kind,
        lines: before.as_ref().zip(after).and_then(|(before, after)| lines(before, after)),
        change: Change {
            space: write.space.to_string(),
            key: write.key.to_string(),
            before: before.as_ref().map(glance),
            after: after.map(glance),
        },
    })
}

fn sized(value: &Value) -> String {
    format!("{}, {}", text::bytes(value.bytes.len() as u64), value.content_type.as_str())
}

/// The lines that differ, where a glance would not show it.
fn lines(before: &Value, after: &Value) -> Option<Vec<Line>> {
    let is_short = |value: &Value| {
        let whole = beginning(&value.bytes).is_some_and(|text| text.len() == value.bytes.len());
        whole && !value.bytes.contains(&b'\n')
    };
    if before == after || (is_short(before) && is_short(after)) {
        return None;
    }
    let text = |value: &Value| laid_out(value.content_type.as_str(), &value.bytes);
    let mut lines = diff::lines(&text(before)?, &text(after)?);
    if lines.len() > PLANNED_LINES_MAX {
        let left = lines.len() - PLANNED_LINES_MAX;
        lines.truncate(PLANNED_LINES_MAX);
        lines.push(Line { sign: Sign::Cut, text: format!("{left} more lines") });
    }
    Some(lines)
}
