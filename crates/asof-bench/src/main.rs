//! The benchmarks: the store beside bare redb, its server beside `PostgreSQL`, and the core of the
//! edge beside a bare map, in turns.
//!
//! The only crate that compiles peers. It never asserts absolute times: every comparison is a
//! ratio of two things measured in one run, and a missed bound is told, not failed on.

mod bare;
mod cache;
mod cap;
mod client;
mod commit;
mod console;
mod data;
mod edge;
mod effect;
mod export;
mod http;
mod import;
mod machine;
mod measure;
mod outages;
mod page;
mod plot;
mod point;
mod recorder;
mod report;
mod system;
mod visible;

use core::time::Duration;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::measure::Result;
use crate::report::Report;

/// Runs the store and its peers in turn and compares them.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Small and short, for CI.
    #[arg(long, global = true)]
    quick: bool,
    /// Prints JSON in place of text.
    #[arg(long, global = true)]
    json: bool,
    /// Writes the page of the documentation to this file, and plots into a folder beside it.
    #[arg(long, global = true, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// JSON lines to import, packed by zstd or not; without it a file is generated.
    #[arg(long, global = true, env = "ASOF_OUTAGES", value_name = "FILE")]
    outages: Option<PathBuf>,
    /// The `asof` program, to measure an import by it as well as by the library.
    #[arg(long, global = true, value_name = "FILE")]
    asof: Option<PathBuf>,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Everything.
    All,
    /// Point reads beside bare redb, by number of keys; sizes on disk.
    Point,
    /// Point reads by depth of history.
    Depth,
    /// The dry run of a cap beside a bare scan of the log and one seek a key.
    Cap,
    /// Pages of the console over many keys beside those over a thousand.
    Console,
    /// Durable commits beside bare redb: one writer, and 64.
    Commit,
    /// Import of a file of history.
    Import,
    /// Export as Parquet beside `DuckDB`; needs --asof and a python3 that has `DuckDB`.
    Export,
    /// The core of the edge: memory of an entry, time of a hit and of a verification.
    Cache,
    /// Hits of the edge beside nginx, Varnish and a bare hyper responder.
    Edge,
    /// Three layers of services behind the edge beside no cache, a TTL, a timestamp in the key, and
    /// a cache that knows the future; needs --asof.
    System,
    /// From an acknowledged write to an answer of another edge that shows it.
    Visible,
    /// From an acknowledged cap to an answer of an edge under full load that obeys it.
    Effect,
    /// Reads over HTTP beside `PostgreSQL` and a bare hyper responder; the cost of logs.
    Http,
    /// Serves the store in a folder until its input ends: what `http` asks.
    #[command(hide = true)]
    ServeHere {
        /// Filter of the log; none where empty.
        log: String,
        /// Where the store is.
        dir: PathBuf,
    },
    /// Fills a cache and tells how the process grew: what `cache` asks.
    #[command(hide = true)]
    CacheMemoryHere {
        /// Entries.
        entries: u64,
        /// Inputs of each.
        inputs: u64,
    },
    /// A bare responder, until its input ends.
    #[command(hide = true)]
    LimitHere {
        /// Not used.
        dir: PathBuf,
    },
    /// An edge, until its input ends: what `edge` asks.
    #[command(hide = true)]
    EdgeHere {
        /// Its configuration.
        file: PathBuf,
    },
    /// A bare responder of the same payload, until its input ends.
    #[command(hide = true)]
    EdgeBareHere,
    /// What a child of `import` does.
    #[command(hide = true)]
    ImportHere {
        /// What to import.
        file: PathBuf,
        /// Where the new store is made.
        dir: PathBuf,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.what {
        What::ImportHere { file, dir } => return import::import_here(file, dir),
        What::ServeHere { log, dir } => return http::serve::store(dir, log),
        What::LimitHere { .. } => return http::serve::limit(),
        What::EdgeHere { file } => return edge::servers::edge(file),
        What::EdgeBareHere => return edge::servers::bare(),
        What::CacheMemoryHere { entries, inputs } => return cache::memory_here(*entries, *inputs),
        _ => {}
    }
    let mut report = Report {
        machine: machine::describe(),
        command: reproduce(&arguments),
        ..Report::default()
    };
    run(&mut report, &arguments)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", report.json()?)?;
    }
    if let Some(page) = &arguments.markdown {
        let plots = plot::write_beside(page, &report)?;
        std::fs::write(page, report.markdown(&plots))?;
    }
    Ok(())
}

/// The command that runs the same again.
fn reproduce(arguments: &Arguments) -> String {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let plain = given
        .split(|argument| matches!(argument.as_str(), "--markdown" | "--outages" | "--asof"))
        .next()
        .unwrap_or_default();
    // What else the figures depend on: what was imported, who else exported, and how it was built,
    // which the folder of the program tells.
    let named = |name: &str, as_what: &str| {
        std::env::var_os(name).map_or_else(String::new, |_| format!("{name}={as_what} "))
    };
    let (file, python) = (named("ASOF_OUTAGES", "FILE"), named(export::PYTHON, "PYTHON"));
    let program = std::env::current_exe().unwrap_or_default();
    let profile = program.parent().and_then(Path::file_name).and_then(OsStr::to_str);
    let profile = profile.unwrap_or("release");
    let (build, asof) = match arguments.asof {
        Some(_) => (
            format!("cargo build --profile {profile} -p asof -p asof-bench && "),
            format!(" --asof target/{profile}/asof"),
        ),
        None => Default::default(),
    };
    let plain = plain.join(" ");
    format!("{build}{file}{python}cargo run --profile {profile} -p asof-bench -- {plain}{asof}")
}

