//! The first page.

use std::collections::HashMap;

use asof_api::routes::RouteId;
use asof_console::frame::Frame;
use asof_console::page::{Counted, Overview, SpaceRow, Times};
use asof_console::text;
use asof_store::{Health, Retention, SpaceInfo, SpaceName, SpaceState};
use asof_time::Timestamp;

use super::tally::SpaceCount;
use super::visit::Visit;
use super::{commits, control, releases};
use crate::limits::COUNT_REST_MIN;
use crate::refusal::Refusal;

/// Commits on the first page.
const RECENT: usize = 10;

/// What is to come, on the first page.
const NEXT: usize = 5;

pub(super) async fn overview(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    let app = visit.app;
    let time = app.store.time();
    let recent = commits::before(visit, &frame, None, RECENT).await?;
    let counts = app.console.tally.spaces(app).await;
    let spaces = app.store.spaces().into_iter().filter(|space| visit.caller.covers(&space.name));
    let pending = if visit.may(RouteId::Releases).is_ok() {
        releases::upcoming(visit, &frame, NEXT).await?
    } else {
        Vec::new()
    };
    let page = Overview {
        times: Times {
            latest: time.latest,
            closed: time.closed,
            lag: text::span(app.settings.clock.wall().since(time.closed)),
            floor: Some(time.floor).filter(|floor| *floor > Timestamp::MIN),
        },
        alarm: match app.store.health() {
            Health::Writable => None,
            Health::Alarmed(why) => Some(why),
            Health::ReadOnly(why) => Some(format!("The store is read-only: {why}")),
        },
        cap: app.store.cap().map(control::cap_line),
        spaces: spaces.map(|space| row(visit, &space, &counts)).collect(),
        recent: recent.rows,
        pending,
        pins: app.store.pins().len() as u64,
        frame,
    };
    Ok(page.html())
}

fn row(visit: &Visit<'_>, info: &SpaceInfo, counts: &HashMap<SpaceName, SpaceCount>) -> SpaceRow {
    let now = visit.app.settings.clock.boot();
    let counted = counts.get(&info.name).map(|count| Counted {
        keys: count.usage.live_keys,
        versions: count.usage.versions,
        bytes: count.usage.value_bytes,
        ago: Some(now.since(count.at)).filter(|ago| *ago > 2 * COUNT_REST_MIN).map(text::span),
    });
    SpaceRow {
        state: match &info.state {
            SpaceState::Live { .. } => "live".to_owned(),
            SpaceState::Importing(progress) => {
                let commits = text::counted(progress.commits, "commit", "commits");
                format!("importing, {commits}")
            }
        },
        retention: match info.retention {
            Retention::KeepAll => "all".to_owned(),
            Retention::KeepFor(keep) => text::span(keep),
            Retention::Sparse { dense, every } => {
                format!("{}, then one each {}", text::span(dense), text::span(every))
            }
        },
        floor: Some(info.floor).filter(|floor| *floor > Timestamp::MIN),
        name: info.name.to_string(),
        counted,
    }
}
