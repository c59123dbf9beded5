//! Importing a file of history, beside bare redb writing the same encoded rows.

use core::cell::Cell;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::SyncSender;

use asof_env::{Clock as _, SystemClock};
use asof_store::engine::Batch;
use asof_store::{Backfill, Op, Options, Store};
use redb::Durability;

use crate::bare::Bare;
use crate::measure::{Result, Spread, alternate, float, rate, timed};
use crate::recorder::{self, Recording};
use crate::report::{Bound, Comparison, Report, Unit};
use crate::{data, outages};

/// What to import, with what, how often.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) rounds: usize,
    /// A file of JSON lines, packed or not; one is generated where there is none.
    pub(crate) file: Option<&'a Path>,
    /// Commits of the generated one.
    pub(crate) commits: u64,
    /// The `asof` program, to be measured as well.
    pub(crate) asof: Option<&'a Path>,
}

/// Bytes of values in one call of an import, about.
const CHUNK_BYTES: usize = 4 << 20;

/// Longest that one import may take.
const IMPORT_TIME_MAX: Duration = Duration::from_mins(5);

/// Runs it.
pub(crate) fn run(report: &mut Report, plan: &Plan<'_>) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = outages::unpack(plan.file, plan.commits, dir.path())?;
    let (batches, raw_bytes) = record(&file)?;
    let rows = batches.iter().map(Batch::len).sum();
    let work = Work { file: &file, given: plan.file.is_some(), batches: &batches, rows, raw_bytes };
    compare(report, plan.rounds, &work, None)?;
    if plan.asof.is_some() {
        return compare(report, plan.rounds, &work, plan.asof);
    }
    report.skipped.push("import/program: no program given by --asof".to_owned());
    Ok(())
}

/// What is imported.
struct Work<'a> {
    file: &'a Path,
    /// Whether it was given, or generated.
    given: bool,
    batches: &'a [Batch],
    rows: usize,
    raw_bytes: u64,
}

/// Imports through the library, or by the program `asof`, in turn with bare redb.
fn compare(report: &mut Report, rounds: usize, work: &Work<'_>, asof: Option<&Path>) -> Result<()> {
    let (peak, size) = (Cell::new(0_u64), Cell::new(0_u64));
    let ours = || {
        let into = tempfile::tempdir()?;
        let (span, kib) = timed(|| import_by_child(asof, work.file, into.path()))?;
        peak.set(peak.get().max(kib));
        size.set(std::fs::metadata(into.path().join("store.asof"))?.len());
        Ok(rate(span, work.rows))
    };
    let peer = || {
        let into = tempfile::tempdir()?;
        let bare = Bare::create(into.path())?;
        let (span, ()) = timed(|| {
            work.batches.iter().try_for_each(|batch| bare.write(batch, Durability::Immediate))
        })?;
        Ok(rate(span, work.rows))
    };
    let series = alternate(rounds, ours, peer)?;
    let (name, by, bound) = match asof {
        Some(_) => ("import/program", "`asof import jsonl`", Bound::None),
        None => ("import", "Store::import", Bound::AtLeast(0.5)),
    };
    let source = if work.given { "the given file" } else { "a generated file" };
    let rows_each = Spread::of(series.ours.iter().copied()).median;
    report.comparisons.push(Comparison {
        name: name.to_owned(),
        what: format!(
            "rows a second of {by} from {source} / the same rows in bare redb, in the same batches"
        ),
        bound,
        unit: Unit::Rate,
        series,
    });
    let mib = |bytes: u64| float(bytes) / float(1 << 20);
    let megabytes = float(std::fs::metadata(work.file)?.len()) / 1e6;
    report.figure(
        format!("{name}: rows, batches, JSON lines read"),
        format!(
            "{}, {}, {megabytes:.1} MB ({:.1} MB/s)",
            work.rows,
            work.batches.len(),
            megabytes * rows_each / float(work.rows as u64)
        ),
    );
    let verdict = if peak.get() < 300 << 10 { "holds" } else { "misses" };
    report.figure(
        format!("{name}: peak memory of the process, bound < 300 MiB"),
        format!("{:.0} MiB, {verdict}", mib(peak.get() << 10)),
    );
    report.figure(
        format!("{name}: store file / bytes of the values"),
        format!(
            "{:.1} MiB / {:.1} MiB = {:.2}",
            mib(size.get()),
            mib(work.raw_bytes),
            mib(size.get()) / mib(work.raw_bytes)
        ),
    );
    Ok(())
}

/// The batches that an import writes, and the bytes of its values.
fn record(file: &Path) -> Result<(Vec<Batch>, u64)> {
    let dir = tempfile::tempdir()?;
    let recording = Recording::default();
    let store = recorder::open(dir.path(), &recording)?;
    recording.start();
    let bytes = into_store(&store, file)?;
    Ok((recording.stop(), bytes))
}

/// Imports the file into a new store in `dir`: what the child of a comparison does.
pub(crate) fn import_here(file: &Path, dir: &Path) -> Result<()> {
    let store = Store::open(dir, Options::default())?;
    into_store(&store, file)?;
    store.close();
    Ok(())
}

/// Reads on a thread of its own, so that the next chunk is parsed while one is written.
fn into_store(store: &Store, file: &Path) -> Result<u64> {
    let space = data::space()?;
    store.create_importing_space(&space, data::actor())?;
    let total = std::thread::scope(|scope| {
        let (send, chunks) = std::sync::mpsc::sync_channel(1);
        let reader = scope.spawn(move || read_chunks(file, &send));
        for chunk in chunks {
            store.import(&space, chunk)?;
        }
        reader.join().unwrap_or_else(|_| Err("the reader panicked".into()))
    })?;
    store.go_live(&space, data::actor())?;
    Ok(total)
}

/// Hands the commits of the file on, a chunk at a time; returns the bytes of its values.
fn read_chunks(file: &Path, chunks: &SyncSender<Vec<Backfill>>) -> Result<u64> {
    let (mut chunk, mut bytes, mut total) = (Vec::new(), 0_usize, 0_u64);
    outages::read(file, |commit| {
        for (_, op) in &commit.writes {
            if let Op::Put(value) = op {
                bytes += value.bytes.len();
                total += value.bytes.len() as u64;
            }
        }
        chunk.push(commit);
        if bytes >= CHUNK_BYTES {
            bytes = 0;
            chunks.send(core::mem::take(&mut chunk))?;
        }
        Ok(())
    })?;
    chunks.send(chunk)?;
    Ok(total)
}

/// Imports in a process of its own; returns the most memory it held, in KiB.
fn import_by_child(asof: Option<&Path>, file: &Path, dir: &Path) -> Result<u64> {
    let mut command = Command::new(match asof {
        Some(asof) => asof.to_owned(),
        None => std::env::current_exe()?,
    });
    if asof.is_some() {
        command.args(["import", "jsonl", "--space", "bench", "--data"]).arg(dir).arg(file);
    } else {
        command.arg("import-here").arg(file).arg(dir);
    }
    let mut child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let (mut peak, start) = (0, crate::measure::now());
    loop {
        if let Some(ended) = child.try_wait()? {
            return if ended.success() { Ok(peak) } else { Err("the import failed".into()) };
        }
        peak = peak.max(peak_kib(&status).unwrap_or_default());
        if crate::measure::now().since(start) > IMPORT_TIME_MAX {
            child.kill()?;
            child.wait()?;
            return Err("the import took too long".into());
        }
        SystemClock.sleep(Duration::from_millis(5));
    }
}

/// `VmHWM` of a process, which only ever grows.
fn peak_kib(status: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
