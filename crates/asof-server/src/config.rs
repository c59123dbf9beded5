//! The configuration of a server: read strictly and wholly, checked in one place.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use asof_store::{ControlAction, Options};
use asof_time::limits as store_limits;
use serde::Deserialize;

use crate::Span;
use crate::limits;

/// What a server is told. Every member has a default; what it does not know it refuses.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the store. The service does not look at it: whoever opens the store does.
    pub data: Option<PathBuf>,
    /// Where to listen. Beyond loopback it takes tokens, and TLS or the word that something else
    /// terminates it.
    pub listen: SocketAddr,
    /// Certificate and key; plain TCP where `None`.
    pub tls: Option<Tls>,
    /// Whether a token is needed on loopback too, even while there is none.
    pub require_tokens: bool,
    /// Whether something in front terminates TLS, so that a listener beyond loopback may do
    /// without.
    pub tls_terminated_elsewhere: bool,
    /// Bounds on what clients may do.
    pub limits: Limits,
    /// What operators are asked twice about.
    pub guard: Guard,
    /// What is logged.
    pub log: Log,
    /// How the store behaves.
    pub store: StoreConfig,
    /// Who is told of control actions. The service only counts: whoever runs it sends.
    pub webhooks: Vec<Webhook>,
}

/// Somebody who is told of control actions.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// What it is called in metrics, logs and in the name of its cursor: lower-case letters, digits
    /// and `-`.
    pub name: String,
    /// Where it is told; plain HTTP on loopback only.
    pub url: String,
    /// File with the secret by which messages are signed: `whsec_` and base64 of 24 to 64 bytes.
    pub secret_file: PathBuf,
    /// Certificates to trust in place of those of the machine, in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The actions that are told, as `asof audit` calls them; all where `None`.
    #[serde(default)]
    pub actions: Option<Vec<String>>,
}

impl Webhook {
    fn check(&self) -> Result<(), ConfigError> {
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let Self { name, url, .. } = self;
        if name.is_empty() || name.len() > limits::WEBHOOK_NAME_MAX || !name.bytes().all(named) {
            return Err(ConfigError(format!(
                "webhooks: name = \"{}\" is not 1 to {} lower-case letters, digits and `-`",
                name.escape_debug(),
                limits::WEBHOOK_NAME_MAX
            )));
        }
        let wrong = |why: &str| Err(ConfigError(format!("webhooks.{name}: url = \"{url}\" {why}")));
        let Ok(uri) = url.parse::<http::Uri>() else {
            return wrong("is no URL");
        };
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.is_empty() || authority.contains('@') {
            return wrong("is no URL such as https://example.org/hook, without a user");
        }
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let here = bare == "localhost"
            || bare.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            _ => return wrong("is neither https nor http on loopback"),
        }
        let known = |action: &&String| {
            ControlAction::ALL.iter().any(|known| known.as_str() == action.as_str())
        };
        let mut actions = self.actions.iter().flatten();
        match actions.find(|action| !known(action)) {
            None if self.actions.as_ref().is_some_and(Vec::is_empty) => Err(ConfigError(format!(
                "webhooks.{name}: actions = [] tells nothing: leave it out"
            ))),
            None => Ok(()),
            Some(other) => {
                let all: Vec<_> = ControlAction::ALL.iter().map(|known| known.as_str()).collect();
                Err(ConfigError(format!(
                    "webhooks.{name}: there is no action \"{}\"; there are {}",
                    other.escape_debug(),
                    all.join(", ")
                )))
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7400)),
            tls: None,
            require_tokens: false,
            tls_terminated_elsewhere: false,
            limits: Limits::default(),
            guard: Guard::default(),
            log: Log::default(),
            store: StoreConfig::default(),
            webhooks: Vec::new(),
        }
    }
}

/// PEM files.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, the server's own first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Bounds on what clients may do.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Feed followers at once.
    pub followers: usize,
    /// How long a request head may take to arrive.
    pub header_timeout: Span,
    /// How long a request body may take to arrive.
    pub body_timeout: Span,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Span,
    /// How long a connection may be without a new request.
    pub idle_timeout: Span,
    /// How long requests under way may take to end when the server stops.
    pub drain_timeout: Span,
}

