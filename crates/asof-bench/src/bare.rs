//! redb by itself: the same rows in the same table, with nothing around them.

use core::hint::black_box;
use core::ops::Bound;
use std::path::Path;

use asof_store::engine::Batch;
use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase as _,
    ReadableTable as _, TableDefinition,
};

use crate::measure::Result;
use crate::recorder::CACHE_BYTES;

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// A database file of redb.
#[derive(Debug)]
pub(crate) struct Bare {
    database: Database,
}

impl Bare {
    /// An empty one in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let database = builder.create(dir.join("bare.redb"))?;
        let bare = Self { database };
        bare.write(&Batch::default(), Durability::Immediate)?;
        Ok(bare)
    }

    /// One transaction.
    pub(crate) fn write(&self, batch: &Batch, durability: Durability) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
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
    }

    /// A transaction and a table that stay open.
    pub(crate) fn reader(&self) -> Result<BareReader> {
        let transaction = self.database.begin_read()?;
        Ok(BareReader { rows: transaction.open_table(ROWS)?, _transaction: transaction })
    }
}

/// Reads through one transaction that stays open.
pub(crate) struct BareReader {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    _transaction: ReadTransaction,
}

/// In which way redb is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seek {
    /// `range(from..)`, and `range(..from)` from its end for the neighbour: a seek each.
    Range,
    /// `lower_bound(from)`, and a look to both sides of it: one seek.
    Cursor,
}

impl BareReader {
    /// The value of the first row at or after `from`: its length, 0 where there is none.
    pub(crate) fn seek(&self, seek: Seek, from: &[u8]) -> Result<usize> {
        let found = match seek {
            Seek::Range => self.rows.range::<&[u8]>(from..)?.next().transpose()?,
            Seek::Cursor => self.rows.lower_bound(Bound::Included(from))?.next()?,
        };
        Ok(found.map_or(0, |(key, value)| {
            black_box(key.value());
            black_box(value.value()).len()
        }))
    }

    /// As [`seek`](Self::seek), and the row before it as well: the one that is next in time.
    pub(crate) fn seek_both(&self, seek: Seek, from: &[u8]) -> Result<usize> {
        let (found, before) = match seek {
            Seek::Range => (
                self.rows.range::<&[u8]>(from..)?.next().transpose()?,
                self.rows.range::<&[u8]>(..from)?.next_back().transpose()?,
            ),
            Seek::Cursor => {
                let mut cursor = self.rows.lower_bound(Bound::Included(from))?;
                (cursor.peek_next()?, cursor.peek_prev()?)
            }
        };
        if let Some((key, _)) = &before {
            black_box(key.value());
        }
        Ok(found.map_or(0, |(key, value)| {
            black_box(key.value());
            black_box(value.value()).len()
        }))
    }

    /// Looks at all rows of `[from, to)`: how many bytes they have.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8]) -> Result<usize> {
        let mut bytes = 0;
        for row in self.rows.range::<&[u8]>(from..to)? {
            let (key, value) = row?;
            bytes += black_box(key.value()).len() + black_box(value.value()).len();
        }
        Ok(bytes)
    }

    /// The bytes of that value.
    pub(crate) fn value(&self, from: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.rows.range::<&[u8]>(from..)?.next().transpose()?;
        Ok(found.map(|(_, value)| value.value().to_vec()))
    }
}
