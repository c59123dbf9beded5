//! How the members of a plan fit together.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::mistakes::{Place, Sheet};
use super::names::ServiceName;
use super::plan::{AsOf, Mode, Plan, Route, Service, TimeInput, Zone};
use super::read::Draft;
use super::walk::nearest;
use super::{auth, peer, release};

/// Notes what does not fit, and fills in what follows from other members.
pub(crate) fn check(sheet: &Sheet<'_>, draft: Draft) -> Plan {
    let Draft { mut plan, places } = draft;
    let checker = Checker { sheet, places };
    checker.listeners(&plan);
    checker.rules(&plan);
    checker.names(&plan);
    for (name, service) in &plan.services {
        checker.service(&plan, name, service);
    }
    checker.states(&plan);
    let misfits = release::misfits(&plan).into_iter().chain(auth::misfits(&plan));
    for (path, why) in misfits.chain(peer::misfits(&plan)) {
        checker.wrong(&path, &why);
    }
    let all: Vec<_> = plan.stores.keys().cloned().collect();
    for route in plan.services.values_mut().flat_map(|service| &mut service.routes) {
        // No declared set means all there are.
        if route.stores.is_empty() {
            route.stores.clone_from(&all);
        }
    }
    plan
}

struct Checker<'s, 't> {
    sheet: &'s Sheet<'t>,
    places: BTreeMap<String, Place>,
}

impl Checker<'_, '_> {
    fn wrong(&self, path: &str, why: &str) {
        let place = self.places.get(path).copied().unwrap_or_default();
        self.sheet.mistake(place, format!("{path}: {why}"));
    }

