//! Control state as callers see it: cap, pins, tokens, and the record of who changed what.

use core::fmt;
use core::time::Duration;

use asof_time::Timestamp;
use asof_time::limits::ACTOR_TEXT_BYTES_MAX;

use crate::{Error, Result, SpaceName};

/// Who does something and why: goes into the audit record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actor {
    /// Who, at most 4 KiB.
    pub name: String,
    /// Why, at most 4 KiB.
    pub reason: String,
}

impl Actor {
    /// Refuses texts that are too long for the audit record.
    pub(crate) fn checked(self) -> Result<Self> {
        for (what, text) in [("who acts", &self.name), ("the reason", &self.reason)] {
            if text.len() > ACTOR_TEXT_BYTES_MAX {
                return Err(Error::too_large(what, text.len(), ACTOR_TEXT_BYTES_MAX, "bytes"));
            }
        }
        Ok(self)
    }
}

/// The operator's ceiling on what "now" means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cap {
    /// Nothing above it is read.
    pub at: Timestamp,
    /// Who set it and why.
    pub by: Actor,
    /// The wall time at which it was set.
    pub set: Timestamp,
}

/// A named, owned, expiring hold on a timestamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Unique among live pins.
    pub name: String,
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The moment held.
    pub at: Timestamp,
    /// The wall time at which it lapses unless renewed.
    pub expires: Timestamp,
}

/// What a new (or renewed) pin shall be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinRequest {
    /// Its name. A live pin of the same name and owner is renewed; of another owner, `Conflict`.
    pub name: String,
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The moment to hold; latest where `None`. A renewal keeps its moment.
    pub at: Option<Timestamp>,
    /// How long until it lapses.
    pub ttl: Duration,
}

/// What a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Read.
    Reader,
    /// Read and commit.
    Writer,
    /// Everything: also spaces, pins, cap, retention, tokens.
    Operator,
}

impl Role {
    /// The name under which every surface shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Operator => "operator",
        }
    }
}

/// Where a token may do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// In all spaces, also those to come.
    All,
    /// In these spaces only; store-wide actions are refused.
    Spaces(Vec<SpaceName>),
}

impl Scope {
    /// Whether it covers `space`.
    pub fn covers(&self, space: &SpaceName) -> bool {
        match self {
            Self::All => true,
            Self::Spaces(spaces) => spaces.contains(space),
        }
    }
}

/// BLAKE3-256 of a token's secret: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A bearer token as the store remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Its name, unique.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub scope: Scope,
    /// Hash of the secret.
    pub hash: TokenHash,
    /// The wall time at which it was made.
    pub created: Timestamp,
}

/// One entry of the control history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControlRecord {
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// The wall time.
    pub at: Timestamp,
    /// Who and why.
    pub by: Actor,
    /// What was done.
    pub action: ControlAction,
    /// To what: the name of a space, pin or token, a commit id, a timestamp.
    pub subject: String,
    /// What it was before and is after, for people.
    pub detail: String,
}

macro_rules! control_actions {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// What can be done to the control state.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum ControlAction { $($(#[$doc])* $name,)* }

        impl ControlAction {
            /// The name under which every surface shows it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub(crate) const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)* }
            }

            pub(crate) fn from_code(code: u8) -> Result<Self> {
                match code {
                    $($code => Ok(Self::$name),)*
                    _ => Err(Error::corrupt(format!("unknown control action {code}"))),
                }
            }
        }
    };
}

control_actions! {
    /// The store was restored from a backup, in a new epoch.
    StoreRestored = 2, "store-restored";
    /// A space was created.
    SpaceCreated = 3, "space-created";
    /// A space went live.
    SpaceLive = 4, "space-live";
    /// What is kept of a space changed.
    RetentionSet = 5, "retention-set";
    /// History below a new floor is no longer readable.
    FloorRaised = 6, "floor-raised";
    /// The cap was set.
    CapSet = 7, "cap-set";
    /// The cap was cleared.
    CapCleared = 8, "cap-cleared";
    /// A pin was created or renewed.
    PinCreated = 9, "pin-created";
    /// A pin was released.
    PinReleased = 10, "pin-released";
    /// A pin lapsed.
    PinExpired = 11, "pin-expired";
    /// A token was created.
    TokenCreated = 12, "token-created";
    /// A token was revoked.
    TokenRevoked = 13, "token-revoked";
    /// A clock that had jumped was accepted.
    ClockAccepted = 14, "clock-accepted";
    /// A pending commit was amended.
    CommitAmended = 15, "commit-amended";
    /// A pending commit was cancelled.
    CommitCancelled = 16, "commit-cancelled";
    /// A release was planned.
    ReleasePlanned = 40, "release-planned";
    /// A release was amended.
    ReleaseAmended = 41, "release-amended";
    /// A release was approved by a second operator.
    ReleaseApproved = 42, "release-approved";
    /// A release was scheduled.
    ReleaseScheduled = 43, "release-scheduled";
    /// The time of a release has come.
    ReleaseLive = 44, "release-live";
    /// A release was cancelled.
    ReleaseCancelled = 45, "release-cancelled";
    /// A release was rolled back.
    ReleaseRolledBack = 46, "release-rolled-back";
}
