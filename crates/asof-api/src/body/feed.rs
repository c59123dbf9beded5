//! The messages of the change feed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommitBody, ControlBody};
use crate::{Cursor, EpochId, Moment};

/// One message of the feed: a line of NDJSON, or the data of a server-sent event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FeedMessage {
    /// What happened.
    #[serde(flatten)]
    pub event: FeedEvent,
    /// Where to resume after this message.
    pub cursor: Cursor,
    /// The stream is complete up to and including this moment once this message was seen.
    pub through: Moment,
    /// The timeline.
    pub epoch: EpochId,
    /// The store's floor.
    pub floor: Moment,
    /// The cap; `null` where there is none.
    pub cap: Option<Moment>,
}

/// What a message of the feed tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FeedEvent {
    /// A commit took effect.
    Commit {
        /// The commit.
        commit: CommitBody,
    },
    /// The control state changed.
    Control {
        /// The record of it.
        control: ControlBody,
    },
    /// Nothing happened; `through` may have moved.
    Heartbeat,
    /// The service ends the stream; resume at the cursor, here or elsewhere.
    End {
        /// Why.
        reason: String,
    },
}
