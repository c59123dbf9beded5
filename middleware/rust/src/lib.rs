//! Copies the context of a request to the calls made while handling it. Does nothing else.
//!
//! The edge names every request that it sends to a service with an opaque context, in the header
//! `Asof-Context` or, where that is absent, in the `baggage` member `asof`. Calls that carry it back
//! are recorded as inputs of the answer.
//!
//! A server (axum, tonic, hyper with tower) takes it in by a layer, a client sends it on by another:
//!
//! ```ignore
//! let app = Router::new().route("/", get(page)).layer(asof_context::ServeLayer);
//!
//! let client = ServiceBuilder::new()
//!     .layer(asof_context::CarryLayer::new(Egress::from_env()))
//!     .service(hyper_util::client::legacy::Client::builder(executor).build_http::<Body>());
//! ```
//!
//! A client that is no tower service has its headers filled by [`Egress::add_context`]. What follows
//! redirects, as `reqwest` does unless told not to, repeats the headers wherever it is led: where
//! the egress matters, it must not, or it must be a layer around [`CarryLayer`].
//!
//! The context belongs to the task that handles the request. What is spawned is another task:
//! `tokio::spawn(asof_context::bound(work))`. So it is for a body that makes calls while it is
//! streamed, which the server polls when the handler is done. Work that goes on after the answer
//! carries the context in the same way, and that is wanted: the edge then sees a late call and keeps
//! nothing that depends on it.

use std::future::Future;
use std::task::{Context, Poll};

use http::header::{Entry, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use tokio::task::futures::TaskLocalFuture;
use tower_layer::Layer;
use tower_service::Service;

const HEADER: HeaderName = HeaderName::from_static("asof-context");

/// The length in bytes above which a value is no context.
const LONGEST: usize = 256;

tokio::task_local! {
    static CONTEXT: Option<HeaderValue>;
}

/// The context of the request being handled; `None` outside of one.
pub fn current() -> Option<HeaderValue> {
    CONTEXT.try_with(Clone::clone).ok().flatten()
}

/// The future, to be run by another task under the context of this one.
pub fn bound<F: Future>(future: F) -> TaskLocalFuture<Option<HeaderValue>, F> {
    CONTEXT.scope(current(), future)
}

/// Handles each request under the context that it carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeLayer;

impl<S> Layer<S> for ServeLayer {
    type Service = Serve<S>;

    fn layer(&self, inner: S) -> Serve<S> {
        Serve { inner }
    }
}

/// The service that [`ServeLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Serve<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Serve<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = TaskLocalFuture<Option<HeaderValue>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = incoming(request.headers());
        // A service may do its work in `call`, before there is a future.
        let future = CONTEXT.sync_scope(context.clone(), || self.inner.call(request));
        CONTEXT.scope(context, future)
    }
}

/// Adds the context to each call. It looks at the task that calls, so it stands before a buffer.
#[derive(Clone, Debug)]
pub struct CarryLayer {
    egress: Egress,
}

impl CarryLayer {
    /// A layer that adds the context to calls of this egress.
    pub fn new(egress: Egress) -> CarryLayer {
        CarryLayer { egress }
    }
}

impl<S> Layer<S> for CarryLayer {
    type Service = Carry<S>;

    fn layer(&self, inner: S) -> Carry<S> {
        Carry { inner, egress: self.egress.clone() }
    }
}

/// The service that [`CarryLayer`] makes.
#[derive(Clone, Debug)]
pub struct Carry<S> {
    inner: S,
    egress: Egress,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Carry<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let uri = request.uri().clone();
        self.egress.add_context(&uri, request.headers_mut());
        self.inner.call(request)
    }
}

/// Which calls may carry the context.
#[derive(Clone, Debug)]
pub struct Egress(Reach);

#[derive(Clone, Debug)]
enum Reach {
    Anywhere,
    Origin(Uri),
    Nowhere,
}

impl Egress {
    /// Calls to the origin in `ASOF_EGRESS`, or all calls if that is not set.
    pub fn from_env() -> Egress {
        match std::env::var_os("ASOF_EGRESS") {
            None => Egress(Reach::Anywhere),
            Some(url) if url.is_empty() => Egress(Reach::Anywhere),
            Some(url) => Egress::at(&url.to_string_lossy()),
        }
    }

    /// All calls.
    pub fn anywhere() -> Egress {
        Egress(Reach::Anywhere)
    }

    /// Calls to the origin of this URL. What is no URL is nobody's: no call carries the context.
    pub fn at(url: &str) -> Egress {
        match url.parse::<Uri>() {
            Ok(uri) if origin(&uri).is_some() => Egress(Reach::Origin(uri)),
            _ => Egress(Reach::Nowhere),
        }
    }

    /// Adds the context of the request being handled to the headers of a call of this URI, unless
    /// they have one.
    pub fn add_context(&self, uri: &Uri, headers: &mut HeaderMap) {
        let Some(context) = current() else { return };
        let carries = match &self.0 {
            Reach::Anywhere => true,
            Reach::Origin(egress) => origin(egress) == origin(uri),
            Reach::Nowhere => false,
        };
        if carries && let Entry::Vacant(entry) = headers.entry(HEADER) {
            entry.insert(context);
        }
    }
}

/// Scheme, host and port.
fn origin(uri: &Uri) -> Option<(&str, String, u16)> {
    let scheme = uri.scheme_str()?;
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// The context that a request carries. The header, even a bad one, goes before the baggage.
fn incoming(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut given = headers.get_all(HEADER).iter();
    let value = match (given.next(), given.next()) {
        (Some(value), None) => value.clone(),
        (Some(_), Some(_)) => return None,
        (None, _) => from_baggage(headers)?,
    };
    // Whatever does not look like this was not made by an edge, and may be an attempt to smuggle.
    let is_token =
        (1..=LONGEST).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    is_token.then_some(value)
}

fn from_baggage(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all("baggage").iter().filter_map(|line| line.to_str().ok());
    let value = lines.flat_map(|line| line.split(',')).find_map(|member| {
        let pair = member.split(';').next()?; // properties follow
        let (name, value) = pair.split_once('=')?;
        (name.trim() == "asof").then(|| value.trim())
    })?;
    HeaderValue::from_str(value).ok()
}
