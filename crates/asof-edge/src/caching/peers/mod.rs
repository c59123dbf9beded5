//! Other edges of the same system, with which this one records trees of calls.
//!
//! The edge that answers a client records the whole tree below. A service may reach the next one
//! through another edge: that one *arrives* here, which reserves the call its place and tells it
//! what the tree is a function of; it answers the call at that moment out of its own cache, and
//! *delivers* what the answer was made of before anybody sees it.
//!
//! What keeps this from being wrong:
//!
//! * A place that is not filled keeps the execution from being kept.
//! * What is delivered are leaves (reads of stores, clocks), which whoever records follows itself.
//! * A result that another edge helped to make names how that edge *stood* ([`Standing`]): once it
//!   has dropped anything as wrong, or has started anew, all of that is dropped here as well.
//! * A call without context taints its service at every edge before it is answered.
//! * An edge that cannot reach another one refuses the call, and holds the refusal back until the
//!   other one has noticed ([`Peers::steady`]): a service that makes do without an answer must not
//!   be kept.

mod answer;
mod ask;
mod input;
mod standing;
mod visit;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use asof_cache::{Cache, StoreId};
use asof_env::{BootTime, Clock};
use asof_time::{Epoch, Timestamp};
use http::HeaderValue;
use tokio::task::AbortHandle;

pub(crate) use self::standing::Standing;
pub(crate) use self::visit::{Arrived, Visit};
use crate::config::{self, PeerName, Plan};
use crate::limits;

/// In the change index, how edges stood is a store with a space for each way of standing.
const EDGES: StoreId = StoreId(u16::MAX);

/// All edges, this one among them.
#[derive(Debug)]
pub(crate) struct Peers {
    /// Which edge this is: what the contexts that it gives out name.
    pub(crate) id: u32,
    started: u64,
    /// How often results were dropped as wrong.
    drops: AtomicU64,
    /// How often another edge could not be reached, or not be made to understand.
    troubles: AtomicU64,
    others: ArcSwap<BTreeMap<PeerName, Arc<Peer>>>,
    /// What asks the others how they stand.
    asking: Mutex<Vec<AbortHandle>>,
    /// When all were last asked because of something unknown.
    refreshed: tokio::sync::Mutex<Option<BootTime>>,
    /// Digest of what edges must have in common.
    system: ArcSwap<String>,
}

/// Another edge.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: PeerName,
    authorization: Option<HeaderValue>,
    heard: Mutex<Option<Heard>>,
}

/// What another edge last said of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Heard {
    standing: Standing,
    troubles: u64,
    system: String,
    /// When it was asked: what happened there before it answered is in the answer.
    at: BootTime,
}

/// That every other edge was heard of, and which troubles they had had by then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Steady(Vec<(u32, u64, u64)>);

impl Peers {
    pub(crate) fn new(id: u32, clock: &dyn Clock, cache: &Cache) -> Self {
        cache.begin(EDGES, Epoch::from_random(1), Timestamp::MIN);
        cache.tell(|index| index.advance(EDGES, Timestamp::MAX));
        Self {
            id,
            started: clock.wall().as_micros(),
            drops: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            others: ArcSwap::default(),
            asking: Mutex::default(),
            refreshed: tokio::sync::Mutex::default(),
            system: ArcSwap::default(),
        }
    }

    /// Whether the tokens for other edges can be used.
    pub(crate) fn check(plan: &Plan) -> Result<(), String> {
        plan.peers.iter().try_for_each(|(name, peer)| {
            authorization(peer).map(drop).map_err(|error| format!("peers.{name}: {error}"))
        })
    }

    fn go_by(&self, system: &str, tasks: Vec<AbortHandle>) {
        self.system.store(Arc::new(system.to_owned()));
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        for task in std::mem::replace(&mut *asking, tasks) {
            task.abort();
        }
    }

    /// How this edge stands.
    pub(crate) fn standing(&self) -> Standing {
        let drops = self.drops.load(Ordering::Acquire);
        Standing { edge: self.id, started: self.started, drops }
    }

    /// Results were dropped as wrong: so must be what other edges made of them, and what was made
    /// here of that. Called after they were dropped.
    pub(crate) fn disown(&self, cache: &Cache) {
        let before = self.standing();
        self.drops.fetch_add(1, Ordering::Release);
        cache.erase(EDGES, &before.to_string());
    }

    /// Another edge could not be reached. It will hear of this, or not hear of this edge.
    fn trouble(&self) {
        self.troubles.fetch_add(1, Ordering::Release);
    }

    /// Whether an edge stands now as it did when it told something.
    fn stands(&self, standing: Standing) -> bool {
        let others = self.others.load();
        standing == self.standing()
            || others
                .values()
                .any(|peer| peer.heard().is_some_and(|heard| heard.standing == standing))
    }

    /// The other edge that gave out contexts under this number.
    fn of_edge(&self, edge: u32) -> Option<Arc<Peer>> {
        let others = self.others.load();
        let is = |peer: &&Arc<Peer>| peer.heard().is_some_and(|heard| heard.standing.edge == edge);
        others.values().find(is).cloned()
    }

    /// What has come of every other edge's attempts to be heard, if all were heard of lately. An
    /// execution during which this changes is not kept.
    pub(crate) fn steady(&self, now: BootTime) -> Option<Steady> {
        let others = self.others.load();
        let known = others.values().map(|peer| {
            let heard = peer.heard().filter(|heard| now.since(heard.at) < limits::PEER_LEASE)?;
            let Standing { edge, started, .. } = heard.standing;
            Some((edge, started, heard.troubles))
        });
        known.collect::<Option<Vec<_>>>().map(Steady)
    }

    /// For each other edge, by its name: for how long nothing was heard of it, and whether it goes by
    /// the same configuration.
    pub(crate) fn report(&self, now: BootTime) -> Vec<(String, Option<u64>, bool)> {
        let others = self.others.load();
        let system = self.system.load();
        let one = |peer: &Arc<Peer>| {
            let heard = peer.heard();
            let silent = heard.as_ref().map(|heard| now.since(heard.at).as_millis());
            let silent = silent.map(|silent| u64::try_from(silent).unwrap_or(u64::MAX));
            let same = heard.is_some_and(|heard| heard.system == **system);
            (peer.name.as_str().to_owned(), silent, same)
        };
        others.values().map(one).collect()
    }

    fn has_others(&self) -> bool {
        !self.others.load().is_empty()
    }
}

impl Peer {
    /// Takes note of what another edge says of itself.
    fn hear(&self, said: &Heard, cache: &Cache) {
        let mut known = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|known| said.at < known.at) {
            return;
        }
        let before = known.replace(said.clone());
        drop(known);
        let Some(before) = before else {
            tracing::info!(peer = %self.name, standing = %said.standing, "heard of another edge");
            return;
        };
        if before.standing != said.standing {
            tracing::warn!(
                peer = %self.name, before = %before.standing, now = %said.standing,
                "another edge started anew or dropped results: what it helped to make is dropped"
            );
            cache.erase(EDGES, &before.standing.to_string());
        }
    }

    fn heard(&self) -> Option<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What another edge wants to be sent.
fn authorization(peer: &config::Peer) -> Result<Option<HeaderValue>, String> {
    let Some(path) = &peer.token_file else { return Ok(None) };
    let refused = |error: &dyn core::fmt::Display| format!("{}: {error}", path.display());
    let text =
        config::read_bounded(path, limits::TOKEN_BYTES_MAX).map_err(|error| refused(&error))?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", text.trim()))
        .map_err(|error| refused(&error))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
