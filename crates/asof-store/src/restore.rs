//! Making a store out of a backup, in a new epoch.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use asof_time::Epoch;
use asof_time::limits::ACTOR_TEXT_BYTES_MAX;

use crate::codec::LAYOUT_VERSION;
use crate::codec::keys;
use crate::codec::rows::{Identity, encode_control, encode_moment};
use crate::disk::Unfinished;
use crate::engine::{Batch, Durability, Engine};
use crate::erase::{self, Erase, Erasure, Known};
use crate::publish::Scene;
use crate::sequencer::Sequencer;
use crate::stage::Stage;
use crate::state::{CEILING, Found, IDENTITY, State};
use crate::store::{BackupSummary, Erased, RestoreSummary};
use crate::{
    Actor, ControlAction, ControlRecord, Erasable, Error, ErrorKind, Options, Result, backup,
};

/// See [`Store::restore`](crate::Store::restore).
pub(crate) fn restore(
    source: &mut dyn Read,
    dir: &Path,
    options: &Options,
    erased: Erased<'_>,
    by: &Actor,
    progress: &mut dyn FnMut(u64),
) -> Result<RestoreSummary> {
    let unfinished = Unfinished::begin(dir)?;
    let outcome = unfinished.engine(options).and_then(|engine| {
        let backup = fill(engine.as_ref(), source, options, by, progress)?;
        let mut summary = RestoreSummary { backup, erased: 0, erased_before: 0, unknown_spaces: 0 };
        match erased {
            Erased::These(list) => erase_again(engine.as_ref(), options, list, by, &mut summary)?,
            Erased::None => {}
            Erased::NotSaid => refuse_erasable(engine.as_ref(), &summary.backup)?,
        }
        Ok(summary)
    });
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
    by: &Actor,
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
        by: by.clone(),
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

/// Refuses to bring back, unasked, what may have been erased since the backup.
fn refuse_erasable(engine: &dyn Engine, backup: &BackupSummary) -> Result<()> {
    let (_, found) = look(engine)?;
    let spaces = found.state.spaces().filter(|(_, space)| space.erasable == Erasable::Yes);
    let spaces: Vec<String> = spaces.map(|(_, space)| format!("`{}`", space.name)).collect();
    if spaces.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "keys may have been erased since this backup was taken, at {}, and would be back, in \
         space {}: give the list of what was erased, or say that there is none",
        backup.closed,
        spaces.join(", ")
    )))
}

fn look(engine: &dyn Engine) -> Result<(Scene, Found)> {
    let rows = engine.snapshot()?;
    let found =
        State::load(rows.as_ref())?.ok_or_else(|| Error::corrupt("the restored store is empty"))?;
    Ok((Scene { rows, state: Arc::new(found.state.clone()) }, found))
}

/// Erases from a store that nobody has opened yet what was erased from the one before it.
fn erase_again(
    engine: &dyn Engine,
    options: &Options,
    list: &[Erasure],
    by: &Actor,
    summary: &mut RestoreSummary,
) -> Result<()> {
    for erasure in list {
        let (scene, found) = look(engine)?;
        let request = Erase {
            space: erasure.space.clone(),
            key: erasure.key.clone(),
            versions: None,
            known: Known::May,
        };
        let plan = match erase::plan(&scene, found.ceiling, &request) {
            Ok(plan) => plan,
            Err(error) if error.kind() == ErrorKind::Erased => {
                summary.erased_before += 1;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::UnknownSpace => {
                summary.unknown_spaces += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let sequencer = Sequencer::resume(found.ceiling, found.sequence);
        let clock = options.clock.wall();
        let mut stage =
            Stage::new(scene.rows.as_ref(), scene.state.clone(), sequencer, clock, options);
        let done = stage.erase(&plan, again(erasure, by))?;
        assert!(done.is_some(), "nobody else operates on a store that is being restored");
        let (batch, ..) = stage.finish();
        engine.commit(&batch, Durability::Durable)?;
        summary.erased += 1;
    }
    Ok(())
}

/// Who erases again, and why it was done at first.
fn again(erasure: &Erasure, by: &Actor) -> Actor {
    let Erasure { at, by: first, .. } = erasure;
    let mut reason = format!("restored; erased at {at} by {}: {}", first.name, first.reason);
    reason.truncate(reason.floor_char_boundary(ACTOR_TEXT_BYTES_MAX));
    Actor { name: by.name.clone(), reason }
}
