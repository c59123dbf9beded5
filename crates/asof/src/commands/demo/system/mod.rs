//! The whole system: a store, three layers of services, and an edge before and between them, under
//! load, beside what people do today.

mod in_rust;
mod judge;
mod load;
mod rival;
mod services;
mod web;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asof_client::{Client, KeysQuery, ReadAt};
use asof_edge::{Caching, Edge, Plan};
use asof_env::{Clock, SystemClock, SystemRandom};
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use self::judge::{Judge, Verdict};
pub(super) use self::load::{Bench, Writes};
use self::load::{Seen, Shelf, USERS, put, user_settings};
use self::rival::{Front, Policy};
use self::services::{Kit, NAMES, Running};
use crate::context::Context;
use crate::failure::Failure;
use crate::human;
use crate::import::stop::Stop;
use crate::table::{Align, Table};

/// How long answers are kept by those who keep them for a while.
const KEPT: Duration = Duration::from_secs(5);

/// Files that are read, and the largest of them.
const FILES_MAX: usize = 150;
const FILE_BYTES_MAX: u64 = 32 << 10;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    name: &'static str,
    answers_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Calls that services executed, for 100 answers.
    executions_per_100: f64,
    /// Hits that the edge had executed once more, to compare them, for 100 answers.
    shadow_executions_per_100: f64,
    /// What a cache that knows the future would have executed for the same answers, where they
    /// say of which moment they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    oracle_executions_per_100: Option<f64>,
    store_reads_per_100: f64,
    /// Of those, answered with "unchanged" alone.
    store_unchanged_per_100: f64,
    stale: u64,
    inconsistent: u64,
    failed: u64,
    answers: u64,
}

/// The system behind the edge, for as long as it is held.
#[derive(Debug)]
pub(super) struct System {
    pub(super) lines: Vec<Line>,
    pub(super) ingress: SocketAddr,
    pub(super) admin: SocketAddr,
    /// A file to look at.
    pub(super) path: String,
    _services: Running,
    _stop: oneshot::Sender<()>,
    runtime: Runtime,
}

/// What all contestants have in common.
struct Stage<'a> {
    runtime: &'a Runtime,
    kit: &'a Kit,
    shelf: Arc<Shelf>,
    client: &'a Client,
    store: &'a str,
    bench: Bench,
    stop: &'a Stop,
}

/// Runs all contestants one after the other, and leaves the edge running.
pub(super) fn run(
    space: &str,
    client: &Client,
    store: &str,
    scratch: &Path,
    bench: Bench,
    stop: &Stop,
    context: &mut Context,
) -> Result<Option<System>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let kit = Kit::new(scratch, space)?;
    let Some(shelf) = shelf(space, client)?.map(Arc::new) else {
        super::say(context, "there is no text file of a readable size to make pages of")?;
        return Ok(None);
    };
    settle_users(client)?;
    let described = kit.describe();
    super::say(context, "")?;
    super::say(
        context,
        &format!(
            "three layers of services ({described}) and {} readers of {} files, while files and settings change",
            load::READERS,
            shelf.paths.len()
        ),
    )?;
    let stage = Stage { runtime: &runtime, kit: &kit, shelf, client, store, bench, stop };
    let mut runs = Vec::new();
    for (name, policy) in [
        ("no cache", Policy::NoCache),
        ("TTL 5 s in every layer", Policy::Ttl(KEPT)),
        ("timestamp in key, 5 s", Policy::Keyed(KEPT)),
    ] {
        super::say(context, &format!("  {} s: {name}", bench.length.as_secs()))?;
        runs.push(stage.rival(name, policy)?);
        stop.check()?;
    }
    super::say(context, &format!("  {} s: asof edge", bench.length.as_secs()))?;
    let (run, running, edge) = stage.edge()?;
    runs.push(run);
    stop.check()?;
    super::say(context, "  comparing every answer with a run without any cache")?;
    let lines = stage.judge(runs)?;
    stop.check()?;
    let path = stage.shelf.paths.first().cloned().unwrap_or_default();
    let Behind { ingress, admin, stop } = edge;
    Ok(Some(System { lines, ingress, admin, path, _services: running, _stop: stop, runtime }))
}

/// What one contestant did.
struct Run {
    name: &'static str,
    seen: Vec<Seen>,
    executions: u64,
    reads: u64,
    /// Of those, answered with "unchanged".
    unchanged: u64,
    /// Hits that were executed once more, to be compared: not among the executions.
    shadows: u64,
}

/// An edge that runs until `stop` is dropped.
struct Behind {
    ingress: SocketAddr,
    admin: SocketAddr,
    stop: oneshot::Sender<()>,
}

