//! Reads a plan out of the text: each member alone. How they fit together is `check`'s.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::Uri;

use super::auth::{self, Auth};
use super::mistakes::{Place, Sheet};
use super::names::ServiceName;
use super::plan::{Health, Limits, OnLoss, Plan, Rule, Service, Store, Tls, Traces};
use super::read_route::{route, state};
use super::url::BaseUrl;
use super::walk::{Placed, Section};
use super::{peer, release};
use crate::limits;

/// A plan whose members are each good, and where they stand.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) plan: Plan,
    /// Where each member that refers to another stands, by its path.
    pub(crate) places: BTreeMap<String, Place>,
}

/// Reads `root`; relative paths are below `folder`. Members that are wrong have their default.
pub(crate) fn draft(root: Section<'_, '_>, folder: &Path) -> Draft {
    let mut reader = Reader { folder, places: BTreeMap::new() };
    let plan = reader.plan(root);
    Draft { plan, places: reader.places }
}

pub(crate) struct Reader<'f> {
    folder: &'f Path,
    places: BTreeMap<String, Place>,
}

impl Reader<'_> {
    /// Remembers where a member stands.
    pub(crate) fn stands(&mut self, section: &Section<'_, '_>, key: &str) {
        self.places.insert(section.path_of(key), section.place_of(key));
    }

    pub(crate) fn file(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<PathBuf> {
        self.stands(section, key);
        let text = section.text(key)?;
        if text.value.is_empty() {
            section.wrong(key, text.place, "the name of a file is empty");
            return None;
        }
        Some(self.folder.join(text.value))
    }

    fn plan(&mut self, mut root: Section<'_, '_>) -> Plan {
        for key in ["listen", "admin", "preview_listen", "peer_listen"] {
            self.stands(&root, key);
        }
        let listen = address(&mut root, "listen");
        let admin = address(&mut root, "admin");
        let plan = Plan {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7480))),
            admin: admin.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7481))),
            admin_token_file: self.file(&mut root, "admin_token_file"),
            tls_terminated_elsewhere: root.flag("tls_terminated_elsewhere").unwrap_or_default(),
            tls: root.section("tls").and_then(|tls| self.tls(tls)),
            ca_file: self.file(&mut root, "ca_file"),
            limits: bounds(root.section("limits")),
            stores: self.stores(&mut root),
            rules: self.rules(&mut root),
            services: self.services(&mut root),
            states: root
                .named("state")
                .into_iter()
                .map(|(name, section)| (name, state(self, section)))
                .collect(),
            auth: root.section("auth").map_or(Auth::None, |section| auth::auth(self, section)),
            releases: root.section("releases").and_then(|section| release::releases(self, section)),
            preview_listen: address(&mut root, "preview_listen"),
            peer_listen: address(&mut root, "peer_listen"),
            peer_token_file: self.file(&mut root, "peer_token_file"),
            peers: peer::peers(self, &mut root),
            report_as: root.parsed("report_as", str::parse::<super::names::PeerName>).map(value),
            session_cookie: root.section("session").and_then(auth::session),
            traces: root.section("traces").map(traces),
        };
        root.finish();
        plan
    }

    fn tls(&mut self, mut section: Section<'_, '_>) -> Option<Tls> {
        let files = (self.file(&mut section, "cert"), self.file(&mut section, "key"));
        let place = section.place;
        if files.0.is_none() || files.1.is_none() {
            section.wrong("cert", place, "TLS takes both `cert` and `key`, PEM files");
        }
        let tls = files.0.zip(files.1).map(|(cert, key)| Tls { cert, key });
        section.finish();
        tls
    }

    fn stores(&mut self, root: &mut Section<'_, '_>) -> BTreeMap<super::names::StoreName, Store> {
        let mut stores = BTreeMap::new();
        for (name, mut section) in root.named("stores") {
            self.places.insert(section.path.clone(), section.place);
            let url = section.parsed("url", str::parse::<BaseUrl>);
            if url.is_none() && section.place_of("url") == section.place {
                section.wrong("url", section.place, "missing; write `url = \"http://host:port\"`");
            }
            let store = url.map(|url| Store {
                url: url.value,
                token_file: self.file(&mut section, "token_file"),
                preview_token_file: self.file(&mut section, "preview_token_file"),
                on_loss: section.word("on_loss", OnLoss::WORDS).map_or(OnLoss::Freeze, value),
                freeze_max: section
                    .span("freeze_max", &limits::WINDOW)
                    .unwrap_or(core::time::Duration::from_mins(10)),
            });
            if let Some(store) = store {
                section.finish();
                stores.insert(name, store);
            }
        }
        too_many(root, "stores", stores.len());
        stores
    }

    fn rules(&mut self, root: &mut Section<'_, '_>) -> Vec<Rule> {
        let Some(mut ingress) = root.section("ingress") else {
            return Vec::new();
        };
        let mut rules = Vec::new();
        for mut section in ingress.sections("rules") {
            self.places.insert(section.path.clone(), section.place);
            self.stands(&section, "service");
            let host = section.parsed("host", host).map(value);
            let prefix = section.parsed("prefix", prefix).map_or_else(|| "/".to_owned(), value);
            let service = section.parsed("service", str::parse::<ServiceName>).map(value);
            if service.is_none() && section.place_of("service") == section.place {
                section.wrong("service", section.place, "missing; name one of [services]");
            }
            section.finish();
            rules.extend(service.map(|service| Rule { host, prefix, service }));
        }
        ingress.finish();
        rules
    }

    fn services(&mut self, root: &mut Section<'_, '_>) -> BTreeMap<ServiceName, Service> {
        let mut services = BTreeMap::new();
        for (name, section) in root.named::<ServiceName>("services") {
            let service = self.service(&name, section);
            services.insert(name, service);
        }
        too_many(root, "services", services.len());
        services
    }

    fn service(&mut self, name: &ServiceName, mut section: Section<'_, '_>) -> Service {
        for key in ["egress", "hosts", "upstreams", "versions"] {
            self.stands(&section, key);
        }
        let upstreams = section.parsed_set::<BaseUrl>("upstreams");
        let versions = release::versions(&mut section);
        if upstreams.as_ref().is_none_or(Vec::is_empty) && versions.is_empty() {
            let why = "at least one is needed, such as [\"http://127.0.0.1:9001\"]";
            section.wrong("upstreams", section.place_of("upstreams"), why);
        }
        let hosts = section.texts("hosts").unwrap_or_default();
        let mut names = Vec::new();
        for Placed { value, place } in hosts {
            match host(&value) {
                Ok(host) => names.push(host),
                Err(why) => section.wrong("hosts", place, why),
            }
        }
        let version_header = section.parsed("version_header", header).map(value);
        let mut service = Service {
            upstreams: upstreams.unwrap_or_default().into_iter().map(value).collect(),
            versions,
            canary: section.section("canary").and_then(|below| release::canary(self, below)),
            hosts: names,
            egress: address(&mut section, "egress"),
            timeout: section.span("timeout", &limits::TIMEOUT).unwrap_or(limits::TIMEOUT_DEFAULT),
            connect_timeout: section
                .span("connect_timeout", &limits::TIMEOUT)
                .unwrap_or(limits::CONNECT_TIMEOUT_DEFAULT),
            health: section.section("health").and_then(health),
            version_header,
            http2: section.flag("http2").unwrap_or_default(),
            routes: Vec::new(),
        };
        for below in section.sections("routes") {
            service.routes.extend(route(self, name, &service, below));
        }
        section.finish();
        service
    }
}

