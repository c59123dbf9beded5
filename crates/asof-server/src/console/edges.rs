//! How edges stand.

use std::collections::VecDeque;

use asof_api::body::{EdgeExplained, EdgeRoute, EdgeStore};
use asof_api::routes::RouteId;
use asof_console::frame::Frame;
use asof_console::page::{Edge as EdgePart, EdgeRouteRow, EdgeStoreRow, Edges, Outcome, Tree};
use asof_console::text;
use asof_time::Timestamp;
use core::time::Duration;

use super::visit::Visit;
use crate::edges::{Edge, Outcomes};
use crate::limits::EDGE_LATE;
use crate::refusal::Refusal;

pub(super) fn edges(visit: &Visit<'_>, frame: Frame) -> Result<String, Refusal> {
    visit.may(RouteId::Edges)?;
    let now = visit.app.settings.clock.boot();
    let cap = visit.app.store.time().cap;
    let edges = visit.app.edges.all().into_iter().map(|(name, edge)| {
        let ago = now.since(edge.heard);
        EdgePart {
            name,
            token: edge.token.clone(),
            heard: format!("{} ago", text::span(ago)),
            late: ago >= EDGE_LATE,
            entries: edge.report.cache.entries,
            bytes: edge.report.cache.bytes,
            evicted: edge.report.cache.evicted_inside_window,
            stores: edge.report.stores.iter().map(|store| store_row(store, cap)).collect(),
            routes: edge.report.routes.iter().map(|route| route_row(route, &edge)).collect(),
            trees: edge.report.explained.iter().map(tree).collect(),
        }
    });
    Ok(Edges { edges: edges.collect(), frame }.html())
}

fn store_row(store: &EdgeStore, cap: Option<Timestamp>) -> EdgeStoreRow {
    let moment = |micros: Option<u64>| micros.and_then(Timestamp::from_micros);
    let span = |millis: u64| text::span(Duration::from_millis(millis));
    EdgeStoreRow {
        store: store.store.clone(),
        through: moment(store.through),
        lag: store.lag_ms.map(span),
        silent: store.silent_ms.map(span),
        cap: moment(store.cap),
        // Which of its stores this one is the edge does not know; a cap elsewhere is told as well.
        confirms: cap.is_some() && moment(store.cap) == cap,
    }
}

fn route_row(route: &EdgeRoute, edge: &Edge) -> EdgeRouteRow {
    let unstorable: Vec<String> = route
        .unstorable
        .iter()
        .map(|(why, count)| format!("{why} {}", text::count(*count)))
        .collect();
    EdgeRouteRow {
        route: route.route.clone(),
        mode: route.mode.clone(),
        standing: route.standing.clone(),
        class: match route.standing.split([':', ' ']).next() {
            Some("serving") => "live",
            Some("quarantined" | "bypassed") => "rolled-back",
            Some("ready") => "scheduled",
            _ => "",
        },
        held: route.held,
        executed: route.executions,
        mismatches: route.mismatches,
        hit_rate: percent(route.hit_rate),
        unstorable: unstorable.join(", "),
        outcomes: edge.samples.get(&route.route).map(outcomes).unwrap_or_default(),
    }
}

fn percent(rate: f64) -> String {
    format!("{:.1}%", (rate * 100.0).clamp(0.0, 100.0))
}

/// What came between one report and the next. An edge that began anew counts from nothing.
fn outcomes(samples: &VecDeque<Outcomes>) -> Vec<Outcome> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let between = pairs.map(|(before, after)| Outcome {
        held: after.held.checked_sub(before.held).unwrap_or(after.held),
        executed: after.executed.checked_sub(before.executed).unwrap_or(after.executed),
    });
    between.collect()
}

fn tree(explained: &EdgeExplained) -> Tree {
    let moment = |micros: Option<u64>| micros.and_then(Timestamp::from_micros);
    Tree {
        call: explained.call.clone(),
        known: explained.known.clone(),
        from: moment(explained.from),
        until: moment(explained.until),
        through: moment(explained.through),
        limits: explained.limits.join(", "),
        hash: explained.hash.as_deref().unwrap_or_default().chars().take(12).collect(),
        as_of: moment(explained.as_of),
        inputs: explained.inputs.iter().map(tree).collect(),
    }
}
