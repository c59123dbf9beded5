//! What is done with a request: the seam between the shell and what decides.

use std::net::SocketAddr;
use std::sync::Arc;

use asof_env::{BootTime, Random};
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use prometheus_client::registry::Registry;

use crate::body::Body;
use crate::caching::Asked;
use crate::config::{Auth, Plan, ServiceName};
use crate::headers;
use crate::problem::Problem;
use crate::spans::{self, Spans};
use crate::target::Target;
use crate::upstream::Forwarder;

/// How a request ended, as one word: what the log, the metrics and the pages say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Outcome(pub &'static str);

impl Outcome {
    /// Handed on uncached.
    pub const PASSED: Self = Self("passed");
    /// The service could not be reached, or did not answer.
    pub const UPSTREAM_FAILED: Self = Self("upstream_failed");
    /// Refused before it came to an engine.
    pub const REFUSED: Self = Self("refused");
    /// Refused, since too much is under way.
    pub const SHED: Self = Self("shed");
}

/// An answer, and how it came about.
#[derive(Debug)]
pub struct Answer {
    /// What the client gets.
    pub response: Response<Body>,
    /// How it came about.
    pub outcome: Outcome,
}

impl Answer {
    /// The answer that a problem is.
    pub fn problem(problem: &Problem, outcome: Outcome) -> Self {
        Self { response: problem.answer(), outcome }
    }
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A client, from beyond the trust boundary.
    Client {
        /// Its address.
        peer: SocketAddr,
        /// Whether it speaks TLS with the edge.
        tls: bool,
    },
    /// An operator, as a client of a moment that is still to come, by the listener for that.
    Preview {
        /// Its address.
        peer: SocketAddr,
    },
    /// A service, through its own egress listener.
    Service(ServiceName),
}

impl Origin {
    /// The address of a client, and whether it speaks TLS with the edge; `None` for a service.
    pub fn client(&self) -> Option<(&SocketAddr, bool)> {
        match self {
            Self::Client { peer, tls } => Some((peer, *tls)),
            Self::Preview { peer } => Some((peer, false)),
            Self::Service(_) => None,
        }
    }
}

/// One request, as an engine is handed it.
#[derive(Debug)]
pub struct Call {
    /// Who calls.
    pub origin: Origin,
    /// Whom.
    pub target: Target,
    /// The authority that the caller named, if any.
    pub authority: Option<String>,
    /// How many times it has come through an edge; below the limit.
    pub depth: u32,
    /// The configuration it is to be judged by, whatever is loaded meanwhile.
    pub plan: Arc<Plan>,
    /// The request. Its URI is path and query as the target is to see them; headers are as they
    /// came, those of the connection too.
    pub request: Request<Body>,
    /// What the request said as it came, where that is likely to be said again.
    pub asked: Option<Asked>,
}

/// What is known of a request before it is a [`Call`].
#[derive(Debug)]
pub enum Again {
    /// This service answers it as it did before.
    Answered(ServiceName, Answer),
    /// It is to be looked into; this goes with the call.
    New(Option<Asked>),
}

/// Decides what is done with requests.
pub trait Engine: Send + Sync + 'static {
    /// The answer to a request of a client that was answered before, while everything was as it is
    /// now. Such a request asks for nothing to be done, and so takes no place.
    fn again(&self, request: &Request<Incoming>, now: BootTime) -> Again {
        let _ = (request, now);
        Again::New(None)
    }

    /// Answers one.
    fn call(&self, call: Call) -> impl Future<Output = Answer> + Send;

    /// A call of a service was refused before it became one: nobody knows on whose behalf it was
    /// made, and the service may make do without it. Ends before the service is answered.
    fn refused(&self, from: &ServiceName) -> impl Future<Output = ()> + Send {
        let _ = from;
        core::future::ready(())
    }

    /// Whether such an engine can run by `plan`. Asked before the plan takes effect, at start and at reload.
    ///
    /// # Errors
    ///
    /// Why not, and what to do about it.
    fn accepts(plan: &Plan) -> Result<(), String> {
        let _ = plan;
        Ok(())
    }

    /// Goes over to `plan`, which it accepted. Calls under way keep theirs.
    fn reload(&self, plan: &Arc<Plan>) {
        let _ = plan;
    }

    /// Whether it can answer.
    ///
    /// # Errors
    ///
    /// Why not, for `/readyz`.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// Answers a request of an operator that the shell does not know, if it does.
    fn admin(&self, request: Request<Body>) -> impl Future<Output = Option<Response<Body>>> + Send {
        let _ = request;
        core::future::ready(None)
    }

    /// Answers a request of another edge, if it knows it.
    fn peer(&self, request: Request<Body>) -> impl Future<Output = Option<Response<Body>>> + Send {
        let _ = request;
        core::future::ready(None)
    }

    /// What makes spans of requests, where somebody takes them.
    fn spans(&self) -> Option<&Spans> {
        None
    }

    /// Adds its metrics.
    fn register(&self, registry: &mut Registry) {
        let _ = registry;
    }
}

/// The engine that caches nothing: every request goes to its service.
#[derive(Debug)]
pub struct PassThrough {
    forwarder: Forwarder,
    random: Arc<dyn Random>,
}

impl PassThrough {
    /// One that reaches services through `forwarder`.
    pub fn new(forwarder: Forwarder, random: Arc<dyn Random>) -> Self {
        Self { forwarder, random }
    }

    fn prepare(&self, call: &mut Call) {
        let headers = call.request.headers_mut();
        if let Some((peer, tls)) = call.origin.client() {
            headers::strip_inward(headers);
            forwarded(headers, peer, tls);
            if let Some(host) = call.authority.as_deref().and_then(|host| host.parse().ok()) {
                // Pages make links out of it.
                headers.insert(header::HOST, host);
            }
        } else {
            headers::strip_context(headers);
            headers.remove(header::HOST);
        }
        spans::ensure(headers, &*self.random);
        headers::set_depth(headers, call.depth);
    }
}

/// Says who asked (RFC 7239), in place of what the client claims.
pub(crate) fn forwarded(headers: &mut http::HeaderMap, peer: &SocketAddr, tls: bool) {
    let node = match peer.ip() {
        core::net::IpAddr::V4(ip) => ip.to_string(),
        core::net::IpAddr::V6(ip) => format!("\"[{ip}]\""),
    };
    let proto = if tls { "https" } else { "http" };
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"] {
        headers.remove(name);
    }
    if let Ok(value) = HeaderValue::try_from(format!("for={node};proto={proto}")) {
        headers.insert(header::FORWARDED, value);
    }
}

impl Engine for PassThrough {
    async fn call(&self, mut call: Call) -> Answer {
        self.prepare(&mut call);
        let from_client = call.origin.client().is_some();
        match self.forwarder.forward(&call.target, call.request).await {
            Ok(mut response) => {
                if from_client {
                    headers::strip_outward(response.headers_mut());
                } else {
                    headers::strip_context(response.headers_mut());
                }
                Answer { response, outcome: Outcome::PASSED }
            }
            Err(error) => Answer::problem(&error.problem(), Outcome::UPSTREAM_FAILED),
        }
    }

    fn accepts(plan: &Plan) -> Result<(), String> {
        if plan.preview_listen.is_some() {
            return Err("preview_listen: this engine answers at no moment: remove it".to_owned());
        }
        // Letting everybody in where somebody asked for a check would be worse than not starting.
        match &plan.auth {
            Auth::None => Ok(()),
            other => Err(format!(
                "auth.mode = \"{}\" is not enforced by this version: remove it, and let \
                 something in front check who clients are",
                other.as_str()
            )),
        }
    }
}
