//! A plan as a flat list of settings: what is shown, and what is compared.

use core::fmt::Display;
use std::collections::BTreeMap;
use std::path::Path;

use super::auth::Auth;
use super::plan::{Plan, Route, Service, State, StateSource, TimeInput, Zone};
use super::units::{size_text, span_text};

impl Plan {
    /// Every setting as it would be in effect, defaults included, by its path.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut all = Settings(BTreeMap::new());
        all.put("listen", self.listen);
        all.put("admin", self.admin);
        all.file("admin_token_file", self.admin_token_file.as_deref());
        all.put("tls_terminated_elsewhere", self.tls_terminated_elsewhere);
        if let Some(tls) = &self.tls {
            all.file("tls.cert", Some(&tls.cert));
            all.file("tls.key", Some(&tls.key));
        }
        all.file("ca_file", self.ca_file.as_deref());
        all.limits(self);
        for (name, store) in &self.stores {
            let path = format!("stores.{name}");
            all.put(format!("{path}.url"), &store.url);
            all.file(&format!("{path}.token_file"), store.token_file.as_deref());
            all.file(&format!("{path}.preview_token_file"), store.preview_token_file.as_deref());
            all.put(format!("{path}.on_loss"), store.on_loss.as_str());
            all.put(format!("{path}.freeze_max"), span_text(store.freeze_max));
        }
        for (nth, rule) in self.rules.iter().enumerate() {
            let path = format!("ingress.rules[{nth}]");
            let host = rule.host.as_deref().unwrap_or("*");
            all.put(path, format!("{host} {} -> {}", rule.prefix, rule.service));
        }
        for (name, service) in &self.services {
            all.service(&format!("services.{name}"), service);
        }
        for (name, state) in &self.states {
            all.state(&format!("state.{name}"), state);
        }
        all.auth(&self.auth);
        if let Some(releases) = &self.releases {
            all.put("releases.store", &releases.store);
            all.put("releases.space", &releases.space);
        }
        if let Some(address) = self.preview_listen {
            all.put("preview_listen", address);
        }
        if let Some(address) = self.peer_listen {
            all.put("peer_listen", address);
        }
        all.file("peer_token_file", self.peer_token_file.as_deref());
        for (name, peer) in &self.peers {
            all.put(format!("peers.{name}.url"), &peer.url);
            all.file(&format!("peers.{name}.token_file"), peer.token_file.as_deref());
        }
        if let Some(name) = &self.report_as {
            all.put("report_as", name);
        }
        if let Some(cookie) = &self.session_cookie {
            all.put("session.cookie", cookie);
        }
        if let Some(traces) = &self.traces {
            let endpoint = traces.endpoint.as_ref().map(ToString::to_string);
            all.put("traces.endpoint", endpoint.as_deref().unwrap_or("as the environment says"));
            all.put("traces.sample", traces.sample);
        }
        all.0
    }
}

struct Settings(BTreeMap<String, String>);

impl Settings {
    fn put(&mut self, path: impl Into<String>, value: impl Display) {
        self.0.insert(path.into(), value.to_string());
    }

    fn file(&mut self, path: &str, file: Option<&Path>) {
        if let Some(file) = file {
            self.put(path, file.display());
        }
    }

    fn list(&mut self, path: String, items: impl Iterator<Item = impl ToString>) {
        let items: Vec<String> = items.map(|item| item.to_string()).collect();
        self.put(path, format!("[{}]", items.join(", ")));
    }

    fn limits(&mut self, plan: &Plan) {
        let limits = &plan.limits;
        self.put("limits.connections", limits.connections);
        self.put("limits.requests_in_flight", limits.requests_in_flight);
        self.put("limits.header_bytes", limits.header_bytes);
        self.put("limits.body_bytes", size_text(limits.body_bytes));
        self.put("limits.memory", size_text(limits.memory));
        self.put("limits.window", span_text(limits.window));
        self.put("limits.warm_up", span_text(limits.warm_up));
        self.put("limits.call_depth", limits.call_depth);
    }

