//! What an export holds, and how far it has come.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use asof_api::{EpochId, Moment};
use serde::{Deserialize, Serialize};

use super::part::{Bounds, Format};
use crate::failure::Failure;
use crate::files::{self, NewFile};

/// The manifest of a complete export. No space begins with `_`, and readers of folders of data
/// pass such files by.
const MANIFEST: &str = "_manifest.json";

/// The manifest of an export that is under way.
const UNFINISHED: &str = "_unfinished.json";

/// What the manifest is, so that nobody takes another file for one.
const KIND: &str = "asof export";

/// The present version of the manifest.
const VERSION: u32 = 1;

/// Bytes of a manifest at most: a part takes some 1.5 KiB where its key is long.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// What an export holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    kind: String,
    version: u32,
    /// The moment that it shows.
    pub(crate) as_of: Moment,
    /// The timeline of that moment.
    pub(crate) epoch: EpochId,
    /// What its files are.
    pub(crate) format: Format,
    /// Where parts end.
    pub(crate) bounds: Bounds,
    /// Rows of all spaces.
    pub(crate) rows: u64,
    /// The spaces, by name.
    pub(crate) spaces: Vec<SpaceEntry>,
    /// The pin that holds the moment while the export is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<String>,
}

/// A space of an export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SpaceEntry {
    /// Its name.
    pub(crate) space: String,
    /// Keys that hold a value.
    pub(crate) rows: u64,
    /// Keys that were erased, of which no file has a row: what they held, if anything, nobody
    /// knows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) erased: BTreeSet<String>,
    /// Whether all of it is there.
    pub(crate) complete: bool,
    /// Its files, in the order of the keys.
    pub(crate) files: Vec<PartEntry>,
}

/// A file of an export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PartEntry {
    /// Within the folder.
    pub(crate) path: String,
    /// Keys that hold a value.
    pub(crate) rows: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// BLAKE3-256 of the file.
    pub(crate) blake3: String,
    /// The last key in it: the next file begins after it.
    pub(crate) last_key: String,
}

impl Manifest {
    /// Of an export in which nothing was written yet.
    pub(crate) fn new(
        as_of: Moment,
        epoch: EpochId,
        (format, bounds): (Format, Bounds),
        spaces: Vec<String>,
    ) -> Self {
        let empty = |space| SpaceEntry {
            space,
            rows: 0,
            erased: BTreeSet::new(),
            complete: false,
            files: Vec::new(),
        };
        Self {
            kind: KIND.to_owned(),
            version: VERSION,
            as_of,
            epoch,
            format,
            bounds,
            rows: 0,
            spaces: spaces.into_iter().map(empty).collect(),
            pin: None,
        }
    }
}

impl SpaceEntry {
    pub(super) fn add(&mut self, part: PartEntry) {
        self.rows += part.rows;
        self.files.push(part);
    }

    /// The key after which the next part begins.
    pub(crate) fn last_key(&self) -> Option<String> {
        self.files.last().map(|part| part.last_key.clone())
    }
}

/// Where an export goes.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder `path`, which need not exist.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The file `name` within it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What was begun here and is to be gone on with; `None` where nothing was.
    ///
    /// # Errors
    ///
    /// Where the folder holds a complete export, or something else.
    pub(crate) fn unfinished(&self) -> Result<Option<Manifest>, Failure> {
        let shown = self.0.display();
        if self.file(MANIFEST).exists() {
            return Err(Failure::usage(format!(
                "`{shown}` holds a complete export already; choose another folder with --to"
            )));
        }
        let path = self.file(UNFINISHED);
        if !path.exists() {
            // An export that was cut off before it was begun leaves no more than this.
            let begun = format!("{UNFINISHED}.partial");
            let mut entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
            return if entries.any(|entry| entry.file_name() != *begun) {
                Err(Failure::usage(format!(
                    "`{shown}` is not empty and holds no export; choose another folder with --to"
                )))
            } else {
                Ok(None)
            };
        }
        let bytes = files::read_input(&path, MANIFEST_BYTES_MAX)?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::usage(format!(
                "`{}` is no manifest of an export ({error}); remove the folder and begin anew",
                path.display()
            ))
        })?;
        if manifest.kind != KIND || manifest.version != VERSION {
            return Err(Failure::usage(format!(
                "`{}` is of another program, or of another version of this one; remove the folder \
                 and begin anew",
                path.display()
            )));
        }
        Ok(Some(manifest))
    }

    /// Whether each finished part is still what it was when it was written.
    ///
    /// # Errors
    ///
    /// Names the first that is not.
    pub(crate) fn check_parts(&self, manifest: &Manifest) -> Result<(), Failure> {
        for part in manifest.spaces.iter().flat_map(|space| &space.files) {
            let path = self.file(&part.path);
            let found = hash_file(&path).map_err(|error| {
                Failure::usage(format!(
                    "`{}`, a finished part, cannot be read ({error}); remove the folder and begin \
                     anew",
                    path.display()
                ))
            })?;
            if found != part.blake3 {
                return Err(Failure::usage(format!(
                    "`{}` was changed since it was written; remove the folder and begin anew",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Notes durably how far it has come.
    pub(crate) fn note(&self, manifest: &Manifest) -> Result<(), Failure> {
        self.write(UNFINISHED, manifest)
    }

    /// Notes durably that it is complete.
    pub(crate) fn complete(&self, manifest: &mut Manifest) -> Result<(), Failure> {
        manifest.pin = None;
        manifest.rows = manifest.spaces.iter().map(|space| space.rows).sum();
        self.write(MANIFEST, manifest)?;
        let path = self.file(UNFINISHED);
        fs::remove_file(&path)
            .map_err(|error| Failure::file(&format!("`{}`", path.display()), &error))
    }

    fn write(&self, name: &str, manifest: &Manifest) -> Result<(), Failure> {
        let mut file = NewFile::create(&self.file(name))?;
        let mut text = serde_json::to_vec_pretty(manifest).map_err(io::Error::from)?;
        text.push(b'\n');
        file.write_all(&text)?;
        Ok(file.publish()?)
    }
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = files::open(path).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => {
                hasher.update(buffer.get(..read).unwrap_or_default());
            }
        }
    }
}