impl Limits {
    /// How often a connection that waits is looked at, so that its time-outs are noticed.
    pub(crate) fn look_interval(&self) -> Duration {
        self.header_timeout.0.min(self.idle_timeout.0) / 4
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS_DEFAULT,
            followers: limits::FOLLOWERS_DEFAULT,
            header_timeout: Span(limits::HEADER_TIMEOUT_DEFAULT),
            body_timeout: Span(limits::BODY_TIMEOUT_DEFAULT),
            write_timeout: Span(limits::WRITE_TIMEOUT_DEFAULT),
            idle_timeout: Span(limits::IDLE_TIMEOUT_DEFAULT),
            drain_timeout: Span(limits::DRAIN_TIMEOUT_DEFAULT),
        }
    }
}

/// What operators are asked twice about.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Keys that a control action may touch without a second word.
    pub confirm_above_keys: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Self { confirm_above_keys: limits::CONFIRM_ABOVE_KEYS_DEFAULT }
    }
}

/// What is logged.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines: a filter such as `info` or `asof_server=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// How the store behaves.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Largest value, in bytes.
    pub value_bytes_max: usize,
    /// How far ahead a commit may be scheduled.
    pub schedule_limit: Span,
    /// How often closed moves when nothing is written.
    pub idle_tick: Span,
    /// A jump of the wall clock past which the running store turns read-only.
    pub clock_jump_limit: Span,
    /// A distance of the wall clock from the stored history past which it starts read-only.
    pub clock_start_limit: Span,
    /// Memory for pages of the store file, in bytes.
    pub cache_bytes: usize,
    /// How often retention looks for history to drop.
    pub retention_interval: Span,
}

impl Default for StoreConfig {
    fn default() -> Self {
        let options = Options::default();
        Self {
            value_bytes_max: options.value_bytes_max,
            schedule_limit: Span(options.schedule_limit),
            idle_tick: Span(options.idle_tick),
            clock_jump_limit: Span(options.clock_jump_limit),
            clock_start_limit: Span(options.clock_start_limit),
            cache_bytes: options.cache_bytes,
            retention_interval: Span(options.retention_interval),
        }
    }
}

impl StoreConfig {
    /// The options of the store, on the clock and randomness of the machine.
    pub fn options(&self) -> Options {
        Options {
            value_bytes_max: self.value_bytes_max,
            schedule_limit: self.schedule_limit.0,
            idle_tick: self.idle_tick.0,
            clock_jump_limit: self.clock_jump_limit.0,
            clock_start_limit: self.clock_start_limit.0,
            cache_bytes: self.cache_bytes,
            retention_interval: self.retention_interval.0,
            ..Options::default()
        }
    }
}

impl Config {
    /// Every setting as it would be in effect, defaults included, by its path.
    pub fn settings(&self) -> BTreeMap<String, String> {
        // All members by name, so that a new one is not forgotten here.
        let Self {
            data,
            listen,
            tls,
            require_tokens,
            tls_terminated_elsewhere,
            limits,
            guard: Guard { confirm_above_keys },
            log: Log { format, filter },
            store,
            webhooks,
        } = self;
        let Limits {
            connections,
            followers,
            header_timeout,
            body_timeout,
            write_timeout,
            idle_timeout,
            drain_timeout,
        } = limits;
        let StoreConfig {
            value_bytes_max,
            schedule_limit,
            idle_tick,
            clock_jump_limit,
            clock_start_limit,
            cache_bytes,
            retention_interval,
        } = store;
        let format = match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let always: [(&str, &dyn fmt::Display); 20] = [
            ("guard.confirm_above_keys", confirm_above_keys),
            ("limits.body_timeout", body_timeout),
            ("limits.connections", connections),
            ("limits.drain_timeout", drain_timeout),
            ("limits.followers", followers),
            ("limits.header_timeout", header_timeout),
            ("limits.idle_timeout", idle_timeout),
            ("limits.write_timeout", write_timeout),
            ("listen", listen),
            ("log.filter", filter),
            ("log.format", &format),
            ("require_tokens", require_tokens),
            ("store.cache_bytes", cache_bytes),
            ("store.clock_jump_limit", clock_jump_limit),
            ("store.clock_start_limit", clock_start_limit),
            ("store.idle_tick", idle_tick),
            ("store.retention_interval", retention_interval),
            ("store.schedule_limit", schedule_limit),
            ("store.value_bytes_max", value_bytes_max),
            ("tls_terminated_elsewhere", tls_terminated_elsewhere),
        ];
        let always = always.map(|(name, value)| (name.to_owned(), value.to_string()));
        let mut all = BTreeMap::from(always);
        let path = |path: &PathBuf| path.display().to_string();
        all.extend(data.iter().map(|data| ("data".to_owned(), path(data))));
        if let Some(Tls { cert, key }) = tls {
            all.insert("tls.cert".to_owned(), path(cert));
            all.insert("tls.key".to_owned(), path(key));
        }
        for Webhook { name, url, secret_file, ca_file, actions } in webhooks {
            let actions = actions.as_ref().map_or_else(|| "all".to_owned(), |list| list.join(", "));
            let mut put = |member: &str, value: String| {
                all.insert(format!("webhooks.{name}.{member}"), value);
            };
            put("url", url.clone());
            put("secret_file", path(secret_file));
            put("actions", actions);
            if let Some(file) = ca_file {
                put("ca_file", path(file));
            }
        }
        all
    }
}

