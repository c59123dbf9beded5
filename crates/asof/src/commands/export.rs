//! `asof export`

use core::time::Duration;
use std::path::PathBuf;

use asof_api::body::SpaceStateName;
use asof_api::{ErrorName, Moment};
use asof_client::Client;
use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use clap::Args;

use crate::context::Context;
use crate::export::{Bounds, Folder, Format, Manifest, Origin, Source, check_format, write_space};
use crate::failure::{Exit, Failure};
use crate::hold::{Hold, IfThere, Release, Request};
use crate::output::{self, Output};
use crate::table::{Align, Table};
use crate::{human, progress};

/// Bytes of values after which a part ends.
const PART_BYTES_MAX: u64 = 512 << 20;

/// How long the pin lives on where the export is interrupted, so that it can be gone on with.
const HOLD: Duration = Duration::from_hours(24);

/// Write spaces, as they are at one moment, to files that other tools open
///
/// The moment is pinned while it is read. Each space becomes a folder of parts; a manifest with
/// the moment, the rows and a BLAKE3 hash of each file is written last, as `_manifest.json`. An
/// export that was interrupted goes on when it is run again, and ends with the same bytes.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof export prices --to ./prices-today                       Parquet
  asof export --all --as-of 2026-11-01T00:00:00Z --format jsonl --to ./november
  asof run --freeze -- sh -c 'asof export prices --to p && asof export users --to u'

Then, for example:
  duckdb -c \"select count(*) from './prices-today/prices/*.parquet'\"
  python3 -c \"import polars; print(polars.read_parquet('prices-today/prices/*.parquet'))\"

Columns: key, effective (when the value was written), commit, content_type, hash (BLAKE3-256 of
the value), bytes, value. In JSON Lines the value is `value` where it is JSON, `value_text` or
`value_base64`; in CSV the column `encoding` says text or base64; in Parquet it is the bytes.")]
pub(crate) struct Export {
    /// The spaces
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "SPACE")]
    spaces: Vec<String>,
    /// All spaces that are live
    #[arg(long)]
    all: bool,
    /// The moment; latest where left out
    #[arg(long, env = "ASOF_AS_OF", value_name = "T")]
    as_of: Option<Timestamp>,
    /// What the files shall be
    #[arg(long, value_enum, default_value_t = Format::Parquet)]
    format: Format,
    /// The folder; it must be empty, absent, or hold the same export unfinished
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Rows of a file at most
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..))]
    part_rows: u64,
    /// Do not pin the moment, which takes an operator; retention may then pass it half-way
    #[arg(long)]
    no_pin: bool,
}