impl Stage<'_> {
    fn rival(&self, name: &'static str, policy: Policy) -> Result<Run, Failure> {
        let front = Front::new(policy, self.store);
        let address = self.runtime.block_on(front.serve())?;
        let running = self.kit.start(self.runtime, [address; 3])?;
        front.found(running.addresses);
        let base = format!("http://{address}");
        let seen = self.load(&base);
        let executions = front.executions.load(Ordering::Relaxed);
        let reads = front.reads.load(Ordering::Relaxed);
        Ok(Run { name, seen, executions, reads, unchanged: 0, shadows: 0 })
    }

    fn edge(&self) -> Result<(Run, Running, Behind), Failure> {
        let egress = free_ports()?;
        let running = self.kit.start(self.runtime, egress)?;
        let plan = plan(self.store, running.addresses, egress)?;
        let edge = self.runtime.block_on(bind(plan))?;
        let (ingress, admin) = (edge.addresses().ingress, edge.addresses().admin);
        let (stop, stopped) = oneshot::channel::<()>();
        self.runtime.spawn(edge.run(async { drop(stopped.await) }));
        let behind = Behind { ingress, admin, stop };
        self.runtime.block_on(ready(admin))?;
        let base = format!("http://{ingress}");
        let seen = self.load(&base);
        let counted = |name| self.runtime.block_on(metric(admin, name));
        let shadows = counted("asof_edge_shadow_executions_total");
        let executions = counted("asof_edge_executions_total").saturating_sub(shadows);
        let reads = counted("asof_edge_store_reads_total");
        let unchanged = counted("asof_edge_store_unchanged_total");
        let run = Run { name: "asof edge", seen, executions, reads, unchanged, shadows };
        Ok((run, running, behind))
    }

    fn load(&self, base: &str) -> Vec<Seen> {
        let place = load::Place { base, store: self.store, shelf: &self.shelf };
        self.runtime.block_on(load::run(place, self.client, self.bench, self.stop))
    }

    /// Holds every answer against a run without any cache at the same moment.
    fn judge(&self, runs: Vec<Run>) -> Result<Vec<Line>, Failure> {
        let front = Front::new(Policy::NoCache, self.store);
        let address = self.runtime.block_on(front.serve())?;
        let running = self.kit.start(self.runtime, [address; 3])?;
        front.found(running.addresses);
        let mut judge = Judge::new(&self.shelf, self.client, format!("http://{address}"))?;
        let lines = runs.into_iter().map(|run| {
            let verdict = self.runtime.block_on(judge.judge(&run.seen, self.stop));
            let oracle = judge.executions_of_an_oracle(&run.seen);
            line(&run, verdict, oracle, self.bench.length)
        });
        Ok(lines.collect())
    }
}

fn line(run: &Run, verdict: Verdict, oracle: Option<u64>, length: Duration) -> Line {
    let mut took: Vec<Duration> = run.seen.iter().map(|seen| seen.took).collect();
    took.sort_unstable();
    let percentile = |percent: usize| {
        let place = took.len() * percent / 100;
        took.get(place.min(took.len().saturating_sub(1))).copied().unwrap_or_default().as_secs_f64()
            * 1e3
    };
    let answers = run.seen.len() as u64;
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    let per_100 =
        |count: u64| if answers == 0 { 0.0 } else { count as f64 * 100.0 / answers as f64 };
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    let answers_per_second = answers as f64 / length.as_secs_f64();
    Line {
        name: run.name,
        answers_per_second,
        p50_ms: percentile(50),
        p99_ms: percentile(99),
        executions_per_100: per_100(run.executions),
        shadow_executions_per_100: per_100(run.shadows),
        oracle_executions_per_100: oracle.map(per_100),
        store_reads_per_100: per_100(run.reads),
        store_unchanged_per_100: per_100(run.unchanged),
        stale: verdict.stale,
        inconsistent: verdict.inconsistent,
        failed: verdict.failed,
        answers,
    }
}

/// Prints the table, and what may be tried while all of it is up.
pub(super) fn show(system: &System, context: &mut Context) -> Result<(), Failure> {
    let mut table = Table::new([
        ("", Align::Left),
        ("ANSWERS/S", Align::Right),
        ("P50 MS", Align::Right),
        ("P99 MS", Align::Right),
        ("EXECUTIONS", Align::Right),
        ("STORE READS", Align::Right),
        ("STALE", Align::Right),
        ("INCONSISTENT", Align::Right),
        ("FAILED", Align::Right),
    ]);
    for line in &system.lines {
        table.row([
            line.name.to_owned(),
            format!("{:.0}", line.answers_per_second),
            format!("{:.2}", line.p50_ms),
            format!("{:.2}", line.p99_ms),
            format!("{:.1}", line.executions_per_100),
            format!("{:.1}", line.store_reads_per_100),
            human::count(line.stale),
            human::count(line.inconsistent),
            human::count(line.failed),
        ]);
    }
    let out = &mut context.out;
    out.line("")?;
    for line in table.take_page() {
        out.line(&line)?;
    }
    out.line("")?;
    out.line("executions of services and reads of the store are for 100 answers; stale: what had changed more")?;
    out.line("than 250 ms before the request; inconsistent: what was never true. All answers were compared.")?;
    for line in &system.lines {
        if let Some(oracle) = line.oracle_executions_per_100 {
            let (name, own) = (line.name, line.executions_per_100);
            let shadows = line.shadow_executions_per_100;
            out.line(&format!(
                "A cache that knows the future would have executed {oracle:.1} where {name} executed {own:.1};"
            ))?;
            out.line(&format!(
                "it had {shadows:.1} hits of 100 answers executed once more, to compare them."
            ))?;
        }
    }
    out.line("")?;
    let page = format!("http://{}/pages/{}", system.ingress, in_rust::encoded(&system.path));
    out.line(&format!("$ curl -sD- -o/dev/null -H 'Cookie: session=s1' {page}"))?;
    let got = system.runtime.block_on(web::get(&web::client(), &page, &[("cookie", "session=s1")]));
    for name in ["as-of", "as-of-valid", "cache-status"] {
        if let Some(value) = got.headers.get(name).and_then(|value| value.to_str().ok()) {
            out.line(&format!("{name}: {value}"))?;
        }
    }
    out.line("")?;
    Ok(())
}

