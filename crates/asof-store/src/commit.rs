//! Commits: what a caller asks for, and what the log remembers of it.

use asof_time::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use asof_time::{Epoch, Sequence, Timestamp};

use crate::{ContentHash, Error, Key, Result, SpaceName, Value};

/// An atomic set of writes, possibly over several spaces, asked to take effect at one timestamp.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommitRequest {
    /// When it shall take effect.
    pub effective: Effective,
    /// Who asks, free text, at most 256 bytes.
    pub author: String,
    /// Why, free text, at most 64 KiB.
    pub message: String,
    /// The writes. A key may be written once.
    pub writes: Vec<Write>,
    /// Makes the request safe to repeat.
    pub idempotency: Option<IdempotencyKey>,
    /// Where it was imported from. A commit with a source id that its space already holds is
    /// answered with the receipt of the first one.
    pub source: Option<Source>,
}

/// When a commit shall take effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effective {
    /// As soon as possible.
    #[default]
    Now,
    /// At a future moment within the schedule limit.
    At(Timestamp),
}

/// One write of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    /// Where. A space that does not exist is created.
    pub space: SpaceName,
    /// Which key.
    pub key: Key,
    /// What.
    pub op: Op,
    /// What must hold just before the commit takes effect.
    pub precondition: Precondition,
}

/// What happens to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// It holds this value from then on.
    Put(Value),
    /// It is absent from then on. Deleting an absent key is no error.
    Delete,
}

/// What must hold of a key just before a commit takes effect, judged once, when the commit is
/// accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The key holds no value.
    Absent,
    /// The key holds a value.
    Present,
    /// The key holds a value with this hash.
    HashIs(ContentHash),
    /// The key was not written after this moment.
    UnchangedSince(Timestamp),
}

/// A caller's name for a request: 1 to 255 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks `key`.
    ///
    /// # Errors
    ///
    /// `Invalid` or `TooLarge`.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        if key.is_empty() {
            return Err(Error::invalid("idempotency key is empty"));
        }
        if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
            return Err(Error::too_large(
                "idempotency key",
                key.len(),
                IDEMPOTENCY_KEY_BYTES_MAX,
                "bytes",
            ));
        }
        Ok(Self(key))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an imported commit came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The space that keeps the map from source id to commit; all writes go there.
    pub space: SpaceName,
    /// The id at the source (a git commit id, say), 1 to 128 bytes, unique within the space.
    pub id: String,
    /// The time at the source.
    pub at: Timestamp,
}

/// One commit of history, written into a space while that is importing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backfill {
    /// Id at the source, 1 to 128 bytes. Empty where the source has none.
    pub source_id: String,
    /// Its own (past) time: above that of the backfill before it. One in the future is clamped
    /// to now.
    pub at: Timestamp,
    /// Who, at the source.
    pub author: String,
    /// Why, at the source.
    pub message: String,
    /// The writes. A key may be written once.
    pub writes: Vec<(Key, Op)>,
}

/// Says that a commit was accepted and is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The commit's id.
    pub id: Sequence,
    /// When it takes (or took) effect.
    pub effective: Timestamp,
    /// The wall time at which it was accepted.
    pub accepted: Timestamp,
    /// The timeline it belongs to.
    pub epoch: Epoch,
    /// Whether it is the outcome of an earlier, identical request.
    pub replayed: bool,
}

/// Changes to a pending commit. What is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Amendment {
    /// A new future moment.
    pub effective: Option<Timestamp>,
    /// A new message.
    pub message: Option<String>,
    /// New writes in place of all the old ones.
    pub writes: Option<Vec<Write>>,
}

/// A commit as the log remembers it. The values themselves are read by key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Its id and its place among commits with the same effective timestamp.
    pub id: Sequence,
    /// When it takes effect.
    pub effective: Timestamp,
    /// The wall time at which it was accepted.
    pub accepted: Timestamp,
    /// Who asked.
    pub author: String,
    /// Why.
    pub message: String,
    /// Spaces that went live with it.
    pub opened: Vec<SpaceName>,
    /// Where it was imported from.
    pub source: Option<Source>,
    /// Whether it was written into an importing space at its own past time. The feed does not
    /// carry such commits.
    pub backfilled: bool,
    /// The writes.
    pub writes: Vec<CommitWrite>,
}

/// One write of a [`Commit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitWrite {
    /// The space.
    pub space: SpaceName,
    /// The key.
    pub key: Key,
    /// What it wrote.
    pub content: Written,
}

/// What a write left behind, without the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// A value: hash and size in bytes.
    Put(ContentHash, u64),
    /// A deletion.
    Deleted,
    /// The key was erased since; whether it wrote or deleted is no longer known.
    Erased,
}

impl Written {
    /// Hash and size in bytes of the value, where it is one.
    pub const fn put(self) -> Option<(ContentHash, u64)> {
        match self {
            Self::Put(hash, bytes) => Some((hash, bytes)),
            Self::Deleted | Self::Erased => None,
        }
    }
}

impl From<Option<(ContentHash, u64)>> for Written {
    /// A value, or a deletion.
    fn from(content: Option<(ContentHash, u64)>) -> Self {
        content.map_or(Self::Deleted, |(hash, bytes)| Self::Put(hash, bytes))
    }
}
