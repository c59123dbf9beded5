//! The service over HTTP, beside `PostgreSQL` answering the same question, and beside the limit of
//! the stack underneath.

mod postgres;
pub(crate) mod serve;

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::path::Path;

use asof_env::{Clock as _, SystemClock};
use tempfile::TempDir;

use self::postgres::Postgres;
use self::serve::Served;
use crate::client::{Connection, Ring, whole};
use crate::data::{self, Shape};
use crate::measure::{Result, Series, Shuffle, alternate, busy, busy_nanos, float, nanos_each};
use crate::report::{Bound, Comparison, Report, Unit};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Requests of a pass.
    pub(crate) requests: usize,
    pub(crate) connections: usize,
}

/// Ten versions of each of 10,000 keys.
const SHAPE: Shape = Shape { keys: 10_000, commits: 100, writes: 1_000 };

/// How many times the connections there are where there are many.
const MANY: usize = 4;

/// Between two reads of `/metrics`.
const SCRAPE_INTERVAL: Duration = Duration::from_millis(100);

/// Runs all of it.
pub(crate) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    let dir = tempfile::tempdir()?;
    data::fill_store(dir.path(), SHAPE)?;
    let served = Served::start(&["serve-here", ""], dir.path())?;
    match postgres::find() {
        None => report
            .skipped
            .push("http/postgresql: no PostgreSQL under /usr/lib/postgresql".to_owned()),
        Some(bin) => beside_postgres(report, &served, &bin, effort)?,
    }
    let limit = Served::start(&["limit-here"], dir.path())?;
    let mut ours = http_ring(&served, effort, Plain::No)?;
    let mut bare = http_ring(&limit, effort, Plain::No)?;
    let series = compare(&mut ours, &mut bare, effort)?;
    let what = "the same reads / a bare hyper responder of the same payload".to_owned();
    add(report, "limit", what, Bound::None, series);
    let mut latest = http_ring(&served, effort, Plain::Yes)?;
    let series = compare(&mut latest, &mut ours, effort)?;
    let what = "reads at latest / reads as of a moment".to_owned();
    add(report, "latest", what, Bound::None, series);
    let series = scraped(&served, &mut ours, effort)?;
    let what = "reads while /metrics is read ten times a second / while it is not".to_owned();
    add(report, "metrics", what, Bound::None, series);
    drop(served);
    logged(report, &dir, effort)
}

fn compare(ours: &mut Ring, peer: &mut Ring, effort: Effort) -> Result<Series> {
    alternate(effort.rounds, || ours.pass(effort.requests), || peer.pass(effort.requests))
}

fn add(report: &mut Report, name: &str, what: String, bound: Bound, series: Series) {
    let name = format!("http/{name}");
    report.comparisons.push(Comparison { name, what, bound, unit: Unit::Rate, series });
}

/// The same question to both: with some connections, with many, and by what it costs.
fn beside_postgres(report: &mut Report, served: &Served, bin: &Path, some: Effort) -> Result<()> {
    let server = Postgres::start(bin)?;
    server.load(SHAPE)?;
    let many = Effort { connections: MANY * some.connections, ..some };
    for (name, effort) in [("postgresql", some), ("postgresql/many", many)] {
        let mut ours = http_ring(served, effort, Plain::No)?;
        let mut peer = peer_ring(&server, effort)?;
        let series = compare(&mut ours, &mut peer, effort)?;
        let what = format!(
            "reads as of a moment over HTTP / the same question to PostgreSQL {}, {} connections",
            version_of(bin),
            effort.connections
        );
        add(report, name, what, Bound::AtLeast(2.0), series);
    }
    let mut ours = http_ring(served, some, Plain::No)?;
    let mut peer = peer_ring(&server, some)?;
    let mut cost =
        |name: &str, what: &str, of: fn(u32, &mut Ring, Effort) -> Result<f64>| -> Result<()> {
            let series = alternate(
                some.rounds,
                || of(served.id(), &mut ours, some),
                || of(server.id(), &mut peer, some),
            );
            report.comparisons.push(Comparison {
                name: format!("http/postgresql/{name}"),
                what: what.to_owned(),
                bound: Bound::None,
                unit: Unit::Nanos,
                series: series?,
            });
            Ok(())
        };
    let what = "processor time of the server for an answer / of PostgreSQL";
    cost("processor", what, busy_each)?;
    let what = "processor time of server and client for an answer / with PostgreSQL";
    cost("machine", what, busy_both)
}

