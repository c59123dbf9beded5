//! The edge beside nginx, Varnish and a bare hyper responder: an answer of 1 KiB out of the
//! cache, every server on one core.

pub(crate) mod servers;
mod writes;

use core::time::Duration;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use asof_env::{Clock as _, SystemClock};
use tempfile::TempDir;

use self::servers::Peer;
use self::writes::Writes;
use crate::client::Ring;
use crate::data::{self, Shape};
use crate::http::serve::Served;
use crate::measure::{Result, Series, Spread, busy_nanos, float};
use crate::report::{Bound, Comparison, Report, Unit};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Requests of a pass.
    pub(crate) requests: usize,
    pub(crate) connections: usize,
    /// How long each server is asked at a fixed rate.
    pub(crate) paced: Duration,
}

const SHAPE: Shape = Shape { keys: 100, commits: 2, writes: 100 };

/// Pages that are asked for in turn.
const PAGES: usize = 100;

/// Of what the slowest server can do, so much is asked of each where its time is measured.
const PACE: f64 = 0.6;

/// Before anything is measured, each page is cached, and the edge has heard of its store.
const WARM_TRIES: u32 = 100;

/// A server under test and what was measured of it, round by round.
struct Contestant {
    name: &'static str,
    bound: Bound,
    process: u32,
    address: SocketAddr,
    rates: Vec<f64>,
    busy: Vec<f64>,
    p99: Vec<f64>,
}

/// The edge, with what it needs.
struct Ours {
    served: Served,
    store: Served,
    _dirs: [TempDir; 2],
}

type Start = fn(&Path, SocketAddr) -> Result<Peer>;

/// Runs all of it.
pub(crate) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    let pinning = Pinning::begin();
    let egress = servers::free_address()?;
    let service = servers::service(egress)?;
    let ours = Ours::start(service, egress)?;
    let bare = Served::start_by(servers::pinned, &["edge-bare-here"], None)?;
    let mut contestants = vec![
        Contestant::new("edge", Bound::None, ours.served.id(), ours.served.address),
        Contestant::new("hyper", Bound::AtLeast(0.75), bare.id(), bare.address),
    ];
    let mut peers = Vec::new();
    for (name, program, bound, start) in [
        ("nginx", "nginx", 1.3, servers::nginx as Start),
        ("varnish", "varnishd", 2.3, servers::varnish as Start),
    ] {
        let Some(program) = servers::find(program) else {
            report.skipped.push(format!("edge/hit/{name}: {program} is not installed"));
            continue;
        };
        let peer = start(&program, service).map_err(|error| format!("{name}: {error}"))?;
        let bound = Bound::AtLeast(bound);
        contestants.push(Contestant::new(name, bound, peer.id(), peer.address));
        peers.push(peer);
    }
    for round in 0..=effort.rounds {
        for contestant in &mut contestants {
            contestant.measure(effort, round)?;
        }
    }
    let slowest = contestants.iter().map(Contestant::peak).fold(f64::INFINITY, f64::min);
    for _ in 0..effort.rounds {
        for contestant in &mut contestants {
            contestant.pace(slowest * PACE, effort)?;
        }
    }
    tell(report, &contestants, slowest * PACE);
    if let Some(edge) = contestants.first_mut() {
        report.comparisons.push(edge.moving(ours.store.address, effort)?);
    }
    drop(pinning);
    Ok(())
}

fn tell(report: &mut Report, contestants: &[Contestant], pace: f64) {
    let Some((ours, peers)) = contestants.split_first() else { return };
    for peer in peers {
        let compare = |row: &str, what: &str, bound, unit, of: fn(&Contestant) -> &Vec<f64>| {
            let series = Series { ours: of(ours).clone(), peer: of(peer).clone() };
            let what = format!("{what}, edge / {}", peer.name);
            Comparison { name: format!("edge/{row}/{}", peer.name), what, bound, unit, series }
        };
        let rows = [
            compare("hit", "hits of 1 KiB on one core", peer.bound, Unit::Rate, |one| &one.rates),
            compare("processor", "processor time for a hit", Bound::None, Unit::Nanos, |one| {
                &one.busy
            }),
            compare("p99", "99th percentile at one rate", Bound::None, Unit::Nanos, |one| &one.p99),
        ];
        report.comparisons.extend(rows);
    }
    report.figure("edge/p99, requests a second", format!("{pace:.0}"));
    for one in contestants {
        // Below 1 the client was what limited the rate, and the processor time says more.
        let share = Spread::of(one.rates.iter().zip(&one.busy).map(|(rate, busy)| rate * busy));
        let name = format!("edge/hit, share of its core that {} used", one.name);
        report.figure(name, format!("{:.2}", share.median / 1e9));
    }
}

