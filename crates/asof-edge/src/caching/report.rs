//! What operators ask the engine, and tell it.
//!
//! `GET  /report`                          each route: standing, hit rate, what was unstorable
//! `GET  /explain?host=H&path=/p`          how the answer to a request is made up
//! `POST /bypass?route=NAME|all&on=true`   sends requests past the cache, at once
//! `POST /forgive?route=NAME`              ends a quarantine; the route is observed anew

use std::sync::Arc;

use asof_api::body::{EdgeCache, EdgePeer, EdgeReleases, EdgeReport, EdgeRoute, EdgeStore};
use http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::routes::Known;
use super::{Inner, releases};
use crate::body::Body;
use crate::config::Mode;
use crate::problem::{Problem, ProblemKind};

impl Inner {
    /// Answers an operator, if it is something that the engine knows of.
    pub(crate) async fn admin(
        self: &Arc<Self>,
        method: &Method,
        uri: &Uri,
    ) -> Option<Response<Body>> {
        let query = uri.query().unwrap_or_default();
        match (method, uri.path()) {
            (&Method::GET, "/report") => Some(json(&self.report())),
            (&Method::GET, "/explain") => Some(match self.explain(query).await {
                Ok(explained) => {
                    let answer = json(&explained);
                    self.asked_about(explained);
                    answer
                }
                Err(problem) => problem.answer(),
            }),
            (&Method::POST, "/bypass") => Some(self.bypass(query)),
            (&Method::POST, "/forgive") => Some(self.forgive(query)),
            _ => None,
        }
    }

    /// How the edge stands.
    pub(super) fn report(&self) -> EdgeReport {
        let routes = self.routes.load();
        let plan = self.plan.load();
        let stores = plan.as_ref().iter().flat_map(|plan| plan.stores.keys());
        let figures = self.cache.figures();
        EdgeReport {
            routes: routes.all().map(|known| route_report(known)).collect(),
            stores: stores.map(|name| self.store_report(name.as_str())).collect(),
            peers: self
                .peers
                .report(self.clock.boot())
                .into_iter()
                .map(|(peer, silent_ms, agrees)| EdgePeer { peer, silent_ms, agrees })
                .collect(),
            cache: EdgeCache {
                entries: figures.entries,
                bytes: figures.bytes,
                executions: figures.executions,
                changes: figures.changes,
                evicted: figures.evicted,
                evicted_inside_window: figures.evicted_inside_window,
            },
            release_space: plan.as_ref().as_ref().and_then(|plan| {
                let releases = plan.releases.as_ref()?;
                Some(EdgeReleases {
                    store: releases.store.as_str().to_owned(),
                    space: releases.space.clone(),
                    standing: self.kept.standing().to_owned(),
                })
            }),
            releases: plan.as_ref().as_ref().map(|plan| releases::read_releases(plan)),
            explained: Vec::new(),
        }
    }

    fn store_report(&self, name: &str) -> EdgeStore {
        let view = self.stores.get(name).and_then(|store| *store.view.borrow());
        let silent = view.map(|view| self.clock.boot().since(view.heard));
        EdgeStore {
            store: name.to_owned(),
            epoch: view.map(|view| view.epoch.to_string()),
            through: view.map(|view| view.through.as_micros()),
            cap: view.and_then(|view| view.cap).map(asof_time::Timestamp::as_micros),
            floor: view.map(|view| view.floor.as_micros()),
            lag_ms: view.map(|view| {
                self.clock.wall().as_micros().saturating_sub(view.through.as_micros()) / 1_000
            }),
            silent_ms: silent.map(|silent| u64::try_from(silent.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn bypass(&self, query: &str) -> Response<Body> {
        let on = match parameter(query, "on").as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => return malformed("on is true or false"),
        };
        self.each(query, |known| {
            tracing::warn!(route = known.name, on, "an operator bypasses the cache");
            known.trust.bypass(on);
        })
    }

    fn forgive(&self, query: &str) -> Response<Body> {
        self.each(query, |known| {
            tracing::warn!(route = known.name, "an operator ends a quarantine");
            known.trust.forgive();
        })
    }

    /// Does something to the named route, or to all.
    fn each(&self, query: &str, act: impl Fn(&Known)) -> Response<Body> {
        let Some(wanted) = parameter(query, "route") else {
            return malformed("say which route, by its name in the report, or route=all");
        };
        let routes = self.routes.load();
        let touched: Vec<&Arc<Known>> =
            routes.all().filter(|known| wanted == "all" || known.name == wanted).collect();
        if touched.is_empty() {
            return malformed("no route has this name: /report lists them");
        }
        for known in &touched {
            act(known);
        }
        json(&touched.iter().map(|known| route_report(known)).collect::<Vec<_>>())
    }
}

fn route_report(known: &Known) -> EdgeRoute {
    let standing = known.trust.standing();
    let route = &known.route;
    let word = match (&standing.quarantine, route.mode) {
        _ if standing.bypassed => "bypassed by an operator".to_owned(),
        (_, Mode::Off) => "off".to_owned(),
        (Some(why), _) => format!("quarantined: {why}"),
        (None, Mode::On) if standing.agreed >= route.observed_min => "serving".to_owned(),
        (None, Mode::Observe) if standing.agreed >= route.observed_min => {
            "ready to be turned on".to_owned()
        }
        (None, _) => format!("observing: {} of {} agreed", standing.agreed, route.observed_min),
    };
    // Observed requests are both executed and, where a result was held, compared.
    let observing = word.starts_with("observing") || word.starts_with("ready");
    let all = if observing { standing.executed } else { standing.executed + standing.held };
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let hit_rate = if all == 0 { 0.0 } else { standing.held as f64 / all as f64 };
    EdgeRoute {
        route: known.name.clone(),
        mode: route.mode.as_str().to_owned(),
        standing: word,
        agreed: standing.agreed,
        observed_min: route.observed_min,
        mismatches: standing.mismatched,
        executions: standing.executed,
        held: standing.held,
        hit_rate,
        unstorable: standing
            .unstorable
            .iter()
            .map(|(why, count)| (why.as_str().to_owned(), *count))
            .collect(),
    }
}

pub(crate) fn parameter(query: &str, wanted: &str) -> Option<String> {
    query.split('&').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = percent_decode_str(value).decode_utf8().ok()?;
        (name == wanted).then(|| value.into_owned())
    })
}

fn malformed(detail: &str) -> Response<Body> {
    Problem::new(ProblemKind::Malformed, detail).answer()
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