impl Export {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        check_format(self.format)?;
        let client = context.client()?;
        let folder = Folder::new(&self.to);
        let (mut manifest, hold) = match folder.unfinished()? {
            Some(manifest) => self.go_on(&client, &folder, manifest, context)?,
            None => self.begin(&client, context)?,
        };
        folder.note(&manifest)?;
        let origin = match context.data() {
            Some(_) => Origin::Here(context.store()?),
            None => Origin::Server(client),
        };
        if let Err(failure) = export(&origin, &folder, &mut manifest, &mut context.out) {
            if !context.out.is_json() {
                context.out.note("what is there stays: the same command goes on from it");
            }
            return Err(failure);
        }
        folder.complete(&mut manifest)?;
        if let Some(Release::Lapses(why) | Release::Lost(why)) = hold.map(Hold::release) {
            // All of it is read, so nothing rests on the pin any more.
            output::warn(&format!("asof export: its pin lapses by itself: {why}"));
        }
        self.show(&mut context.out, &manifest)
    }

    fn begin(
        &self,
        client: &Client,
        context: &Context,
    ) -> Result<(Manifest, Option<Hold>), Failure> {
        let name = format!("export-{}-{}", std::process::id(), SystemClock.wall().as_micros());
        let hold = self.hold(client, context, name, self.as_of, IfThere::Refuse)?;
        let time = client.time()?;
        let at = hold.as_ref().map(Hold::at).or(self.as_of).unwrap_or(time.latest.0);
        let spaces = self.chosen(client)?;
        let bounds = Bounds { rows_max: self.part_rows, value_bytes_max: PART_BYTES_MAX };
        let mut manifest = Manifest::new(at.into(), time.epoch, (self.format, bounds), spaces);
        manifest.pin = hold.as_ref().map(|hold| hold.name().to_owned());
        Ok((manifest, hold))
    }

    /// Takes up an export that was interrupted, which must be the one that is asked for.
    fn go_on(
        &self,
        client: &Client,
        folder: &Folder,
        mut manifest: Manifest,
        context: &mut Context,
    ) -> Result<(Manifest, Option<Hold>), Failure> {
        let begun = |what: &str, held: &dyn core::fmt::Display| {
            Failure::usage(format!(
                "`{}` holds an unfinished export of {what} {held}; ask for the same, or choose \
                 another folder with --to",
                self.to.display()
            ))
        };
        let at = manifest.as_of.0;
        if self.as_of.is_some_and(|asked| asked != at) {
            return Err(begun("the moment", &at));
        }
        if self.format != manifest.format {
            return Err(begun("the format", &manifest.format.as_str()));
        }
        let spaces: Vec<&str> = manifest.spaces.iter().map(|space| space.space.as_str()).collect();
        let mut asked: Vec<&str> = self.spaces.iter().map(String::as_str).collect();
        asked.sort_unstable();
        asked.dedup();
        if !self.all && asked != spaces {
            return Err(begun("the spaces", &spaces.join(" ")));
        }
        if client.time()?.epoch != manifest.epoch {
            return Err(Failure::usage(format!(
                "the store was restored since the export in `{}` was begun; remove that folder and \
                 begin anew",
                self.to.display()
            )));
        }
        folder.check_parts(&manifest)?;
        let files: usize = manifest.spaces.iter().map(|space| space.files.len()).sum();
        if !context.out.is_json() {
            context.out.note(&format!("going on as of {at}; {files} files are there already"));
        }
        let name = manifest.pin.clone().unwrap_or_else(|| {
            format!("export-{}-{}", std::process::id(), SystemClock.wall().as_micros())
        });
        let hold = self.hold(client, context, name, Some(at), IfThere::Adopt)?;
        manifest.pin = hold.as_ref().map(|hold| hold.name().to_owned());
        Ok((manifest, hold))
    }

    fn hold(
        &self,
        client: &Client,
        context: &Context,
        name: String,
        at: Option<Timestamp>,
        if_there: IfThere,
    ) -> Result<Option<Hold>, Failure> {
        if self.no_pin {
            return Ok(None);
        }
        let reason = format!("asof export to {}", human::one_line(&self.to.to_string_lossy()));
        let request = Request { name, owner: context.author(), reason, at, ttl: HOLD, if_there };
        match Hold::take(client.clone(), request) {
            Ok(hold) => Ok(Some(hold)),
            Err(error) if error.name() == Some(ErrorName::Forbidden) => Err(Failure::usage(
                "pinning a moment takes an operator's token; pass one, or --no-pin to read it \
                 without",
            )),
            Err(error) => Err(error),
        }
    }

    fn chosen(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let mut chosen: Vec<String> = if self.all {
            let spaces = client.spaces()?.spaces.into_iter();
            spaces
                .filter(|space| space.state == SpaceStateName::Live)
                .map(|space| space.name)
                .collect()
        } else {
            // One that is not there is found before anything is written.
            for space in &self.spaces {
                client.space(space)?;
            }
            self.spaces.clone()
        };
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }

    fn show(&self, out: &mut Output, manifest: &Manifest) -> Result<Exit, Failure> {
        if out.is_json() {
            out.json(manifest)?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new([
            ("SPACE", Align::Left),
            ("ROWS", Align::Right),
            ("FILES", Align::Right),
            ("SIZE", Align::Right),
        ]);
        for space in &manifest.spaces {
            table.row([
                space.space.clone(),
                human::count(space.rows),
                human::count(space.files.len() as u64),
                human::size(space.files.iter().map(|part| part.bytes).sum()),
            ]);
        }
        out.page(&mut table)?;
        let erased = manifest.spaces.iter().map(|space| space.erased.len() as u64).sum();
        if erased > 0 {
            let keys = crate::blast::keys(erased);
            out.note(&format!("{keys} erased: the manifest names them, and no file has them"));
        }
        let (as_of, to) = (manifest.as_of.0, self.to.display());
        out.note(&format!("as of {as_of}; `{to}/_manifest.json` has the hash of each file"));
        Ok(Exit::Done)
    }
}

/// Writes the spaces that are not complete yet.
fn export(
    origin: &Origin,
    folder: &Folder,
    manifest: &mut Manifest,
    out: &mut Output,
) -> Result<(), Failure> {
    let Moment(at) = manifest.as_of;
    let shape = (manifest.format, manifest.bounds);
    let bar = progress::rows(out);
    for place in 0..manifest.spaces.len() {
        let Some(space) = manifest.spaces.get(place).filter(|space| !space.complete) else {
            continue;
        };
        let mut space = space.clone();
        let source = Source::open(origin.clone(), space.space.clone(), at, space.last_key());
        let mut progress = |rows| bar.inc(rows);
        write_space(folder, &mut space, source, shape, &mut progress, &mut |space| {
            if let Some(held) = manifest.spaces.get_mut(place) {
                held.clone_from(space);
            }
            folder.note(manifest)
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}
