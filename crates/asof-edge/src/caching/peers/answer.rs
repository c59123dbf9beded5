//! What this edge answers others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use asof_cache::{Abroad, Arrival, Hands, Slot, Unstorable};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::input::interval;
use super::wire::{self, ArriveBody, ArrivedBody, DeliverBody, StandingBody, TaintBody, TreeBody};
use crate::body::Body;
use crate::caching::context::Token;
use crate::caching::ingress::bounded;
use crate::caching::{Inner, Run};
use crate::limits;
use crate::problem::{Problem, ProblemKind};

impl Inner {
    /// Answers another edge, if it asks something that is known.
    pub(crate) async fn peer(self: &Arc<Self>, request: Request<Body>) -> Option<Response<Body>> {
        let (parts, body) = request.into_parts();
        let asked = (&parts.method, parts.uri.path());
        let answered = match asked {
            (&Method::GET, wire::STANDING) => Ok(json(&self.stands())),
            (&Method::POST, wire::ARRIVE) => {
                read(body).await.map(|asked| json(&self.arrived(&asked)))
            }
            (&Method::POST, wire::DELIVER) => match read(body).await {
                Ok(told) => self.delivered(told).await.map(|kept| json(&kept)),
                Err(problem) => Err(problem),
            },
            (&Method::POST, wire::TAINT) => read(body).await.map(|told| json(&self.tainted(&told))),
            _ => return None,
        };
        Some(answered.unwrap_or_else(|problem| problem.answer()))
    }

    fn stands(&self) -> StandingBody {
        StandingBody {
            standing: self.peers.standing().to_string(),
            troubles: self.peers.troubles.load(Ordering::Acquire),
            system: self.peers.system.load().to_string(),
        }
    }

    /// A call of one of this edge's trees came to another edge. Its place is taken before anything
    /// else: if it is not answered, nothing is kept of whatever made it.
    fn arrived(&self, asked: &ArriveBody) -> ArrivedBody {
        let Some(token) = self.own(&asked.context) else { return ArrivedBody::Unknown };
        let (slot, hands) = match self.cache.arrive(token.call, token.nonce, &asked.service) {
            Arrival::Input { slot, hands, .. } => (slot, hands),
            Arrival::Late(stored) => {
                self.late(&asked.service, stored.as_deref());
                return ArrivedBody::Late;
            }
            Arrival::Unknown => return ArrivedBody::Unknown,
        };
        let Some(run) = self.running().get(&token.call).cloned() else {
            return ArrivedBody::Unknown;
        };
        if asked.system != **self.peers.system.load() {
            let detail = "the edges of this system go by different configurations: reload them";
            tracing::warn!(detail, "a call was refused");
            return ArrivedBody::Refused(detail.to_owned());
        }
        ArrivedBody::Input(Box::new(tree(&run, slot, hands)))
    }

    /// What another edge answered one of this edge's services. False if it is of no use any more.
    async fn delivered(self: &Arc<Self>, told: DeliverBody) -> Result<bool, Problem> {
        let malformed = |what: &str| Problem::new(ProblemKind::Malformed, what.to_owned());
        let token =
            self.own(&told.context).ok_or_else(|| malformed("not a context of this edge"))?;
        let Some(run) = self.running().get(&token.call).cloned() else { return Ok(false) };
        if let Some(wrote) = &told.wrote {
            run.root.wrote(wrote.parse().map_err(|_| malformed("not a token"))?);
        }
        let validity = interval(&told.valid).ok_or_else(|| malformed("not an interval"))?;
        let why = match &told.taint {
            Some(why) => Err(reason(why)),
            None => self.understood(&run.root, &told.inputs).await,
        };
        match why {
            Ok(inputs) => {
                let state = told.state.iter().map(|name| name.as_str().into()).collect();
                let slot = Slot::of_number(told.place);
                self.cache.settle_abroad(token.call, slot, Abroad { state, inputs, validity });
            }
            Err(why) => self.cache.taint(token.call, why),
        }
        Ok(self.running().contains_key(&token.call))
    }

    /// A call of a service came to another edge, and may belong to any of its executions here.
    fn tainted(&self, told: &TaintBody) -> bool {
        for token in told.contexts.iter().filter_map(|context| self.own(context)) {
            self.cache.taint(token.call, Unstorable::LeakedContext);
        }
        self.cache.taint_service(&told.service);
        true
    }

    fn own(&self, context: &str) -> Option<Token> {
        context.parse().ok().filter(|token: &Token| token.edge == self.peers.id)
    }
}

/// What the tree of an execution is a function of.
fn tree(run: &Run, slot: Slot, hands: Hands) -> TreeBody {
    let root = &run.root;
    let declared = root.plan.stores.keys().filter(|store| run.declares(store));
    TreeBody {
        place: slot.number(),
        at: root.at.as_micros(),
        epochs: root
            .epochs
            .iter()
            .map(|(name, epoch)| (name.as_str().to_owned(), epoch.to_string()))
            .collect(),
        declared: declared.map(|store| store.as_str().to_owned()).collect(),
        sources: root
            .sources()
            .map(|(name, source)| (name.as_str().to_owned(), source.map(str::to_owned)))
            .collect(),
        context: root.context(),
        depth: run.depth + 1,
        preview: root.is_preview(),
        leaked: hands == Hands::Others,
    }
}

/// Why nothing may be made of an answer, as the execution that asked is told.
fn reason(told: &str) -> Unstorable {
    let plain = [Unstorable::Write, Unstorable::NoValidity, Unstorable::UndeclaredStore];
    let known = plain.into_iter().find(|why| why.as_str() == told);
    known.unwrap_or(Unstorable::Contagion)
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let body = bounded(body, limits::PEER_BYTES_MAX).await?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(ProblemKind::Malformed, format!("not what edges say to each other: {error}"))
    })
}

fn json(value: &impl Serialize) -> Response<Body> {
    // What is serialised here has string keys and plain values only.
    let mut response = Response::new(Body::whole(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
