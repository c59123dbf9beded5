//! Releases and pending commits.

use asof_api::routes::RouteId;
use asof_console::calendar::{Day, Month};
use asof_console::frame::Frame;
use asof_console::page::{
    DayCell, Entry, EventRow, Plan, Release as ReleasePage, ReleaseRow, Releases, WriteRow, Wrote,
};
use asof_console::text;
use asof_store::{Approval, Commit, Cursor, PlannedWrite, Release, ReleaseState, Store};
use asof_time::{Sequence, Timestamp};

use super::visit::Visit;
use crate::limits::{CONSOLE_ROWS, PLAN_FORM_BYTES_MAX};
use crate::refusal::Refusal;

/// What takes effect on one day of the calendar, as far as its cell shows it.
const OF_DAY: usize = 3;

/// Releases in the list.
const LISTED: usize = 200;

pub(super) async fn releases(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Releases)?;
    let wall = visit.app.settings.clock.wall();
    let month = match visit.moment("month")? {
        Some(month) => Month::of(month),
        None => Month::of(frame.at.unwrap_or(wall)),
    };
    let mut all = visit.app.store.releases();
    let pending = pending(visit, &all, &frame, CONSOLE_ROWS).await?;
    let mut entries: Vec<Entry> = all.iter().map(|release| entry(release, &frame)).collect();
    entries.extend(pending.iter().cloned());
    entries.sort_by_key(|entry| entry.at);
    let today = Day::of(wall);
    let weeks = month
        .weeks()
        .into_iter()
        .map(|week| week.into_iter().map(|day| cell(day, month, today, &entries)).collect());
    // Those to come first, soonest first; then what was, latest first.
    all.sort_by_key(|release| {
        let at = release.plan.at.as_micros();
        if is_to_come(release) { (0, at) } else { (1, u64::MAX - at) }
    });
    let page = Releases {
        month: month.name(),
        previous: month
            .previous()
            .map(|month| frame.with("month", &month.begins().as_micros().to_string())),
        next: frame.with("month", &month.next().begins().as_micros().to_string()),
        weeks: weeks.collect(),
        rows: all.iter().take(LISTED).map(|release| row(release, wall)).collect(),
        pending,
        acts: visit.acts(RouteId::PlanRelease),
        frame,
    };
    Ok(page.html())
}

fn cell(day: Day, month: Month, today: Day, entries: &[Entry]) -> DayCell {
    let of_day = || entries.iter().filter(|entry| Day::of(entry.at) == day);
    DayCell {
        day: day.of_month(),
        class: match (day == today, day.is_in(month)) {
            (true, _) => "today",
            (false, false) => "out",
            (false, true) => "",
        },
        entries: of_day().take(OF_DAY).cloned().collect(),
        more: of_day().count().saturating_sub(OF_DAY) as u64,
    }
}

fn is_to_come(release: &Release) -> bool {
    matches!(release.state, ReleaseState::Draft(_) | ReleaseState::Scheduled(_))
}

fn entry(release: &Release, frame: &Frame) -> Entry {
    Entry {
        at: release.plan.at,
        name: release.name.clone(),
        state: release.state.as_str(),
        url: frame.release(&release.name),
    }
}

/// What takes effect next, soonest first.
pub(super) async fn upcoming(
    visit: &Visit<'_>,
    frame: &Frame,
    count: usize,
) -> Result<Vec<Entry>, Refusal> {
    let releases = visit.app.store.releases();
    let mut entries = pending(visit, &releases, frame, count).await?;
    let scheduled =
        releases.iter().filter(|release| matches!(release.state, ReleaseState::Scheduled(_)));
    entries.extend(scheduled.map(|release| entry(release, frame)));
    entries.sort_by_key(|entry| entry.at);
    entries.truncate(count);
    Ok(entries)
}

/// Pending commits that are no release.
async fn pending(
    visit: &Visit<'_>,
    releases: &[Release],
    frame: &Frame,
    count: usize,
) -> Result<Vec<Entry>, Refusal> {
    let commits = visit.app.walk(move |store| first_pending(store, count)).await?;
    let is_release = |commit: &Commit| {
        releases.iter().any(|release| release.scheduled_commit() == Some(commit.id))
    };
    let commits = commits.into_iter().filter(|commit| !is_release(commit));
    let entries = commits.map(|commit| Entry {
        at: commit.effective,
        name: match commit.message.lines().next() {
            Some(line) if !line.is_empty() => line.to_owned(),
            _ => format!("commit {}", commit.id),
        },
        state: "scheduled",
        url: frame.commit(&commit.id),
    });
    Ok(entries.collect())
}