    fn unknown<'n>(
        &self,
        path: &str,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.collect();
        let hint = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => format!("there are {}", known.join(", ")),
        };
        self.wrong(path, &format!("there is no {what} `{name}`; {hint}"));
    }

    fn listeners(&self, plan: &Plan) {
        let mut listeners =
            vec![("listen".to_owned(), plan.listen), ("admin".to_owned(), plan.admin)];
        let others = [("preview_listen", plan.preview_listen), ("peer_listen", plan.peer_listen)];
        let others = others.into_iter().filter_map(|(path, address)| Some((path, address?)));
        listeners.extend(others.map(|(path, address)| (path.to_owned(), address)));
        for (name, service) in &plan.services {
            listeners
                .extend(service.egress.map(|egress| (format!("services.{name}.egress"), egress)));
        }
        let guarded = plan.tls.is_some() || plan.tls_terminated_elsewhere;
        let mut seen: BTreeMap<SocketAddr, &str> = BTreeMap::new();
        for (path, address) in &listeners {
            if !address.ip().is_loopback() && !guarded {
                let why = format!(
                    "{address} is beyond loopback: give [tls] cert and key, or say \
                     tls_terminated_elsewhere = true"
                );
                self.wrong(path, &why);
            }
            if address.port() == 0 {
                // The system chooses: each gets another.
                continue;
            }
            if let Some(other) = seen.insert(*address, path) {
                self.wrong(path, &format!("{address} is already that of {other}: choose another"));
            }
        }
        if !plan.admin.ip().is_loopback() && plan.admin_token_file.is_none() {
            self.wrong("admin", "beyond loopback it takes a token: give `admin_token_file`");
        }
        if plan.preview_listen.is_some_and(|address| !address.ip().is_loopback()) {
            let why = "what is still to come is shown on loopback only: choose an address such as \
                       `127.0.0.1:7483`, and come to it by `ssh -L` from elsewhere";
            self.wrong("preview_listen", why);
        }
        if plan.tls.is_some() && plan.tls_terminated_elsewhere {
            self.wrong("listen", "tls_terminated_elsewhere = true contradicts [tls]: keep one");
        }
    }

    fn rules(&self, plan: &Plan) {
        for (nth, rule) in plan.rules.iter().enumerate() {
            let path = format!("ingress.rules[{nth}]");
            if !plan.services.contains_key(&rule.service) {
                let known = plan.services.keys().map(ServiceName::as_str);
                self.unknown(&format!("{path}.service"), "service", rule.service.as_str(), known);
            }
            let before = plan.rules.iter().take(nth).position(|earlier| {
                let host = earlier.host.is_none() || earlier.host == rule.host;
                let whole = rule.prefix.strip_prefix(earlier.prefix.as_str());
                host && whole.is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('/') || earlier.prefix.ends_with('/')
                })
            });
            if let Some(earlier) = before {
                let why = format!(
                    "is never reached: ingress.rules[{earlier}] comes first and takes all of it; \
                     move this one before it"
                );
                self.wrong(&path, &why);
            }
        }
    }

    /// Names by which services and stores are called: each must mean one thing.
    fn names(&self, plan: &Plan) {
        let mut taken: BTreeMap<&str, String> = BTreeMap::new();
        for name in plan.services.keys() {
            taken.insert(name.as_str(), format!("service `{name}`"));
        }
        for name in plan.stores.keys() {
            if let Some(other) = taken.insert(name.as_str(), format!("store `{name}`")) {
                let why = format!("its name is that of {other} too: rename one");
                self.wrong(&format!("stores.{name}"), &why);
            }
        }
        for (name, service) in &plan.services {
            for host in service.hosts.iter().filter(|host| *host != name.as_str()) {
                if let Some(other) = taken.insert(host, format!("service `{name}`")) {
                    let why = format!("`{host}` means {other} already: remove it from one");
                    self.wrong(&format!("services.{name}.hosts"), &why);
                }
            }
        }
    }

    fn service(&self, plan: &Plan, name: &ServiceName, service: &Service) {
        for (nth, route) in service.routes.iter().enumerate() {
            let path = format!("services.{name}.routes[{nth}]");
            if route.mode > Mode::Off && service.egress.is_none() {
                let why = format!(
                    "a service without an egress listener is not recorded, so its routes must be \
                     \"off\": give `egress` to services.{name}"
                );
                self.wrong(&format!("{path}.mode"), &why);
            }
            self.route(plan, &path, route);
            self.reached(&path, service, nth, route);
        }
    }

    fn route(&self, plan: &Plan, path: &str, route: &Route) {
        for state in route.state.iter().filter(|state| !plan.states.contains_key(*state)) {
            let known = plan.states.keys().map(super::names::StateName::as_str);
            self.unknown(&format!("{path}.state"), "state value", state.as_str(), known);
        }
        if let TimeInput::Bucket(_, Zone::FromState(state)) = &route.time
            && !route.state.contains(state)
        {
            let why = format!("`{state}` is not among the route's `state`: declare it there");
            self.wrong(&format!("{path}.zone_from"), &why);
        }
        for store in route.stores.iter().filter(|store| !plan.stores.contains_key(*store)) {
            let known = plan.stores.keys().map(super::names::StoreName::as_str);
            self.unknown(&format!("{path}.stores"), "store", store.as_str(), known);
        }
        let own = |name: &&String| matches!(name.as_str(), "as_of" | "epoch");
        if route.as_of == AsOf::Closed
            && let Some(name) = route.query.iter().flatten().find(own)
        {
            let why = format!(
                "`{name}` is the edge's own where clients may ask for a moment: leave it out, or \
                 take as_of = \"closed\" away"
            );
            self.wrong(&format!("{path}.query"), &why);
        }
        if route.mode > Mode::Off && plan.stores.is_empty() {
            let why = "needs a store, which is where time comes from: add [stores.main]";
            self.wrong(&format!("{path}.mode"), why);
        }
    }

    /// Whether no earlier route takes all that this one is for.
    fn reached(&self, path: &str, service: &Service, nth: usize, route: &Route) {
        for method in &route.methods {
            let mut earlier = service.routes.iter().take(nth).enumerate();
            let before = earlier.find(|(_, earlier)| {
                earlier.methods.contains(method)
                    && covers(earlier.path.as_str(), route.path.as_str())
            });
            if let Some((before, _)) = before {
                let why = format!(
                    "{method} {} is taken by routes[{before}] before it: move this one up, or \
                     change one of them",
                    route.path.as_str()
                );
                self.wrong(&format!("{path}.path"), &why);
            }
        }
    }

    fn states(&self, plan: &Plan) {
        for (name, state) in &plan.states {
            let path = format!("state.{name}");
            if let Some(store) = &state.store
                && !plan.stores.contains_key(store)
            {
                let known = plan.stores.keys().map(super::names::StoreName::as_str);
                self.unknown(&format!("{path}.store"), "store", store.as_str(), known);
            }
            if !state.lookups.is_empty() && state.store.is_none() {
                self.wrong(&format!("{path}.store"), "missing; look-ups need the store to look in");
            }
        }
    }
}

/// Whether `above` matches all paths that `below` does.
fn covers(above: &str, below: &str) -> bool {
    let is_parameter = |part: &str| part.starts_with('{') && part.ends_with('}');
    let (mut above, mut below) = (above.split('/'), below.split('/'));
    loop {
        return match (above.next(), below.next()) {
            (None, None) => true,
            // It takes all that follows, of which there must be something.
            (Some(catch), Some(part)) if catch.starts_with("{*") => !part.is_empty(),
            (Some(_), Some(part)) if part.starts_with("{*") => false,
            (Some(one), Some(part)) if is_parameter(one) && !part.is_empty() => continue,
            (Some(word), Some(part)) if word == part => continue,
            _ => false,
        };
    }
}
