//! The edges that tell how they stand, as they told it last: in memory, for people to look at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use asof_api::body::EdgeReport;
use asof_env::BootTime;
use asof_time::Timestamp;

use crate::limits::{EDGE_GONE, EDGE_SAMPLES, EDGES_MAX};
use crate::refusal::Refusal;

/// All of them, by name.
#[derive(Debug, Default)]
pub(crate) struct Edges(Mutex<BTreeMap<String, Edge>>);

/// One edge.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) token: Option<String>,
    pub(crate) heard_wall: Timestamp,
    pub(crate) heard: BootTime,
    pub(crate) report: EdgeReport,
    /// What each route had answered with at the latest reports, oldest first.
    pub(crate) samples: BTreeMap<String, VecDeque<Outcomes>>,
}

/// What a route has answered with since its edge began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Outcomes {
    pub(crate) held: u64,
    pub(crate) executed: u64,
}

impl Edges {
    /// Takes down what `name` tells.
    ///
    /// # Errors
    ///
    /// `TooLarge` where as many others tell already; `Conflict` where the name is that of a living
    /// edge with another token.
    pub(crate) fn tell(
        &self,
        name: &str,
        token: Option<&str>,
        report: EdgeReport,
        (heard_wall, heard): (Timestamp, BootTime),
    ) -> Result<(), Refusal> {
        let mut edges = self.locked();
        edges.retain(|_, edge| heard.since(edge.heard) < EDGE_GONE);
        let known = edges.remove(name);
        if let Some(other) = known.as_ref().filter(|known| known.token.as_deref() != token) {
            let detail = format!(
                "the edge `{}` tells by another token, and was heard {} s ago",
                name.escape_debug(),
                heard.since(other.heard).as_secs()
            );
            edges.extend(known.map(|known| (name.to_owned(), known)));
            return Err(Refusal::new(asof_api::ErrorName::Conflict, detail));
        }
        if edges.len() >= EDGES_MAX {
            return Err(Refusal::too_large(format!("{EDGES_MAX} edges tell already"), EDGES_MAX));
        }
        let mut samples = known.map(|known| known.samples).unwrap_or_default();
        samples.retain(|name, _| report.routes.iter().any(|route| route.route == *name));
        for route in &report.routes {
            let of_route = samples.entry(route.route.clone()).or_default();
            if of_route.len() == EDGE_SAMPLES {
                of_route.pop_front();
            }
            of_route.push_back(Outcomes { held: route.held, executed: route.executions });
        }
        let token = token.map(str::to_owned);
        edges.insert(name.to_owned(), Edge { token, heard_wall, heard, report, samples });
        Ok(())
    }

    /// All that tell, by name.
    pub(crate) fn all(&self) -> BTreeMap<String, Edge> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Edge>> {
        // Whoever panicked left a whole map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