/// The pending commits that come first, without their writes. A page of large ones ends early.
fn first_pending(store: &Store, count: usize) -> Result<Vec<Commit>, Refusal> {
    let (mut commits, mut after) = (Vec::new(), Some(Cursor::START));
    while let Some(from) = after.filter(|_| commits.len() < count) {
        let page = store.pending(from, count - commits.len())?;
        commits.extend(page.commits.into_iter().map(|c| Commit { writes: Vec::new(), ..c }));
        after = page.next;
    }
    Ok(commits)
}

pub(super) fn row(release: &Release, now: Timestamp) -> ReleaseRow {
    ReleaseRow {
        name: release.name.clone(),
        state: release.state.as_str(),
        at: release.plan.at,
        left: (is_to_come(release) && release.plan.at > now)
            .then(|| text::span(release.plan.at.since(now))),
        writes: release.plan.writes,
        approval: match release.state.approval() {
            None | Some(Approval::NotNeeded) => None,
            Some(Approval::Needed) => Some("needed".to_owned()),
            Some(Approval::Given { by, .. }) => Some(format!("by {by}")),
        },
        message: release.plan.message.clone(),
    }
}

pub(super) async fn release(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Release)?;
    let name = visit.fields.needed("name")?.to_owned();
    let (release, planned) = visit.app.walk(move |store| Ok(store.release(&name)?)).await?;
    let link = |what, id: Sequence| (what, id.to_string(), frame.commit(&id));
    let mut commits: Vec<_> = release.state.commit().map(|id| link("is", id)).into_iter().collect();
    if let ReleaseState::RolledBack(back) = &release.state {
        commits.push(link("rolled back by", back.by()));
    }
    let page = ReleasePage {
        row: row(&release, visit.app.settings.clock.wall()),
        planners: release.plan.planners.clone(),
        commits,
        more: planned.len().saturating_sub(CONSOLE_ROWS) as u64,
        writes: planned.iter().take(CONSOLE_ROWS).map(write_row).collect(),
        actions: actions(&release),
        events: release
            .events
            .into_iter()
            .map(|event| EventRow {
                at: event.at,
                action: event.action.as_str(),
                detail: match (event.detail.is_empty(), event.by.reason.is_empty()) {
                    (_, true) => event.detail,
                    (true, false) => event.by.reason,
                    (false, false) => format!("{}; {}", event.detail, event.by.reason),
                },
                by: event.by.name,
            })
            .collect(),
        acts: visit.acts(RouteId::ScheduleRelease),
        frame,
    };
    Ok(page.html())
}

/// The form in which a release is planned, or one that has not taken effect is amended.
pub(super) fn plan(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::PlanRelease)?;
    let amended = match visit.fields.text("name") {
        None => None,
        Some(name) => {
            visit.may(RouteId::Release)?;
            let (release, _) = visit.app.store.release(name)?;
            let row = row(&release, visit.app.settings.clock.wall());
            if !row.may_be_amended() {
                return Err(Refusal::invalid(format!(
                    "the release is {}: what was planned is what it was",
                    row.state
                )));
            }
            Some(row)
        }
    };
    Ok(Plan { amended, most: PLAN_FORM_BYTES_MAX as u64, frame }.html())
}

fn write_row(write: &PlannedWrite) -> WriteRow {
    WriteRow {
        space: write.space.to_string(),
        key: write.key.to_string(),
        wrote: write.content.map_or(Wrote::Deleted, |(_, bytes)| Wrote::Value(bytes)),
        url: None,
    }
}

/// What can be done to a release in its state.
fn actions(release: &Release) -> Vec<(&'static str, &'static str)> {
    let cancel = ("release-cancel", "Cancel …");
    match (&release.state, release.state.approval()) {
        (ReleaseState::Draft(_), Some(Approval::Needed)) => {
            vec![("release-approve", "Approve …"), cancel]
        }
        (ReleaseState::Draft(_), _) => vec![("release-schedule", "Schedule …"), cancel],
        (ReleaseState::Scheduled(_), _) => vec![cancel],
        (ReleaseState::Live(_), _) => vec![("release-roll-back", "Roll back …")],
        (ReleaseState::Cancelled(_) | ReleaseState::RolledBack(_), _) => Vec::new(),
    }
}
