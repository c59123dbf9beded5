//! From a request to its route. The paths are those of the table in `asof_api`, those of the
//! console for browsers, and no others.

use std::sync::LazyLock;

use asof_api::routes::{ROUTES, Route, Verb};
use asof_api::{ErrorName, Problem};
use asof_store::Store;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, header};

use crate::access::Access;
use crate::answering::{Answering, Form};
use crate::app::{App, Settings};
use crate::body::Body;
use crate::console;
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
        let (parts, body) = request.into_parts();
        let Ok(response) = self.route(parts, body).await;
        response
    }

    /// Finds who answers.
    pub(crate) fn route(&self, parts: Parts, body: Body) -> Answering {
        let Ok(found) = PATHS.at(parts.uri.path()) else {
            if let Some(page) = console::find(&parts) {
                return console::answer(&self.app, page, parts, body);
            }
            return Answering::now(Ok(self.unrouted(ErrorName::NoSuchRoute, &parts)));
        };
        let form = Form::asked_by(&parts.method);
        let method = if form == Form::Head { &Method::GET } else { &parts.method };
        let Some(route) = found.value.iter().find(|route| is(route.method, method)) else {
            let mut response = self.unrouted(ErrorName::MethodNotAllowed, &parts);
            response.headers_mut().insert(header::ALLOW, allowed(found.value));
            return Answering::now(Ok(response));
        };
        dispatch(&self.app, route, parts, body, form)
    }

    fn unrouted(&self, name: ErrorName, parts: &Parts) -> Response<Body> {
        let detail = format!("{} {}: see /openapi.json", parts.method, parts.uri.path());
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
