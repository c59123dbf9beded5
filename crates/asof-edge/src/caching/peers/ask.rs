//! What this edge asks others.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::{AbortHandle, JoinSet};

use super::wire::{self, StandingBody, TaintBody};
use super::{Heard, Peer, authorization};
use crate::body::Body;
use crate::caching::Inner;
use crate::caching::context::Token;
use crate::caching::execute::{Answered, gather};
use crate::config::Plan;
use crate::limits;
use crate::problem::{Problem, ProblemKind};

/// Another edge cannot be reached, or does not understand: nobody knows what it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lost;

impl Inner {
    /// Goes over to the edges of `plan`. Runs inside a runtime.
    pub(crate) fn meet(self: &Arc<Self>, plan: &Plan) {
        let known = self.peers.others.load_full();
        let mut others = BTreeMap::new();
        for (name, configured) in &plan.peers {
            // It was good when the plan was accepted; without it that edge is not heard of.
            let authorization = authorization(configured).unwrap_or_else(|error| {
                tracing::error!(peer = %name, error, "another edge cannot be asked");
                None
            });
            let peer =
                Peer { name: name.clone(), authorization, heard: std::sync::Mutex::default() };
            if let Some(heard) = known.get(name).and_then(|before| before.heard()) {
                *peer.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(heard);
            }
            others.insert(name.clone(), Arc::new(peer));
        }
        for (name, gone) in known.iter().filter(|(name, _)| !others.contains_key(*name)) {
            if let Some(heard) = gone.heard() {
                tracing::info!(peer = %name, "another edge is configured no more");
                self.cache.erase(super::EDGES, &heard.standing.to_string());
            }
        }
        let tasks = others.values().map(|peer| self.listen_to(peer)).collect();
        self.peers.others.store(Arc::new(others));
        self.peers.go_by(self.routes.load().system(), tasks);
    }

    fn listen_to(self: &Arc<Self>, peer: &Arc<Peer>) -> AbortHandle {
        let (inner, peer) = (Arc::downgrade(self), Arc::clone(peer));
        let listening = async move {
            loop {
                let Some(inner) = inner.upgrade() else { return };
                if inner.ask_standing(&peer).await.is_err() {
                    tracing::debug!(peer = %peer.name, "another edge does not say how it stands");
                }
                drop(inner);
                tokio::time::sleep(limits::PEER_INTERVAL).await;
            }
        };
        tokio::spawn(listening).abort_handle()
    }

    async fn ask_standing(&self, peer: &Peer) -> Result<(), Lost> {
        let at = self.clock.boot();
        let said: StandingBody = self.ask_peer(peer, Method::GET, wire::STANDING, &()).await?;
        let standing = said.standing.parse().map_err(|_| Lost)?;
        let heard = Heard { standing, troubles: said.troubles, system: said.system, at };
        peer.hear(&heard, &self.cache);
        Ok(())
    }

    /// Asks all other edges how they stand, now, if that was not just done.
    pub(super) async fn refresh_peers(self: &Arc<Self>) {
        let mut refreshed = self.peers.refreshed.lock().await;
        let now = self.clock.boot();
        if refreshed.is_some_and(|last| now.since(last) < limits::PEER_REFRESH_MIN) {
            return;
        }
        let mut asking = JoinSet::new();
        for peer in self.peers.others.load().values() {
            let (inner, peer) = (Arc::clone(self), Arc::clone(peer));
            asking.spawn(async move { inner.ask_standing(&peer).await });
        }
        while asking.join_next().await.is_some() {}
        *refreshed = Some(self.clock.boot());
    }

    /// Tells every other edge that a call of `service` came, and nobody knows for which execution.
    ///
    /// # Errors
    ///
    /// Where one cannot be told, and may keep what it must not: the call is refused then.
    pub(crate) async fn tell_stranger(
        self: &Arc<Self>,
        service: &str,
        contexts: &[Token],
    ) -> Result<(), Problem> {
        if !self.peers.has_others() {
            return Ok(());
        }
        let contexts = contexts.iter().map(Token::to_string).collect();
        let told = Arc::new(TaintBody { service: service.to_owned(), contexts });
        let mut telling = JoinSet::new();
        for peer in self.peers.others.load().values() {
            let (inner, told) = (Arc::clone(self), Arc::clone(&told));
            let peer = Arc::clone(peer);
            telling.spawn(async move {
                let told: Result<bool, Lost> =
                    inner.ask_peer(&peer, Method::POST, wire::TAINT, &*told).await;
                told.map(drop)
            });
        }
        let mut all = Ok(());
        while let Some(told) = telling.join_next().await {
            if !matches!(told, Ok(Ok(()))) {
                all = Err(Lost);
            }
        }
        match all {
            Ok(()) => Ok(()),
            Err(Lost) => {
                Err(self.lost("another edge cannot be told of a call without its context").await)
            }
        }
    }

    /// The refusal of a call because another edge cannot be reached: given only once that one has
    /// noticed, since the service may make do without, and that must not be kept.
    pub(super) async fn lost(&self, detail: &str) -> Problem {
        self.peers.trouble();
        self.metrics.peer_troubles.inc();
        tracing::warn!(detail, "another edge is away");
        tokio::time::sleep(limits::PEER_HOLD).await;
        Problem::new(ProblemKind::Unavailable, detail)
    }

    /// Asks another edge; twice, if need be: nothing that is asked does harm if it is asked twice.
    pub(super) async fn ask_peer<T: DeserializeOwned>(
        &self,
        peer: &Peer,
        method: Method,
        path: &'static str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Lost> {
        let body = if method == Method::GET {
            bytes::Bytes::new()
        } else {
            serde_json::to_vec(body).map_err(|_| Lost)?.into()
        };
        if body.len() as u64 > limits::PEER_BYTES_MAX {
            return Err(Lost);
        }
        let mut answered = None;
        for _ in 0..2 {
            let mut request = Request::new(Body::whole(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = http::Uri::from_static(path);
            let headers = request.headers_mut();
            let media_type = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, media_type);
            if let Some(authorization) = &peer.authorization {
                headers.insert(header::AUTHORIZATION, authorization.clone());
            }
            let asked = self.forwarder.peer(&peer.name, request);
            answered = tokio::time::timeout(limits::PEER_TIMEOUT, asked).await.ok().flatten();
            if answered.is_some() {
                break;
            }
        }
        let gathered = gather(answered.ok_or(Lost)?, limits::PEER_BYTES_MAX);
        let whole = tokio::time::timeout(limits::PEER_TIMEOUT, gathered).await.map_err(|_| Lost)?;
        match whole {
            Ok(Answered::Whole(parts, body)) if parts.status == StatusCode::OK => {
                serde_json::from_slice(&body).map_err(|_| Lost)
            }
            Ok(Answered::Whole(parts, _)) => {
                tracing::warn!(peer = %peer.name, status = %parts.status, path, "another edge refuses");
                Err(Lost)
            }
            Ok(Answered::Large(_)) | Err(_) => Err(Lost),
        }
    }
}
