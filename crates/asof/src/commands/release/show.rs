//! How releases look.

use asof_api::body::{ReleaseBody, ReleaseDetailBody, ReleaseOutcome, ReleaseStateName};
use asof_time::Timestamp;

use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::show::short_hash;
use crate::table::{Align, Table};

/// Where a release is, in a line.
pub(super) fn sentence(release: &ReleaseBody) -> String {
    let state = release.state.as_str();
    let writes = if release.writes == 1 { "write" } else { "writes" };
    format!(
        "release {}: {state}, {} {writes} ({}) at {}",
        human::one_line(&release.name),
        human::count(release.writes),
        human::size(release.value_bytes),
        release.at.0
    )
}

pub(super) fn outcome(
    out: &mut Output,
    outcome: &ReleaseOutcome,
    what: &str,
) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(outcome)?;
        return Ok(Exit::Done);
    }
    let release = &outcome.release;
    if outcome.dry_run {
        let last = release.events.last().map_or("", |event| event.detail.as_str());
        let name = human::one_line(&release.name);
        out.line(&format!("dry run: release {name} would be {what}: {}", human::one_line(last)))?;
    } else {
        out.line(&sentence(release))?;
        if let Some((by, at)) = release.rolled_back_by.zip(release.rolled_back_at) {
            out.line(&format!("commit {} undid it at {}", by.0, at.0))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn list(
    out: &mut Output,
    mut releases: Vec<ReleaseBody>,
    now: Timestamp,
) -> Result<Exit, Failure> {
    // What is to come first, soonest first; then what is over, newest first.
    releases.sort_by_key(|release| {
        let micros = release.at.0.as_micros();
        if is_to_come(release) { (0, micros) } else { (1, u64::MAX - micros) }
    });
    let mut table = Table::new([
        ("RELEASE", Align::Left),
        ("STATE", Align::Left),
        ("AT", Align::Left),
        ("LEFT", Align::Right),
        ("WRITES", Align::Right),
        ("APPROVAL", Align::Left),
        ("MESSAGE", Align::Left),
    ]);
    for release in &releases {
        if out.is_json() {
            out.json(release)?;
            continue;
        }
        table.row([
            human::one_line(&release.name),
            release.state.as_str().to_owned(),
            release.at.0.to_string(),
            left(release, now),
            human::count(release.writes),
            approval(release),
            human::first_line(&release.message),
        ]);
    }
    if releases.is_empty() && !out.is_json() {
        out.note("no releases: `asof release plan` makes one");
    }
    out.page(&mut table)?;
    Ok(Exit::Done)
}

pub(super) fn detail(
    out: &mut Output,
    detail: &ReleaseDetailBody,
    now: Timestamp,
) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(detail)?;
        return Ok(Exit::Done);
    }
    let release = &detail.release;
    out.line(&sentence(release))?;
    if !release.message.is_empty() {
        out.line(&format!("  {}", human::first_line(&release.message)))?;
    }
    if is_to_come(release) {
        out.line(&format!("time left: {}; approval: {}", left(release, now), approval(release)))?;
    }
    if release.alone {
        out.line("nothing else may be scheduled on its keys")?;
    }
    if let Some(commit) = release.commit {
        out.line(&format!("commit {}", commit.0))?;
    }
    if let Some((by, at)) = release.rolled_back_by.zip(release.rolled_back_at) {
        out.line(&format!("rolled back by commit {} at {}", by.0, at.0))?;
    }
    out.line("")?;
    let mut planned = Table::new([
        ("SPACE", Align::Left),
        ("KEY", Align::Left),
        ("SIZE", Align::Right),
        ("HASH", Align::Left),
    ]);
    for write in &detail.planned {
        planned.row([
            write.space.clone(),
            human::one_line(&write.key),
            write.bytes.map_or_else(|| "deleted".to_owned(), human::size),
            write.hash.map_or_else(|| "-".to_owned(), short_hash),
        ]);
    }
    out.page(&mut planned)?;
    out.line("")?;
    let mut events = Table::new([
        ("WHEN", Align::Left),
        ("WHAT", Align::Left),
        ("BY", Align::Left),
        ("DETAIL", Align::Left),
    ]);
    for event in &release.events {
        let reason = if event.reason.is_empty() { "" } else { "; " };
        events.row([
            event.at.0.to_string(),
            event.action.clone(),
            human::one_line(&event.by),
            human::one_line(&format!("{}{reason}{}", event.detail, event.reason)),
        ]);
    }
    out.page(&mut events)?;
    Ok(Exit::Done)
}

fn is_to_come(release: &ReleaseBody) -> bool {
    matches!(release.state, ReleaseStateName::Draft | ReleaseStateName::Scheduled)
}

fn approval(release: &ReleaseBody) -> String {
    match &release.approved_by {
        Some(by) => format!("by {}", human::one_line(by)),
        None if release.needs_approval => "needed".to_owned(),
        None => "-".to_owned(),
    }
}

/// How long until it takes effect, in its two largest units.
fn left(release: &ReleaseBody, now: Timestamp) -> String {
    if !is_to_come(release) {
        return "-".to_owned();
    }
    let seconds = release.at.0.since(now).as_secs();
    if release.at.0 <= now {
        return "its time is over".to_owned();
    }
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, letter) in units {
        if rest >= unit {
            parts.push(format!("{}{letter}", rest / unit));
            rest %= unit;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "under 1s".to_owned() } else { parts.join(" ") }
}
