//! Request and answer bodies.
//!
//! Those of requests refuse members that they do not know: a misspelt one must not be silently
//! without effect.

mod commit;
mod control;
mod edge;
mod erase;
mod feed;
mod operate;
mod read;
mod release;
mod space;
mod validity;

pub use commit::{
    AmendRequest, CommitBody, CommitListBody, CommitWriteBody, IfBody, ReceiptBody, SourceBody,
    True, WriteBody, WriteRequest,
};
pub use control::{
    AcceptClockRequest, CapBody, CapRequest, CapState, ControlBody, ControlListBody, PinBody,
    PinListBody, PinOutcome, PinRequest, Role, TokenBody, TokenListBody, TokenRequest,
    TokenSecretBody,
};
pub use edge::{
    CapEdgeBody, CapReleaseBody, CapUpstreams, EdgeBody, EdgeCache, EdgeExplained, EdgeHeardBody,
    EdgeListBody, EdgePeer, EdgeRelease, EdgeReleases, EdgeReport, EdgeRoute, EdgeStore,
    release_version,
};
pub use erase::{EraseOutcome, EraseRequest, ErasureBody, ErasureListBody};
pub use feed::{FeedEvent, FeedMessage};
pub use operate::{
    BadCommitBody, BadCommitListBody, BlastBody, CapOutcome, ChangeBody, GlanceBody,
    RevertConflictBody, RevertOutcome, RevertRequest, SpaceBlastBody,
};
pub use read::{
    ContentBody, DiffBody, DiffEntryBody, EntryBody, HistoryBody, HistoryVersionBody, KeyBody,
    ReadBody, ReadEntryBody, ReadRequest, ScanBody, TimeBody,
};
pub use release::{
    ReleaseAmendRequest, ReleaseBody, ReleaseDetailBody, ReleaseEventBody, ReleaseListBody,
    ReleaseOutcome, ReleaseRequest, ReleaseStateName,
};
pub use space::{
    All, ImportBody, ImportLine, ImportProgressBody, ImportWriteBody, RetentionBody,
    RetentionOutcome, SourceAnswerBody, SpaceBody, SpaceListBody, SpaceRequest, SpaceStateName,
    UsageBody,
};
pub use validity::ValidityBody;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a member that is only written where it counts something is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(crate) const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Whether a member that is only written where it is true is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The answer of `/healthz` and `/readyz`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthBody {
    /// `ok`, `alarmed` or `read-only`.
    pub status: String,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
