//! Which edges go by the cap, for people, and waiting for those that do not yet.

use core::time::Duration;

use asof_api::body::{CapEdgeBody, CapUpstreams};
use asof_client::Client;
use asof_env::{Clock, SystemClock};

use crate::failure::Failure;
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// How often the store is asked.
const ASK: Duration = Duration::from_millis(100);

/// Waits until the edges that are heard of have confirmed, `patience` at most; how they stand then.
pub(super) fn wait(client: &Client, patience: Duration) -> Result<Vec<CapEdgeBody>, Failure> {
    let started = SystemClock.boot();
    loop {
        let edges = client.cap()?.edges.unwrap_or_default();
        // One that is not heard of any more would only be waited for in vain.
        let all = edges.iter().all(|edge| edge.confirmed || edge.late);
        if all || SystemClock.boot().since(started) >= patience {
            return Ok(edges);
        }
        SystemClock.sleep(ASK);
    }
}

/// How edges go by the cap.
pub(super) fn show(out: &mut Output, edges: &[CapEdgeBody]) -> Result<(), Failure> {
    if edges.is_empty() {
        return out.line(
            "edges: unknown; none tells this store how it stands (`report_as` in its configuration)",
        );
    }
    let mut table = Table::new([
        ("EDGE", Align::Left),
        ("CAP", Align::Left),
        ("THROUGH", Align::Left),
        ("CONFIRMED", Align::Left),
    ]);
    for edge in edges {
        let cap = edge.cap.map_or_else(|| "-".to_owned(), |cap| cap.0.to_string());
        let through = edge.through.map_or_else(|| "unknown".to_owned(), |at| at.0.to_string());
        let confirmed = match (edge.confirmed, edge.late) {
            (true, false) => "yes".to_owned(),
            (true, true) => format!("yes, last heard {}", edge.heard.0),
            (false, false) => "no".to_owned(),
            (false, true) => format!("unknown: last heard {}", edge.heard.0),
        };
        table.row([human::one_line(&edge.name), cap, through, confirmed]);
    }
    out.line("")?;
    out.page(&mut table)
}

/// The software in force at a moment that some edge could not ask for.
pub(super) fn show_releases(out: &mut Output, edges: &[CapEdgeBody]) -> Result<(), Failure> {
    for edge in edges {
        let name = human::one_line(&edge.name);
        let Some(releases) = &edge.releases else {
            out.line(&format!("releases at {name}: unknown; it does not say whom it could ask"))?;
            continue;
        };
        for release in releases {
            let service = human::one_line(&release.service);
            let version = match (&release.version, release.upstreams) {
                (Some(version), _) => format!(" {}", human::one_line(version)),
                (None, CapUpstreams::Unknown) => String::new(),
                (None, _) => ", no version in force".to_owned(),
            };
            let what = match release.upstreams {
                CapUpstreams::Own => continue,
                CapUpstreams::None => "no upstream of it is left".to_owned(),
                CapUpstreams::Unstated => {
                    "it has upstreams of no stated version, which may run another".to_owned()
                }
                CapUpstreams::Unknown => format!(
                    "its release `{}` in space `{}` cannot be read at that moment",
                    human::one_line(&release.key),
                    human::one_line(&release.space)
                ),
            };
            out.line(&format!("release at {name}: {service}{version}: {what}"))?;
        }
    }
    Ok(())
}

/// Says who has not confirmed.
pub(super) fn note_missing(out: &mut Output, edges: &[CapEdgeBody]) {
    let missing: Vec<_> = edges
        .iter()
        .filter(|edge| !edge.confirmed)
        .map(|edge| human::one_line(&edge.name))
        .collect();
    if !missing.is_empty() {
        out.note(&format!(
            "not confirmed by: {}; `asof cap show` says who has since",
            missing.join(", ")
        ));
    }
}
