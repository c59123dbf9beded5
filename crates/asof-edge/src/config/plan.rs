//! A configuration that was found good, as the edge runs by it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use asof_client::Trust;
use http::{HeaderName, Method, Uri};

use super::auth::Auth;
use super::names::{PeerName, ServiceName, StateName, StoreName};
use super::pattern::PathPattern;
use super::peer::Peer;
use super::release::{Canary, Releases, Version};
use super::url::BaseUrl;

/// A whole configuration. What refers to something else refers to what is there.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// File with the token that operators send; needed beyond loopback.
    pub admin_token_file: Option<PathBuf>,
    /// Whether something in front terminates TLS.
    pub tls_terminated_elsewhere: bool,
    /// Certificate and key for clients.
    pub tls: Option<Tls>,
    /// The authorities that vouch for whom the edge asks over `https`; without it those that the
    /// machine trusts.
    pub ca_file: Option<PathBuf>,
    /// Bounds.
    pub limits: Limits,
    /// The stores, by name.
    pub stores: BTreeMap<StoreName, Store>,
    /// Which service a request of a client is for; the first that matches.
    pub rules: Vec<Rule>,
    /// The services, by name.
    pub services: BTreeMap<ServiceName, Service>,
    /// Where state values come from, by name.
    pub states: BTreeMap<StateName, State>,
    /// Who clients are.
    pub auth: Auth,
    /// Where the releases of services are kept, if anywhere.
    pub releases: Option<Releases>,
    /// Where operators look at moments that are still to come, if they may. On loopback.
    pub preview_listen: Option<SocketAddr>,
    /// Where other edges connect, if any do.
    pub peer_listen: Option<SocketAddr>,
    /// File with the token that other edges send; needed beyond loopback.
    pub peer_token_file: Option<PathBuf>,
    /// The other edges, by name.
    pub peers: BTreeMap<PeerName, Peer>,
    /// The cookie that carries the newest write of a client, if one does.
    pub session_cookie: Option<String>,
    /// The name under which the edge tells its stores how it stands, if it does.
    pub report_as: Option<PeerName>,
    /// Which requests are told to a collector of spans, if any are.
    pub traces: Option<Traces>,
}

/// Which requests are told to a collector of spans.
#[derive(Clone, PartialEq, Debug)]
pub struct Traces {
    /// Where it takes them; as the environment says where `None`.
    pub endpoint: Option<Uri>,
    /// The share of the requests that nobody decided about before.
    pub sample: f64,
}

/// PEM files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The certificate chain, the edge's own first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Plan {
    /// Where everybody is whom the edge asks.
    pub fn urls(&self) -> impl Iterator<Item = &BaseUrl> {
        let services = self.services.values().flat_map(|service| {
            service.upstreams.iter().chain(service.versions.values().flatten())
        });
        let stores = self.stores.values().map(|store| &store.url);
        let peers = self.peers.values().map(|peer| &peer.url);
        let judge = match &self.auth {
            Auth::Forward { url, .. } => Some(url),
            _ => None,
        };
        services.chain(stores).chain(peers).chain(judge)
    }

    /// Which authorities vouch for them, where they speak TLS.
    pub(crate) fn trust(&self) -> Trust {
        self.ca_file.clone().map_or(Trust::System, Trust::CaFile)
    }
}

/// Bounds on what clients may do and on what is held for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections of clients at once; services have as many of their own.
    pub connections: usize,
    /// Requests of clients at once; beyond, load is shed.
    pub requests_in_flight: usize,
    /// Bytes of a request head.
    pub header_bytes: usize,
    /// Largest answer that may be stored, and request body that may be part of a call, in bytes.
    pub body_bytes: u64,
    /// Memory for results, in bytes.
    pub memory: u64,
    /// How far back a rollback finds everything warm.
    pub window: Duration,
    /// Over how long after a start the executions for clients grow to all that may be under way.
    pub warm_up: Duration,
    /// Calls within calls.
    pub call_depth: u32,
}

/// A store that services read and the edge follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// Where it is.
    pub url: BaseUrl,
    /// File with the edge's own token for it.
    pub token_file: Option<PathBuf>,
    /// File with the token for previews, which takes the role writer; without it the other one is
    /// used.
    pub preview_token_file: Option<PathBuf>,
    /// What happens where it is lost, unless a route says otherwise.
    pub on_loss: OnLoss,
    /// How long a frozen moment is served.
    pub freeze_max: Duration,
}

/// What happens to a route when a store that it depends on is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnLoss {
    /// The last moment known goes on being served.
    Freeze,
    /// Requests go to the service, uncached.
    Pass,
    /// Requests are refused.
    Refuse,
}

/// Sends requests of clients to a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The host, lower case and without a port; any where `None`.
    pub host: Option<String>,
    /// What the path begins with, in whole segments.
    pub prefix: String,
    /// The service.
    pub service: ServiceName,
}

/// A service behind the edge.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its instances.
    pub upstreams: Vec<BaseUrl>,
    /// Instances of one version, which are asked where it is in force.
    pub versions: BTreeMap<Version, Vec<BaseUrl>>,
    /// Who is shown another release.
    pub canary: Option<Canary>,
    /// Further names under which other services call it.
    pub hosts: Vec<String>,
    /// Its own listener for the calls it makes; without one it is not recorded.
    pub egress: Option<SocketAddr>,
    /// How long an answer head may take, and an answer body be still.
    pub timeout: Duration,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How its instances are looked after.
    pub health: Option<Health>,
    /// The answer header that names the software that answered.
    pub version_header: Option<HeaderName>,
    /// Whether HTTP/2 is spoken to it, without asking first.
    pub http2: bool,
    /// What may be cached of it; the first route that matches.
    pub routes: Vec<Route>,
}

