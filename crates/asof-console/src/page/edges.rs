//! How edges stand.

use super::{Frame, Template, Timestamp, filters};
use crate::picture::{Columns, columns};

/// The edges that tell this store how they stand.
#[derive(Clone, Debug, Template)]
#[template(path = "edges.html")]
pub struct Edges {
    /// What surrounds it.
    pub frame: Frame,
    /// The edges, by name.
    pub edges: Vec<Edge>,
}

/// An edge.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What it calls itself.
    pub name: String,
    /// The token by which it tells.
    pub token: Option<String>,
    /// When it was last heard, in words.
    pub heard: String,
    /// Whether it should have been heard since.
    pub late: bool,
    /// Results that it holds.
    pub entries: u64,
    /// Memory for them.
    pub bytes: u64,
    /// Results that a rollback might have needed and that had to make room.
    pub evicted: u64,
    /// The stores that it follows.
    pub stores: Vec<EdgeStoreRow>,
    /// Its routes.
    pub routes: Vec<EdgeRouteRow>,
    /// How the answers are made up that were asked about last.
    pub trees: Vec<Tree>,
}

/// A store, as an edge knows it.
#[derive(Clone, Debug)]
pub struct EdgeStoreRow {
    /// What the edge calls it.
    pub store: String,
    /// How far its log is known to be complete.
    pub through: Option<Timestamp>,
    /// How far that is behind the edge's clock, in words.
    pub lag: Option<String>,
    /// How long nothing was heard of it, in words.
    pub silent: Option<String>,
    /// Its cap.
    pub cap: Option<Timestamp>,
    /// Whether that is the cap of this store.
    pub confirms: bool,
}

/// A route of an edge.
#[derive(Clone, Debug)]
pub struct EdgeRouteRow {
    /// Its name.
    pub route: String,
    /// `off`, `observe` or `on`.
    pub mode: String,
    /// Whether it serves what it holds, and if not, why.
    pub standing: String,
    /// For a style sheet.
    pub class: &'static str,
    /// Requests for which a result was held.
    pub held: u64,
    /// Requests that were executed.
    pub executed: u64,
    /// Executions that did not agree with what was held.
    pub mismatches: u64,
    /// Of all requests, those for which a result was held.
    pub hit_rate: String,
    /// Why results could not be kept.
    pub unstorable: String,
    /// What was answered with between one report and the next, oldest first.
    pub outcomes: Vec<Outcome>,
}

impl EdgeRouteRow {
    /// The outcomes as columns.
    pub fn columns(&self) -> Columns {
        columns(&self.outcomes)
    }
}

/// What a route answered with for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Out of what was held.
    pub held: u64,
    /// By executions.
    pub executed: u64,
}

/// A call and what was read for it, as an edge knows them.
#[derive(Clone, Debug, Template)]
#[template(path = "tree.html")]
pub struct Tree {
    /// The call.
    pub call: String,
    /// Whether a result is held.
    pub known: String,
    /// From when on it is true.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Through when it is known to be true.
    pub through: Option<Timestamp>,
    /// Whether it limits what the call above it is true for.
    pub limits: String,
    /// A short form of the hash of its content.
    pub hash: String,
    /// The moment that was asked about.
    pub as_of: Option<Timestamp>,
    /// What was read for it.
    pub inputs: Vec<Tree>,
}
