//! Tells stores how this edge stands, so that their consoles can show it.
//!
//! Nothing rests on it: a store that does not listen, or is away, is told again the next time.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use asof_api::body::{EdgeExplained, EdgeReport};

use super::Inner;
use crate::config::Plan;

/// How often stores are told.
const EVERY: Duration = Duration::from_secs(10);

/// How soon they are told for the first time: what is to be told is known only a little later.
const AT_FIRST: Duration = Duration::from_secs(1);

/// Trees that operators asked about and that are remembered.
const TREES_MAX: usize = 4;

/// Calls of one of them; a larger one is not told.
const CALLS_MAX: usize = 256;

/// What operators asked about, and whether stores are told.
#[derive(Debug)]
pub(super) struct Told {
    started: Once,
    trees: Mutex<VecDeque<EdgeExplained>>,
}

impl Default for Told {
    fn default() -> Self {
        Self { started: Once::new(), trees: Mutex::default() }
    }
}

/// Begins to tell stores, if the plan says under which name, and nobody began before.
pub(super) fn start(inner: &Arc<Inner>, plan: &Plan) {
    if plan.report_as.is_none() {
        return;
    }
    inner.told.started.call_once(|| {
        let (told, clock) = (Arc::downgrade(inner), Arc::clone(&inner.clock));
        let run = move || {
            clock.sleep(AT_FIRST);
            while tell(&told).is_some() {
                clock.sleep(EVERY);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("tell".to_owned()).spawn(run) {
            tracing::error!(%error, "no thread to tell stores with");
        }
    });
}

/// Tells every store; `None` once the edge is gone.
fn tell(inner: &Weak<Inner>) -> Option<()> {
    let (plan, report, followed) = {
        let inner = inner.upgrade()?;
        (inner.plan.load_full(), inner.whole_report(), inner.stores.all())
    };
    let plan = plan.as_ref().as_ref()?;
    // It may have been taken out of the configuration, and may come back.
    let Some(name) = &plan.report_as else {
        return Some(());
    };
    for (store, followed) in followed {
        if let Err(error) = followed.client.report_edge(name.as_str(), &report) {
            tracing::debug!(%store, %error, "the store was not told");
        }
    }
    Some(())
}

impl Inner {
    /// Remembers a tree that somebody asked about.
    pub(super) fn asked_about(&self, explained: EdgeExplained) {
        if calls(&explained) > CALLS_MAX {
            return;
        }
        let mut trees = self.told.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.retain(|tree| tree.call != explained.call);
        trees.push_front(explained);
        trees.truncate(TREES_MAX);
    }

    fn whole_report(&self) -> EdgeReport {
        let trees = self.told.trees.lock().unwrap_or_else(PoisonError::into_inner);
        EdgeReport { explained: trees.iter().cloned().collect(), ..self.report() }
    }
}

fn calls(explained: &EdgeExplained) -> usize {
    1 + explained.inputs.iter().map(calls).sum::<usize>()
}