/// An active health check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// What is asked for.
    pub path: String,
    /// How often.
    pub every: Duration,
}

/// One kind of request to a service, and what its answers depend on.
#[derive(Clone, PartialEq, Debug)]
pub struct Route {
    /// The service it belongs to.
    pub service: ServiceName,
    /// The pattern of paths.
    pub path: PathPattern,
    /// Methods, without the HEAD that GET implies.
    pub methods: Vec<Method>,
    /// Whether it is cached.
    pub mode: Mode,
    /// Parameters that count; all where `None`.
    pub query: Option<Vec<String>>,
    /// Request headers that count.
    pub headers: Vec<HeaderName>,
    /// State values that count.
    pub state: Vec<StateName>,
    /// How much of the time the service is told.
    pub time: TimeInput,
    /// The stores its answers may depend on: never empty where there are stores.
    pub stores: Vec<StoreName>,
    /// Whether an answer may have no inputs at all.
    pub constant: bool,
    /// Agreeing observations before it serves what it holds.
    pub observed_min: u64,
    /// Share of hits that are run again and compared.
    pub shadow: f64,
    /// Which moments a client may ask for.
    pub as_of: AsOf,
    /// What happens where a store is lost; as the store says where `None`.
    pub on_loss: Option<OnLoss>,
    /// What state values must be for somebody to be let in.
    pub require: BTreeMap<StateName, Vec<String>>,
    /// Whether its answers are the same for all who may have them, so that credentials and
    /// cookies stop here.
    pub shared: bool,
    /// The header of the service that names the software that answered.
    pub version_header: Option<HeaderName>,
}

/// How far a route is trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mode {
    /// Not cached.
    Off,
    /// Recorded and compared; every request still runs.
    Observe,
    /// Cached.
    On,
}

/// How much of the time a service is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeInput {
    /// Nothing.
    None,
    /// The moment itself: an answer is true for that moment alone.
    Exact,
    /// The calendar unit it falls into, in a zone: an answer is true to the unit's end.
    Bucket(Bucket, Zone),
}

/// A calendar unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bucket {
    /// A year.
    Year,
    /// A month.
    Month,
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
}

/// The time zone of a [`Bucket`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Zone {
    /// This one, as named by IANA.
    Named(String),
    /// The one that a state value names.
    FromState(StateName),
}

/// Which moments a client may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsOf {
    /// None: it gets the latest.
    None,
    /// Any that is closed.
    Closed,
}

/// Where a state value comes from: resolved once, at the root of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// What it is where it cannot be found.
    pub default: String,
    /// What it may be; anything else becomes the default.
    pub values: Option<Vec<String>>,
    /// What of the request it starts from; always the default where `None`.
    pub from: Option<StateSource>,
    /// What is then looked up, each with what the one before gave as its key.
    pub lookups: Vec<Lookup>,
    /// Where it is looked up.
    pub store: Option<StoreName>,
}

/// A part of a request that a state value starts from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StateSource {
    /// A cookie.
    Cookie(String),
    /// A header.
    Header(HeaderName),
    /// A claim of the token.
    Claim(String),
    /// A header of the answer of whoever judges requests.
    AuthHeader(HeaderName),
    /// A parameter of the query.
    Query(String),
}

/// A field of a JSON value in a space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// The space.
    pub space: String,
    /// The field.
    pub field: String,
}

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal,)* })*) => {$(
        impl $name {
            /// All words for it in a configuration.
            pub(crate) const WORDS: &'static [(&'static str, Self)] =
                &[$(($word, Self::$variant),)*];

            /// Its word in a configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    )*};
}

words! {
    OnLoss { Freeze = "freeze", Pass = "pass", Refuse = "refuse", }
    Mode { Off = "off", Observe = "observe", On = "on", }
    Bucket { Year = "year", Month = "month", Day = "day", Hour = "hour", Minute = "minute", }
    AsOf { None = "none", Closed = "closed", }
}

impl Plan {
    /// The rule for a request of a client: the first whose host and prefix match.
    pub fn rule(&self, host: Option<&str>, path: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(host, path))
    }

    /// The service of this name, or of this further host name.
    pub fn service_at(&self, host: &str) -> Option<(&ServiceName, &Service)> {
        self.services.get_key_value(host).or_else(|| {
            self.services.iter().find(|(_, service)| service.hosts.iter().any(|name| name == host))
        })
    }

    /// What a route does where a store that it depends on is lost.
    pub fn on_loss(&self, route: &Route, store: &StoreName) -> OnLoss {
        let default = self.stores.get(store).map_or(OnLoss::Freeze, |store| store.on_loss);
        route.on_loss.unwrap_or(default)
    }
}

impl Rule {
    fn matches(&self, host: Option<&str>, path: &str) -> bool {
        let here = self.host.as_deref().is_none_or(|wanted| host == Some(wanted));
        here && path.strip_prefix(self.prefix.as_str()).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.prefix.ends_with('/')
        })
    }
}

impl Service {
    /// The route of a request, with its place in the list: the first that matches.
    pub fn route(&self, method: &Method, path: &str) -> Option<(usize, &Route)> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.routes
            .iter()
            .enumerate()
            .find(|(_, route)| route.methods.contains(method) && route.path.matches(path))
    }
}
