//! Control state as callers see it: cap, pins, tokens, and the record of who changed what.

use core::fmt;
use core::time::Duration;

use asof_time::limits::ACTOR_TEXT_BYTES_MAX;
use asof_time::{Sequence, Timestamp};

use crate::{Blast, Error, ErrorKind, Result, SpaceName, StoreTime, Touched};

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
    /// The wall time at which it is cleared by itself, where it is.
    pub expires: Option<Timestamp>,
}

/// What a new cap shall be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetCap {
    /// Nothing above it is read from then on. At or below closed.
    pub at: Timestamp,
    /// How long until it is cleared by itself; only by hand where `None`.
    pub ttl: Option<Duration>,
    /// Where the cap is that it takes the place of; `None` where there is none. Any other state
    /// is a `Conflict`: somebody else was faster.
    pub replaces: Option<Timestamp>,
    /// What happens where it lies above the old one and would show bad commits.
    pub bad: BadCommits,
    /// The second word, where many keys are touched.
    pub confirm: Confirm,
}

impl From<Timestamp> for SetCap {
    /// A first cap, until it is cleared by hand.
    fn from(at: Timestamp) -> Self {
        Self {
            at,
            ttl: None,
            replaces: None,
            bad: BadCommits::default(),
            confirm: Confirm::default(),
        }
    }
}

/// How the cap shall be cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClearCap {
    /// Where the cap is; any where `None`. Another place is a `Conflict`: somebody has moved it.
    pub at: Option<Timestamp>,
    /// What happens where bad commits would be seen again.
    pub bad: BadCommits,
    /// The second word, where many keys are touched.
    pub confirm: Confirm,
}

/// What becomes of an action that would let readers see a commit that is marked bad.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BadCommits {
    /// It is refused.
    #[default]
    Refuse,
    /// It is done all the same.
    Show,
}

/// From how many keys on an action takes a second word, and the word that was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confirm {
    /// Keys that may be touched without it.
    pub above: u64,
    /// The number of keys that the caller expects to touch. It holds while the true number is at
    /// most a tenth above it, since writers go on in the meantime.
    pub keys: Option<u64>,
}

impl Default for Confirm {
    /// No second word is needed.
    fn default() -> Self {
        Self { above: u64::MAX, keys: None }
    }
}

impl Confirm {
    /// Refuses to touch more keys than go without a word, or than the word says.
    pub(crate) fn check(self, keys: u64) -> Result<()> {
        let confirmed = self.keys.map_or(0, |keys| keys.saturating_add(keys / 10));
        if keys <= self.above || keys <= confirmed {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unconfirmed { touched: Touched::Keys(keys) },
            format!(
                "it changes what {keys} keys answer, and above {} keys that takes a second word: \
                 `{}`",
                self.above,
                Touched::Keys(keys)
            ),
        ))
    }
}

/// What moving the cap did, or would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapMove {
    /// Where the store was in time.
    pub before: StoreTime,
    /// Where it is then.
    pub after: StoreTime,
    /// What answers differently at latest.
    pub blast: Blast,
}

/// A commit that an operator has marked as bad.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadCommit {
    /// Its id.
    pub commit: Sequence,
    /// When it took effect.
    pub effective: Timestamp,
    /// Who marked it, and why.
    pub by: Actor,
    /// The wall time at which it was marked.
    pub marked: Timestamp,
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
    /// Who asks for it, as the audit names them; the owner where `None`.
    pub by: Option<String>,
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
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

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
    /// The time of the cap was over, and it was cleared.
    CapExpired = 17, "cap-expired";
    /// A commit was marked as bad.
    CommitMarkedBad = 18, "commit-marked-bad";
    /// A commit is no longer marked as bad.
    CommitUnmarkedBad = 19, "commit-unmarked-bad";
    /// What commits had changed was put back.
    CommitReverted = 20, "commit-reverted";
    /// All versions of a key were erased. The subject is `space/key`.
    KeyErased = 21, "key-erased";
    /// Keys of a space may be erased from here on.
    SpaceErasable = 22, "space-erasable";
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
