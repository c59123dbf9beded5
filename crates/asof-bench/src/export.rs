//! Export of a space as Parquet by the program, beside `DuckDB` writing the same rows out of its own
//! table with one thread.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::data::{self, Shape};
use crate::measure::{Result, alternate, float, rate, timed};
use crate::report::{Bound, Comparison, Report, Unit};

/// What it is told by.
const SCRIPT: &str = include_str!("parquet.py");

/// A Python that has `DuckDB`, where it is not the usual one.
pub(crate) const PYTHON: &str = "ASOF_DUCKDB_PYTHON";

/// Exports `rows` rows in turn with `DuckDB`.
pub(crate) fn run(
    report: &mut Report,
    asof: Option<&Path>,
    rows: u64,
    rounds: usize,
) -> Result<()> {
    let Some(asof) = asof else {
        report.skipped.push("export/duckdb: no program given by --asof".to_owned());
        return Ok(());
    };
    let Some(python) = python() else {
        let why = format!("export/duckdb: no python3 that imports duckdb; name one by {PYTHON}");
        report.skipped.push(why);
        return Ok(());
    };
    let work = tempfile::tempdir()?;
    let data = work.path().join("data");
    std::fs::create_dir(&data)?;
    data::fill_store(&data, Shape { keys: rows, commits: rows / 1_000, writes: 1_000 })?;
    let mut number = 0;
    let mut export = || -> Result<(PathBuf, Duration)> {
        number += 1;
        let to = work.path().join(format!("export-{number}"));
        let (span, ()) = timed(|| {
            let mut command = Command::new(asof);
            command.args(["export", "bench", "--format", "parquet", "--data"]).arg(&data);
            finished(command.arg("--to").arg(&to))
        })?;
        Ok((to, span))
    };
    let (first, _) = export()?;
    let mut peer = DuckDb::start(&python, &first, work.path())?;
    if peer.rows != rows {
        return Err(format!("{} rows were exported, of {rows}", peer.rows).into());
    }
    let count = usize::try_from(rows)?;
    let series = alternate(
        rounds,
        || {
            let (to, span) = export()?;
            std::fs::remove_dir_all(to)?;
            Ok(rate(span, count))
        },
        || Ok(float(rows) / peer.copy()?),
    )?;
    let bytes = size(&first)?;
    report.figure("export/duckdb, bytes a row", format!("{:.0}", float(bytes) / float(rows)));
    report.comparisons.push(Comparison {
        name: "export/duckdb".to_owned(),
        what: format!(
            "rows a second as Parquet: `asof export` out of a store / DuckDB {} out of its own \
             table, one thread; {rows} rows of a key, 5 columns about it, and 150 B of JSON",
            peer.version
        ),
        bound: Bound::AtLeast(0.5),
        unit: Unit::Rate,
        series,
    });
    Ok(())
}

fn python() -> Option<PathBuf> {
    let python = std::env::var_os(PYTHON).map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let imports = Command::new(&python).args(["-c", "import duckdb"]).output();
    imports.is_ok_and(|output| output.status.success()).then_some(python)
}

fn finished(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let of = entry.metadata()?;
        bytes += if of.is_dir() { size(&entry.path())? } else { of.len() };
    }
    Ok(bytes)
}

/// `DuckDB` with the rows in a table of its own.
struct DuckDb {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    version: String,
    rows: u64,
}

impl DuckDb {
    fn start(python: &Path, folder: &Path, work: &Path) -> Result<Self> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .args([folder, work])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = child.stdin.take().ok_or("no input")?;
        let from = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut this = Self { child, to, from, version: String::new(), rows: 0 };
        let said = this.line()?;
        let (version, rows) = said.split_once(' ').ok_or("DuckDB does not start")?;
        (this.version, this.rows) = (version.to_owned(), rows.parse()?);
        Ok(this)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Seconds to write the table.
    fn copy(&mut self) -> Result<f64> {
        self.to.write_all(b"\n")?;
        Ok(self.line()?.parse()?)
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
