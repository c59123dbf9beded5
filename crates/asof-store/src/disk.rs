//! Where a store is on disk: one folder with one file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asof_env::storage::{DiskFile, OsFile, WhenMissing};

use crate::engine::{Engine, RedbEngine, RedbOptions};
use crate::writer::Opener;
use crate::{Error, Options, Result};

/// The file within a store's folder.
const FILE: &str = "store.asof";

/// Under this name a store is being restored; it becomes [`FILE`] once it is whole.
const RESTORING: &str = "store.asof.restoring";

/// Opens the engine of the store in `dir`, creating the folder where it is missing. The file
/// stays locked for as long as the opener lives.
pub(crate) fn opener(dir: &Path, options: &Options) -> Result<Opener> {
    create_dir(dir)?;
    file_opener(&dir.join(FILE), options)
}

/// Opens the engine in one file.
fn file_opener(path: &Path, options: &Options) -> Result<Opener> {
    let file = OsFile::open(path, WhenMissing::Create).map_err(|error| unopened(path, &error))?;
    let file: Arc<dyn DiskFile> = Arc::new(file);
    let redb = RedbOptions {
        cache_bytes: options.cache_bytes,
        ..RedbOptions::default()
    };
    Ok(Box::new(move || {
        let engine = RedbEngine::open(file.clone(), redb)?;
        Ok(Box::new(engine) as Box<dyn Engine>)
    }))
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
pub(crate) struct Restoring {
    dir: PathBuf,
}

impl Restoring {
    /// Prepares `dir`, which must not hold a store.
    pub(crate) fn begin(dir: &Path) -> Result<Self> {
        create_dir(dir)?;
        if dir.join(FILE).exists() {
            return Err(Error::conflict(format!(
                "{} holds a store already; restore into another folder",
                dir.display()
            )));
        }
        let restoring = Self {
            dir: dir.to_owned(),
        };
        restoring.discard();
        Ok(restoring)
    }

    pub(crate) fn opener(&self, options: &Options) -> Result<Opener> {
        file_opener(&self.dir.join(RESTORING), options)
    }

    /// Gives the whole store its name.
    pub(crate) fn finish(self) -> Result<()> {
        let to = self.dir.join(FILE);
        std::fs::rename(self.dir.join(RESTORING), &to)
            .and_then(|()| asof_env::storage::sync_directory_of(&to))
            .map_err(|error| unopened(&to, &error))
    }

    /// Removes what an attempt left behind.
    pub(crate) fn discard(&self) {
        let path = self.dir.join(RESTORING);
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "a failed restore could not be removed");
        }
    }
}