    fn service(&mut self, path: &str, service: &Service) {
        self.list(format!("{path}.upstreams"), service.upstreams.iter());
        for (version, upstreams) in &service.versions {
            self.list(format!("{path}.versions.{version}.upstreams"), upstreams.iter());
        }
        if let Some(canary) = &service.canary {
            let shown = format!("{} = {} -> {}", canary.state, canary.value, canary.release);
            self.put(format!("{path}.canary"), shown);
        }
        self.list(format!("{path}.hosts"), service.hosts.iter());
        if let Some(egress) = service.egress {
            self.put(format!("{path}.egress"), egress);
        }
        self.put(format!("{path}.timeout"), span_text(service.timeout));
        self.put(format!("{path}.connect_timeout"), span_text(service.connect_timeout));
        if let Some(health) = &service.health {
            let every = span_text(health.every);
            self.put(format!("{path}.health"), format!("{} every {every}", health.path));
        }
        if let Some(header) = &service.version_header {
            self.put(format!("{path}.version_header"), header);
        }
        self.put(format!("{path}.http2"), service.http2);
        for (nth, route) in service.routes.iter().enumerate() {
            self.route(&format!("{path}.routes[{nth}]"), route);
        }
    }

    fn route(&mut self, path: &str, route: &Route) {
        self.put(format!("{path}.path"), route.path.as_str());
        self.list(format!("{path}.methods"), route.methods.iter());
        self.put(format!("{path}.mode"), route.mode.as_str());
        match &route.query {
            None => self.put(format!("{path}.query"), "all"),
            Some(query) => self.list(format!("{path}.query"), query.iter()),
        }
        self.list(format!("{path}.headers"), route.headers.iter());
        self.list(format!("{path}.state"), route.state.iter());
        match &route.time {
            TimeInput::None => {}
            TimeInput::Exact => self.put(format!("{path}.time"), "exact"),
            TimeInput::Bucket(bucket, zone) => {
                self.put(format!("{path}.time"), bucket.as_str());
                match zone {
                    Zone::Named(name) => self.put(format!("{path}.zone"), name),
                    Zone::FromState(state) => self.put(format!("{path}.zone_from"), state),
                }
            }
        }
        self.list(format!("{path}.stores"), route.stores.iter());
        self.put(format!("{path}.constant"), route.constant);
        self.put(format!("{path}.observed_min"), route.observed_min);
        self.put(format!("{path}.shadow"), route.shadow);
        self.put(format!("{path}.as_of"), route.as_of.as_str());
        for (name, values) in &route.require {
            self.list(format!("{path}.require.{name}"), values.iter());
        }
        self.put(format!("{path}.shared"), route.shared);
        if let Some(on_loss) = route.on_loss {
            self.put(format!("{path}.on_loss"), on_loss.as_str());
        }
    }

    fn state(&mut self, path: &str, state: &State) {
        self.put(format!("{path}.default"), &state.default);
        if let Some(values) = &state.values {
            self.list(format!("{path}.values"), values.iter());
        }
        let source = state.from.as_ref().map(|from| match from {
            StateSource::Cookie(name) => format!("cookie {name}"),
            StateSource::Header(name) => format!("header {name}"),
            StateSource::Claim(name) => format!("claim {name}"),
            StateSource::AuthHeader(name) => format!("auth_header {name}"),
            StateSource::Query(name) => format!("query {name}"),
        });
        let lookups = state.lookups.iter().map(|step| format!("{} {}", step.space, step.field));
        self.list(format!("{path}.from"), source.into_iter().chain(lookups));
        if let Some(store) = &state.store {
            self.put(format!("{path}.store"), store);
        }
    }

    fn auth(&mut self, auth: &Auth) {
        self.put("auth.mode", auth.as_str());
        match auth {
            Auth::None => {}
            Auth::Tokens { file } => self.file("auth.file", Some(file)),
            Auth::Jwt { key_file, issuer, audience } => {
                self.file("auth.key_file", Some(key_file));
                for (path, value) in [("auth.issuer", issuer), ("auth.audience", audience)] {
                    if let Some(value) = value {
                        self.put(path, value);
                    }
                }
            }
            Auth::Forward { url, path } => {
                self.put("auth.url", url);
                self.put("auth.path", path);
            }
        }
    }
}