/// Why a configuration is refused; names the line and column, or the member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads a TOML text. [`check`](Self::check) it once flags have had their say.
    ///
    /// # Errors
    ///
    /// Where it is not TOML, or holds a member that is unknown or of the wrong type; with line
    /// and column.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        // The library's message points at the place, with the line itself.
        toml::from_str(text).map_err(|error| ConfigError(error.to_string().trim_end().to_owned()))
    }

    /// Whether its members make sense, each and together.
    ///
    /// # Errors
    ///
    /// The first that does not, with its bound.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |text: String| Err(ConfigError(text));
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.tls_terminated_elsewhere {
            return refuse(format!(
                "listen = \"{}\" is beyond loopback: give [tls] cert and key, or say \
                 tls_terminated_elsewhere = true",
                self.listen
            ));
        }
        if self.tls.is_some() && self.tls_terminated_elsewhere {
            return refuse("tls_terminated_elsewhere = true contradicts [tls]".to_owned());
        }
        let counts = [
            ("store.cache_bytes", self.store.cache_bytes, 1 << 20, 1 << 40),
            ("limits.connections", self.limits.connections, 1, 1_000_000),
            ("limits.followers", self.limits.followers, 0, 100_000),
            ("store.value_bytes_max", self.store.value_bytes_max, 1, store_limits::VALUE_BYTES_MAX),
        ];
        for (name, count, least, most) in counts {
            if !(least..=most).contains(&count) {
                return refuse(format!("{name} = {count} is not within {least} to {most}"));
            }
        }
        self.check_webhooks()?;
        self.check_spans()
    }

    fn check_webhooks(&self) -> Result<(), ConfigError> {
        let most = limits::WEBHOOKS_MAX;
        if self.webhooks.len() > most {
            let count = self.webhooks.len();
            return Err(ConfigError(format!(
                "there are {count} [[webhooks]], the limit is {most}"
            )));
        }
        let mut names = BTreeSet::new();
        for webhook in &self.webhooks {
            webhook.check()?;
            if !names.insert(&webhook.name) {
                return Err(ConfigError(format!("two [[webhooks]] are called {}", webhook.name)));
            }
        }
        Ok(())
    }

    fn check_spans(&self) -> Result<(), ConfigError> {
        let spans = [
            ("limits.header_timeout", self.limits.header_timeout, "1s", "1h"),
            ("limits.body_timeout", self.limits.body_timeout, "1s", "1h"),
            ("limits.write_timeout", self.limits.write_timeout, "1s", "1h"),
            ("limits.idle_timeout", self.limits.idle_timeout, "1s", "1d"),
            ("limits.drain_timeout", self.limits.drain_timeout, "0s", "1h"),
            ("store.schedule_limit", self.store.schedule_limit, "1s", "36500d"),
            ("store.idle_tick", self.store.idle_tick, "1ms", "500ms"),
            ("store.clock_jump_limit", self.store.clock_jump_limit, "2s", "366d"),
            ("store.clock_start_limit", self.store.clock_start_limit, "2s", "36500d"),
            ("store.retention_interval", self.store.retention_interval, "1s", "366d"),
        ];
        for (name, span, least, most) in spans {
            let bound = |text: &str| text.parse::<Span>().map_err(ConfigError);
            if !(bound(least)?..=bound(most)?).contains(&span) {
                return Err(ConfigError(format!(
                    "{name} = \"{span}\" is not within {least} to {most}"
                )));
            }
        }
        if self.store.clock_jump_limit > self.store.clock_start_limit {
            return Err(ConfigError(format!(
                "store.clock_jump_limit = \"{}\" is above store.clock_start_limit = \"{}\"",
                self.store.clock_jump_limit, self.store.clock_start_limit
            )));
        }
        Ok(())
    }
}