fn traces(mut section: Section<'_, '_>) -> Traces {
    let endpoint = section.parsed("endpoint", collector).map(value);
    let sample = section.share("sample").unwrap_or(limits::SAMPLE_DEFAULT);
    section.finish();
    Traces { endpoint, sample }
}

/// Where a collector is: below it, it takes traces at `/v1/traces`.
fn collector(text: &str) -> Result<Uri, String> {
    let refused = || {
        let text = text.escape_debug();
        format!("`{text}` is no URL of a collector; write such as `http://127.0.0.1:4318`")
    };
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let spoken = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if spoken && plain && uri.query().is_none() { Ok(uri) } else { Err(refused()) }
}

/// The value without its place.
pub(crate) fn value<T>(placed: Placed<T>) -> T {
    placed.value
}

fn address(section: &mut Section<'_, '_>, key: &'static str) -> Option<SocketAddr> {
    let address = section.parsed(key, |text| {
        text.parse::<SocketAddr>().map_err(|_| {
            format!(
                "`{}` is no address: write an IP address and a port, such as `127.0.0.1:7480`",
                text.escape_debug()
            )
        })
    });
    address.map(value)
}

fn bounds(section: Option<Section<'_, '_>>) -> Limits {
    let mut bounds = Limits {
        connections: 4096,
        requests_in_flight: 1024,
        header_bytes: 32 << 10,
        body_bytes: 8 << 20,
        memory: 256 << 20,
        window: core::time::Duration::from_mins(15),
        warm_up: core::time::Duration::from_secs(10),
        call_depth: 32,
    };
    let Some(mut section) = section else {
        return bounds;
    };
    let count = |number: Placed<u64>| usize::try_from(number.value).ok();
    if let Some(connections) = section.whole("connections", &limits::CONNECTIONS).and_then(count) {
        bounds.connections = connections;
    }
    let requests = section.whole("requests_in_flight", &limits::REQUESTS_IN_FLIGHT);
    if let Some(requests) = requests.and_then(count) {
        bounds.requests_in_flight = requests;
    }
    let header = section.size("header_bytes", &limits::HEADER_BYTES);
    if let Some(header) = header.and_then(|bytes| usize::try_from(bytes).ok()) {
        bounds.header_bytes = header;
    }
    bounds.body_bytes =
        section.size("body_bytes", &limits::BODY_BYTES).unwrap_or(bounds.body_bytes);
    bounds.memory = section.size("memory", &limits::MEMORY).unwrap_or(bounds.memory);
    bounds.window = section.span("window", &limits::WINDOW).unwrap_or(bounds.window);
    bounds.warm_up = section.span("warm_up", &limits::WARM_UP).unwrap_or(bounds.warm_up);
    let depth = section.whole("call_depth", &limits::CALL_DEPTH);
    if let Some(depth) = depth.and_then(|depth| u32::try_from(depth.value).ok()) {
        bounds.call_depth = depth;
    }
    section.finish();
    bounds
}

