//! Commits on their way into a space, as the text in which they travel: a JSON object a line.

use asof_api::routes::LARGE_BODY_BYTES_MAX;
use asof_time::Timestamp;

/// Bytes after which a batch is sent.
const BATCH_BYTES: usize = 4 << 20;

/// Commits after which a batch is sent, so that progress is seen and little is done twice after
/// an interruption.
const BATCH_COMMITS: usize = 500;

/// Longest line, in bytes: a request with it alone, and its line feed, is as large as can be.
pub(crate) const LINE_BYTES_MAX: usize = LARGE_BODY_BYTES_MAX - 1;

const _: () = assert!(BATCH_BYTES < LINE_BYTES_MAX);

/// Some commits of one space, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Where they go.
    pub(crate) space: String,
    /// What is known of each of them.
    pub(crate) lines: Vec<Line>,
    /// Their lines, one after the other.
    pub(crate) body: Vec<u8>,
    /// How far the source has been read, in its unit of progress.
    pub(crate) position: u64,
}

/// What is known of one commit without reading its text again.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Which line of the source it is, from 1.
    pub(crate) number: u64,
    /// Where its text ends within the body, line feed included.
    pub(crate) end: usize,
    /// Its time at the source.
    pub(crate) at: Timestamp,
    /// Its id at the source, where it has one.
    pub(crate) source: Option<String>,
    /// How many keys it writes.
    pub(crate) writes: u64,
    /// Bytes of its values, or nearly so where they are text or base64.
    pub(crate) value_bytes: u64,
}

impl Batch {
    /// An empty batch for `space`.
    pub(crate) fn new(space: String) -> Self {
        Self { space, lines: Vec::new(), body: Vec::new(), position: 0 }
    }

    /// Whether a line of `bytes` more fits in without making the batch overlong.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.body.is_empty() || self.body.len() + bytes < BATCH_BYTES
    }

    /// Whether it is time to send it.
    pub(crate) fn is_full(&self) -> bool {
        self.body.len() >= BATCH_BYTES || self.lines.len() >= BATCH_COMMITS
    }

    /// The text of each line.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&Line, &[u8])> {
        let mut start = 0;
        self.lines.iter().map(move |line| {
            let text = self.body.get(start..line.end).unwrap_or_default();
            start = line.end;
            (line, text)
        })
    }

    /// Only the lines that `keep` wants.
    #[must_use]
    pub(crate) fn filtered(self, keep: impl Fn(&Line) -> bool) -> Self {
        if self.lines.iter().all(&keep) {
            return self;
        }
        let mut kept = Self { position: self.position, ..Self::new(self.space.clone()) };
        for (line, text) in self.texts().filter(|(line, _)| keep(line)) {
            kept.body.extend_from_slice(text);
            kept.lines.push(Line { end: kept.body.len(), ..line.clone() });
        }
        kept
    }
}