/// The text files that can be read at a glance.
fn shelf(space: &str, client: &Client) -> Result<Option<Shelf>, Failure> {
    let query = KeysQuery { limit: Some(5_000), ..KeysQuery::default() };
    let page = client.keys(space, &query, ReadAt::default())?;
    let mut files = Vec::new();
    for entry in page.entries {
        if entry.bytes == 0
            || entry.bytes > FILE_BYTES_MAX
            || !entry.content_type.starts_with("text/")
        {
            continue;
        }
        if let Some(found) = client.get(space, &entry.key, ReadAt::default())?.found {
            files.push((entry.key, found.bytes));
        }
        if files.len() == FILES_MAX {
            break;
        }
    }
    Ok((!files.is_empty()).then(|| Shelf::new(space, files)))
}

fn settle_users(client: &Client) -> Result<(), Failure> {
    for user in 0..USERS {
        let session = format!("{{\"user\":\"u{user}\"}}");
        put(client, "sessions", &format!("s{user}"), session.as_bytes())?;
        let theme = if user.is_multiple_of(2) { "dark" } else { "light" };
        put(client, "users", &format!("u{user}"), &user_settings(theme))?;
    }
    Ok(())
}

/// Ports that nobody listens on: services must know theirs before the edge, which must know
/// where the services are, can take them.
fn free_ports() -> Result<[SocketAddr; 3], Failure> {
    let sockets = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let [files, stats, pages] = sockets;
    Ok([files?.local_addr()?, stats?.local_addr()?, pages?.local_addr()?])
}

/// The edge's configuration: what a user would write, with the demo's addresses.
fn plan(store: &str, services: [SocketAddr; 3], egress: [SocketAddr; 3]) -> Result<Plan, Failure> {
    use std::fmt::Write as _;
    let mut text = format!(
        "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[stores.main]\nurl = '{store}'\n\
         [[ingress.rules]]\nservice = 'pages'\n"
    );
    for ((name, upstream), egress) in NAMES.iter().zip(services).zip(egress) {
        let state = if *name == "pages" { "state = ['theme', 'zone']\n" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[services.{name}]\nupstreams = ['http://{upstream}']\negress = '{egress}'\n\
             [[services.{name}.routes]]\npath = '/{{*path}}'\nmode = 'on'\nobserved_min = 0\ntrust = true\n{state}"
        );
    }
    for (name, default) in [("theme", "light"), ("zone", "UTC")] {
        let _ = write!(
            text,
            "[state.{name}]\ndefault = '{default}'\nstore = 'main'\n\
             from = [{{ cookie = 'session' }}, {{ lookup = 'sessions', field = 'user' }}, \
             {{ lookup = 'users', field = '{name}' }}]\n"
        );
    }
    Plan::from_toml(&text, Path::new("")).map_err(|mistakes| Failure::usage(mistakes.to_string()))
}

async fn bind(plan: Plan) -> Result<Edge<Caching>, Failure> {
    let memory = plan.limits.memory;
    let edge = Edge::bind(plan, Arc::new(SystemClock), |forwarder| {
        Caching::new(forwarder, Arc::new(SystemRandom), Arc::new(SystemClock), memory)
    });
    edge.await.map_err(|error| Failure::unavailable(error.to_string()))
}

/// Waits until the edge has heard of the store.
async fn ready(admin: SocketAddr) -> Result<(), Failure> {
    let http = web::client();
    let start = SystemClock.boot();
    while SystemClock.boot().since(start) < Duration::from_secs(10) {
        if web::get(&http, &format!("http://{admin}/readyz"), &[]).await.status.is_success() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Failure::unavailable("the edge does not hear of the store".to_owned()))
}

/// One counter of the edge.
async fn metric(admin: SocketAddr, name: &str) -> u64 {
    let got = web::get(&web::client(), &format!("http://{admin}/metrics"), &[]).await;
    let text = String::from_utf8_lossy(&got.body).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}
