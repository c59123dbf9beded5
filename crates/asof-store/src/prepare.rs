//! What can be done to a request before the writer sees it: checking, hashing, encoding.
//!
//! It runs on the caller's thread, so that the one writer does nothing that others could do.

use std::collections::HashSet;

use asof_time::Timestamp;
use asof_time::limits::{
    AUTHOR_BYTES_MAX, COMMIT_BYTES_MAX, COMMIT_WRITES_MAX, MESSAGE_BYTES_MAX, SOURCE_ID_BYTES_MAX,
};

use crate::codec::Encoder;
use crate::codec::rows::VersionValue;
use crate::{
    Backfill, CommitRequest, ContentHash, Effective, Error, Key, Op, Precondition, Result, Source,
    SpaceName, Write,
};

/// A commit request, ready for the writer.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) effective: Effective,
    pub(crate) author: String,
    pub(crate) message: String,
    pub(crate) writes: Vec<PreparedWrite>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) source: Option<Source>,
    /// What is wrong with the request. It is told only after the idempotency key was looked up:
    /// a repeated request gets its first outcome whatever has become of the limits since.
    pub(crate) fault: Option<Error>,
}

/// One write, its row value already encoded.
#[derive(Debug)]
pub(crate) struct PreparedWrite {
    pub(crate) space: SpaceName,
    pub(crate) put: PreparedPut,
    pub(crate) precondition: Precondition,
}

/// A key and what its version row will hold.
#[derive(Debug)]
pub(crate) struct PreparedPut {
    pub(crate) key: Key,
    pub(crate) row: Vec<u8>,
    pub(crate) content: Option<(ContentHash, u64)>,
}

/// An idempotency key and the request it stands for, both hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Idempotency {
    pub(crate) key: [u8; 16],
    pub(crate) request: [u8; 32],
}

/// A commit of history, ready for the writer.
#[derive(Debug)]
pub(crate) struct PreparedBackfill {
    pub(crate) source_id: String,
    pub(crate) at: Timestamp,
    pub(crate) author: String,
    pub(crate) message: String,
    pub(crate) writes: Vec<PreparedPut>,
}

impl Prepared {
    pub(crate) fn new(request: CommitRequest, value_bytes_max: usize) -> Self {
        let fault = check(&request, value_bytes_max).err();
        let idempotency = request.idempotency.as_ref().map(|key| {
            let key = blake3::hash(key.as_str().as_bytes());
            let key = key.as_bytes().first_chunk().copied().unwrap_or_default();
            Idempotency { key, request: fingerprint(&request) }
        });
        let CommitRequest { effective, author, message, writes, source, .. } = request;
        let writes = if fault.is_some() { Vec::new() } else { prepare_writes(writes) };
        Self { effective, author, message, writes, idempotency, source, fault }
    }

    /// About how many bytes it adds to a group.
    pub(crate) fn weight(&self) -> usize {
        self.message.len() + self.writes.iter().map(|write| write.put.weight()).sum::<usize>()
    }
}

impl PreparedBackfill {
    /// About how many bytes it adds to a group.
    pub(crate) fn weight(&self) -> usize {
        self.message.len() + self.writes.iter().map(PreparedPut::weight).sum::<usize>()
    }
}

impl PreparedPut {
    fn new(key: Key, op: &Op) -> Self {
        match op {
            Op::Delete => Self { key, row: VersionValue::encode_deleted(), content: None },
            Op::Put(value) => {
                let hash = value.hash();
                let row = VersionValue::encode_put(&hash, value);
                Self { key, row, content: Some((hash, value.bytes.len() as u64)) }
            }
        }
    }

    fn weight(&self) -> usize {
        2 * self.key.as_str().len() + self.row.len() + 64
    }
}

pub(crate) fn prepare_writes(writes: Vec<Write>) -> Vec<PreparedWrite> {
    writes
        .into_iter()
        .map(|write| PreparedWrite {
            put: PreparedPut::new(write.key, &write.op),
            space: write.space,
            precondition: write.precondition,
        })
        .collect()
}

/// Checks and encodes history. An error names the index of the commit it is about.
pub(crate) fn prepare_backfill(
    commits: Vec<Backfill>,
    value_bytes_max: usize,
) -> Result<Vec<PreparedBackfill>> {
    commits
        .into_iter()
        .enumerate()
        .map(|(index, commit)| {
            check_backfill(&commit, value_bytes_max).map_err(|error| at_index(index, &error))?;
            Ok(PreparedBackfill {
                source_id: commit.source_id,
                at: commit.at,
                author: commit.author,
                message: commit.message,
                writes: commit
                    .writes
                    .into_iter()
                    .map(|(key, op)| PreparedPut::new(key, &op))
                    .collect(),
            })
        })
        .collect()
}

