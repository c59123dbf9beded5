//! Where a store is on disk: one folder with one file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asof_env::storage::{DiskFile, OsFile, WhenMissing};

use crate::engine::{Engine, RedbEngine, RedbOptions, WhenEmpty};
use crate::writer::Opener;
use crate::{Error, Options, Result};

/// The file within a store's folder.
const FILE: &str = "store.asof";

/// Under this name a store is being made or restored; it becomes [`FILE`] once it is whole. So a
/// file of that name always is a store, and one without content is a damaged one.
const UNFINISHED: &str = "store.asof.unfinished";

/// Opens the engine of the store in `dir`, making both where they are missing. The file stays
/// locked for as long as the opener lives.
pub(crate) fn opener(dir: &Path, options: &Options) -> Result<Opener> {
    create_dir(dir)?;
    let path = dir.join(FILE);
    if path.exists() {
        return Ok(engine_opener(
            open_file(&path, WhenMissing::Refuse)?,
            options,
            WhenEmpty::Refuse,
        ));
    }
    let unfinished = Unfinished { dir: dir.to_owned() };
    let file = open_file(&unfinished.path(), WhenMissing::Create)?;
    // What a restore or a creation that was cut short left behind is not a store.
    file.set_len(0).map_err(|error| unopened(&unfinished.path(), &error))?;
    drop(engine_opener(file.clone(), options, WhenEmpty::Create)()?);
    unfinished.finish()?;
    Ok(engine_opener(file, options, WhenEmpty::Refuse))
}

/// Whether there is a store in `dir`.
pub(crate) fn holds_store(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

fn open_file(path: &Path, missing: WhenMissing) -> Result<Arc<dyn DiskFile>> {
    let file = OsFile::open(path, missing).map_err(|error| unopened(path, &error))?;
    Ok(Arc::new(file))
}

/// Opens the engine in `file`, as often as it is asked to.
pub(crate) fn engine_opener(
    file: Arc<dyn DiskFile>,
    options: &Options,
    when_empty: WhenEmpty,
) -> Opener {
    let redb = RedbOptions { cache_bytes: options.cache_bytes, when_empty };
    Box::new(move || {
        let engine = RedbEngine::open(file.clone(), redb)?;
        Ok(Box::new(engine) as Box<dyn Engine>)
    })
}

fn create_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|error| unopened(dir, &error))
}

fn unopened(path: &Path, error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::ResourceBusy {
        return Error::unavailable(format!(
            "another process has the store in {} open; talk to it with --server, or stop it",
            path.parent().unwrap_or(path).display()
        ));
    }
    Error::unavailable(format!("{} cannot be opened: {error}", path.display()))
}

/// A store in the making, under a name that is not yet that of a store.
#[derive(Debug)]
pub(crate) struct Unfinished {
    dir: PathBuf,
}

impl Unfinished {
    /// Prepares `dir`, which must not hold a store.
    pub(crate) fn begin(dir: &Path) -> Result<Self> {
        create_dir(dir)?;
        if holds_store(dir) {
            return Err(Error::conflict(format!(
                "{} holds a store already; restore into another folder",
                dir.display()
            )));
        }
        let unfinished = Self { dir: dir.to_owned() };
        unfinished.discard();
        Ok(unfinished)
    }

    /// Opens an empty engine in it.
    pub(crate) fn engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        let file = open_file(&self.path(), WhenMissing::Create)?;
        engine_opener(file, options, WhenEmpty::Create)()
    }

    fn path(&self) -> PathBuf {
        self.dir.join(UNFINISHED)
    }

    /// Gives the whole store its name.
    pub(crate) fn finish(self) -> Result<()> {
        let to = self.dir.join(FILE);
        std::fs::rename(self.path(), &to)
            .and_then(|()| asof_env::storage::sync_directory_of(&to))
            .map_err(|error| unopened(&to, &error))
    }

    /// Removes what an attempt left behind.
    pub(crate) fn discard(&self) {
        let path = self.path();
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "a failed restore could not be removed");
        }
    }
}
