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
    pub release_space: Option<EdgeReleases>,
    /// The releases of services that it reads, and which of them it can ask; absent where it does
    /// not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<EdgeRelease>>,
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

/// A key of a store that says which version of a service answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EdgeRelease {
    /// What the edge calls the store.
    pub store: String,
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// The service.
    pub service: String,
    /// The versions that have instances of their own.
    pub versions: Vec<String>,
    /// Instances of which the configuration states no version: they are asked for all others.
    pub unstated: u64,
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

/// An edge, by how it goes by the cap.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CapEdgeBody {
    /// What it calls itself.
    pub name: String,
    /// The wall time at which it was last heard.
    pub heard: Moment,
    /// Whether it should have been heard since.
    pub late: bool,
    /// The cap that it goes by; absent where it goes by none, or knows nothing of this store yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Moment>,
    /// How far it has followed this store; absent where it has not heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Moment>,
    /// Whether it goes by the cap that is in force, or by none where there is none.
    pub confirmed: bool,
    /// The releases of software in force at latest then, and whom the edge could ask; absent where
    /// the edge does not say, or was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<CapReleaseBody>>,
}

/// A release of a service in force at a moment, and whether an edge could ask it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CapReleaseBody {
    /// The space.
    pub space: String,
    /// The key.
    pub key: String,
    /// The service.
    pub service: String,
    /// The version in force; absent where none is, or what is there is no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who would be asked.
    pub upstreams: CapUpstreams,
}

/// Who is asked for a release.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CapUpstreams {
    /// Instances of that version.
    Own,
    /// Instances of which nobody states the version: they may run another.
    Unstated,
    /// Nobody: the software in force no longer exists.
    None,
    /// The release cannot be read at that moment.
    Unknown,
}

impl CapUpstreams {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Unstated => "unstated",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }
}

/// The version that a value of a space of releases is: its text, or the field `version` of an
/// object.
pub fn release_version(value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok()?.trim();
    let text = match serde_json::from_str::<serde_json::Value>(text).ok() {
        Some(serde_json::Value::String(text)) => text,
        Some(serde_json::Value::Object(object)) => object.get("version")?.as_str()?.to_owned(),
        _ => text.to_owned(),
    };
    (!text.is_empty()).then_some(text)
}
