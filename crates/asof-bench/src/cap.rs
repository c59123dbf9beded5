//! The dry run of a cap over many changed keys, beside the least that anybody could do: a scan of
//! the log in bare redb, and one seek for each distinct key in it.

use core::hint::black_box;

use asof_time::Timestamp;

use crate::bare::Seek;
use crate::data::{self, Shape, Twins};
use crate::measure::{Result, alternate, busy, nanos_each};
use crate::report::{Bound, Comparison, Report, Unit};

/// Writes in one commit.
const COMMIT_WRITES: u64 = 1_000;

/// Versions that each key has, of which the cap takes back all but the first.
const VERSIONS: u64 = 3;

/// Counts what a cap touches that takes `keys` keys back.
pub(crate) fn run(report: &mut Report, keys: u64, rounds: usize) -> Result<()> {
    let writes = COMMIT_WRITES.min(keys);
    let each = keys / writes;
    let twins = Twins::fill(Shape { keys, commits: VERSIONS * each, writes })?;
    let at = data::moment(each - 1);
    let rows = (0..keys).map(|number| Ok(data::row_at(&data::key(number)?, at)));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    let reader = twins.bare.reader()?;
    let count = usize::try_from(keys)?;
    let log = log_after(at);
    let series = alternate(
        rounds,
        || {
            let (span, ()) = busy(|| {
                let blast = twins.store.blast(twins.store.time().latest, at)?;
                if blast.keys == keys {
                    return Ok(());
                }
                Err(format!("{} keys were counted, not {keys}", blast.keys).into())
            })?;
            Ok(nanos_each(span, count))
        },
        || {
            let (span, ()) = busy(|| {
                black_box(reader.scan(&log, b"m")?);
                for row in &rows {
                    black_box(reader.seek(Seek::Range, row)?);
                }
                Ok(())
            })?;
            Ok(nanos_each(span, count))
        },
    )?;
    report.comparisons.push(Comparison {
        name: format!("cap/dry-run/{keys}"),
        what: format!(
            "a key of a cap's dry run, {VERSIONS} versions each / bare log scan and one seek a key"
        ),
        bound: Bound::AtMost(3.0),
        unit: Unit::Nanos,
        series,
    });
    Ok(())
}

/// The first row of the log after a moment, in the layout of the store's rows.
fn log_after(at: Timestamp) -> Vec<u8> {
    let mut row = vec![b'l'];
    row.extend_from_slice(&(at.as_micros() + 1).to_be_bytes());
    row
}
