//! What happens to a request between a listener and the engine.

use core::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use asof_listen::Soon;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri, Version, header};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin;
use crate::body::Body;
use crate::caching::Asked;
use crate::config::{Plan, ServiceName};
use crate::engine::{Again, Answer, Call, Engine, Origin, Outcome};
use crate::headers;
use crate::limits;
use crate::problem::{Problem, ProblemKind};
use crate::record::{Entry, recorded};
use crate::server::Shared;
use crate::target::{self, Target};

/// Which listener a connection came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Door {
    /// That of clients.
    Ingress,
    /// That of a service, for the calls it makes.
    Egress(ServiceName),
    /// That of operators who look at what is still to come.
    Preview,
    /// That of operators.
    Admin,
    /// That of other edges.
    Peer,
}

impl Door {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress(_) => "egress",
            Self::Preview => "preview",
            Self::Admin => "admin",
            Self::Peer => "peer",
        }
    }

    /// Whether requests by it begin trees of calls.
    pub(crate) fn is_of_clients(&self) -> bool {
        matches!(self, Self::Ingress | Self::Preview)
    }

    /// Whether it is there until what came in by the others has ended.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Admin | Self::Peer)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
}

/// How many requests may be under way.
#[derive(Debug)]
pub(crate) struct Gates {
    ingress: Arc<Semaphore>,
    egress: Arc<Semaphore>,
}

impl Gates {
    pub(crate) fn new(requests_in_flight: usize) -> Self {
        let most = requests_in_flight.min(Semaphore::MAX_PERMITS);
        let egress = most.saturating_mul(limits::EGRESS_PER_REQUEST).min(Semaphore::MAX_PERMITS);
        Self { ingress: Arc::new(Semaphore::new(most)), egress: Arc::new(Semaphore::new(egress)) }
    }

    /// A place, if there is one. Nobody waits: a queue would only add to what is too much.
    fn enter(&self, door: &Door) -> Result<OwnedSemaphorePermit, Problem> {
        let gate = if door.is_of_clients() { &self.ingress } else { &self.egress };
        Arc::clone(gate).try_acquire_owned().map_err(|_| {
            Problem::new(
                ProblemKind::Overloaded,
                "too many requests are under way: ask again later",
            )
        })
    }
}

/// The answer to one request. Making it never fails: what goes wrong is an answer as well.
pub(crate) type Answering = Soon<'static, Result<Response<Body>, Infallible>>;

/// Answers one request that came to `door`.
pub(crate) fn answer<E: Engine>(
    shared: &Arc<Shared<E>>,
    door: &Door,
    peer: Peer,
    request: Request<Incoming>,
) -> Answering {
    let own = Arc::clone(shared);
    match door {
        Door::Admin => Soon::later(async move { Ok(admin::handle(&own, request).await) }),
        Door::Peer => Soon::later(async move { Ok(admin::peer(&own, request).await) }),
        Door::Ingress | Door::Egress(_) | Door::Preview => {
            let mut entry =
                Entry::begin(&shared.metrics, &shared.clock, door, &request, shared.engine.spans());
            let again = match door {
                Door::Ingress => shared.engine.again(&request, entry.began()),
                _ => Again::New(None),
            };
            match again {
                Again::Answered(service, answer) => {
                    entry.target(Target::Service(service));
                    entry.repeats(|| Arc::clone(&shared.live().plan));
                    Soon::now(Ok(recorded(entry, answer, None)))
                }
                Again::New(asked) => {
                    let door = door.clone();
                    Soon::later(async move {
                        Ok(handle(&own, &door, peer, request, entry, asked).await)
                    })
                }
            }
        }
    }
}

