//! The rows that are read and written, and a store filled with them beside a bare redb.

use std::path::Path;

use asof_store::engine::Batch;
use asof_store::{Actor, Backfill, Key, Op, Options, SpaceName, Store, Value};
use asof_time::Timestamp;
use redb::Durability;
use tempfile::TempDir;

use crate::bare::Bare;
use crate::measure::{Result, Shuffle};
use crate::recorder::{self, Recording};

/// Writes in one call of an import.
const CHUNK_WRITES: usize = 10_000;
/// The moment before the first version, in microseconds since 1970.
const START: u64 = 1_700_000_000_000_000;

/// A store and a bare redb that hold the same rows.
pub(crate) struct Twins {
    pub(crate) store: Store,
    pub(crate) bare: Bare,
    pub(crate) dir: TempDir,
    /// Bytes of all values.
    pub(crate) value_bytes: u64,
}

/// The shape of a history: `commits` commits of `writes` writes that go round `keys` keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) keys: u64,
    pub(crate) commits: u64,
    pub(crate) writes: u64,
}

/// The space that everything is in.
pub(crate) fn space() -> Result<SpaceName> {
    Ok(SpaceName::new("bench")?)
}

/// Who the log names.
pub(crate) fn actor() -> Actor {
    Actor { name: "bench".to_owned(), reason: "measuring".to_owned() }
}

/// The key with this number.
pub(crate) fn key(number: u64) -> Result<Key> {
    Ok(Key::new(&format!("sensor/{number:010}"))?)
}

/// A JSON value of about 150 bytes, another one for each version.
pub(crate) fn value(number: u64, version: u64) -> Value {
    let reading = Shuffle::new(number ^ (version << 40)).below(1_000_000);
    Value::json(format!(
        "{{\"sensor\":{number},\"version\":{version},\"reading\":{reading},\"unit\":\"mV\",\
         \"place\":\"hall 7, row 12, rack 3\",\"state\":\"nominal\",\"checked\":true,\"by\":\"rota\"}}"
    ))
}

/// The moment of the commit with this number.
pub(crate) fn moment(commit: u64) -> Timestamp {
    Timestamp::from_micros(START + commit * 1_000).unwrap_or(Timestamp::MAX)
}

/// Where the versions of a key at or below a moment begin, in the layout of the store's rows.
pub(crate) fn row_at(key: &Key, at: Timestamp) -> Vec<u8> {
    let mut row = vec![b'v', 0, 0, 0, 0];
    row.extend_from_slice(key.as_str().as_bytes());
    row.extend_from_slice(&[0, 1]);
    row.extend_from_slice(&(u64::MAX - at.as_micros()).to_be_bytes());
    row.extend_from_slice(&[0; 8]);
    row
}

impl Twins {
    /// Imports a history into a store, and writes the same batches into a bare redb.
    pub(crate) fn fill(shape: Shape) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let recording = Recording::default();
        recording.start();
        let store = recorder::open(dir.path(), &recording)?;
        let bare = Bare::create(dir.path())?;
        let value_bytes = fill(&store, shape, || {
            copy(&bare, &recording.stop())?;
            recording.start();
            Ok(())
        })?;
        bare.write(&Batch::default(), Durability::Immediate)?;
        Ok(Self { store, bare, dir, value_bytes })
    }

    /// Bytes of the store's file.
    pub(crate) fn store_bytes(&self) -> Result<u64> {
        Ok(file_bytes(&self.dir.path().join("store.asof"))?)
    }

    /// Bytes of redb's file.
    pub(crate) fn bare_bytes(&self) -> Result<u64> {
        Ok(file_bytes(&self.dir.path().join("bare.redb"))?)
    }
}

/// Imports a history into a new store in `dir`, and closes it.
pub(crate) fn fill_store(dir: &Path, shape: Shape) -> Result<()> {
    let store = Store::open(dir, Options::default())?;
    fill(&store, shape, || Ok(()))?;
    store.close();
    Ok(())
}

/// Imports a history, a chunk at a time, and takes it live; returns the bytes of its values.
fn fill(store: &Store, shape: Shape, mut after_chunk: impl FnMut() -> Result<()>) -> Result<u64> {
    let space = space()?;
    store.create_importing_space(&space, actor())?;
    let (mut value_bytes, mut chunk, mut chunk_writes) = (0, Vec::new(), 0);
    for commit in 0..shape.commits {
        let backfill = backfill(shape, commit)?;
        chunk_writes += backfill.writes.len();
        value_bytes += bytes_of(&backfill);
        chunk.push(backfill);
        if chunk_writes >= CHUNK_WRITES || commit + 1 == shape.commits {
            store.import(&space, core::mem::take(&mut chunk))?;
            chunk_writes = 0;
            after_chunk()?;
        }
    }
    store.go_live(&space, actor())?;
    after_chunk()?;
    Ok(value_bytes)
}

fn file_bytes(path: &Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn copy(bare: &Bare, batches: &[Batch]) -> Result<()> {
    batches.iter().try_for_each(|batch| bare.write(batch, Durability::Immediate))
}

fn backfill(shape: Shape, commit: u64) -> Result<Backfill> {
    let first = commit * shape.writes;
    let writes = (first..first + shape.writes).map(|write| {
        let (number, version) = (write % shape.keys, write / shape.keys);
        Ok((key(number)?, Op::Put(value(number, version))))
    });
    Ok(Backfill {
        source_id: String::new(),
        at: moment(commit),
        author: "bench".to_owned(),
        message: String::new(),
        writes: writes.collect::<Result<_>>()?,
    })
}

fn bytes_of(commit: &Backfill) -> u64 {
    let values = commit.writes.iter().map(|(_, op)| match op {
        Op::Put(value) => value.bytes.len() as u64,
        Op::Delete => 0,
    });
    values.sum()
}
