//! The log, and one commit.

use std::collections::BTreeSet;

use asof_api::routes::RouteId;
use asof_console::frame::{Frame, Page, Sight};
use asof_console::page::{BadLine, Commit as CommitPage, CommitRow, Log, WriteRow, Wrote};
use asof_store::{BadCommit, Commit, CommitWrite, Cursor, LogRange, Written};
use asof_time::{Sequence, Timestamp};

use super::visit::Visit;
use crate::handler::commits::check_spaces;
use crate::limits::CONSOLE_ROWS;
use crate::refusal::Refusal;
use crate::{cursor, sight};

/// Spaces that are named in a row.
const SPACES_NAMED: usize = 4;

/// Some commits, newest first.
pub(super) struct Rows {
    pub(super) rows: Vec<CommitRow>,
    next: Option<Cursor>,
}

/// The commits up to the moment of `frame`, or before `before` where that is given.
pub(super) async fn before(
    visit: &Visit<'_>,
    frame: &Frame,
    before: Option<Cursor>,
    limit: usize,
) -> Result<Rows, Refusal> {
    visit.may(RouteId::Commits)?;
    let time = visit.app.store.time();
    let most = match frame.sight {
        Sight::Capped => time.latest,
        Sight::Beyond => time.closed,
    };
    let upto = Cursor::after_snapshot(frame.shown.min(most), 0);
    let before = before.map_or(upto, |before| before.min(upto));
    let range = LogRange { after: Cursor::START, spaces: visit.spaces(), limit };
    let caller = visit.caller.clone();
    let (page, bad) = visit
        .app
        .walk(move |store| {
            let mut page = store.log_back(before, &range)?;
            for commit in &mut page.commits {
                sight::narrow(&caller, commit);
            }
            Ok((page, store.bad_commits()))
        })
        .await?;
    let rows = page.commits.into_iter().map(|commit| row(visit, commit, &bad)).collect();
    Ok(Rows { rows, next: page.next })
}

/// A commit in a list.
pub(super) fn row(visit: &Visit<'_>, mut commit: Commit, bad: &[BadCommit]) -> CommitRow {
    sight::narrow(&visit.caller, &mut commit);
    let mut spaces: Vec<String> = Vec::new();
    for write in &commit.writes {
        if spaces.len() == SPACES_NAMED {
            break;
        }
        if !spaces.iter().any(|space| space == write.space.as_str()) {
            spaces.push(write.space.to_string());
        }
    }
    CommitRow {
        bad: visit.may(RouteId::BadCommits).is_ok()
            && bad.iter().any(|bad| bad.commit == commit.id),
        id: commit.id,
        effective: commit.effective,
        author: commit.author,
        message: commit.message,
        writes: commit.writes.len() as u64,
        spaces,
    }
}

pub(super) async fn log(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    let asked = visit.fields.parsed::<Cursor>("before")?;
    // Before the rows: what comes in between is in both, and no commit is in neither.
    let control = visit.app.store.control_sequence();
    let after = Cursor::after_snapshot(frame.shown, control);
    let Rows { rows, next } = before(visit, &frame, asked, CONSOLE_ROWS).await?;
    let live = (frame.at.is_none() && asked.is_none()).then(|| {
        let after = cursor::write(frame.epoch, after).0;
        let spaces = visit.spaces().map(|spaces| {
            let names: Vec<_> = spaces.iter().map(ToString::to_string).collect();
            format!("&spaces={}", names.join(","))
        });
        format!("/console/feed?after={after}&heartbeat=1000{}", spaces.unwrap_or_default())
    });
    let older = next.map(|next| frame.with("before", &next.to_string()));
    Ok(Log { frame, rows, older, live }.html())
}

pub(super) async fn commit(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::CommitById)?;
    let id = id(visit)?;
    let commit = visit.app.walk(move |store| Ok(store.commit_by_id(id)?)).await?;
    check_spaces(&visit.caller, &commit)?;
    let store = &visit.app.store;
    let closed = store.time().closed;
    let marks = store.bad_commits();
    let bad = if visit.may(RouteId::BadCommits).is_ok() {
        marks.iter().find(|bad| bad.commit == id)
    } else {
        None
    };
    let pending = commit.effective > closed;
    let held_below = store.cap().map(|cap| cap.at).filter(|cap| *cap < commit.effective);
    let spaces: BTreeSet<&str> = commit.writes.iter().map(|write| write.space.as_str()).collect();
    let spaces = spaces.into_iter().map(str::to_owned).collect();
    let shown = (!pending).then_some(&frame);
    let page = CommitPage {
        accepted: commit.accepted,
        before: commit.effective.prev().unwrap_or(Timestamp::MIN),
        bad: bad.map(|bad| BadLine {
            by: bad.by.name.clone(),
            reason: bad.by.reason.clone(),
            marked: bad.marked,
        }),
        writes: commit
            .writes
            .iter()
            .take(CONSOLE_ROWS)
            .map(|write| write_row(write, shown.map(|frame| (frame, &commit))))
            .collect(),
        more: commit.writes.len().saturating_sub(CONSOLE_ROWS) as u64,
        acts: visit.acts(RouteId::MarkBad),
        held_below,
        spaces,
        pending,
        row: row(visit, commit, &marks),
        frame,
    };
    Ok(page.html())
}

pub(super) fn id(visit: &Visit<'_>) -> Result<Sequence, Refusal> {
    let number: u64 = visit.fields.parsed("id")?.unwrap_or(u64::MAX);
    Sequence::new(number).ok_or_else(|| Refusal::invalid("`id` is the number of a commit"))
}

fn write_row(write: &CommitWrite, shown: Option<(&Frame, &Commit)>) -> WriteRow {
    WriteRow {
        space: write.space.to_string(),
        key: write.key.to_string(),
        wrote: match write.content {
            Written::Put(_, bytes) => Wrote::Value(bytes),
            Written::Deleted => Wrote::Deleted,
            Written::Erased => Wrote::Erased,
        },
        url: shown.map(|(frame, commit)| {
            let frame = Frame { page: Page::Key, ..frame.clone() };
            frame.key_at(write.space.as_str(), write.key.as_str(), &commit.effective)
        }),
    }
}
