//! The timestamped store: every write takes effect at a timestamp, closed history never
//! changes, and any moment can be read with the interval over which the answer is true.
//!
//! [`Store`] is the way in. A read opens a [`View`] at one moment and asks it; a write is a
//! [`CommitRequest`]. The crate is synchronous: it knows nothing of sockets, HTTP or async.

pub mod engine;

mod backup;
mod blast;
mod clock_guard;
mod codec;
mod commit;
mod control;
mod disk;
mod erase;
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
mod release;
mod restore;
mod revert;
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

pub use blast::{Blast, Change, Extent, Glance, SpaceBlast};
pub use commit::{
    Amendment, Backfill, Commit, CommitRequest, CommitWrite, Effective, IdempotencyKey, Op,
    Precondition, Receipt, Source, Write, Written,
};
pub use control::{
    Actor, BadCommit, BadCommits, Cap, CapMove, ClearCap, Confirm, ControlAction, ControlRecord,
    Pin, PinRequest, Role, Scope, SetCap, Token, TokenHash,
};
pub use erase::{Erase, EraseOutcome, Erasure, Known};
pub use error::{Error, ErrorKind, Result, Touched};
pub use feed::{Cursor, FeedItem, FeedPage};
pub use name::{Key, SpaceName};
pub use options::Options;
pub use release::{
    Approval, Approving, Cancelled, Draft, Keys, Later, Live, Operator, Plan, PlannedWrite,
    Release, ReleaseAmendment, ReleaseEvent, ReleaseRequest, ReleaseState, RolledBack, Scheduled,
};
pub use revert::{Conflicts, Revert, RevertConflict, RevertOutcome, RevertTarget};
pub use space::{Erasable, ImportProgress, Retention, SpaceInfo, SpaceState, SpaceUsage};
pub use store::{
    BackupSummary, DryRun, Erased, Health, ImportReceipt, RestoreSummary, Store, StoreTime,
    VerifyReport,
};
pub use value::{ContentHash, ContentType, Value};
pub use view::{
    AsOf, Content, DiffEntry, DiffPage, Entry, HistoryPage, HistoryRange, HistoryVersion, LogPage,
    LogRange, Read, ScanPage, ScanRange, Version, View, WithValues,
};
