//! What an entry costs in memory, by the resident set of a process of its own.
//!
//! The calls and the bodies are there before the first entry is: the difference is what the cache
//! adds. It is counted after everything was answered once, with whatever that leaves behind.

use std::process::{Command, Stdio};

use asof_cache::{Cache, Settings};

use super::Effort;
use super::fill::{body, call, execute, follow};
use crate::measure::{Result, float};
use crate::report::Report;

/// Most bytes for an entry with one input, without its call and its body.
const ENTRY_BYTES_MAX: f64 = 400.0;
/// Most bytes for each further input.
const INPUT_BYTES_MAX: f64 = 80.0;
/// How far the weight may be from what is measured.
const WEIGHT_OFF_MAX: f64 = 0.3;

const BODY_BYTES: usize = 1_000;
const INPUTS: u64 = 11;

/// What a child found out, in bytes.
struct Found {
    /// Added by the cache.
    added: f64,
    /// Calls and bodies.
    given: f64,
    /// What the cache says that it holds, calls and bodies included.
    weight: f64,
}

pub(super) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    let (one, many) = (child(effort.entries, 1)?, child(effort.entries, INPUTS)?);
    let entries = float(effort.entries);
    let entry = one.added / entries;
    let input = (many.added - one.added) / entries / float(INPUTS - 1);
    let off = one.weight / (one.added + one.given) - 1.0;
    let verdict = |holds: bool| if holds { "holds" } else { "misses" };
    report.figure(
        format!(
            "cache/memory: bytes an entry of {} with one input, without call and body, \
             bound <= {ENTRY_BYTES_MAX}",
            effort.entries
        ),
        format!("{entry:.0}, {}", verdict(entry <= ENTRY_BYTES_MAX)),
    );
    report.figure(
        format!("cache/memory: bytes for each further input, bound <= {INPUT_BYTES_MAX}"),
        format!("{input:.1}, {}", verdict(input <= INPUT_BYTES_MAX)),
    );
    report.figure(
        "cache/memory: what the cache says that it holds, off the measured, bound 30 %",
        format!("{:+.1} %, {}", off * 100.0, verdict(off.abs() <= WEIGHT_OFF_MAX)),
    );
    Ok(())
}

fn child(entries: u64, inputs: u64) -> Result<Found> {
    let output = Command::new(std::env::current_exe()?)
        .args(["cache-memory-here", &entries.to_string(), &inputs.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> =
        text.split_whitespace().map(str::parse).collect::<core::result::Result<_, _>>()?;
    match *figures {
        [added, given, weight] => Ok(Found { added, given, weight }),
        _ => Err(format!("the child said `{text}`").into()),
    }
}

/// What a child does: fills a cache, and says by how much its process grew.
pub(crate) fn memory_here(entries: u64, inputs: u64) -> Result<()> {
    // Threads, tables of the first use, and what the allocator keeps for itself.
    fill(&Cache::new(settings(1_000, inputs)), 1_000, inputs)?;
    let cache = Cache::new(settings(entries, inputs));
    let (given, added) = fill(&cache, entries, inputs)?;
    let figures = cache.figures();
    if figures.entries != entries || figures.evicted != 0 {
        return Err(format!("{} of {entries} entries are held", figures.entries).into());
    }
    crate::write_out(&format!("{added} {given} {}", figures.bytes))
}

fn settings(entries: u64, inputs: u64) -> Settings {
    // Room for all, and not so much more that the table of entries is mostly empty.
    let each = 2_048 + (inputs - 1) * 128;
    Settings { bytes_max: entries.max(1_000) * each, changes_max: 1_000, ..Settings::default() }
}

/// Bytes of calls and bodies, and what was added to them.
fn fill(cache: &Cache, entries: u64, inputs: u64) -> Result<(i64, i64)> {
    let spaces = follow(cache, 1)?;
    let mut kept = Vec::with_capacity(usize::try_from(entries)?);
    let empty = resident()?;
    for number in 0..entries {
        kept.push((call("pages", &format!("/page/{number:08}")), body(number, BODY_BYTES)));
    }
    let given = resident()?;
    for (number, (call, body)) in (0..).zip(kept.iter_mut()) {
        let body = core::mem::take(body);
        // An answer goes to somebody: its body has been held twice.
        drop(body.clone());
        execute(cache, &spaces, (number, inputs), call, body)?;
    }
    let full = resident()?;
    Ok((given - empty, full - given))
}

/// Bytes of this process that are in memory.
fn resident() -> Result<i64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no figures")?;
    let kilobytes: i64 = line.split_whitespace().next().ok_or("no figure")?.parse()?;
    Ok(kilobytes * 1_024)
}
