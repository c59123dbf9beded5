//! What of a route can change an answer, as bytes.

use super::plan::{Plan, Route, TimeInput, Zone};

/// Names this form; another form has another, so that no digest of one is a digest of the other.
const FORM: &str = "asof route 1";

impl Route {
    /// Everything of the route that can change an answer or how long it is true: the same bytes
    /// for the same meaning, whatever the order in which lists were written. What only says
    /// whether and how it is cached (its mode, its trust, what happens on loss) is not in it.
    pub fn canonical_config(&self) -> Vec<u8> {
        let mut form = Form(Vec::new());
        form.one("form", FORM);
        form.one("service", self.service.as_str());
        form.one("path", self.path.as_str());
        form.set("methods", self.methods.iter().map(http::Method::as_str));
        match &self.query {
            None => form.one("query", "all"),
            Some(query) => form.set("query", query.iter().map(String::as_str)),
        }
        form.set("headers", self.headers.iter().map(http::HeaderName::as_str));
        form.set("state", self.state.iter().map(super::names::StateName::as_str));
        match &self.time {
            TimeInput::None => form.one("time", "none"),
            TimeInput::Exact => form.one("time", "exact"),
            TimeInput::Bucket(bucket, zone) => {
                form.one("time", bucket.as_str());
                match zone {
                    Zone::Named(name) => form.one("zone", name),
                    Zone::FromState(state) => form.one("zone_from", state.as_str()),
                }
            }
        }
        form.set("stores", self.stores.iter().map(super::names::StoreName::as_str));
        form.one("constant", if self.constant { "true" } else { "false" });
        let version = self.version_header.as_ref().map_or("", http::HeaderName::as_str);
        form.one("version_header", version);
        form.0
    }
}

impl Plan {
    /// Everything by which a call means the same at two edges, and is answered the same: the routes
    /// of all services in their order, what state values are made of, and releases. Edges of which
    /// this differs share no tree. What only says whether something is cached, or where somebody
    /// is, may differ.
    pub fn canonical_system(&self) -> Vec<u8> {
        let mut form = Form(Vec::new());
        form.one("form", "asof system 1");
        for (name, service) in &self.services {
            form.one("service", name.as_str());
            for route in &service.routes {
                form.bytes("route", &route.canonical_config());
            }
            form.set("hosts", service.hosts.iter().map(String::as_str));
        }
        form.set("stores", self.stores.keys().map(super::names::StoreName::as_str));
        for (name, state) in &self.states {
            form.one("state", name.as_str());
            form.one("default", &state.default);
            if let Some(values) = &state.values {
                form.set("values", values.iter().map(String::as_str));
            }
            form.one("from", &format!("{:?}", state.from));
            form.one("store", state.store.as_ref().map_or("", super::names::StoreName::as_str));
            for step in &state.lookups {
                form.one("lookup", &step.space);
                form.one("field", &step.field);
            }
        }
        form.bytes("releases", &self.canonical_releases());
        form.0
    }

    /// What says by which release each service answers. An answer depends on it through every
    /// call below it, whatever the route.
    pub fn canonical_releases(&self) -> Vec<u8> {
        let mut form = Form(Vec::new());
        let Some(releases) = &self.releases else { return form.0 };
        form.one("releases", "1");
        form.one("store", releases.store.as_str());
        form.one("space", &releases.space);
        for (name, service) in &self.services {
            let Some(canary) = &service.canary else { continue };
            form.one("service", name.as_str());
            form.one("state", canary.state.as_str());
            form.one("value", &canary.value);
            form.one("release", &canary.release);
        }
        form.0
    }
}

/// Names and values, each with its length before it, so that none can pass for another.
struct Form(Vec<u8>);

impl Form {
    fn put(&mut self, text: &str) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_be_bytes());
        self.0.extend(text.as_bytes());
    }

    fn one(&mut self, name: &str, value: &str) {
        self.put(name);
        self.put("one");
        self.put(value);
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.put(name);
        self.put("bytes");
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.0.extend(length.to_be_bytes());
        self.0.extend(value);
    }

    fn set<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) {
        let mut values: Vec<&str> = values.collect();
        values.sort_unstable();
        values.dedup();
        self.put(name);
        self.put("set");
        self.put(&values.len().to_string());
        for value in values {
            self.put(value);
        }
    }
}
