//! Commits: one at a time, and 64 writers at once, beside bare redb writing the same batches.

use asof_store::engine::Batch;
use asof_store::{CommitRequest, Op, Precondition, SpaceName, Store, Write};
use redb::Durability;

use crate::bare::Bare;
use crate::data;
use crate::measure::{Result, Series, Spread, alternate, nanos_each, rate, timed};
use crate::recorder::{self, Recording};
use crate::report::{Bound, Comparison, Report, Unit};

/// Writers at once.
const WRITERS: u64 = 64;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Commits of the one writer in a round.
    pub(crate) single: u64,
    /// Commits of each of the many writers in a round.
    pub(crate) each: u64,
}

/// Runs both.
pub(crate) fn run(report: &mut Report, effort: Effort) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let recording = Recording::default();
    let store = recorder::open(dir.path(), &recording)?;
    let bare = Bare::create(dir.path())?;
    let space = data::space()?;
    store.create_space(&space, data::actor())?;

    let single = turns(&recording, &bare, effort.rounds, |round| {
        write(&store, &space, round * effort.single, effort.single)?;
        Ok(effort.single)
    })?;
    report.comparisons.push(Comparison {
        name: "commit/single".to_owned(),
        what: "one durable commit / the same rows in a durable bare redb transaction".to_owned(),
        bound: Bound::AtMost(1.5),
        unit: Unit::Nanos,
        series: single.clone(),
    });

    let many = turns(&recording, &bare, effort.rounds, |round| {
        write_at_once(&store, &space, round, effort.each)?;
        Ok(WRITERS * effort.each)
    })?;
    let rates = |nanos: &[f64]| nanos.iter().map(|nanos| 1e9 / nanos).collect();
    let many = Series { ours: rates(&many.ours), peer: rates(&many.peer) };
    let alone = 1e9 / Spread::of(single.ours.iter().copied()).median;
    let together = Spread::of(many.ours.iter().copied()).median;
    report.figure(
        "64 concurrent writers over a single writer, commits a second",
        format!("{:.1} times", together / alone),
    );
    report.comparisons.push(Comparison {
        name: "commit/group-64".to_owned(),
        what: "commits of 64 concurrent writers / the same batches in bare redb, one writer"
            .to_owned(),
        bound: Bound::AtLeast(0.6),
        unit: Unit::Rate,
        series: many,
    });
    let (groups, requests) = store.groups();
    let mean = rate(core::time::Duration::from_secs(groups.max(1)), to_usize(requests));
    report.figure("requests that shared a durable write, mean", format!("{mean:.1}"));
    Ok(())
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Runs `ours` for a number of rounds, and bare redb on the batches that each round made; both
/// in nanoseconds a commit.
fn turns(
    recording: &Recording,
    bare: &Bare,
    rounds: usize,
    mut ours: impl FnMut(u64) -> Result<u64>,
) -> Result<Series> {
    let batches = core::cell::RefCell::new((Vec::<Batch>::new(), 1));
    let mut round = 0;
    alternate(
        rounds,
        || {
            recording.start();
            let (span, commits) = timed(|| ours(round))?;
            round += 1;
            *batches.borrow_mut() = (recording.stop(), to_usize(commits));
            Ok(nanos_each(span, to_usize(commits)))
        },
        || {
            let taken = batches.borrow();
            let (span, ()) = timed(|| {
                taken.0.iter().try_for_each(|batch| bare.write(batch, Durability::Immediate))
            })?;
            Ok(nanos_each(span, taken.1))
        },
    )
}

/// Writes `count` commits one after the other.
fn write(store: &Store, space: &SpaceName, first: u64, count: u64) -> Result<()> {
    for number in first..first + count {
        store.commit(CommitRequest {
            author: "bench".to_owned(),
            writes: vec![Write {
                space: space.clone(),
                key: data::key(number % 10_000)?,
                op: Op::Put(data::value(number, number)),
                precondition: Precondition::None,
            }],
            ..CommitRequest::default()
        })?;
    }
    Ok(())
}

fn write_at_once(store: &Store, space: &SpaceName, round: u64, each: u64) -> Result<()> {
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let first = (round * WRITERS + writer) * each;
                scope.spawn(move || write(store, space, first, each))
            })
            .collect();
        writers.into_iter().try_for_each(|writer| {
            writer.join().unwrap_or_else(|_| Err("a writer panicked".into()))
        })
    })
}
