//! Tells stores how this edge stands, so that their consoles can show it.
//!
//! Nothing rests on it: a store that does not listen, or is away, is told again the next time.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use asof_api::body::{EdgeExplained, EdgeReport};
use asof_time::Timestamp;

use super::Inner;
use crate::config::Plan;

/// How often stores are told.
const EVERY: Duration = Duration::from_secs(10);

/// How often it is looked whether the cap of a store has moved. Operators wait for edges to say
/// that they go by it, so that is told at once.
const LOOK: Duration = Duration::from_millis(100);

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
            while let Some(caps) = tell(&told) {
                let since = clock.boot();
                while clock.boot().since(since) < EVERY
                    && told.upgrade().is_some_and(|inner| inner.caps() == caps)
                {
                    clock.sleep(LOOK);
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("tell".to_owned()).spawn(run) {
            tracing::error!(%error, "no thread to tell stores with");
        }
    });
}

/// The cap of each store that the edge has heard of.
type Caps = BTreeMap<String, Option<Timestamp>>;

/// Tells every store; the caps that the edge went by just before, and `None` once it is gone.
fn tell(inner: &Weak<Inner>) -> Option<Caps> {
    let (plan, caps, report, followed) = {
        let inner = inner.upgrade()?;
        (inner.plan.load_full(), inner.caps(), inner.whole_report(), inner.stores.all())
    };
    let plan = plan.as_ref().as_ref()?;
    // It may have been taken out of the configuration, and may come back.
    let Some(name) = &plan.report_as else {
        return Some(caps);
    };
    for (store, followed) in followed {
        if let Err(error) = followed.client.report_edge(name.as_str(), &report) {
            tracing::debug!(%store, %error, "the store was not told");
        }
    }
    Some(caps)
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

    fn caps(&self) -> Caps {
        let plan = self.plan.load();
        let stores = plan.as_ref().iter().flat_map(|plan| plan.stores.keys());
        let heard = stores.filter_map(|name| {
            let view = (*self.stores.get(name.as_str())?.view.borrow())?;
            Some((name.as_str().to_owned(), view.cap))
        });
        heard.collect()
    }

    fn whole_report(&self) -> EdgeReport {
        let trees = self.told.trees.lock().unwrap_or_else(PoisonError::into_inner);
        EdgeReport { explained: trees.iter().cloned().collect(), ..self.report() }
    }
}

fn calls(explained: &EdgeExplained) -> usize {
    1 + explained.inputs.iter().map(calls).sum::<usize>()
}
