//! `asof edge report`

use clap::Args;
use http::Method;
use serde_json::Value;

use super::admin::{Admin, field};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// How many reasons for not storing are told of a route, the most frequent first.
const REASONS_MAX: usize = 3;

/// Show what an edge does with each route, and how far it is with each store
///
/// HITS is the share of requests for which an answer was held: of a route that is observed, what
/// it would save if it were on.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof edge report
  asof edge report --admin http://127.0.0.1:7481 --json | jq '.routes[] | select(.mismatches > 0)'")]
pub(crate) struct Report {
    #[command(flatten)]
    admin: Admin,
}

impl Report {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let report = self.admin.ask(Method::GET, "/report", &[])?;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&report)?;
            return Ok(Exit::Done);
        }
        routes(out, field(&report, "routes"))?;
        out.line("")?;
        stores(out, field(&report, "stores"))?;
        peers(out, field(&report, "peers"))?;
        releases(out, field(&report, "release_space"))?;
        out.line("")?;
        let cache = field(&report, "cache");
        out.line(&format!(
            "{} calls held, {}; {} executions under way; {} evicted, {} of them within the rollback window",
            human::count(number(cache, "entries")),
            human::size(number(cache, "bytes")),
            human::count(number(cache, "executions")),
            human::count(number(cache, "evicted")),
            human::count(number(cache, "evicted_inside_window")),
        ))?;
        Ok(Exit::Done)
    }
}

/// The table of routes.
pub(super) fn routes(out: &mut Output, routes: &Value) -> Result<(), Failure> {
    let mut table = Table::new([
        ("ROUTE", Align::Left),
        ("MODE", Align::Left),
        ("HITS", Align::Right),
        ("EXECUTED", Align::Right),
        ("MISMATCHES", Align::Right),
        ("STANDING", Align::Left),
        ("NOT STORED SINCE", Align::Left),
    ]);
    for route in routes.as_array().into_iter().flatten() {
        table.row([
            text(route, "route"),
            text(route, "mode"),
            format!("{:.1} %", field(route, "hit_rate").as_f64().unwrap_or_default() * 100.0),
            human::count(number(route, "executions")),
            human::count(number(route, "mismatches")),
            text(route, "standing"),
            reasons(field(route, "unstorable")),
        ]);
    }
    out.page(&mut table)
}

fn stores(out: &mut Output, stores: &Value) -> Result<(), Failure> {
    let mut table = Table::new([
        ("STORE", Align::Left),
        ("EPOCH", Align::Left),
        ("LAG", Align::Right),
        ("SILENT", Align::Right),
        ("CAP", Align::Left),
    ]);
    for store in stores.as_array().into_iter().flatten() {
        let millis = |name: &str| {
            field(store, name)
                .as_u64()
                .map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"))
        };
        let cap = field(store, "cap").as_u64().and_then(asof_time::Timestamp::from_micros);
        let epoch = field(store, "epoch").as_str().unwrap_or("not heard of");
        let cap = cap.map_or_else(|| "-".to_owned(), |cap| cap.to_string());
        let row =
            [text(store, "store"), epoch.to_owned(), millis("lag_ms"), millis("silent_ms"), cap];
        table.row(row);
    }
    out.page(&mut table)
}

/// Where releases are read, if anywhere.
fn releases(out: &mut Output, releases: &Value) -> Result<(), Failure> {
    if releases.is_null() {
        return Ok(());
    }
    let (store, space) = (text(releases, "store"), text(releases, "space"));
    let standing = text(releases, "standing");
    out.line("")?;
    out.line(&format!("releases in space `{space}` of store `{store}`: {standing}"))
}

/// The other edges, where there are any.
fn peers(out: &mut Output, peers: &Value) -> Result<(), Failure> {
    if peers.as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let mut table = Table::new([
        ("EDGE", Align::Left),
        ("SILENT", Align::Right),
        ("CONFIGURATION", Align::Left),
    ]);
    for peer in peers.as_array().into_iter().flatten() {
        let silent = field(peer, "silent_ms").as_u64();
        let silent =
            silent.map_or_else(|| "not heard of".to_owned(), |silent| format!("{silent} ms"));
        let agrees = field(peer, "agrees").as_bool().unwrap_or_default();
        let word = if agrees { "the same" } else { "another: no tree is shared" };
        table.row([text(peer, "peer"), silent, word.to_owned()]);
    }
    out.line("")?;
    out.page(&mut table)
}

/// The most frequent reasons, with how often.
fn reasons(unstorable: &Value) -> String {
    let counts = unstorable.as_object().into_iter().flatten();
    let mut counts: Vec<(&str, u64)> = counts
        .map(|(why, count)| {
            let why = why.strip_prefix("unstorable-").unwrap_or(why);
            (why, count.as_u64().unwrap_or_default())
        })
        .collect();
    counts.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let told = counts.iter().take(REASONS_MAX).map(|(why, count)| format!("{why} {count}"));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

fn text(object: &Value, name: &str) -> String {
    field(object, name).as_str().unwrap_or("-").to_owned()
}

fn number(object: &Value, name: &str) -> u64 {
    field(object, name).as_u64().unwrap_or_default()
}
