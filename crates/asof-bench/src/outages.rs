//! A file of JSON lines, one commit a line, as `asof import jsonl` reads it.

use std::io::{BufRead, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use asof_store::{Backfill, Key, Op, Value};
use asof_time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::data;
use crate::measure::{Result, Shuffle};

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 64 << 20;

#[derive(Deserialize)]
struct Line<'a> {
    at: u64,
    source: String,
    #[serde(borrow)]
    writes: Vec<LineWrite<'a>>,
}

#[derive(Deserialize)]
struct LineWrite<'a> {
    key: String,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    delete: bool,
}

/// The file to import, unpacked into `dir`, or a generated one of similar shape.
pub(crate) fn unpack(given: Option<&Path>, commits: u64, dir: &Path) -> Result<PathBuf> {
    let path = dir.join("history.jsonl");
    let mut out = BufWriter::new(asof_env::storage::create_new(&path)?);
    match given {
        Some(given) if given.extension().is_some_and(|extension| extension == "zst") => {
            let packed = BufReader::new(asof_env::storage::open_read(given)?);
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed)?;
            std::io::copy(&mut decoder, &mut out)?;
        }
        Some(given) => {
            std::io::copy(&mut asof_env::storage::open_read(given)?, &mut out)?;
        }
        None => generate(&mut out, commits)?,
    }
    out.flush()?;
    Ok(path)
}

/// Ten writes a commit over 2,000 keys, some of them deletions.
fn generate(out: &mut impl std::io::Write, commits: u64) -> Result<()> {
    let mut shuffle = Shuffle::new(1);
    for commit in 0..commits {
        let first = shuffle.below(2_000);
        let writes: Vec<String> = (first..first + 10)
            .map(|number| {
                let key = format!("outage/{:06}", number % 2_000);
                if shuffle.below(8) == 0 {
                    return format!("{{\"key\":\"{key}\",\"delete\":true}}");
                }
                let value = data::value(number, commit);
                let text = String::from_utf8_lossy(&value.bytes).into_owned();
                let pad = "x".repeat(250);
                format!("{{\"key\":\"{key}\",\"value\":{{\"notes\":\"{pad}\",\"of\":{text}}}}}")
            })
            .collect();
        writeln!(
            out,
            "{{\"at\":{},\"space\":\"outages\",\"source\":\"{commit}\",\"writes\":[{}]}}",
            data::moment(commit).as_micros(),
            writes.join(",")
        )?;
    }
    Ok(())
}

/// Reads the commits of a file one by one.
pub(crate) fn read(path: &Path, mut each: impl FnMut(Backfill) -> Result<()>) -> Result<()> {
    let mut lines = BufReader::new(asof_env::storage::open_read(path)?);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        each(commit(&line)?)?;
    }
}

fn commit(line: &str) -> Result<Backfill> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let writes = line.writes.into_iter().map(|write| {
        let op = match write.value {
            Some(value) if !write.delete => Op::Put(Value::json(value.get().to_owned())),
            _ => Op::Delete,
        };
        Ok((Key::new(&write.key)?, op))
    });
    Ok(Backfill {
        source_id: line.source,
        at: Timestamp::from_micros(line.at).ok_or("a time is out of range")?,
        author: String::new(),
        message: String::new(),
        writes: writes.collect::<Result<_>>()?,
    })
}
