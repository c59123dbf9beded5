//! The timestamped store: every write takes effect at a timestamp, closed history never
//! changes, and any moment can be read with the interval over which the answer is true.
//!
//! [`Store`] is the way in. A read opens a [`View`] at one moment and asks it; a write is a
//! [`CommitRequest`]. The crate is synchronous: it knows nothing of sockets, HTTP or async.

pub mod engine;

mod backup;
mod clock_guard;
mod codec;
mod commit;
mod control;
mod disk;
mod error;
mod feed;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod held;
mod name;
mod options;
mod prepare;
mod publish;
mod readable;
mod restore;
mod sequencer;
mod space;
mod stage;
mod state;
mod store;
mod usage;
mod value;
mod verify;
mod view;
mod writer;

pub use commit::{
    Amendment, Backfill, Commit, CommitRequest, CommitWrite, Effective, IdempotencyKey, Op,
    Precondition, Receipt, Source, Write,
};
pub use control::{
    Actor, Cap, ControlAction, ControlRecord, Pin, PinRequest, Role, Scope, Token, TokenHash,
};
pub use error::{Error, ErrorKind, Result};
pub use feed::{Cursor, FeedItem, FeedPage};
pub use name::{Key, SpaceName};
pub use options::Options;
pub use space::{ImportProgress, Retention, SpaceInfo, SpaceState, SpaceUsage};
pub use store::{BackupSummary, DryRun, Health, ImportReceipt, Store, StoreTime, VerifyReport};
pub use value::{ContentHash, ContentType, Value};
pub use view::{
    AsOf, Content, DiffEntry, DiffPage, Entry, HistoryPage, HistoryRange, HistoryVersion, LogPage,
    LogRange, Read, ScanPage, ScanRange, Version, View, WithValues,
};
