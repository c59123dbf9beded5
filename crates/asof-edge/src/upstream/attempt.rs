//! Sending one request: the attempt, and the second one where that is safe.

use std::sync::Arc;

use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use tokio::time::sleep;

use super::dial::{self, Reused};
use super::error::{UpstreamError, UpstreamErrorKind as Kind};
use super::instance::{InFlight, Instance};
use super::pool::{Lease, Sender};
use super::progress::{Progress, watched};
use super::set::Upstreams;
use super::{Shared, tunnel};
use crate::body::{Body, BodyError};
use crate::headers;

/// A request on its way, in the form that every attempt is made from.
struct Outgoing {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    body: Body,
    /// Whether it may be sent again though it was sent.
    repeatable: bool,
}

/// What one attempt came to.
enum Tried {
    Answered(Response<Incoming>, Lease),
    /// Not a byte was sent: another may be tried.
    Unsent(Box<Outgoing>, UpstreamError),
    /// It was sent over a connection that had been waiting, and that ended.
    Stale(Box<Outgoing>, UpstreamError),
    Failed(UpstreamError),
}

/// Sends `request` to an instance of `set`; a second time, at most, where that is safe.
pub(super) async fn forward(
    shared: &Shared,
    set: &Arc<Upstreams>,
    mut request: Request<Body>,
) -> Result<Response<Body>, UpstreamError> {
    let upgrade = headers::upgrade(&request).filter(|_| !set.settings.http2);
    let client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let version = request.version();
    let (parts, body) = request.into_parts();
    let (body, progress) = watched(body);
    let mut headers = parts.headers;
    headers::strip_hop_by_hop(&mut headers);
    // The edge has told the client to go on, or will; nobody is to be asked twice.
    headers.remove(header::EXPECT);
    headers::add_via(&mut headers, version);
    if let Some(protocol) = upgrade {
        headers.insert(header::UPGRADE, protocol);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    let path = parts.uri.into_parts().path_and_query;
    let mut outgoing = Outgoing {
        repeatable: client.is_none() && parts.method.is_idempotent() && body.is_end_stream(),
        method: parts.method,
        path: path.unwrap_or(PathAndQuery::from_static("/")),
        headers,
        body,
    };
    let mut tried: Option<Arc<Instance>> = None;
    loop {
        let again = tried.is_some();
        let Some(instance) = set.choose(tried.as_ref()) else {
            return Err(UpstreamError::new(&set.target, Kind::Unknown));
        };
        // What proved stale on one connection gets a new one.
        match attempt(set, &instance, outgoing, &progress, again).await {
            Tried::Answered(response, lease) => {
                return Ok(answer(shared, set, response, lease, client));
            }
            Tried::Failed(error) => return Err(error),
            Tried::Unsent(_, error) | Tried::Stale(_, error) if again => return Err(error),
            Tried::Unsent(back, error) | Tried::Stale(back, error) => {
                tracing::debug!(%error, "trying once more");
                shared.metrics.retries.inc();
                outgoing = *back;
                tried = Some(instance);
            }
        }
    }
}

async fn attempt(
    set: &Upstreams,
    instance: &Arc<Instance>,
    outgoing: Outgoing,
    progress: &Progress,
    again: bool,
) -> Tried {
    let Some(in_flight) = instance.enter() else {
        return Tried::Failed(UpstreamError::new(&set.target, Kind::Overloaded));
    };
    let connected = if again && !instance.http2 {
        dial::fresh(instance).await.map(|sender| (sender, Reused::No))
    } else {
        dial::connection(instance).await
    };
    let (sender, reused) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            let error = UpstreamError::because(&set.target, error.kind, error.cause);
            return Tried::Unsent(Box::new(outgoing), error);
        }
    };
    // A copy is made only where it may be needed.
    let spare = (outgoing.repeatable && reused == Reused::Yes).then(|| Outgoing {
        method: outgoing.method.clone(),
        path: outgoing.path.clone(),
        headers: outgoing.headers.clone(),
        body: Body::empty(),
        repeatable: true,
    });
    let repeatable = outgoing.repeatable;
    let had_host = outgoing.headers.contains_key(header::HOST);
    let request = build(instance, outgoing);
    match send(set, sender, request, progress).await {
        Ok((response, sender)) => Tried::Answered(response, lease(in_flight, sender)),
        Err(SendError::Timeout) => Tried::Failed(UpstreamError::new(&set.target, Kind::Timeout)),
        Err(SendError::Lost(error, Some(request))) => {
            let error = UpstreamError::because(&set.target, Kind::Broken, error);
            Tried::Unsent(Box::new(take_apart(*request, had_host, repeatable)), error)
        }
        Err(SendError::Lost(error, None)) => {
            let kind = kind_of(&error);
            let error = UpstreamError::because(&set.target, kind, &error);
            match spare {
                Some(spare) if kind == Kind::Broken => Tried::Stale(Box::new(spare), error),
                _ => Tried::Failed(error),
            }
        }
    }
}

