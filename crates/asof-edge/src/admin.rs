//! What operators ask for.
//!
//! `/healthz`   whether the process lives
//! `/readyz`    whether it can answer: the engine, and for each service and store an instance
//! `/metrics`   what is counted
//!
//! What is not here is the engine's.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use subtle::ConstantTimeEq;

use crate::body::Body;
use crate::engine::Engine;
use crate::limits;
use crate::problem::{Problem, ProblemKind};
use crate::server::Shared;
use crate::target::{self, Target};

/// Media type of metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers one request of an operator.
pub(crate) async fn handle<E: Engine>(
    shared: &Arc<Shared<E>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let probe = matches!(request.uri().path(), "/healthz" | "/readyz");
    let live = shared.live();
    let token = (live.admin_token.as_deref(), "admin_token_file");
    if let Err(problem) = allowed(token, probe, &request) {
        return problem.answer();
    }
    let request = request.map(|body| Body::client(body, limits::BODY_TIMEOUT));
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        match request.uri().path() {
            "/healthz" => return text(StatusCode::OK, "alive\n".to_owned()),
            "/readyz" => return readiness(shared),
            "/metrics" => return metrics(shared),
            _ => {}
        }
    }
    let answered = shared.engine.admin(request).await;
    answered.unwrap_or_else(|| {
        let detail = "there are /healthz, /readyz and /metrics";
        Problem::new(ProblemKind::NoSuchRoute, detail).answer()
    })
}

/// Answers one request of another edge.
pub(crate) async fn peer<E: Engine>(
    shared: &Arc<Shared<E>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let live = shared.live();
    if let Err(problem) = allowed((live.peer_token.as_deref(), "peer_token_file"), false, &request)
    {
        return problem.answer();
    }
    let request = request.map(|body| Body::client(body, limits::BODY_TIMEOUT));
    let answered = shared.engine.peer(request).await;
    answered.unwrap_or_else(|| {
        Problem::new(ProblemKind::NoSuchRoute, "edges ask each other other things").answer()
    })
}

/// Whether whoever asks may: with the token where there is one, and else from this machine only,
/// which a page in a browser on it must not be able to pass for.
fn allowed<B>(
    (token, file): (Option<&str>, &str),
    probe: bool,
    request: &Request<B>,
) -> Result<(), Problem> {
    let authority = target::authority(request)?;
    if let Some(token) = token {
        let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|value| value.strip_prefix(b"Bearer "));
        let good = given.is_some_and(|given| bool::from(given.ct_eq(token.as_bytes())));
        return if good || probe {
            Ok(())
        } else {
            let detail = format!("send the token of {file} as `Authorization: Bearer`");
            Err(Problem::new(ProblemKind::Unauthorized, detail))
        };
    }
    from_here(&[], authority.as_deref(), request.headers())
}

/// Whether a request is not that of a web page of another origin, which a browser on this machine
/// sends here as well. `hosts` may be asked for besides this machine.
pub(crate) fn from_here(
    hosts: &[&str],
    authority: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let host = authority.and_then(target::host_of);
    let here = host.is_none_or(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let local = host == "localhost" || bare.parse::<core::net::IpAddr>().is_ok();
        local || hosts.contains(&&*host)
    });
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    if here && same_site {
        return Ok(());
    }
    let detail = "without a token the host must be localhost or an address, and no web page of \
                  another origin may ask";
    Err(Problem::new(ProblemKind::Forbidden, detail))
}

fn readiness<E: Engine>(shared: &Arc<Shared<E>>) -> Response<Body> {
    let mut troubles: Vec<String> = shared.engine.ready().err().into_iter().collect();
    let live = shared.live();
    let plan = &live.plan;
    let services = plan.services.keys().cloned().map(Target::Service);
    let stores = plan.stores.keys().cloned().map(Target::Store);
    let mut lines = Vec::new();
    for target in services.chain(stores) {
        let (all, well) = shared.forwarder.health(&target).unwrap_or_default();
        lines.push(format!("{target}: {well} of {all} instances are well"));
        if well == 0 {
            troubles.push(format!("no instance of `{target}` is well"));
        }
    }
    // One service that is away is no reason to take the edge out: the others would go with it.
    let blocked = shared.engine.ready().is_err() || *shared.stopping.borrow();
    let status = if blocked { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let word = if blocked { "not ready" } else { "ready" };
    troubles.extend(lines);
    text(status, format!("{word}\n{}\n", troubles.join("\n")))
}

fn metrics<E: Engine>(shared: &Arc<Shared<E>>) -> Response<Body> {
    let mut encoded = String::new();
    if prometheus_client::encoding::text::encode(&mut encoded, &shared.registry).is_err() {
        return Problem::new(ProblemKind::Unavailable, "the metrics cannot be encoded").answer();
    }
    let mut response = text(StatusCode::OK, encoded);
    let media_type = HeaderValue::from_static(OPEN_METRICS);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
