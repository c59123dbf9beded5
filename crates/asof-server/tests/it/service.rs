//! A service over a store in memory, called without a socket.

use asof_server::{Access, Body, Router, Settings, router, token_hash};
use asof_store::{Actor, Options, Role, Scope, Store, Token};
use asof_time::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) router: Router,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Service {
    pub(crate) fn new(access: Access) -> Self {
        Self::with(access, Settings::default())
    }

    pub(crate) fn with(access: Access, settings: Settings) -> Self {
        let store = Store::in_memory(Options::default()).unwrap();
        let router = router(store.clone(), access, settings);
        Self { store, router }
    }

    pub(crate) fn open() -> Self {
        Self::new(Access::InProcess)
    }

    /// Remembers a token and returns its secret.
    pub(crate) fn token(&self, name: &str, role: Role, scope: Scope) -> String {
        let secret = format!("asof_{name}");
        let token = Token {
            name: name.to_owned(),
            role,
            scope,
            hash: token_hash(&secret),
            created: Timestamp::MIN,
        };
        self.store.create_token(token, actor()).unwrap();
        secret
    }

    pub(crate) async fn respond(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.answer(request).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.respond(request.body(body.into()).unwrap()).await;
        let (parts, body) = response.into_parts();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Body::empty()).await
    }

    /// Puts JSON and returns when it took effect.
    pub(crate) async fn put(&self, path: &str, json: &'static str) -> u64 {
        let headers = [("content-type", "application/json")];
        let reply = self.send("PUT", path, &headers, json).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["effective"].as_u64().unwrap()
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and name of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        let name = json["name"].as_str().unwrap().to_owned();
        assert_eq!(json["type"], format!("/errors/{name}"));
        (self.status.as_u16(), name)
    }
}

pub(crate) fn actor() -> Actor {
    Actor { name: "test".to_owned(), reason: "because".to_owned() }
}