fn lease(in_flight: InFlight, sender: Sender) -> Lease {
    let sender = match sender {
        Sender::One(sender) => Some(sender),
        Sender::Two(_) => None,
    };
    Lease { in_flight, sender }
}

/// The request as `instance` is to see it.
fn build(instance: &Instance, outgoing: Outgoing) -> Request<Body> {
    let Outgoing { method, path, mut headers, body, .. } = outgoing;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    if instance.http2 {
        let host = headers.remove(header::HOST);
        let named = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let authority = named.unwrap_or_else(|| instance.url.authority().clone());
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(instance.url.scheme());
        parts.authority = Some(authority);
        parts.path_and_query = Some(path);
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
    } else {
        if let header::Entry::Vacant(entry) = headers.entry(header::HOST)
            && let Ok(host) = HeaderValue::from_str(instance.url.authority().as_str())
        {
            entry.insert(host);
        }
        *request.uri_mut() = Uri::from(path);
    }
    *request.headers_mut() = headers;
    request
}

/// The opposite of [`build`], for a request that came back unsent.
fn take_apart(request: Request<Body>, had_host: bool, repeatable: bool) -> Outgoing {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    if !had_host {
        headers.remove(header::HOST);
    } else if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        headers.insert(header::HOST, host);
    }
    let path = parts.uri.into_parts().path_and_query;
    Outgoing {
        method: parts.method,
        path: path.unwrap_or(PathAndQuery::from_static("/")),
        headers,
        body,
        repeatable,
    }
}

enum SendError {
    Timeout,
    /// With the request, where not a byte of it was sent.
    Lost(hyper::Error, Option<Box<Request<Body>>>),
}

impl From<TrySendError<Request<Body>>> for SendError {
    fn from(mut error: TrySendError<Request<Body>>) -> Self {
        let request = error.take_message().map(Box::new);
        Self::Lost(error.into_error(), request)
    }
}

/// Sends and waits for the head. The time-out runs while the service is waited for: from the
/// last piece of the request body that it took.
async fn send(
    set: &Upstreams,
    sender: Sender,
    request: Request<Body>,
    progress: &Progress,
) -> Result<(Response<Incoming>, Sender), SendError> {
    let answered = async move {
        match sender {
            Sender::One(mut sender) => {
                let response = sender.try_send_request(request).await?;
                Ok((response, Sender::One(sender)))
            }
            Sender::Two(mut sender) => {
                if let Err(error) = sender.ready().await {
                    return Err(SendError::Lost(error, Some(Box::new(request))));
                }
                let response = sender.try_send_request(request).await?;
                Ok((response, Sender::Two(sender)))
            }
        }
    };
    let mut answered = core::pin::pin!(answered);
    let mut seen = progress.frames();
    loop {
        tokio::select! {
            done = &mut answered => return done,
            () = sleep(set.settings.timeout) => {
                let now = progress.frames();
                if now == seen && !progress.is_waiting() {
                    return Err(SendError::Timeout);
                }
                seen = now;
            }
        }
    }
}

/// Whether the service is at fault, or the client whose body it was to get.
fn kind_of(error: &hyper::Error) -> Kind {
    let mut cause: Option<&(dyn core::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<BodyError>() {
            Some(BodyError::Still(_)) => return Kind::RequestStill,
            Some(BodyError::Broken(_) | BodyError::Other(_)) => return Kind::RequestBroken,
            None => cause = error.source(),
        }
    }
    Kind::Broken
}

/// Marks an answer whose body ends where the connection does, so that nobody can tell whether all
/// of it came (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndsWithConnection;

/// The answer as it goes on.
fn answer(
    shared: &Shared,
    set: &Upstreams,
    mut response: Response<Incoming>,
    lease: Lease,
    client: Option<hyper::upgrade::OnUpgrade>,
) -> Response<Body> {
    let still_max = set.settings.timeout;
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let version = response.version();
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let service = switched.then(|| hyper::upgrade::on(&mut response));
    let framed = version == Version::HTTP_2
        || response.headers().contains_key(header::CONTENT_LENGTH)
        || response.headers().contains_key(header::TRANSFER_ENCODING);
    headers::strip_hop_by_hop(response.headers_mut());
    headers::add_via(response.headers_mut(), version);
    let (mut parts, incoming) = response.into_parts();
    if !framed && !hyper::body::Body::is_end_stream(&incoming) {
        parts.extensions.insert(EndsWithConnection);
    }
    // The side of the client speaks its own.
    parts.version = Version::HTTP_11;
    if !switched {
        return Response::from_parts(parts, Body::upstream(incoming, still_max, lease));
    }
    let opened = match (client, service) {
        (Some(client), Some(service)) => tunnel::open(shared, client, service, lease),
        // A service that switches unasked.
        _ => None,
    };
    if opened.is_none() {
        return UpstreamError::new(&set.target, Kind::Overloaded).problem().answer();
    }
    if let Some(protocol) = protocol {
        parts.headers.insert(header::UPGRADE, protocol);
    }
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    Response::from_parts(parts, Body::empty())
}
