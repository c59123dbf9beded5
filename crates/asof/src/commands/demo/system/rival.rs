//! What people do today, for comparison: the same services behind a front that caches nothing,
//! caches for a while, or puts a rounded timestamp into every key.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use asof_env::{BootTime, Clock, SystemClock};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::services::NAMES;
use super::web::{self, Asked, Got, Http};

/// What a front does with what it was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    /// Nothing: every request is executed, in all layers.
    NoCache,
    /// Keeps every answer of a service for this long.
    Ttl(Duration),
    /// Reads everything as of a moment that moves on in steps, and keeps answers by it.
    Keyed(Duration),
}

/// A front before and between the services.
#[derive(Debug)]
pub(super) struct Front {
    policy: Policy,
    store: String,
    http: Http,
    services: OnceLock<[SocketAddr; 3]>,
    kept: Mutex<HashMap<String, (BootTime, Got)>>,
    /// Calls that services executed, and reads of the store.
    pub(super) executions: AtomicU64,
    pub(super) reads: AtomicU64,
}

impl Front {
    pub(super) fn new(policy: Policy, store: &str) -> Arc<Self> {
        Arc::new(Self {
            policy,
            store: store.to_owned(),
            http: web::client(),
            services: OnceLock::new(),
            kept: Mutex::default(),
            executions: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        })
    }

    /// Where clients and services find it.
    pub(super) async fn serve(self: &Arc<Self>) -> std::io::Result<SocketAddr> {
        let front = Arc::clone(self);
        web::serve(move |asked| {
            let front = Arc::clone(&front);
            async move { front.answer(asked).await }
        })
        .await
    }

    /// Where the services are, which need to know where this is before they start.
    pub(super) fn found(&self, services: [SocketAddr; 3]) {
        // Told once, right after the services started.
        let _ = self.services.set(services);
    }

    async fn answer(&self, asked: Asked) -> Response<Full<Bytes>> {
        let query =
            if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        let got = if let Some(rest) = asked.path.strip_prefix("/-/") {
            let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
            let moment = asked.header("asof-context").to_owned();
            if name == "main" {
                self.read(&format!("/{path}{query}"), &moment).await
            } else {
                self.service(name, &format!("/{path}{query}"), &moment, &[]).await
            }
        } else {
            self.root(&asked, &format!("{}{query}", asked.path)).await
        };
        let mut response = Response::new(Full::new(got.body));
        *response.status_mut() = got.status;
        if let Some(media_type) = got.headers.get(header::CONTENT_TYPE) {
            response.headers_mut().insert(header::CONTENT_TYPE, media_type.clone());
        }
        response
    }

    /// The root of a request: its moment, if it has one, and what the user has set.
    async fn root(&self, asked: &Asked, target: &str) -> Got {
        let moment = match (self.policy, asked.header("demo-at")) {
            (Policy::Keyed(step), _) => {
                let step = u64::try_from(step.as_micros()).unwrap_or(u64::MAX);
                let now = SystemClock.wall().as_micros();
                (now - now % step).to_string()
            }
            (_, given) => given.to_owned(),
        };
        let theme = match asked.header("demo-theme") {
            "" => self.theme(asked.header("cookie"), &moment).await,
            given => given.to_owned(),
        };
        let state = [("asof-state-theme", theme.as_str()), ("asof-state-zone", "UTC")];
        self.service("pages", target, &moment, &state).await
    }

    async fn theme(&self, cookie: &str, moment: &str) -> String {
        let session = cookie.split(';').find_map(|pair| pair.trim().strip_prefix("session="));
        let field = |got: &Got, name: &str| {
            let value: serde_json::Value = serde_json::from_slice(&got.body).ok()?;
            value.get(name)?.as_str().map(str::to_owned)
        };
        let found = async {
            let session = self.setting("sessions", session?, moment).await;
            let user = self.setting("users", &field(&session, "user")?, moment).await;
            field(&user, "theme")
        };
        found.await.unwrap_or_else(|| "light".to_owned())
    }

    async fn setting(&self, space: &str, key: &str, moment: &str) -> Got {
        let path = format!("/v1/spaces/{space}/keys/{key}");
        let name = format!("{moment} main {path}");
        self.keeping(name, self.read(&path, moment)).await
    }

    async fn service(&self, name: &str, target: &str, moment: &str, state: &[(&str, &str)]) -> Got {
        let key = format!("{moment} {name} {target} {state:?}");
        self.keeping(key, async {
            let services = self.services.get();
            let place = NAMES.iter().position(|known| *known == name);
            let address = services.zip(place).and_then(|(all, place)| all.get(place));
            let Some(address) = address else { return nobody() };
            self.executions.fetch_add(1, Ordering::Relaxed);
            let mut headers = state.to_vec();
            if !moment.is_empty() {
                headers.push(("asof-context", moment));
            }
            web::get(&self.http, &format!("http://{address}{target}"), &headers).await
        })
        .await
    }

    async fn read(&self, target: &str, moment: &str) -> Got {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let headers = [("as-of", moment)];
        let headers: &[_] = if moment.is_empty() { &[] } else { &headers };
        // A moment that has just begun may not be closed yet.
        let mark = if target.contains('?') { '&' } else { '?' };
        let wait = if moment.is_empty() { String::new() } else { format!("{mark}wait=2000") };
        web::get(&self.http, &format!("{}{target}{wait}", self.store), headers).await
    }

    /// What was kept under `key`, or what `made` makes, kept as the policy says.
    async fn keeping(&self, key: String, made: impl Future<Output = Got>) -> Got {
        let life = match self.policy {
            Policy::NoCache => return made.await,
            // By then its key is of the past, and nobody asks by it any more.
            Policy::Ttl(life) | Policy::Keyed(life) => life,
        };
        let now = SystemClock.boot();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() > 50_000 {
                kept.retain(|_, (since, _)| now.since(*since) <= life);
            }
            if let Some((since, got)) = kept.get(&key)
                && now.since(*since) <= life
            {
                return got.clone();
            }
        }
        let got = made.await;
        if got.status == StatusCode::OK {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(key, (now, got.clone()));
        }
        got
    }
}

fn nobody() -> Got {
    let mut headers = http::HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Got { status: StatusCode::BAD_GATEWAY, headers, body: Bytes::new() }
}
