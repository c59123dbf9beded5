//! `asof restore`

use std::path::{Path, PathBuf};

use asof_api::{EpochId, Moment};
use asof_store::{Options, Store};
use clap::Args;
use serde::Serialize;

use super::backup;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{files, human};

/// Make a new store out of a backup
///
/// The folder given by --data must be empty or not there yet. The store begins a new epoch, so
/// that no cache mistakes what it remembers of the old one.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof restore ./backups/monday --data ./asof-restored
  asof serve --data ./asof-restored")]
pub(crate) struct Restore {
    /// Folder that `asof backup` wrote into, or the backup file itself
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// Why, for the audit
    #[arg(long, default_value = "restore from a backup")]
    reason: String,
}

/// What was restored, as JSON.
#[derive(Serialize)]
struct Restored<'a> {
    data: &'a Path,
    epoch: EpochId,
    closed: Moment,
    rows: u64,
    bytes: u64,
}

impl Restore {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let dir = context
            .data()
            .ok_or_else(|| Failure::usage("pass --data DIR, the folder of the new store"))?
            .to_owned();
        let file = if self.from.is_dir() { self.from.join(backup::FILE_NAME) } else { self.from };
        let mut source = files::open(&file)?;
        let progress = crate::progress::bytes(&context.out);
        let by = context.actor(self.reason);
        let summary = Store::restore(&mut source, &dir, &Options::default(), by, &mut |bytes| {
            progress.set_position(bytes);
        })?;
        progress.finish_and_clear();
        let out = &mut context.out;
        if out.is_json() {
            out.json(&Restored {
                data: &dir,
                epoch: summary.epoch.into(),
                closed: summary.closed.into(),
                rows: summary.rows,
                bytes: summary.bytes,
            })?;
        } else {
            out.line(&format!(
                "{} rows restored into {}, in the new epoch {}",
                human::count(summary.rows),
                dir.display(),
                summary.epoch
            ))?;
        }
        Ok(Exit::Done)
    }
}