/// Says which commit of an import an error is about.
pub(crate) fn at_index(index: usize, error: &Error) -> Error {
    Error::new(error.kind(), format!("commit {index} of the import: {}", error.message()))
}

fn check(request: &CommitRequest, value_bytes_max: usize) -> Result<()> {
    check_texts(&request.author, &request.message)?;
    if request.writes.is_empty() && request.source.is_none() {
        return Err(Error::invalid("the commit has no writes"));
    }
    if let Some(source) = &request.source {
        check_source_id(&source.id)?;
        if request.effective != Effective::Now {
            return Err(Error::invalid("a commit with a source takes effect now"));
        }
        if request.writes.iter().any(|write| write.space != source.space) {
            return Err(Error::invalid(format!(
                "a commit with a source writes into that source's space `{}` only",
                source.space
            )));
        }
    }
    check_writes(&request.writes, value_bytes_max)
}

/// Checks the writes of a commit or amendment.
pub(crate) fn check_writes(writes: &[Write], value_bytes_max: usize) -> Result<()> {
    let keys = writes.iter().map(|write| (Some(&write.space), &write.key, &write.op));
    check_ops(keys, writes.len(), value_bytes_max)
}

fn check_backfill(commit: &Backfill, value_bytes_max: usize) -> Result<()> {
    check_texts(&commit.author, &commit.message)?;
    if !commit.source_id.is_empty() {
        check_source_id(&commit.source_id)?;
    }
    let keys = commit.writes.iter().map(|(key, op)| (None, key, op));
    check_ops(keys, commit.writes.len(), value_bytes_max)
}

fn check_ops<'a>(
    ops: impl Iterator<Item = (Option<&'a SpaceName>, &'a Key, &'a Op)>,
    count: usize,
    value_bytes_max: usize,
) -> Result<()> {
    if count > COMMIT_WRITES_MAX {
        return Err(Error::too_large("the commit", count, COMMIT_WRITES_MAX, "writes"));
    }
    let mut bytes = 0_usize;
    let mut seen = HashSet::with_capacity(if count > 1 { count } else { 0 });
    for (space, key, op) in ops {
        bytes += key.as_str().len();
        if let Op::Put(value) = op {
            bytes += value.bytes.len();
            if value.bytes.len() > value_bytes_max {
                let what = format!("the value of key `{key}`");
                return Err(Error::too_large(&what, value.bytes.len(), value_bytes_max, "bytes"));
            }
        }
        if bytes > COMMIT_BYTES_MAX {
            return Err(Error::too_large("the commit", bytes, COMMIT_BYTES_MAX, "bytes"));
        }
        if count > 1 && !seen.insert((space, key)) {
            return Err(Error::invalid(format!("key `{key}` is written twice in one commit")));
        }
    }
    Ok(())
}

pub(crate) fn check_texts(author: &str, message: &str) -> Result<()> {
    if author.len() > AUTHOR_BYTES_MAX {
        return Err(Error::too_large("the author", author.len(), AUTHOR_BYTES_MAX, "bytes"));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Error::too_large("the message", message.len(), MESSAGE_BYTES_MAX, "bytes"));
    }
    Ok(())
}

fn check_source_id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::invalid("the source id is empty"));
    }
    if id.len() > SOURCE_ID_BYTES_MAX {
        return Err(Error::too_large("the source id", id.len(), SOURCE_ID_BYTES_MAX, "bytes"));
    }
    Ok(())
}

/// A hash over everything that makes two requests the same.
fn fingerprint(request: &CommitRequest) -> [u8; 32] {
    let mut row = Encoder::default();
    match request.effective {
        Effective::Now => row.byte(0),
        Effective::At(at) => row.byte(1).moment(at),
    };
    row.text(&request.author).text(&request.message).number(request.writes.len() as u64);
    for write in &request.writes {
        row.text(write.space.as_str()).text(write.key.as_str());
        match &write.op {
            Op::Delete => row.byte(0),
            Op::Put(value) => {
                row.byte(1).text(value.content_type.as_str()).raw(value.hash().as_bytes())
            }
        };
        match write.precondition {
            Precondition::None => row.byte(0),
            Precondition::Absent => row.byte(1),
            Precondition::Present => row.byte(2),
            Precondition::HashIs(hash) => row.byte(3).raw(hash.as_bytes()),
            Precondition::UnchangedSince(at) => row.byte(4).moment(at),
        };
    }
    if let Some(source) = &request.source {
        row.text(source.space.as_str()).text(&source.id).moment(source.at);
    }
    *blake3::hash(&row.finish()).as_bytes()
}
