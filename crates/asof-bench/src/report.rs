//! What was measured, and how it is told: as text, as JSON, as a page of the documentation.

use core::fmt::Write as _;

use serde::Serialize;

use crate::measure::{Series, Spread};

/// What a ratio should hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Told for its own sake.
    None,
}

/// In what the two sides of a comparison are measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unit {
    /// Nanoseconds an operation; less is better.
    Nanos,
    /// Operations a second; more is better.
    Rate,
    /// Bytes.
    Bytes,
    /// Something that is counted.
    Count,
}

/// One comparison, measured in turns.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    /// What is divided by what.
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) unit: Unit,
    pub(crate) series: Series,
}

/// A single figure beside the comparisons.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Everything that a run found out.
#[derive(Clone, Default, Debug)]
pub(crate) struct Report {
    pub(crate) machine: String,
    pub(crate) command: String,
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) skipped: Vec<String>,
}

impl Bound {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
            Self::None => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
            Self::None => "-".to_owned(),
        }
    }
}

impl Unit {
    fn text(self, value: f64) -> String {
        match self {
            Self::Nanos if value < 1e3 => format!("{value:.0} ns"),
            Self::Nanos if value >= 1e6 => format!("{:.2} ms", value / 1e6),
            Self::Nanos => format!("{:.2} us", value / 1e3),
            Self::Rate if value >= 1e4 => format!("{:.1} k/s", value / 1e3),
            Self::Rate => format!("{value:.0} /s"),
            Self::Count => format!("{value:.2}"),
            Self::Bytes => format!("{:.1} MiB", value / f64::from(1_u32 << 20)),
        }
    }
}

impl Comparison {
    fn ours(&self) -> f64 {
        Spread::of(self.series.ours.iter().copied()).median
    }

    fn peer(&self) -> f64 {
        Spread::of(self.series.peer.iter().copied()).median
    }

    fn verdict(&self) -> &'static str {
        match self.bound {
            Bound::None => "",
            bound if bound.holds(self.series.ratios().median) => "holds",
            _ => "misses",
        }
    }

    /// One line of text.
    pub(crate) fn line(&self) -> String {
        let ratio = self.series.ratios();
        let (ours, peer) = (self.unit.text(self.ours()), self.unit.text(self.peer()));
        format!(
            "{:<26} {:>6.2} ({:.2}-{:.2})  {:>7} {:<6}  {ours:>10} / {peer:<10}  {}",
            self.name,
            ratio.median,
            ratio.min,
            ratio.max,
            self.bound.text(),
            self.verdict(),
            self.what
        )
    }

    fn row(&self) -> String {
        let ratio = self.series.ratios();
        format!(
            "| {} | {} | {:.2} ({:.2}–{:.2}) | {} | {} | {} | {} |",
            self.name,
            self.what,
            ratio.median,
            ratio.min,
            ratio.max,
            self.bound.text(),
            self.verdict(),
            self.unit.text(self.ours()),
            self.unit.text(self.peer()),
        )
    }
}

/// A comparison as JSON.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    what: &'a str,
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    bound: String,
    verdict: &'static str,
    ours: &'a [f64],
    peer: &'a [f64],
}

#[derive(Serialize)]
struct Page<'a> {
    machine: &'a str,
    command: &'a str,
    comparisons: Vec<Row<'a>>,
    figures: &'a [Figure],
    skipped: &'a [String],
}

impl Report {
    /// Notes a figure.
    pub(crate) fn figure(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.figures.push(Figure { name: name.into(), value: value.into() });
    }

    /// All of it as JSON.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let comparisons = self.comparisons.iter().map(|comparison| {
            let ratio = comparison.series.ratios();
            Row {
                name: &comparison.name,
                what: &comparison.what,
                ratio: ratio.median,
                ratio_min: ratio.min,
                ratio_max: ratio.max,
                bound: comparison.bound.text(),
                verdict: comparison.verdict(),
                ours: &comparison.series.ours,
                peer: &comparison.series.peer,
            }
        });
        serde_json::to_string_pretty(&Page {
            machine: &self.machine,
            command: &self.command,
            comparisons: comparisons.collect(),
            figures: &self.figures,
            skipped: &self.skipped,
        })
    }

    /// The page of the documentation.
    pub(crate) fn markdown(&self, plots: &[String]) -> String {
        let mut page = String::from(PREFACE);
        let _ = writeln!(page, "\nMachine: {}.\n\n    {}\n", self.machine, self.command);
        page.push_str(
            "| comparison | what is divided by what | ratio: median (min–max) | bound | | ours | peer |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for comparison in &self.comparisons {
            let _ = writeln!(page, "{}", comparison.row());
        }
        if !self.figures.is_empty() {
            page.push_str("\n## Figures\n\n| what | |\n| --- | --- |\n");
            for figure in &self.figures {
                let _ = writeln!(page, "| {} | {} |", figure.name, figure.value);
            }
        }
        for skipped in &self.skipped {
            let _ = writeln!(page, "\nSkipped: {skipped}.");
        }
        for plot in plots {
            let _ = writeln!(page, "\n![{plot}](benchmarks/{plot})");
        }
        page
    }
}

const PREFACE: &str = "\
# Benchmarks

Every line is a ratio: the store and a peer run in turn, in one process run, on one machine, and
the median of the rounds is what counts. Absolute figures are of that machine and are told only to
give an idea. `holds` and `misses` say how the median stands to the bound.

The peers are given the same care. redb has the same rows in the same table under the same size of
cache, one read transaction and one open table for all reads, and search keys made beforehand; of
its two ways to seek (`range`, and a cursor) both are shown; the time of these reads is that of the
thread on the processor, so that a busy machine does not blur it. For commits and imports it is
given literally the batches that the store wrote. PostgreSQL runs in a cluster of its own on
loopback and answers through prepared statements from an index on (key, effective descending). One
raw client speaks to both servers, on one thread, with requests encoded beforehand, over as many
connections; client and server share the machine. Beside the rate stands the processor time that
each server takes for an answer, and that of server and client together: where nothing else runs,
the rate is the number of cores over that.

The rows of the cache are about the core of the edge alone. Its entries are asked for in random
order at one moment after the other; before each pass another key of every space changes, so that
each input is looked up in the index, or nothing does. The measure is the standard HashMap with a
million entries, probed at random for keys that it holds. Memory is the growth of the resident set
of a process that holds the calls and bodies before, and has given every body to somebody.

The rows of the system are runs of `asof demo`: 16 readers of pages that three layers of services
make of the files of a repository, the popular ones more often (Zipf), and write themselves so many
times for 100 reads. Every answer is held against a run without any cache. A cache that knows the
future executes each page once for each version of its file in each theme, and the services below
once for each version. Executions in the shadow, of hits that are compared, are told apart.

The rows of the edge are answers of 1 KiB that each server holds, asked for over 32 connections that are
kept; every server has one core, and the client the other. nginx (`proxy_cache`) and Varnish are those of
Debian, with access logs off, as the edge's is. Nothing is written meanwhile, but in `edge/moving`, where
20 commits a second move the moment. The rows of the export are the same million rows, written by DuckDB
out of a table of its own with one thread.
";
