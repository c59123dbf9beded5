//! What every source yields, whatever it reads.

use asof_time::Timestamp;

/// One commit of the source, ready to be written as one commit of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceCommit {
    /// The source's own id for it; at most `SOURCE_ID_BYTES_MAX` bytes.
    pub id: String,
    /// When it takes effect: strictly after the commit before it.
    pub at: Timestamp,
    /// Who made it; at most `AUTHOR_BYTES_MAX` bytes.
    pub author: String,
    /// Why; at most `MESSAGE_BYTES_MAX` bytes.
    pub message: String,
    /// At most one write a key, in the order of the keys' bytes within one folder. Empty where
    /// the source commit changed nothing that is kept.
    pub writes: Vec<SourceWrite>,
}

/// What a commit does to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceWrite {
    /// 1 to `KEY_BYTES_MAX` bytes.
    pub key: String,
    /// What happens to it.
    pub op: SourceOp,
}

/// A new value, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceOp {
    /// The key has this value from now on.
    Put {
        /// A guess; see [`content_type::guess`](super::content_type::guess).
        content_type: &'static str,
        /// The bytes as the source has them.
        value: Vec<u8>,
    },
    /// The key, which had a value until now, has none any more.
    Delete,
}
