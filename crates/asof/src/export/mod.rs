//! Spaces at one moment, as files that other tools open.
//!
//! An export is a folder: the rows of each space in parts, and a manifest that is written last.
//! Where a part begins and ends depends on the rows alone, and a part appears whole or not at all,
//! so one that was interrupted goes on after its last part and ends with the same bytes.

mod csv;
mod jsonl;
mod manifest;
#[cfg(feature = "parquet")]
mod parquet;
mod part;
mod row;
mod source;

pub(crate) use self::manifest::{Folder, Manifest};
pub(crate) use self::part::{Bounds, Format, check_format, write_space};
pub(crate) use self::source::{Origin, Source};