/// Reads while the metrics are read, and while they are not.
fn scraped(served: &Served, ours: &mut Ring, effort: Effort) -> Result<Series> {
    let mut disturbed = http_ring(served, effort, Plain::No)?;
    let mut scraper = Connection::open(served.address, whole::http)?;
    let scrape = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", served.address);
    let mut with = || {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let scraping = scope.spawn(|| scrape_until(&done, &mut scraper, scrape.as_bytes()));
            let rate = disturbed.pass(effort.requests);
            done.store(true, Ordering::Relaxed);
            scraping.join().map_err(|_| "the thread that reads the metrics panicked")??;
            rate
        })
    };
    alternate(effort.rounds, &mut with, || ours.pass(effort.requests))
}

/// Reads the metrics far more often than anybody would.
fn scrape_until(done: &AtomicBool, connection: &mut Connection, request: &[u8]) -> Result<()> {
    while !done.load(Ordering::Relaxed) {
        connection.ask(request)?;
        SystemClock.sleep(SCRAPE_INTERVAL);
    }
    Ok(())
}

/// Nanoseconds that a server is busy for one answer: unlike the rate, it does not depend on what
/// else the machine does.
fn busy_each(server: u32, ring: &mut Ring, effort: Effort) -> Result<f64> {
    let before = busy_nanos(server)?;
    ring.pass(effort.requests)?;
    let after = busy_nanos(server)?;
    Ok(float(after.saturating_sub(before)) / float(effort.requests as u64))
}

/// As [`busy_each`], with what the client takes, which runs on this thread: where nothing else
/// runs, the rate is the number of cores over this.
fn busy_both(server: u32, ring: &mut Ring, effort: Effort) -> Result<f64> {
    let (client, server) = busy(|| busy_each(server, ring, effort))?;
    Ok(nanos_each(client, effort.requests) + server)
}

/// The cost of what is told of each request.
fn logged(report: &mut Report, dir: &TempDir, effort: Effort) -> Result<()> {
    for filter in ["info", "debug"] {
        // A store is open in one process at a time, so the other one is a copy.
        let copy = tempfile::tempdir()?;
        std::fs::copy(dir.path().join("store.asof"), copy.path().join("store.asof"))?;
        let plain = Served::start(&["serve-here", ""], dir.path())?;
        let talkative = Served::start(&["serve-here", filter], copy.path())?;
        let mut with = http_ring(&talkative, effort, Plain::No)?;
        let mut without = http_ring(&plain, effort, Plain::No)?;
        let series = alternate(
            effort.rounds,
            || with.pass(effort.requests),
            || without.pass(effort.requests),
        )?;
        report.comparisons.push(Comparison {
            name: format!("http/log-{filter}"),
            what: format!("reads with a log of level {filter} / without a log"),
            bound: Bound::None,
            unit: Unit::Rate,
            series,
        });
    }
    Ok(())
}

/// Whether a read names its moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plain {
    Yes,
    No,
}

/// Key and moment of each request of a pass, the same for all.
fn questions(effort: Effort) -> impl Iterator<Item = Result<(asof_store::Key, u64)>> {
    let mut shuffle = Shuffle::new(3);
    let first = SHAPE.keys / SHAPE.writes;
    (0..effort.requests).map(move |_| {
        let key = data::key(shuffle.below(SHAPE.keys))?;
        let commit = first + shuffle.below(SHAPE.commits - first);
        Ok((key, data::moment(commit).as_micros()))
    })
}

fn http_ring(served: &Served, effort: Effort, plain: Plain) -> Result<Ring> {
    let requests = questions(effort).map(|question| {
        let (key, at) = question?;
        let as_of = match plain {
            Plain::Yes => String::new(),
            Plain::No => format!("?as_of={at}"),
        };
        let head = format!(
            "GET /v1/spaces/bench/keys/{key}{as_of} HTTP/1.1\r\nHost: {}\r\n\r\n",
            served.address
        );
        Ok(head.into_bytes())
    });
    Ring::open(served.address, effort.connections, requests.collect::<Result<_>>()?)
}

fn peer_ring(server: &Postgres, effort: Effort) -> Result<Ring> {
    let requests = questions(effort).map(|question| {
        let (key, at) = question?;
        postgres::ask(key.as_str(), at)
    });
    let requests = requests.collect::<Result<_>>()?;
    let connections = (0..effort.connections).map(|_| server.connect()).collect::<Result<_>>()?;
    Ok(Ring::new(connections, requests))
}

/// The version in `/usr/lib/postgresql/<version>/bin`.
fn version_of(bin: &Path) -> String {
    let version = bin.parent().and_then(Path::file_name);
    version.map_or_else(String::new, |version| version.to_string_lossy().into_owned())
}
