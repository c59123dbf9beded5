//! What a release writes, from a file or from a folder.

use std::fs;
use std::path::{Path, PathBuf};

use asof_api::body::{WriteBody, WriteRequest};
use asof_time::limits::{COMMIT_WRITES_MAX, VALUE_BYTES_MAX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::failure::Failure;
use crate::files;
use crate::import::content_type;

/// Largest file with writes, in bytes: as large as a request may be.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) writes: Vec<WriteBody>,
    /// What the file says of it.
    pub(super) message: Option<String>,
}

/// Reads the file or folder at `path`; `space` is the one that a folder is of.
pub(super) fn read(path: &Path, space: Option<&str>) -> Result<Source, Failure> {
    if !files::is_stdin(path) && path.is_dir() {
        let writes = match space {
            Some(space) => of_space(path, space)?,
            None => of_spaces(path)?,
        };
        return Ok(Source { writes, message: None });
    }
    if space.is_some() {
        return Err(Failure::usage(
            "--space names the space of a folder; a file names the space of each write itself",
        ));
    }
    let text = files::read_input(path, FILE_BYTES_MAX)?;
    let request: WriteRequest = serde_json::from_slice(&text)
        .map_err(|error| Failure::usage(format!("not a set of writes: {error}")))?;
    if request.effective_at.is_some() || request.source.is_some() {
        return Err(Failure::usage(
            "a release has its time from --at and no source: leave out `effective_at` and `source`",
        ));
    }
    Ok(Source { writes: request.writes, message: request.message })
}

/// A folder of spaces.
fn of_spaces(folder: &Path) -> Result<Vec<WriteBody>, Failure> {
    let mut writes = Vec::new();
    for path in entries(folder)? {
        if !path.is_dir() {
            return Err(Failure::usage(format!(
                "`{}` lies beside the folders of the spaces; pass --space where the folder is of \
                 one space",
                path.display()
            )));
        }
        let space = name(&path)?;
        writes.append(&mut of_space(&path, &space)?);
    }
    Ok(writes)
}

fn of_space(folder: &Path, space: &str) -> Result<Vec<WriteBody>, Failure> {
    let mut writes = Vec::new();
    // Folders yet to be looked into, each with what its keys begin with.
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for path in entries(&folder)? {
            let key = format!("{prefix}{}", name(&path)?);
            if path.is_dir() {
                open.push((path, format!("{key}/")));
                continue;
            }
            writes.push(write(space, key, &path)?);
            if writes.len() > COMMIT_WRITES_MAX {
                return Err(Failure::usage(format!(
                    "there are more than {COMMIT_WRITES_MAX} files, the most that a release writes"
                )));
            }
        }
    }
    writes.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(writes)
}

fn write(space: &str, key: String, path: &Path) -> Result<WriteBody, Failure> {
    let bytes = files::read_input(path, VALUE_BYTES_MAX as u64)?;
    let content_type = Some(content_type::guess(&key, &bytes).to_owned());
    let mut write =
        WriteBody { space: space.to_owned(), key, content_type, ..WriteBody::default() };
    match String::from_utf8(bytes) {
        Ok(text) => write.value_text = Some(text),
        Err(error) => write.value_base64 = Some(STANDARD.encode(error.as_bytes())),
    }
    Ok(write)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let refuse = |error| Failure::file(&format!("`{}`", folder.display()), &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        paths.push(entry.map_err(refuse)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

fn name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned)
        .ok_or_else(|| Failure::usage(format!("`{}` has a name that is not UTF-8", path.display())))
}
