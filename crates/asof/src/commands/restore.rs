//! `asof restore`

use std::path::{Path, PathBuf};

use asof_api::body::ErasureBody;
use asof_api::{EpochId, Moment};
use asof_store::{Actor, Erased, Erasure, ErrorKind, Key, Options, SpaceName, Store};
use clap::Args;
use serde::Serialize;

use super::backup;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{blast, files, human};

/// Make a new store out of a backup
///
/// The folder given by --data must be empty or not there yet. The store begins a new epoch, so
/// that no cache mistakes what it remembers of the old one.
///
/// Keys that were erased after the backup was taken are in it still. Where the backup has spaces
/// from which keys are erased, it takes the list of what was erased, or the word that there is
/// none.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof restore ./backups/monday --data ./asof-restored
  asof restore ./backups/monday --data ./asof-restored --erasures erasures.jsonl
  asof serve --data ./asof-restored")]
pub(crate) struct Restore {
    /// Folder that `asof backup` wrote into, or the backup file itself
    #[arg(value_name = "DIR")]
    from: PathBuf,
    /// What was erased from the old store, as `asof erasures --json` lists it: it is erased from
    /// the new one before anybody can open that
    #[arg(long, value_name = "FILE")]
    erasures: Option<PathBuf>,
    /// Nothing was erased after the backup was taken
    #[arg(long, conflicts_with = "erasures")]
    no_erasures: bool,
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
    /// Keys of the list of what was erased: erased again, erased before the backup was taken, and
    /// of spaces that it does not hold.
    erased: u64,
    erased_before: u64,
    unknown_spaces: u64,
}

/// Bytes of a list of what was erased at most.
const ERASURES_BYTES_MAX: u64 = 1 << 30;

/// Reads what `asof erasures --json` wrote.
fn read_erasures(path: &Path) -> Result<Vec<Erasure>, Failure> {
    let text = files::read_input(path, ERASURES_BYTES_MAX)?;
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(index, line)| {
            let bad = |error: &dyn core::fmt::Display| {
                Failure::usage(format!("line {} of {}: {error}", index + 1, path.display()))
            };
            let body: ErasureBody = serde_json::from_slice(line).map_err(|error| bad(&error))?;
            Ok(Erasure {
                sequence: body.sequence,
                space: SpaceName::new(&body.space).map_err(|error| bad(&error))?,
                key: Key::new(&body.key).map_err(|error| bad(&error))?,
                at: body.at.into(),
                by: Actor { name: body.by, reason: body.reason },
                versions: body.versions,
                bytes: body.bytes,
            })
        })
        .collect()
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
        let list = self.erasures.as_deref().map(read_erasures).transpose()?;
        let erased = match &list {
            Some(list) => Erased::These(list),
            None if self.no_erasures => Erased::None,
            None => Erased::NotSaid,
        };
        let options = Options::default();
        let restored = Store::restore(&mut source, &dir, &options, erased, by, &mut |bytes| {
            progress.set_position(bytes);
        });
        progress.finish_and_clear();
        let restored = restored.map_err(|error| match erased {
            Erased::NotSaid if error.kind() == ErrorKind::Conflict => Failure::from(error)
                .with_hint(
                    "`asof erasures --json` lists what was erased: pass that with --erasures \
                     FILE, or --no-erasures",
                ),
            _ => error.into(),
        })?;
        let summary = restored.backup;
        let out = &mut context.out;
        if out.is_json() {
            out.json(&Restored {
                data: &dir,
                epoch: summary.epoch.into(),
                closed: summary.closed.into(),
                rows: summary.rows,
                bytes: summary.bytes,
                erased: restored.erased,
                erased_before: restored.erased_before,
                unknown_spaces: restored.unknown_spaces,
            })?;
        } else {
            out.line(&format!(
                "{} rows restored into {}, in the new epoch {}",
                human::count(summary.rows),
                dir.display(),
                summary.epoch
            ))?;
            if list.is_none() && !self.no_erasures {
                out.note(&format!(
                    "keys that were erased after {} are back: `asof erasures --json` of the old \
                     store lists them for --erasures",
                    summary.closed
                ));
            }
            if list.is_some() {
                let (again, before) = (restored.erased, restored.erased_before);
                out.line(&format!(
                    "{} erased again, {} before the backup, {} of spaces that it does not hold",
                    blast::keys(again),
                    human::count(before),
                    human::count(restored.unknown_spaces)
                ))?;
            }
        }
        Ok(Exit::Done)
    }
}