/// Answers one request that is to be looked into.
async fn handle<E: Engine>(
    shared: &Shared<E>,
    door: &Door,
    peer: Peer,
    mut request: Request<Incoming>,
    mut entry: Entry,
    asked: Option<Asked>,
) -> Response<Body> {
    let live = shared.live();
    entry.carried(request.headers_mut());
    let refused = |problem: &Problem, outcome| Answer::problem(problem, outcome);
    let chunked = request.version() <= Version::HTTP_11
        && request.headers().contains_key(header::TRANSFER_ENCODING);
    let place = match live.gates.enter(door) {
        Ok(place) => place,
        Err(problem) => {
            if let Door::Egress(from) = door {
                shared.engine.refused(from).await;
            }
            return recorded(entry, refused(&problem, Outcome::SHED), None);
        }
    };
    let answer = match admit(&live.plan, door, peer, request) {
        Ok(call) => {
            entry.target(call.target.clone());
            let (method, path) = (call.request.method(), call.request.uri().path());
            entry.aimed(&live.plan, &call.target, method, path);
            shared.engine.call(Call { asked, ..call }).await
        }
        Err(problem) => {
            if let Door::Egress(from) = door {
                shared.engine.refused(from).await;
            }
            refused(&problem, Outcome::REFUSED)
        }
    };
    let mut response = recorded(entry, answer, Some(place));
    if chunked && door.is_of_clients() && !response.headers().contains_key(header::UPGRADE) {
        // Such a request may have said its length as well, and whoever is in front may have gone
        // by that: what follows it on this connection cannot be trusted (RFC 9112, 6.1).
        response
            .headers_mut()
            .insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

/// The call that a request is, if it is one.
fn admit(
    plan: &Arc<Plan>,
    door: &Door,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Result<Call, Problem> {
    if request.method() == Method::CONNECT {
        let detail = "CONNECT is refused: call services as `/-/NAME/path` or `http://NAME/path`";
        return Err(Problem::new(ProblemKind::NoTunnels, detail));
    }
    let authority = target::authority(&request)?;
    if request.version() == Version::HTTP_11
        && authority.is_none()
        && door.is_of_clients()
        && !request.headers().contains_key(header::HOST)
    {
        return Err(Problem::new(ProblemKind::Malformed, "there is no Host header"));
    }
    let depth = headers::depth(request.headers());
    if depth >= plan.limits.call_depth {
        let detail = format!(
            "it has come through the edge {depth} times, and limits.call_depth is {}",
            plan.limits.call_depth
        );
        return Err(Problem::new(ProblemKind::Loop, detail));
    }
    let (origin, target, path) = aim(plan, door, peer, authority.as_deref(), &request)?;
    *request.uri_mut() = Uri::from(path);
    Ok(Call {
        origin,
        target,
        authority,
        depth,
        plan: Arc::clone(plan),
        request: request.map(|body| Body::client(body, limits::BODY_TIMEOUT)),
        asked: None,
    })
}

fn aim(
    plan: &Plan,
    door: &Door,
    peer: Peer,
    authority: Option<&str>,
    request: &Request<Incoming>,
) -> Result<(Origin, Target, PathAndQuery), Problem> {
    let uri = request.uri();
    match door {
        Door::Egress(service) => {
            let (target, path) = target::resolve(plan, authority, uri)?;
            Ok((Origin::Service(service.clone()), target, path))
        }
        Door::Ingress | Door::Preview | Door::Admin | Door::Peer => {
            if *door == Door::Preview {
                let hosts = plan.rules.iter().filter_map(|rule| rule.host.as_deref());
                admin::from_here(&hosts.collect::<Vec<_>>(), authority, request.headers())?;
            }
            let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
            let host = authority.and_then(target::host_of);
            let Some(rule) = plan.rule(host.as_deref(), path.path()) else {
                let detail = "no rule of the edge leads from this host and path to a service";
                return Err(Problem::new(ProblemKind::NoSuchRoute, detail));
            };
            let origin = match door {
                Door::Preview => Origin::Preview { peer: peer.address },
                _ => Origin::Client { peer: peer.address, tls: peer.tls },
            };
            Ok((origin, Target::Service(rule.service.clone()), path))
        }
    }
}
