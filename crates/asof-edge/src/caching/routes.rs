//! The routes of a configuration, with what was learnt of each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use asof_cache::RouteDigest;
use http::{Method, header};

use super::moment;
use super::named::{Audience, Keeping};
use super::trust::{Treatment, Trust};
use crate::config::{Plan, Route, ServiceName, StateSource, StoreName};

/// One route, ready to be used.
#[derive(Debug)]
pub(crate) struct Known {
    /// How it is called in reports: service, methods, pattern.
    pub(crate) name: String,
    pub(crate) route: Route,
    pub(crate) digest: RouteDigest,
    pub(crate) trust: Arc<Trust>,
    /// Whether something of it is made of credentials or cookies, or it says that nothing is, so
    /// that a request with these may be cached.
    pub(crate) knows_who: bool,
    /// The stores that services may read below a request of it.
    pub(crate) declared: Arc<[StoreName]>,
    /// With them, those that the edge itself reads: the moment is what all of these allow.
    pub(crate) bounding: Arc<[StoreName]>,
    /// What is said to caches of its answers.
    pub(crate) keeping: Keeping,
}

/// All routes of a configuration.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Digest of everything by which a call means what it means.
    system: String,
    services: BTreeMap<ServiceName, Vec<Arc<Known>>>,
}

impl Routes {
    /// Those of `plan`. A route that means what it meant keeps what was learnt of it.
    pub(crate) fn of(plan: &Plan, before: &Self) -> Self {
        let learnt: HashMap<RouteDigest, &Arc<Trust>> =
            before.all().map(|known| (known.digest, &known.trust)).collect();
        let releases = plan.canonical_releases();
        let services = plan.services.iter().map(|(name, service)| {
            let routes = service.routes.iter().map(|route| {
                let digest =
                    RouteDigest::of(&[route.canonical_config(), releases.clone()].concat());
                let trust =
                    learnt.get(&digest).map_or_else(Arc::default, |trust| Arc::clone(trust));
                Arc::new(Known::new(plan, route.clone(), digest, trust))
            });
            (name.clone(), routes.collect())
        });
        let system = blake3::hash(&plan.canonical_system()).to_hex().to_string();
        Self { system, services: services.collect() }
    }

    /// The route of a request: the first that matches.
    pub(crate) fn find(&self, service: &str, method: &Method, path: &str) -> Option<&Arc<Known>> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.services
            .get(service)?
            .iter()
            .find(|known| known.route.methods.contains(method) && known.route.path.matches(path))
    }

    /// Digest of everything by which a call means what it means: edges have it in common.
    pub(crate) fn system(&self) -> &str {
        &self.system
    }

    /// Those of a service.
    pub(crate) fn of_service(&self, service: &str) -> impl Iterator<Item = &Arc<Known>> {
        self.services.get(service).into_iter().flatten()
    }

    /// Whether a route of this meaning is among them.
    pub(crate) fn has(&self, digest: RouteDigest) -> bool {
        self.all().any(|known| known.digest == digest)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.services.values().flatten()
    }
}

impl Known {
    /// Whether answers come out of the cache.
    pub(crate) fn is_served(&self) -> bool {
        self.trust.treatment(&self.route) == Treatment::Serve
    }

    fn new(plan: &Plan, route: Route, digest: RouteDigest, trust: Arc<Trust>) -> Self {
        let methods: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
        let name = format!("{} {} {}", route.service, methods.join("|"), route.path.as_str());
        let knows_who = route.shared
            || route
                .headers
                .iter()
                .any(|name| *name == header::AUTHORIZATION || *name == header::COOKIE)
            || route.state.iter().filter_map(|name| plan.states.get(name)).any(
                |state| match &state.from {
                    Some(
                        StateSource::Cookie(_) | StateSource::Claim(_) | StateSource::AuthHeader(_),
                    ) => true,
                    Some(StateSource::Header(name)) => *name == header::AUTHORIZATION,
                    Some(StateSource::Query(_)) | None => false,
                },
            );
        let declared = route.stores.as_slice().into();
        let bounding = moment::bounding(plan, route.stores.clone(), &route.state).into();
        let keeping = Keeping::of(&Audience::of(plan, &route), &route);
        Self { name, route, digest, trust, knows_who, declared, bounding, keeping }
    }
}