fn health(mut section: Section<'_, '_>) -> Option<Health> {
    let path = section.parsed("path", |text| {
        let good = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
        if good { Ok(text.to_owned()) } else { Err(format!("`{text}` is no path")) }
    });
    let every = section.span("every", &limits::INTERVAL);
    if path.is_none() && section.place_of("path") == section.place {
        section.wrong(
            "path",
            section.place,
            "missing; write what to ask for, such as \"/healthz\"",
        );
    }
    section.finish();
    let every = every.unwrap_or(core::time::Duration::from_secs(2));
    path.map(|path| Health { path: path.value, every })
}

/// The host, lower case, that `text` names.
fn host(text: &str) -> Result<String, String> {
    let good = text.parse::<http::uri::Authority>().is_ok_and(|authority| {
        authority.port().is_none() && authority.host() == text && !text.contains('@')
    });
    if good && !text.starts_with('[') {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("`{}` is no host name without a port", text.escape_debug()))
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let plain = text.starts_with('/') && !text.contains(['?', '#', '*', '{', ' ']);
    if plain {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{}` is no prefix of paths: begin with `/`, without patterns",
            text.escape_debug()
        ))
    }
}

/// The header that `text` names, in lower case only.
pub(crate) fn header(text: &str) -> Result<http::HeaderName, String> {
    http::HeaderName::from_lowercase(text.as_bytes())
        .map_err(|_| format!("`{}` is no header name in lower case", text.escape_debug()))
}

fn too_many(root: &Section<'_, '_>, key: &str, count: usize) {
    if count > limits::NAMED_MAX {
        let why = format!("{count} are above the limit of {}", limits::NAMED_MAX);
        root.wrong(key, root.place_of(key), why);
    }
}

/// Reads `text` as a draft, noting what is wrong on `sheet`.
pub(crate) fn read(sheet: &Sheet<'_>, text: &str, folder: &Path) -> Draft {
    let (table, errors) = toml::de::DeTable::parse_recoverable(text);
    for error in errors {
        let place = Place(error.span().map_or(0, |span| span.start));
        sheet.mistake(place, format!("not TOML: {}", error.message()));
    }
    draft(Section::root(sheet, table.get_ref()), folder)
}
