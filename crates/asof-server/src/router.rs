//! From a request to its route. The paths are those of the table in `asof_api`, and no others.

use std::sync::LazyLock;

use asof_api::routes::{ROUTES, Route, Verb};
use asof_api::{ErrorName, Problem};
use asof_store::Store;
use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Body as _;

use crate::access::Access;
use crate::app::{App, Settings};
use crate::body::Body;
use crate::dispatch::dispatch;
use crate::refusal::Refusal;
use crate::reply;

/// The whole surface, without a socket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Router {
    app: App,
}

/// The whole surface over `store`, without a socket.
pub fn router(store: Store, access: Access, settings: Settings) -> Router {
    let (app, _) = App::new(store, access, settings);
    Router::new(app)
}

/// The routes of a path, one a method.
type Methods = Vec<&'static Route>;

static PATHS: LazyLock<matchit::Router<Methods>> = LazyLock::new(|| {
    let mut paths: Vec<(&str, Methods)> = Vec::new();
    for route in ROUTES {
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => methods.push(route),
            None => paths.push((route.path, vec![route])),
        }
    }
    let mut router = matchit::Router::new();
    for (path, methods) in paths {
        let inserted = router.insert(path, methods);
        inserted.expect("the paths of the table do not contradict each other");
    }
    router
});

impl Router {
    pub(crate) fn new(app: App) -> Self {
        // Made before the first request, so that none waits for it.
        LazyLock::force(&PATHS);
        Self { app }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let Ok(found) = PATHS.at(request.uri().path()) else {
            return self.unrouted(ErrorName::NoSuchRoute, &request);
        };
        let head = request.method() == Method::HEAD;
        let method = if head { &Method::GET } else { request.method() };
        let Some(route) = found.value.iter().find(|route| is(route.method, method)) else {
            let mut response = self.unrouted(ErrorName::MethodNotAllowed, &request);
            response.headers_mut().insert(header::ALLOW, allowed(found.value));
            return response;
        };
        let response = dispatch(&self.app, route, request).await;
        if head { without_body(response) } else { response }
    }

    fn unrouted(&self, name: ErrorName, request: &Request<Body>) -> Response<Body> {
        let detail = format!("{} {}: see /openapi.json", request.method(), request.uri().path());
        self.app.metrics.unrouted(name.status().get().as_u16());
        Refusal::from(Problem::new(name, detail)).into_response()
    }
}

fn is(verb: Verb, method: &Method) -> bool {
    verb.method() == *method
}

/// The methods of a path, as `Allow` lists them.
fn allowed(methods: &Methods) -> HeaderValue {
    let mut names = Vec::new();
    for route in methods {
        let method = route.method.method();
        names.push(method.as_str().to_owned());
        if method == Method::GET {
            names.push(Method::HEAD.as_str().to_owned());
        }
    }
    reply::owned_text(names.join(","))
}

/// The answer to HEAD: how long the body would be, without it.
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact()
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
        && !parts.status.is_informational()
        && parts.status != http::StatusCode::NO_CONTENT
        && parts.status != http::StatusCode::NOT_MODIFIED
    {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
