//! The commits of a git repository as batches.

use asof_api::{BINARY, TEXT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::batch::{Batch, LINE_BYTES_MAX, Line};
use super::git::Commits;
use super::refusal::refused;
use super::source::{SourceCommit, SourceOp, SourceWrite};
use crate::failure::Failure;
use crate::human;

/// Commits, batch by batch. Positions count commits.
#[derive(Debug)]
pub(crate) struct GitBatches {
    commits: Commits,
    space: String,
    read: u64,
    failure: Option<Failure>,
    /// A commit that did not fit into the batch before.
    waiting: Option<(Line, Vec<u8>)>,
}

impl GitBatches {
    /// The commits for `space`.
    pub(crate) fn new(commits: Commits, space: String) -> Self {
        Self { commits, space, read: 0, failure: None, waiting: None }
    }

    fn next_line(&mut self) -> Option<(Line, Vec<u8>)> {
        if self.failure.is_some() {
            return None;
        }
        if let Some(waiting) = self.waiting.take() {
            return Some(waiting);
        }
        let line = match self.commits.next()? {
            Ok(commit) => {
                self.read += 1;
                encode(&commit, self.read)
            }
            Err(error) => Err(error.into()),
        };
        line.map_err(|failure| self.failure = Some(failure)).ok()
    }
}

impl Iterator for GitBatches {
    type Item = Result<Batch, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = Batch::new(self.space.clone());
        while let Some((mut line, text)) = self.next_line() {
            if !batch.has_room(text.len()) {
                self.waiting = Some((line, text));
                break;
            }
            batch.body.extend_from_slice(&text);
            batch.position = line.number;
            line.end = batch.body.len();
            batch.lines.push(line);
            if batch.is_full() {
                break;
            }
        }
        if batch.lines.is_empty() {
            return self.failure.take().map(Err);
        }
        Some(Ok(batch))
    }
}

/// A commit as it travels.
#[derive(Serialize)]
struct CommitText<'a> {
    at: u64,
    source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    author: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    writes: Vec<WriteText<'a>>,
}

#[derive(Serialize, Default)]
struct WriteText<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    delete: bool,
}

fn encode(commit: &SourceCommit, number: u64) -> Result<(Line, Vec<u8>), Failure> {
    let text = CommitText {
        at: commit.at.as_micros(),
        source: &commit.id,
        author: &commit.author,
        message: &commit.message,
        writes: commit.writes.iter().map(write_text).collect(),
    };
    let mut bytes = Vec::new();
    if let Err(error) = serde_json::to_writer(&mut bytes, &text) {
        unreachable!("texts and numbers are JSON: {error}");
    }
    if bytes.len() > LINE_BYTES_MAX {
        return Err(refused(format!(
            "commit {} takes {} as a request, above the {} that a store takes in one",
            commit.id,
            human::size(bytes.len() as u64),
            human::size(LINE_BYTES_MAX as u64),
        )));
    }
    bytes.push(b'\n');
    let value_bytes = commit.writes.iter().map(|write| match &write.op {
        SourceOp::Put { value, .. } => value.len() as u64,
        SourceOp::Delete => 0,
    });
    let line = Line {
        number,
        end: bytes.len(),
        at: commit.at,
        source: Some(commit.id.clone()),
        writes: commit.writes.len() as u64,
        value_bytes: value_bytes.sum(),
    };
    Ok((line, bytes))
}

/// Files are texts or bytes, never JSON values: of a JSON file every byte counts, its last line
/// feed too.
fn write_text(write: &SourceWrite) -> WriteText<'_> {
    let text = WriteText { key: &write.key, ..WriteText::default() };
    match &write.op {
        SourceOp::Delete => WriteText { delete: true, ..text },
        SourceOp::Put { content_type, value } => match short_text(value) {
            Some(value) => WriteText {
                value_text: Some(value),
                content_type: (*content_type != TEXT).then_some(*content_type),
                ..text
            },
            None => WriteText {
                value_base64: Some(STANDARD.encode(value)),
                content_type: (*content_type != BINARY).then_some(*content_type),
                ..text
            },
        },
    }
}

/// The value as text, unless its escapes would make it longer than base64 does.
fn short_text(value: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(value).ok()?;
    let escapes = value.iter().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..0x20 => 5,
        _ => 0,
    });
    (escapes.sum::<usize>() <= value.len() / 3).then_some(text)
}
