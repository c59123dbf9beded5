//! The engine on redb: one file, one table, every page sealed.
//!
//! The only module that knows redb. It keeps one read transaction for each published commit, so
//! that a snapshot costs no more than a reference count; it turns redb's panics, which some
//! damage causes, into errors; and after any error it stops for good, so that nothing is built on
//! a state that is not known.

use core::fmt;
use core::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use ::redb::{
    AccessGuard, Builder, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase as _,
    ReadableTable as _, RepairSession, TableDefinition,
};
use arc_swap::ArcSwap;
use asof_env::storage::DiskFile;

use super::sealed::{Backend, SealedFile, WhenEmpty};
use super::{
    Batch, Direction, Durability, Engine, EngineError, KeyRange, RowVisitor, Snapshot,
    is_empty_range,
};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// How to open a [`RedbEngine`].
#[derive(Clone, Copy, Debug)]
pub struct RedbOptions {
    /// Memory for pages of the file, in bytes: what is read often, and what the commit in
    /// progress wrote.
    pub cache_bytes: usize,
    /// Whether an empty file becomes an empty store.
    pub when_empty: WhenEmpty,
}

impl Default for RedbOptions {
    /// 128 MiB of cache; an empty file becomes an empty store.
    fn default() -> Self {
        Self { cache_bytes: 128 * 1024 * 1024, when_empty: WhenEmpty::Create }
    }
}

/// The engine on redb.
///
/// Dropping it, and the last of its snapshots, closes the file cleanly: what was `Deferred`
/// becomes durable then. After an error the file is left as it is, and the next open recovers.
pub struct RedbEngine {
    published: ArcSwap<RedbSnapshot>,
    core: Arc<Core>,
}

/// What the engine and its snapshots share.
struct Core {
    /// `None` only while being dropped.
    database: Option<Database>,
    sealed: Arc<SealedFile>,
    /// The first error: the answer to every call after it.
    failed: OnceLock<EngineError>,
}

/// One published commit.
struct RedbSnapshot {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    // Below the table, which reads through it; above the core, which closes the file.
    _transaction: ReadTransaction,
    core: Arc<Core>,
}

impl RedbEngine {
    /// Opens the store in `file`, recovering from a crash where there was one. Recovery reads the
    /// whole file; it is not needed after a clean close.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the file is not a store, or damaged; `NewerFormat`; `Io`.
    pub fn open(file: Arc<dyn DiskFile>, options: RedbOptions) -> Result<Self, EngineError> {
        let sealed = SealedFile::open(file, options.when_empty)?;
        let opened = contained(&sealed, || {
            let database = open_database(&sealed, options.cache_bytes)?;
            sealed.opened().map_err(redb::Error::Io)?;
            Ok(database)
        });
        let database = opened.inspect_err(|_| sealed.stop())?;
        let core = Arc::new(Core { database: Some(database), sealed, failed: OnceLock::new() });
        // A table that is not there yet can not be read.
        let has_rows = core.run(|database| {
            let tables = database.begin_read()?.open_table(ROWS);
            Ok(!matches!(tables, Err(redb::TableError::TableDoesNotExist(_))))
        })?;
        if !has_rows {
            core.commit(&Batch::default(), Durability::Durable)?;
        }
        let published = ArcSwap::new(core.read_latest()?);
        Ok(Self { published, core })
    }
}

impl Engine for RedbEngine {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        self.core.check()?;
        Ok(self.published.load_full())
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), EngineError> {
        self.core.commit(batch, durability)?;
        self.published.store(self.core.read_latest()?);
        Ok(())
    }

    fn disk_bytes(&self) -> Result<u64, EngineError> {
        self.core.check()?;
        Ok(self.core.sealed.physical_len()?)
    }
}

impl fmt::Debug for RedbEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbEngine")
            .field("failed", &self.core.failed.get())
            .finish_non_exhaustive()
    }
}

impl Core {
    fn check(&self) -> Result<(), EngineError> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Runs `work`; its first error or panic is the end of the engine.
    fn run<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, EngineError> {
        self.contain(|| match &self.database {
            Some(database) => work(database),
            None => Err(redb::Error::DatabaseClosed),
        })
    }

