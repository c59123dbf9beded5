//! From an acknowledged cap to the first answer of an edge under full load that obeys it, beside a
//! write that is seen there; and what services are asked meanwhile.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use asof_env::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::client::Ring;
use crate::measure::{Result, Series, float, now};
use crate::page::{Line, System, page};
use crate::report::{Bound, Comparison, Report, Unit};
use crate::visible::percentile;

/// Pages, all of which the bad write changes.
const PAGES: usize = 64;
/// Connections that ask for them as fast as they are answered.
const CONNECTIONS: usize = 16;
/// Requests between two looks at whether the load is to end.
const STRIDE: usize = 500;
/// Longest wait for anything to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one round showed, in nanoseconds.
struct Round {
    write: f64,
    cap: f64,
    /// Executions of the service between the cap and the last of the pages that obeyed it.
    executions: u64,
}

/// Writes something bad to all pages and caps the system below it, `rounds` times, under load.
pub(crate) fn run(report: &mut Report, rounds: usize) -> Result<()> {
    let system = System::start()?;
    let mut operator = Operator::new(&system)?;
    operator.commit("good-0")?;
    operator.until_all("good-0")?;
    let done = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        let load = scope.spawn(|| hammer(&system, &done));
        // The first one warms up.
        let rounds: Result<Vec<Round>> = (0..=rounds).map(|round| operator.round(round)).collect();
        done.store(true, Ordering::Relaxed);
        let rate = load.join().map_err(|_| "the load panicked")??;
        rounds.map(|rounds| (rounds, rate))
    });
    let (rounds, rate) = rounds?;
    let rounds = rounds.get(1..).unwrap_or_default();
    let caps: Vec<f64> = rounds.iter().map(|round| round.cap).collect();
    let executions: u64 = rounds.iter().map(|round| round.executions).sum();
    let p99 = percentile(&caps, 99);
    report.figure("cap/effect/p99", format!("{:.2} ms of {} caps", p99 / 1e6, rounds.len()));
    report.figure("cap/effect/load", format!("{rate:.0} answers a second meanwhile"));
    report.figure(
        "cap/effect/upstream calls",
        format!("{executions} for {} pages held at the moment of the cap", PAGES * rounds.len()),
    );
    report.comparisons.push(Comparison {
        name: "cap/effect".to_owned(),
        what: "from an acknowledged cap to an answer of an edge under full load that obeys it / \
               from an acknowledged write to one that shows it"
            .to_owned(),
        bound: Bound::None,
        unit: Unit::Nanos,
        series: Series { ours: caps, peer: rounds.iter().map(|round| round.write).collect() },
    });
    Ok(())
}

/// Asks for all pages as fast as they are answered; answers a second.
fn hammer(system: &System, done: &AtomicBool) -> Result<f64> {
    let requests = (0..PAGES).map(|number| page(&key(number)).into_bytes()).collect();
    let mut ring = Ring::open(system.edge.address, CONNECTIONS, requests)?;
    let (start, mut count) = (now(), 0);
    while !done.load(Ordering::Relaxed) {
        ring.pass(STRIDE)?;
        count += STRIDE as u64;
    }
    Ok(float(count) / now().since(start).as_secs_f64())
}

fn key(number: usize) -> String {
    format!("k{number}")
}

/// Whoever writes, caps and looks.
struct Operator<'s> {
    system: &'s System,
    store: Line,
    reader: Line,
}

impl<'s> Operator<'s> {
    fn new(system: &'s System) -> Result<Self> {
        let (store, reader) = (Line::open(system.store.address)?, Line::open(system.edge.address)?);
        Ok(Self { system, store, reader })
    }

    /// Asks the store; its answer as JSON.
    fn tell(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             asof-author: bench\r\nasof-reason: bench\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (status, answer) = self.store.ask(&request)?;
        if !status.starts_with("http/1.1 20") {
            let answer = String::from_utf8_lossy(&answer);
            return Err(format!("{method} {path}: {status}: {answer}").into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Writes the same to all pages, at once.
    fn commit(&mut self, text: &str) -> Result<()> {
        let writes: Vec<Value> = (0..PAGES)
            .map(|number| json!({ "space": "s", "key": key(number), "value_text": text }))
            .collect();
        self.tell("POST", "/v1/commits", &json!({ "writes": writes }).to_string()).map(drop)
    }

    fn shows(&mut self, number: usize, text: &str) -> Result<bool> {
        let (_, body) = self.reader.ask(&page(&key(number)))?;
        Ok(body == text.as_bytes())
    }

    /// Nanoseconds until the edge shows `text` on the first page.
    fn until(&mut self, text: &str) -> Result<f64> {
        let start = now();
        while !self.shows(0, text)? {
            if now().since(start) > PATIENCE {
                return Err(format!("the edge does not show `{text}`").into());
            }
        }
        Ok(now().since(start).as_secs_f64() * 1e9)
    }

    /// Waits until the edge shows `text` on all pages.
    fn until_all(&mut self, text: &str) -> Result<()> {
        let start = now();
        for number in 0..PAGES {
            while !self.shows(number, text)? {
                if now().since(start) > PATIENCE {
                    return Err(format!("the edge does not show `{text}`").into());
                }
                SystemClock.sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn round(&mut self, round: usize) -> Result<Round> {
        let (good, bad) = (format!("good-{round}"), format!("bad-{round}"));
        let next = format!("good-{}", round + 1);
        // A moment at which all pages are known.
        let time = self.tell("GET", "/v1/time", "")?;
        let moment = time.get("closed").and_then(Value::as_u64).ok_or("no closed")?;
        self.until_all(&good)?;
        self.commit(&bad)?;
        let write = self.until(&bad)?;
        self.until_all(&bad)?;
        let before = self.system.executions.load(core::sync::atomic::Ordering::Relaxed);
        let cap = json!({ "at": moment, "author": "bench", "reason": "bench" }).to_string();
        self.tell("PUT", "/v1/cap", &cap)?;
        let took = self.until(&good)?;
        for number in 0..PAGES {
            if !self.shows(number, &good)? {
                return Err("a page is not of the cap, and the one before it was".into());
            }
        }
        let after = self.system.executions.load(core::sync::atomic::Ordering::Relaxed);
        // What is written next is what everybody sees once the cap is gone.
        self.commit(&next)?;
        self.tell("DELETE", "/v1/cap", "")?;
        self.until_all(&next)?;
        Ok(Round { write, cap: took, executions: after - before })
    }
}
