//! Making a store out of a backup, in a new epoch.

use std::io::Read;
use std::path::Path;

use asof_time::Epoch;

use crate::codec::LAYOUT_VERSION;
use crate::codec::keys;
use crate::codec::rows::{Identity, encode_control, encode_moment};
use crate::disk::Unfinished;
use crate::engine::{Batch, Durability, Engine};
use crate::state::{CEILING, IDENTITY, State};
use crate::store::BackupSummary;
use crate::{Actor, ControlAction, ControlRecord, Error, Options, Result, backup};

/// See [`Store::restore`](crate::Store::restore).
pub(crate) fn restore(
    source: &mut dyn Read,
    dir: &Path,
    options: &Options,
    by: Actor,
    progress: &mut dyn FnMut(u64),
) -> Result<BackupSummary> {
    let unfinished = Unfinished::begin(dir)?;
    let outcome = unfinished
        .engine(options)
        .and_then(|engine| fill(engine.as_ref(), source, options, by, progress));
    match outcome {
        Ok(summary) => {
            unfinished.finish()?;
            Ok(summary)
        }
        Err(error) => {
            unfinished.discard();
            Err(error)
        }
    }
}

/// Writes the rows of a backup into an empty engine and opens a new epoch over them.
pub(crate) fn fill(
    engine: &dyn Engine,
    source: &mut dyn Read,
    options: &Options,
    by: Actor,
    progress: &mut dyn FnMut(u64),
) -> Result<BackupSummary> {
    let mut take = |batch: Batch| Ok(engine.commit(&batch, Durability::Deferred)?);
    let summary = backup::read(source, &mut take, progress)?;
    let found = State::load(engine.snapshot()?.as_ref())?
        .ok_or_else(|| Error::corrupt("the backup holds no store"))?;
    if found.state.epoch != summary.epoch {
        return Err(Error::corrupt("the backup's rows are of another epoch than its header"));
    }
    let now = options.clock.wall();
    let epoch = Epoch::from_random(options.random.number());
    let identity = Identity { layout: LAYOUT_VERSION, epoch, created: now };
    let record = ControlRecord {
        sequence: found.state.control_sequence + 1,
        at: now,
        by,
        action: ControlAction::StoreRestored,
        subject: epoch.to_string(),
        detail: format!("from a backup of epoch {} at {}", summary.epoch, summary.closed),
    };
    let mut batch = Batch::default();
    batch.put(keys::meta(IDENTITY), identity.encode());
    // The new epoch begins above wall time, so that nothing which the old one may have told after
    // the backup can be mistaken for it.
    batch.put(keys::meta(CEILING), encode_moment(found.ceiling.max(now)));
    batch.put(keys::control(record.sequence), encode_control(&record));
    engine.commit(&batch, Durability::Durable)?;
    Ok(BackupSummary { epoch, ..summary })
}
