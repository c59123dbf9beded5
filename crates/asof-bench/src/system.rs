//! Three layers of services under load, by `asof demo`: the edge beside no cache, a TTL, a timestamp
//! in the key, and a cache that knows the future.
//!
//! The demo holds every answer against a run without a cache; here its figures become ratios.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::measure::{Result, Series};
use crate::report::{Bound, Comparison, Report, Unit};

/// Writes for 100 reads.
const WRITES: [u8; 3] = [0, 1, 10];

/// What the edge may execute, as a multiple of what a cache that knows the future executes.
const EXECUTIONS_MAX: f64 = 1.05;

#[derive(Deserialize)]
struct Demo {
    contestants: Vec<Contestant>,
}

#[derive(Deserialize)]
struct Contestant {
    name: String,
    answers_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    executions_per_100: f64,
    oracle_executions_per_100: Option<f64>,
    shadow_executions_per_100: f64,
    store_reads_per_100: f64,
    store_unchanged_per_100: f64,
    stale: u64,
    inconsistent: u64,
    failed: u64,
    answers: u64,
}

/// Runs the demo of `program` once for each share of writes, as often as there are turns.
pub(crate) fn run(report: &mut Report, program: Option<&Path>, quick: bool) -> Result<()> {
    let Some(program) = program else {
        let how = "the system under load, since --asof does not name the program";
        report.skipped.push(how.to_owned());
        return Ok(());
    };
    let (turns, seconds) = if quick { (1, 2) } else { (3, 6) };
    for writes in WRITES {
        let (mut rows, mut last) = (Rows::default(), Vec::new());
        for _ in 0..turns {
            let demo = demo(program, writes, seconds)?;
            rows.add(&demo)?;
            last = demo.contestants;
        }
        rows.tell(report, writes);
        for contestant in &last {
            tell(report, contestant, writes);
        }
    }
    Ok(())
}

fn demo(program: &Path, writes: u8, seconds: u32) -> Result<Demo> {
    let output = Command::new(program)
        .args(["demo", "--exit", "--json", "--writes", &writes.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What is told beside the ratios, of the last turn.
fn tell(report: &mut Report, contestant: &Contestant, writes: u8) {
    let Contestant { name, p50_ms, p99_ms, stale, inconsistent, failed, answers, .. } = contestant;
    let value = format!(
        "p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms; for 100 answers {:.1} executions, {:.1} in the \
         shadow, {:.1} reads of the store, {:.1} of them unchanged; of {answers} answers {stale} \
         stale, {inconsistent} never true, {failed} failed",
        contestant.executions_per_100,
        contestant.shadow_executions_per_100,
        contestant.store_reads_per_100,
        contestant.store_unchanged_per_100,
    );
    report.figure(format!("system/{writes}-percent/{name}"), value);
}

/// The comparisons of one share of writes.
#[derive(Default)]
struct Rows {
    none: Series,
    ttl: Series,
    keyed: Series,
    oracle: Series,
    wrong: u64,
}

impl Rows {
    fn add(&mut self, demo: &Demo) -> Result<()> {
        let [none, ttl, keyed, edge] = demo.contestants.as_slice() else {
            return Err("the demo has other contestants than this benchmark knows".into());
        };
        let rates = [(&mut self.none, none), (&mut self.ttl, ttl), (&mut self.keyed, keyed)];
        for (series, rival) in rates {
            series.ours.push(edge.answers_per_second);
            series.peer.push(rival.answers_per_second);
        }
        self.oracle.ours.push(edge.executions_per_100);
        let oracle = edge.oracle_executions_per_100.ok_or("the demo tells of no oracle")?;
        self.oracle.peer.push(oracle);
        self.wrong += edge.inconsistent + edge.failed;
        Ok(())
    }

    fn tell(self, report: &mut Report, writes: u8) {
        let rates = [
            ("no-cache", "without a cache", self.none),
            ("ttl", "with a TTL of 5 s in every layer, which is stale", self.ttl),
            ("keyed", "with a timestamp in every key, 5 s apart", self.keyed),
        ];
        for (name, beside, series) in rates {
            report.comparisons.push(Comparison {
                name: format!("system/{writes}-percent/{name}"),
                what: format!("answers of three layers, {writes} writes for 100 reads / {beside}"),
                bound: Bound::None,
                unit: Unit::Rate,
                series,
            });
        }
        report.comparisons.push(Comparison {
            name: format!("system/{writes}-percent/oracle"),
            what: "executions for 100 answers / of a cache that knows the future".to_owned(),
            bound: Bound::AtMost(EXECUTIONS_MAX),
            unit: Unit::Count,
            series: self.oracle,
        });
        let wrong = format!("{} in all turns", self.wrong);
        report.figure(format!("system/{writes}-percent/wrong answers of the edge"), wrong);
    }
}