impl Contestant {
    fn new(name: &'static str, bound: Bound, process: u32, address: SocketAddr) -> Self {
        let (rates, busy, p99) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, bound, process, address, rates, busy, p99 }
    }

    /// Connections that have been answered once. They are opened for each turn: until the next one
    /// comes, some servers would have closed them.
    fn ring(&self, effort: Effort) -> Result<Ring> {
        let host = self.address;
        let request = |page| format!("GET /pages/{page} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let requests = (0..PAGES).map(|page| request(page).into_bytes()).collect();
        let mut ring = Ring::open(host, effort.connections, requests)?;
        ring.pass(effort.connections)?;
        Ok(ring)
    }

    /// One pass; the first one only fills caches.
    fn measure(&mut self, effort: Effort, round: usize) -> Result<()> {
        let told = |error| format!("{}: {error}", self.name);
        let mut ring = self.ring(effort).map_err(told)?;
        let before = busy_nanos(self.process)?;
        let rate = ring.pass(effort.requests).map_err(told)?;
        let busy = busy_nanos(self.process)?.saturating_sub(before);
        if round > 0 {
            self.rates.push(rate);
            self.busy.push(float(busy) / float(effort.requests as u64));
        }
        Ok(())
    }

    /// The same while the moment of the edge moves with every commit of its store, in turn with a
    /// moment that moves only as time goes by.
    fn moving(&mut self, store: SocketAddr, effort: Effort) -> Result<Comparison> {
        let mut series = Series::default();
        for _ in 0..effort.rounds {
            self.rates.clear();
            let writes = Writes::begin(store)?;
            self.measure(effort, 1)?;
            writes.end()?;
            series.ours.append(&mut self.rates);
            self.measure(effort, 1)?;
            series.peer.append(&mut self.rates);
        }
        Ok(Comparison {
            name: "edge/moving".to_owned(),
            what: format!(
                "hits while the store commits {} times a second / while it commits nothing",
                writes::RATE
            ),
            bound: Bound::None,
            unit: Unit::Rate,
            series,
        })
    }

    fn pace(&mut self, rate: f64, effort: Effort) -> Result<()> {
        let mut took = self.ring(effort)?.paced(rate, effort.paced)?;
        took.sort_by(f64::total_cmp);
        self.p99.extend(took.get(took.len() * 99 / 100));
        Ok(())
    }

    fn peak(&self) -> f64 {
        Spread::of(self.rates.iter().copied()).median
    }
}

impl Ours {
    fn start(service: SocketAddr, egress: SocketAddr) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        data::fill_store(dir.path(), SHAPE)?;
        let store = Served::start(&["serve-here", ""], dir.path())?;
        let settings = tempfile::tempdir()?;
        let file = settings.path().join("edge.toml");
        std::fs::write(
            &file,
            format!(
                "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n\
                 [stores.main]\nurl = 'http://{}'\n[[ingress.rules]]\nservice = 'pages'\n\
                 [services.pages]\nupstreams = ['http://{service}']\negress = '{egress}'\n\
                 [[services.pages.routes]]\npath = '/{{*path}}'\nmode = 'on'\n\
                 observed_min = 0\ntrust = true\nshadow = 0.0\n",
                store.address
            ),
        )?;
        let served = Served::start_by(servers::pinned, &["edge-here"], Some(&file))?;
        let ours = Self { served, store, _dirs: [dir, settings] };
        ours.warm()?;
        Ok(ours)
    }

    /// Waits until it answers out of the cache.
    fn warm(&self) -> Result<()> {
        let address = self.served.address;
        let request = format!("GET /pages/0 HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
        let mut last = String::new();
        for _ in 0..WARM_TRIES {
            let mut ring = Ring::open(address, 1, vec![request.clone()])?;
            match ring.show() {
                Ok(head) if head.contains("asof; hit") => return Ok(()),
                Ok(head) => last = head,
                Err(error) => last = error.to_string(),
            }
            SystemClock.sleep(Duration::from_millis(100));
        }
        Err(format!("the edge does not answer out of its cache: {last}").into())
    }
}

/// The client keeps off the servers' core for as long as this is held.
struct Pinning;

impl Pinning {
    fn begin() -> Self {
        if servers::has_cores() {
            place("1");
        }
        Self
    }
}

impl Drop for Pinning {
    fn drop(&mut self) {
        place("0-1023");
    }
}

fn place(cores: &str) {
    // Where it fails, the ratios have more spread, and nothing else happens.
    let own = std::process::id().to_string();
    let mut command = Command::new("taskset");
    let _ = command.args(["-a", "-c", "-p", cores, &own]).output();
}
