//! Point reads in process: beside bare redb, by number of keys, and by depth of history.

use core::hint::black_box;

use asof_store::{AsOf, Key, SpaceName};
use asof_time::Timestamp;

use crate::bare::Seek;
use crate::data::{self, Shape, Twins};
use crate::measure::{Result, Series, Shuffle, alternate, busy, nanos_each};
use crate::report::{Bound, Comparison, Report, Unit};

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) reads: usize,
}

/// A read, and what redb is to seek for it.
struct Probe {
    key: Key,
    as_of: AsOf,
    row: Vec<u8>,
}

/// Writes in one commit of the history that is read; small ones fill the log, large ones memory.
const COMMIT_WRITES: u64 = 1_000;

/// Reads at latest and in history, at each number of keys.
pub(crate) fn by_keys(report: &mut Report, sizes: &[u64], effort: Effort) -> Result<()> {
    for &keys in sizes {
        let writes = COMMIT_WRITES.min(keys);
        let round = keys / writes;
        let twins = Twins::fill(Shape { keys, commits: 2 * round, writes })?;
        let latest = probes(keys, effort.reads, |_| None)?;
        compare(report, &format!("point/latest/{keys}"), &twins, &latest, effort)?;
        // After the first versions, before the second ones.
        let middle = probes(keys, effort.reads, |_| Some(data::moment(round - 1)))?;
        compare(report, &format!("point/history/{keys}"), &twins, &middle, effort)?;
        sizes_of(report, keys, &twins)?;
    }
    Ok(())
}

fn sizes_of(report: &mut Report, keys: u64, twins: &Twins) -> Result<()> {
    let one = |bytes: u64| vec![crate::measure::float(bytes)];
    let size = |name: &str, what: &str, peer: u64| -> Result<Comparison> {
        Ok(Comparison {
            name: format!("size/{name}/{keys}"),
            what: what.to_owned(),
            bound: Bound::None,
            unit: Unit::Bytes,
            series: Series { ours: one(twins.store_bytes()?), peer: one(peer) },
        })
    };
    let raw = size("values", "store file / bytes of the values alone", twins.value_bytes)?;
    let bare = size("redb", "store file / bare redb file of the same rows", twins.bare_bytes()?)?;
    report.comparisons.extend([raw, bare]);
    Ok(())
}

fn probes(
    keys: u64,
    reads: usize,
    mut at: impl FnMut(&mut Shuffle) -> Option<Timestamp>,
) -> Result<Vec<Probe>> {
    let mut shuffle = Shuffle::new(keys);
    (0..reads)
        .map(|_| {
            let key = data::key(shuffle.below(keys))?;
            let at = at(&mut shuffle);
            let row = data::row_at(&key, at.unwrap_or(Timestamp::MAX));
            let as_of = at.map_or(AsOf::Latest, AsOf::At);
            Ok(Probe { key, as_of, row })
        })
        .collect()
}

/// One pass through the store: a view is opened for each read, as a server would.
fn read_store(twins: &Twins, space: &SpaceName, probes: &[Probe]) -> Result<f64> {
    let (span, ()) = busy(|| {
        for probe in probes {
            let read = twins.store.view(probe.as_of)?.get(space, &probe.key)?;
            if black_box(read).value.is_none() {
                return Err("a key that was written holds no value".into());
            }
        }
        Ok(())
    })?;
    Ok(nanos_each(span, probes.len()))
}

/// Both give the same value, and the store knows when it ends.
fn check(twins: &Twins, space: &SpaceName, probes: &[Probe]) -> Result<()> {
    let reader = twins.bare.reader()?;
    for probe in probes.iter().take(100) {
        let read = twins.store.view(probe.as_of)?.get(space, &probe.key)?;
        let ours = read.value.ok_or("a key that was written holds no value")?;
        let bare = reader.value(&probe.row)?.unwrap_or_default();
        if !bare.ends_with(&ours.bytes) {
            return Err(format!("`{}` differs between the store and redb", probe.key).into());
        }
    }
    Ok(())
}

fn compare(
    report: &mut Report,
    name: &str,
    twins: &Twins,
    probes: &[Probe],
    effort: Effort,
) -> Result<()> {
    let space = data::space()?;
    check(twins, &space, probes)?;
    let reader = twins.bare.reader()?;
    let in_history = probes.iter().all(|probe| probe.as_of != AsOf::Latest);
    for (way, seek) in [("range", Seek::Range), ("cursor", Seek::Cursor)] {
        let bare = || {
            let (span, ()) = busy(|| {
                for probe in probes {
                    black_box(if in_history {
                        reader.seek_both(seek, &probe.row)?
                    } else {
                        reader.seek(seek, &probe.row)?
                    });
                }
                Ok(())
            })?;
            Ok(nanos_each(span, probes.len()))
        };
        let ours = || read_store(twins, &space, probes);
        let series = alternate(effort.rounds, ours, bare)?;
        let what = if in_history {
            format!("value and until / bare seek and its successor, by {way}")
        } else {
            format!("value at latest / bare seek, by {way}")
        };
        // The bound is against the seek by range; a cursor is the hardest peer there can be.
        let bound = match seek {
            Seek::Range => Bound::AtMost(1.5),
            Seek::Cursor => Bound::None,
        };
        report.comparisons.push(Comparison {
            name: format!("{name}/{way}"),
            what,
            bound,
            unit: Unit::Nanos,
            series,
        });
    }
    Ok(())
}

/// Depth at equal total rows: many versions of one key beside a few of many keys.
pub(crate) fn by_depth(
    report: &mut Report,
    rows: u64,
    depths: &[u64],
    effort: Effort,
) -> Result<()> {
    let space = data::space()?;
    let fill = |depth: u64| {
        let shape = Shape { keys: rows / depth, commits: rows, writes: 1 };
        Twins::fill(shape)
    };
    let probes = |depth: u64| {
        // Any moment in which every key holds a value and none is the newest yet.
        let first = rows / depth;
        probes(rows / depth, effort.reads, |shuffle| {
            let span = (rows - first).max(1);
            Some(data::moment(first - 1 + shuffle.below(span)))
        })
    };
    let (shallow, shallow_probes) = (fill(10)?, probes(10)?);
    for &depth in depths {
        let (deep, deep_probes) = (fill(depth)?, probes(depth)?);
        let series = alternate(
            effort.rounds,
            || read_store(&deep, &space, &deep_probes),
            || read_store(&shallow, &space, &shallow_probes),
        )?;
        report.comparisons.push(Comparison {
            name: format!("depth/{depth}"),
            what: format!(
                "{depth} versions of each of {} keys / 10 versions of each of {} keys",
                rows / depth,
                rows / 10
            ),
            bound: if depth == rows { Bound::AtMost(1.5) } else { Bound::None },
            unit: Unit::Nanos,
            series,
        });
    }
    Ok(())
}
