//! Control: clock, cap, pins, tokens, and the record of who changed what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CapEdgeBody;
use crate::Moment;

/// Accepts the wall clock as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptClockRequest {
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// Sets the cap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapRequest {
    /// Nothing above it is read.
    pub at: Moment,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// How long until it is cleared by itself; only by hand where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Where the cap is that it takes the place of; absent where there is none. Where that is not
    /// so the request is refused: somebody else was faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Moment>,
}

/// The cap, where there is one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CapState {
    /// `null` where there is none.
    pub cap: Option<CapBody>,
    /// The edges that told this store how they stand; for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edges: Option<Vec<CapEdgeBody>>,
}

/// A cap that is set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CapBody {
    /// Nothing above it is read.
    pub at: Moment,
    /// Who set it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The wall time at which it was set.
    pub set: Moment,
    /// The wall time at which it is cleared by itself, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
}

/// The live pins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PinListBody {
    /// By name.
    pub pins: Vec<PinBody>,
}

/// A named, owned, expiring hold on a timestamp.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PinBody {
    /// Unique among live pins.
    pub name: String,
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The moment held.
    pub at: Moment,
    /// The wall time at which it lapses unless renewed.
    pub expires: Moment,
    /// The bytes of values that would be dropped now if no pin held this moment or an earlier
    /// one. Counted only where asked for, and in the dry run of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_bytes: Option<u64>,
}

/// Creates or renews a pin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRequest {
    /// Who holds it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The moment to hold; latest where absent. A renewal keeps its moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// How long until it lapses.
    pub ttl_seconds: u64,
}

/// The pin that was, or would be, released.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PinOutcome {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// The pin.
    pub pin: PinBody,
}

/// What a token may do.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
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

/// The bearer tokens, without their secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenListBody {
    /// By name.
    pub tokens: Vec<TokenBody>,
}

/// A bearer token, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TokenBody {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// In which spaces; `null` for all, also those to come.
    pub spaces: Option<Vec<String>>,
    /// The wall time at which it was made.
    pub created: Moment,
}

/// A new token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it may do.
    pub role: Role,
    /// In which spaces; `null` or absent for all, also those to come.
    #[serde(default)]
    pub spaces: Option<Vec<String>>,
}

/// A new token with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenSecretBody {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// In which spaces; `null` for all, also those to come.
    pub spaces: Option<Vec<String>>,
    /// What to send as `Authorization: Bearer`. The store keeps only its hash.
    pub secret: String,
}

impl core::fmt::Debug for TokenSecretBody {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenSecretBody")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("spaces", &self.spaces)
            .finish_non_exhaustive()
    }
}

/// A page of the control history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ControlListBody {
    /// Oldest first.
    pub records: Vec<ControlBody>,
    /// What to pass as `after` for the next page; `null` on the last one.
    pub next: Option<u64>,
}

/// One entry of the control history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ControlBody {
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// The wall time.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was done.
    pub action: String,
    /// To what: the name of a space, pin or token, a commit id, a timestamp.
    pub subject: String,
    /// What it was before and is after, for people.
    pub detail: String,
}