fn run(report: &mut Report, arguments: &Arguments) -> Result<()> {
    let all = matches!(arguments.what, What::All);
    let quick = arguments.quick;
    let told = &mut 0;
    tell(report, arguments, told)?;
    if all || matches!(arguments.what, What::Point) {
        let effort = point::Effort {
            rounds: if quick { 5 } else { 41 },
            reads: if quick { 2_000 } else { 5_000 },
        };
        let sizes: &[u64] = if quick { &[10_000] } else { &[10_000, 100_000, 1_000_000] };
        for &size in sizes {
            point::by_keys(report, &[size], effort)?;
            tell(report, arguments, told)?;
        }
    }
    if all || matches!(arguments.what, What::Depth) {
        let effort = point::Effort {
            rounds: if quick { 5 } else { 41 },
            reads: if quick { 2_000 } else { 5_000 },
        };
        if quick {
            point::by_depth(report, 10_000, &[10_000], effort)?;
        } else {
            point::by_depth(report, 100_000, &[100, 1_000, 10_000, 100_000], effort)?;
        }
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Cap) {
        let (keys, rounds) = if quick { (10_000, 3) } else { (1_000_000, 5) };
        cap::run(report, keys, rounds)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Console) {
        let (keys, rounds) = if quick { (20_000, 3) } else { (1_000_000, 9) };
        console::run(report, keys, rounds)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Cache) {
        let (entries, asked, map) =
            if quick { (100_000, 10_000, 100_000) } else { (1_000_000, 100_000, 1_000_000) };
        let rounds = if quick { 5 } else { 15 };
        cache::run(report, cache::Effort { rounds, entries, asked, map })?;
        tell(report, arguments, told)?;
    }
    serving(report, arguments, told)?;
    if all || matches!(arguments.what, What::Commit) {
        let effort = commit::Effort {
            rounds: if quick { 3 } else { 15 },
            single: if quick { 20 } else { 100 },
            each: if quick { 10 } else { 50 },
        };
        commit::run(report, effort)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Import) {
        let plan = import::Plan {
            rounds: if quick { 1 } else { 5 },
            file: arguments.outages.as_deref(),
            commits: if quick { 1_000 } else { 16_000 },
            asof: arguments.asof.as_deref(),
        };
        import::run(report, &plan)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Export) {
        let (rows, rounds) = if quick { (50_000, 2) } else { (1_000_000, 5) };
        export::run(report, arguments.asof.as_deref(), rows, rounds)?;
        tell(report, arguments, told)?;
    }
    for figure in &report.figures {
        note(arguments, &format!("{}: {}", figure.name, figure.value))?;
    }
    for skipped in &report.skipped {
        note(arguments, &format!("skipped: {skipped}"))?;
    }
    Ok(())
}

/// What is asked of servers and of whole systems.
fn serving(report: &mut Report, arguments: &Arguments, told: &mut usize) -> Result<()> {
    let all = matches!(arguments.what, What::All);
    let quick = arguments.quick;
    if all || matches!(arguments.what, What::Edge) {
        let effort = edge::Effort {
            rounds: if quick { 3 } else { 9 },
            requests: if quick { 10_000 } else { 60_000 },
            connections: 32,
            paced: Duration::from_millis(if quick { 200 } else { 1_000 }),
        };
        edge::run(report, effort)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Http) {
        let effort = http::Effort {
            rounds: if quick { 3 } else { 9 },
            requests: if quick { 2_000 } else { 16_000 },
            connections: 16,
        };
        http::run(report, effort)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::System) {
        system::run(report, arguments.asof.as_deref(), quick)?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Visible) {
        visible::run(report, if quick { 20 } else { 300 })?;
        tell(report, arguments, told)?;
    }
    if all || matches!(arguments.what, What::Effect) {
        effect::run(report, if quick { 5 } else { 100 })?;
        tell(report, arguments, told)?;
    }
    Ok(())
}

/// Prints what has come since it was last asked, so that a long run is no silence.
fn tell(report: &Report, arguments: &Arguments, told: &mut usize) -> Result<()> {
    if *told == 0 && report.comparisons.is_empty() {
        note(arguments, &report.machine)?;
    }
    for comparison in report.comparisons.iter().skip(*told) {
        note(arguments, &comparison.line())?;
    }
    *told = report.comparisons.len();
    Ok(())
}

/// What a child says to the one that started it.
fn write_out(line: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

fn note(arguments: &Arguments, line: &str) -> Result<()> {
    if !arguments.json {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}
