//! How edges stand, as they tell their stores.
//!
//! Unlike other bodies of requests this one bears members that it does not know: an edge may be of
//! another version than its store, and what it tells decides nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// How an edge stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EdgeReport {
    /// Its routes.
    pub routes: Vec<EdgeRoute>,
    /// The stores that it follows.
    pub stores: Vec<EdgeStore>,
    /// The other edges that it knows of.
    pub peers: Vec<EdgePeer>,
    /// What it holds.
    pub cache: EdgeCache,
    /// Where it reads which release of a service is in force; absent where none are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<EdgeReleases>,
    /// How the answers that were asked about last are made up, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explained: Vec<EdgeExplained>,
}

/// Where an edge reads releases.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeReleases {
    /// The store.
    pub store: String,
    /// The space.
    pub space: String,
    /// Whether they were read, and what keeps all that depends on them from being stored.
    pub standing: String,
}

/// A route of an edge.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeRoute {
    /// Its name.
    pub route: String,
    /// `off`, `observe` or `on`.
    pub mode: String,
    /// Whether it serves what it holds, and if not, why.
    pub standing: String,
    /// Executions that agreed with what was held.
    pub agreed: u64,
    /// How many it takes.
    pub observed_min: u64,
    /// Executions that did not agree.
    pub mismatches: u64,
    /// Requests that were executed.
    pub executions: u64,
    /// Requests for which a result was held.
    pub held: u64,
    /// Of all requests, those for which a result was held.
    pub hit_rate: f64,
    /// Results that could not be kept, by reason.
    pub unstorable: BTreeMap<String, u64>,
}

/// A store, as an edge knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeStore {
    /// What the edge calls it.
    pub store: String,
    /// The timeline, once heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// How far its log is known to be complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
    /// Its cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
    /// Its floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<u64>,
    /// How long nothing was heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    /// How far what the edge knows is behind its clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
}

/// Another edge, as an edge knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgePeer {
    /// What the edge calls it.
    pub peer: String,
    /// How long nothing was heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    /// Whether it goes by the same configuration as far as both must.
    pub agrees: bool,
}

/// What an edge holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EdgeCache {
    /// Results.
    pub entries: u64,
    /// Memory for them.
    pub bytes: u64,
    /// Executions under way.
    pub executions: u64,
    /// Recent changes that it knows of.
    pub changes: u64,
    /// Results that had to make room.
    pub evicted: u64,
    /// Those of them that a rollback might have needed.
    pub evicted_inside_window: u64,
}

/// A call, and what an edge knows of it at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct EdgeExplained {
    /// The call.
    pub call: String,
    /// Its key in the cache.
    pub key: String,
    /// `held`, `held for another time`, `not held`, `clock`.
    pub known: String,
    /// From when on it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Until when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Through when it is known to be true, where it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
    /// Hash of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether it begins (`from`) or ends (`end`) the interval of the call above it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// What was read for it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<EdgeExplained>,
    /// The moment that was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
}

/// The edges that told this store how they stand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeListBody {
    /// By name.
    pub edges: Vec<EdgeBody>,
}

/// An edge, and what it told last.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeBody {
    /// What it calls itself.
    pub name: String,
    /// The token by which it told, where tokens are in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The wall time at which it was last heard.
    pub heard: Moment,
    /// What it told.
    pub report: EdgeReport,
}

/// That a report was taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeHeardBody {
    /// The wall time of the store.
    pub heard: Moment,
}
