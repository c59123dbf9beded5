//! A call that this edge answers for a tree that another one records.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use asof_cache::{Fact, Observed, Unstorable};
use asof_time::{Epoch, Timestamp};
use http::{HeaderMap, Method};

use super::super::moment::Choice;
use super::Peer;
use super::input::shown;
use super::standing::Standing;
use super::wire::{self, ArriveBody, ArrivedBody, DeliverBody, InputBody, TreeBody};
use crate::caching::Inner;
use crate::caching::context::Token;
use crate::caching::root::{Abroad, Root};
use crate::config::{Plan, ServiceName, StateName, StoreName};
use crate::limits;
use crate::problem::{Problem, ProblemKind};

/// One call here that is an input there.
#[derive(Debug)]
pub(crate) struct Visit {
    peer: Arc<Peer>,
    token: Token,
    place: usize,
    /// How this edge stood before it looked at anything.
    standing: Standing,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    inputs: Vec<Observed>,
    taint: Option<Unstorable>,
}

/// What came of the attempt to find out for whom a call is made.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// It is an input at another edge, of a tree with this root, at this depth.
    Input {
        visit: Arc<Visit>,
        root: Arc<Root>,
        depth: u32,
        leaked: bool,
    },
    /// Its execution has ended.
    Late,
    /// Nobody knows of such an execution.
    Unknown,
    Refused(Problem),
}

impl Visit {
    /// Something came of the call, or of what was read on its way.
    pub(crate) fn saw(&self, observed: Observed) {
        self.seen().inputs.push(observed);
    }