    fn contain<T>(&self, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, EngineError> {
        self.check()?;
        contained(&self.sealed, work).map_err(|error| {
            self.sealed.stop();
            self.failed.get_or_init(|| error).clone()
        })
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), EngineError> {
        self.run(|database| {
            let mut transaction = database.begin_write()?;
            transaction
                .set_durability(match durability {
                    Durability::Durable => redb::Durability::Immediate,
                    Durability::Deferred => redb::Durability::None,
                })
                .map_err(|error| redb::Error::Corrupted(error.to_string()))?;
            {
                let mut rows = transaction.open_table(ROWS)?;
                for (key, value) in batch.ops() {
                    match value {
                        Some(value) => rows.insert(key, value)?,
                        None => rows.remove(key)?,
                    };
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    fn read_latest(self: &Arc<Self>) -> Result<Arc<RedbSnapshot>, EngineError> {
        self.run(|database| {
            let transaction = database.begin_read()?;
            Ok(Arc::new(RedbSnapshot {
                rows: transaction.open_table(ROWS)?,
                _transaction: transaction,
                core: Arc::clone(self),
            }))
        })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let database = self.database.take();
        // Closing writes; an error here means that the next open recovers, which it would also
        // do had the power failed now.
        let closed = catch_unwind(AssertUnwindSafe(|| drop(database)));
        if closed.is_err() {
            tracing::warn!("closing the store failed; the next start recovers");
        }
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, EngineError> {
        let found = self.core.contain(|| Ok(self.rows.get(key)?))?;
        let Some(found) = &found else {
            return Ok(false);
        };
        read(self.core.contain(|| Ok(found.value()))?);
        Ok(true)
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        if is_empty_range(range) {
            return self.core.check();
        }
        let mut rows = self.core.contain(|| Ok(self.rows.range::<&[u8]>(range)?))?;
        loop {
            let row = self.core.contain(|| {
                let row = match direction {
                    Direction::Forward => rows.next(),
                    Direction::Backward => rows.next_back(),
                };
                Ok(row.transpose()?)
            })?;
            let Some((key, value)) = &row else {
                return Ok(());
            };
            // Outside of what is contained: a panic of the visitor is the visitor's.
            let (key, value) = self.core.contain(|| Ok((key.value(), value.value())))?;
            if visit(key, value).is_break() {
                return Ok(());
            }
        }
    }

    /// One descent: the cursor stands in the gap before `key`, and both rows are its neighbours.
    fn around(
        &self,
        key: &[u8],
        at: RowVisitor<'_>,
        before: Option<RowVisitor<'_>>,
    ) -> Result<(), EngineError> {
        let (next, previous) = self.core.contain(|| {
            let mut cursor = self.rows.lower_bound(Bound::Included(key))?;
            // Backward first: stepping forward may leave the page that both are on.
            let previous = match before {
                Some(_) => cursor.peek_prev()?,
                None => None,
            };
            Ok((cursor.peek_next()?, previous))
        })?;
        let hand_out = |row: Option<(AccessGuard<'_, _>, AccessGuard<'_, _>)>,
                        to: RowVisitor<'_>| {
            if let Some((key, value)) = &row {
                let (key, value) = self.core.contain(|| Ok((key.value(), value.value())))?;
                to(key, value);
            }
            Ok(())
        };
        hand_out(next, at)?;
        match before {
            Some(before) => hand_out(previous, before),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RedbSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbSnapshot").finish_non_exhaustive()
    }
}

fn open_database(sealed: &Arc<SealedFile>, cache_bytes: usize) -> Result<Database, redb::Error> {
    let repaired = Arc::clone(sealed);
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    builder.set_repair_callback(move |session| on_repair(&repaired, session));
    Ok(builder.create_with_backend(Backend(Arc::clone(sealed)))?)
}

/// redb reports its repair by progress alone: 0.0 as it begins, 0.3 where the newest commit did
/// not verify and it goes back one, 0.6 once a commit has verified, 0.9 late in rebuilding what
/// is free. The crash tests fail if that ever changes.
fn on_repair(sealed: &SealedFile, session: &mut RepairSession) {
    let progress = session.progress();
    let step = if progress < 0.15 {
        sealed.repair_began();
        Ok(())
    } else if progress < 0.45 {
        sealed.repair_falls_back()
    } else {
        sealed.repair_accepted()
    };
    if let Err(error) = step {
        tracing::error!(%error, "recovery stopped");
        sealed.stop();
        session.abort();
    }
}

/// Runs `work`, turning what redb says, or its panic, into the engine's words. Damage that was
/// seen on the way is the cause of whatever came of it.
fn contained<T>(
    sealed: &SealedFile,
    work: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, EngineError> {
    let error = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => Some(error),
        Err(_panic) => None,
    };
    if let Some(damage) = sealed.damage() {
        return Err(EngineError::Corrupt(damage.to_owned()));
    }
    Err(match error {
        None => EngineError::Corrupt("redb panicked".to_owned()),
        Some(
            error @ (redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed),
        ) => EngineError::Io(error.to_string()),
        Some(error) => EngineError::Corrupt(error.to_string()),
    })
}