    /// Nothing may be made of the call. The first reason is the one that is told.
    pub(crate) fn taint(&self, why: Unstorable) {
        self.seen().taint.get_or_insert(why);
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Asks the edge that gave out a context what the call is to it.
    pub(crate) async fn arrive_abroad(
        self: &Arc<Self>,
        token: Token,
        from: &ServiceName,
        plan: &Arc<Plan>,
        headers: &HeaderMap,
    ) -> Arrived {
        let mut peer = self.peers.of_edge(token.edge);
        if peer.is_none() {
            self.refresh_peers().await;
            peer = self.peers.of_edge(token.edge);
        }
        let Some(peer) = peer else {
            let detail = "the edge that records this request is not known to this one";
            return Arrived::Refused(self.lost(detail).await);
        };
        let standing = self.peers.standing();
        let asked = ArriveBody {
            context: token.to_string(),
            service: from.as_str().to_owned(),
            system: self.peers.system.load().to_string(),
        };
        let Ok(arrived) = self.ask_peer(&peer, Method::POST, wire::ARRIVE, &asked).await else {
            let detail = "the edge that records this request cannot be reached";
            return Arrived::Refused(self.lost(detail).await);
        };
        let tree = match arrived {
            ArrivedBody::Input(tree) => tree,
            ArrivedBody::Late => return Arrived::Late,
            ArrivedBody::Unknown => return Arrived::Unknown,
            ArrivedBody::Refused(why) => {
                return Arrived::Refused(Problem::new(ProblemKind::Unavailable, why));
            }
        };
        match self.root_abroad(&tree, plan, headers).await {
            Ok(root) => {
                let (seen, place) = (Mutex::default(), tree.place);
                let visit = Arc::new(Visit { peer, token, place, standing, seen });
                let (depth, leaked) = (tree.depth, tree.leaked);
                Arrived::Input { visit, root, depth, leaked }
            }
            Err(problem) => Arrived::Refused(problem),
        }
    }

    /// The root of another edge's tree, once this one has come to its moment.
    async fn root_abroad(
        &self,
        tree: &TreeBody,
        plan: &Arc<Plan>,
        headers: &HeaderMap,
    ) -> Result<Arc<Root>, Problem> {
        let unclear = || {
            let detail = "what another edge says of this request cannot be understood";
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let at = Timestamp::from_micros(tree.at).ok_or_else(unclear)?;
        let mut epochs: BTreeMap<StoreName, Epoch> = BTreeMap::new();
        for (name, epoch) in &tree.epochs {
            let name: StoreName = name.parse().map_err(|_| unclear())?;
            let epoch = epoch.parse().map_err(|_| unclear())?;
            if !tree.preview {
                self.come_to(&name, epoch, at).await?;
            }
            epochs.insert(name, epoch);
        }
        let declared: Result<Arc<[StoreName]>, _> =
            tree.declared.iter().map(|name| name.parse()).collect();
        let sources = tree.sources.iter();
        let sources: Result<BTreeMap<StateName, Option<String>>, String> =
            sources.map(|(name, source)| Ok((name.parse()?, source.clone()))).collect();
        Ok(Root::abroad(Abroad {
            at,
            plan: Arc::clone(plan),
            routes: self.routes.load_full(),
            random: Arc::clone(&self.random),
            context: tree.context,
            span: crate::spans::SpanContext::of(headers),
            epochs,
            declared: declared.map_err(|_| unclear())?,
            sources: sources.map_err(|_| unclear())?,
            choice: if tree.preview { Choice::Preview } else { Choice::Asked },
        }))
    }

    /// Waits, within a bound, until a store has come to the moment here as well.
    async fn come_to(&self, name: &StoreName, epoch: Epoch, at: Timestamp) -> Result<(), Problem> {
        let refused = |why: &str| {
            let detail = format!("the store `{name}` {why}");
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let store = self.stores.get(name.as_str());
        let store = store.ok_or_else(|| refused("is not followed by this edge"))?;
        let mut views = store.view.subscribe();
        let come = views.wait_for(|view| view.is_some_and(|view| at <= view.through));
        let view = tokio::time::timeout(limits::SESSION_WAIT, come).await;
        match view {
            Ok(Ok(view)) if view.is_some_and(|view| view.epoch == epoch) => Ok(()),
            Ok(Ok(_)) => Err(refused("is of another epoch at this edge")),
            _ => Err(refused("has not come to the moment of this request at this edge")),
        }
    }

    /// Tells the edge that records the tree what came of the call, before anybody is answered. If
    /// nothing is known of it, its place there stays empty.
    ///
    /// # Errors
    ///
    /// Where it cannot be told: the call is refused then.
    pub(crate) async fn deliver(&self, visit: &Visit, root: &Root) -> Result<(), Problem> {
        let (seen, taint) = {
            let mut seen = visit.seen();
            (std::mem::take(&mut seen.inputs), seen.taint)
        };
        if seen.is_empty() && taint.is_none() {
            return Ok(());
        }
        let mut body = self.body_of(visit, root, &seen, taint);
        body.wrote = root.written().map(|token| token.to_string());
        match self.ask_peer(&visit.peer, Method::POST, wire::DELIVER, &body).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let detail = "the execution that made this call has ended";
                Err(Problem::new(ProblemKind::Unavailable, detail))
            }
            Err(_) => {
                let detail = "the edge that records this request cannot be told of the answer";
                Err(self.lost(detail).await)
            }
        }
    }

    fn body_of(
        &self,
        visit: &Visit,
        root: &Root,
        seen: &[Observed],
        taint: Option<Unstorable>,
    ) -> DeliverBody {
        let mut body = DeliverBody {
            context: visit.token.to_string(),
            place: visit.place,
            taint: None,
            state: Vec::new(),
            valid: shown(asof_cache::always()),
            inputs: Vec::new(),
            wrote: None,
        };
        let mut tainted = taint;
        let mut validity = asof_cache::always();
        for observed in seen {
            let told = observed.fact.as_ref().map_err(|why| *why);
            let told = told.and_then(|fact| {
                validity = validity.intersect(fact.validity).ok_or(Unstorable::Contradiction)?;
                self.made_of(visit, root, observed, fact)
            });
            match told {
                Ok(inputs) => body.inputs.extend(inputs),
                Err(why) => _ = tainted.get_or_insert(why),
            }
            body.state.extend(observed.call.state.iter().map(|(name, _)| name.to_string()));
        }
        body.valid = shown(validity);
        if body.inputs.len() > 2 * limits::PEER_INPUTS_MAX {
            tainted.get_or_insert(Unstorable::TooManyInputs);
        }
        if let Some(why) = tainted {
            body.taint = Some(why.as_str().to_owned());
            (body.inputs, body.state) = (Vec::new(), Vec::new());
        }
        body
    }

    /// What a fact was made of, down to the stores; where that is not known any more or is too much,
    /// the spaces in which it lies.
    fn made_of(
        &self,
        visit: &Visit,
        root: &Root,
        observed: &Observed,
        fact: &Fact,
    ) -> Result<Vec<InputBody>, Unstorable> {
        let of_store = root.plan.stores.contains_key(&*observed.call.service);
        let mut inputs = Vec::new();
        if !of_store {
            let (call, hash) = (observed.key.to_string(), fact.content.hash().to_string());
            let standing = visit.standing.to_string();
            inputs.push(InputBody::Edge { call, hash, standing });
        }
        let leaves = self.cache.leaves(fact, root.at, limits::PEER_INPUTS_MAX);
        let told = leaves.and_then(|leaves| self.told(&leaves)).filter(|told| is_small(told));
        let told = told.or_else(|| {
            let clock = InputBody::Clock { valid: shown(fact.trace.clock()) };
            let mut spaces = self.spaces_told(fact.trace.spaces())?;
            spaces.push(clock);
            Some(spaces)
        });
        inputs.extend(told.ok_or(Unstorable::OtherEpoch)?);
        Ok(inputs)
    }
}

/// Whether it fits a message with room to spare, by the only part that may be long.
fn is_small(told: &[InputBody]) -> bool {
    let long = |input: &InputBody| match input {
        InputBody::Range { from, .. } => 2 * from.len() + 512,
        _ => 512,
    };
    let bytes: usize = told.iter().map(long).sum();
    (bytes as u64) < limits::PEER_BYTES_MAX / 2
}
