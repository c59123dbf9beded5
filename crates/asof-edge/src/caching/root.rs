//! What is resolved once, at the root of a request tree: the moment, and the state values.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use asof_api::SessionToken;
use asof_env::Random;
use asof_listen::Soon;
use asof_time::{Epoch, Timestamp, Validity};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::auth::Identity;
use super::level::Level;
use super::moment::{Choice, Instead, Sight, declared};
use super::routes::{Known, Routes};
use super::{Inner, canonical};
use crate::config::{Plan, State, StateName, StateSource, StoreName};
use crate::limits;
use crate::problem::{Problem, ProblemKind};
use crate::spans::{self, SpanContext};

/// What one request tree is a function of.
#[derive(Debug)]
pub(crate) struct Root {
    /// The moment.
    pub(crate) at: Timestamp,
    pub(crate) plan: Arc<Plan>,
    pub(crate) routes: Arc<Routes>,
    random: Arc<dyn Random>,
    context: OnceLock<u64>,
    span: OnceLock<Arc<SpanContext>>,
    /// The timelines that the moment was taken from.
    pub(crate) epochs: BTreeMap<StoreName, Epoch>,
    /// For how long the moment has been frozen, where a store is lost.
    pub(crate) frozen: Option<core::time::Duration>,
    /// Why the moment is this one.
    pub(crate) choice: Choice,
    /// The stores that services may read.
    declared: Arc<[StoreName]>,
    sources: BTreeMap<StateName, Option<String>>,
    states: Mutex<HashMap<StateName, Resolved>>,
    /// The newest write below the request, for its writer's next one.
    wrote: Mutex<Option<SessionToken>>,
    /// How long a call of the tree waits for another's execution.
    pub(crate) patience: Duration,
    /// The store that refused to be read at the moment, since a cap below it came in between.
    pub(crate) overtaken_in: OnceLock<StoreName>,
}

/// What another edge resolved for a tree of which a call came here.
#[derive(Debug)]
pub(crate) struct Abroad {
    pub(crate) at: Timestamp,
    pub(crate) plan: Arc<Plan>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) context: u64,
    pub(crate) span: Option<SpanContext>,
    pub(crate) epochs: BTreeMap<StoreName, Epoch>,
    pub(crate) declared: Arc<[StoreName]>,
    pub(crate) sources: BTreeMap<StateName, Option<String>>,
    pub(crate) choice: Choice,
}

/// State values by name, and where each of them is that.
pub(crate) type States = (Vec<(Box<str>, Box<str>)>, Vec<Option<Validity>>);

/// A state value, and where it is that. `None` where nothing can be said.
pub(crate) type Resolved = (Arc<str>, Option<Validity>);

/// What came of the attempt to resolve a request's moment.
#[derive(Debug)]
pub(crate) enum Gathered {
    Root(Arc<Root>),
    /// A store is lost, and the route goes on without.
    Pass,
    Refused(Problem),
}

fn come(span: Option<SpanContext>) -> OnceLock<Arc<SpanContext>> {
    span.map_or_else(OnceLock::new, |span| OnceLock::from(Arc::new(span)))
}

impl Root {
    /// The root of a tree that another edge records. State values are found here as they are there:
    /// both look them up at one moment.
    pub(crate) fn abroad(tree: Abroad) -> Arc<Self> {
        let Abroad { at, plan, routes, random, context, epochs, declared, sources, .. } = tree;
        Arc::new(Self {
            at,
            plan,
            routes,
            random,
            context: OnceLock::from(context),
            span: come(tree.span),
            epochs,
            frozen: None,
            choice: tree.choice,
            declared,
            sources,
            states: Mutex::default(),
            wrote: Mutex::default(),
            patience: limits::PEER_LEADER_WAIT,
            overtaken_in: OnceLock::new(),
        })
    }

    /// Whether it is looked at before it is closed: nothing of it is kept, and nothing written.
    pub(crate) fn is_preview(&self) -> bool {
        self.choice == Choice::Preview
    }

    /// What each state value starts from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&StateName, Option<&str>)> {
        self.sources.iter().map(|(name, source)| (name, source.as_deref()))
    }

    /// Whether services may read this store. The edge itself may read more: those that state
    /// values and releases are kept in.
    pub(crate) fn declares(&self, store: &StoreName) -> bool {
        self.declared.contains(store)
    }

    /// Names the tree to whoever carries it. Drawn once something is executed: most requests are
    /// answered without, and randomness is a call of the operating system.
    pub(crate) fn context(&self) -> u64 {
        *self.context.get_or_init(|| self.random.number())
    }

    /// The span that the request is, or what it came with. Made as late as the context.
    pub(crate) fn span(&self) -> &Arc<SpanContext> {
        self.span.get_or_init(|| Arc::new(spans::unwatched(&*self.random)))
    }

    /// Remembers the newest write, to be handed to whoever made it.
    pub(crate) fn wrote(&self, token: SessionToken) {
        let mut wrote = self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        if wrote.is_none_or(|known| known.epoch != token.epoch || known.at < token.at) {
            *wrote = Some(token);
        }
    }

    /// The newest write.
    pub(crate) fn written(&self) -> Option<SessionToken> {
        *self.wrote.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Resolves what can be resolved without asking a store.
    pub(crate) fn gather(
        &self,
        plan: &Arc<Plan>,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
        uri: &Uri,
        who: &Identity,
        sight: Sight,
    ) -> Soon<'_, Gathered> {
        let sources = plan.states.iter().map(|(name, state)| {
            (name.clone(), state.from.as_ref().and_then(|from| source(from, headers, uri, who)))
        });
        let sources = sources.collect();
        let span = come(SpanContext::of(headers));
        let (declared, resolved) = (declared(plan, known), Arc::clone(plan));
        self.seek(plan, known, headers, sight).then(move |moment| {
            let moment = match moment {
                Ok(moment) => moment,
                Err(Instead::Pass) => return Soon::now(Gathered::Pass),
                Err(Instead::Refuse(problem)) => return Soon::now(Gathered::Refused(problem)),
            };
            Soon::now(Gathered::Root(Arc::new(Root {
                at: moment.at,
                plan: resolved,
                routes: self.routes.load_full(),
                random: Arc::clone(&self.random),
                context: OnceLock::new(),
                span,
                epochs: moment.epochs,
                frozen: moment.frozen,
                choice: moment.choice,
                declared,
                sources,
                states: Mutex::default(),
                wrote: Mutex::default(),
                patience: limits::LEADER_WAIT,
                overtaken_in: OnceLock::new(),
            })))
        })
    }

    /// The declared state values of a route, by name.
    pub(crate) fn states(
        self: &Arc<Self>,
        root: &Arc<Root>,
        known: &Arc<Known>,
    ) -> Soon<'_, Result<States, Problem>> {
        if known.route.state.is_empty() {
            return Soon::now(Ok(States::default()));
        }
        let (root, known) = (Arc::clone(root), Arc::clone(known));
        Soon::later(async move {
            let (mut values, mut validities) = (Vec::new(), Vec::new());
            let mut names: Vec<&StateName> = known.route.state.iter().collect();
            names.sort();
            for name in names {
                let (value, validity) = self.state(&root, name).await?;
                values.push((name.as_str().into(), (*value).into()));
                validities.push(validity);
            }
            Ok((values, validities))
        })
    }

    /// One state value.
    pub(crate) async fn state(
        self: &Arc<Self>,
        root: &Arc<Root>,
        name: &StateName,
    ) -> Result<Resolved, Problem> {
        let known = |root: &Root| {
            let states = root.states.lock().unwrap_or_else(PoisonError::into_inner);
            states.get(name).cloned()
        };
        if let Some(resolved) = known(root) {
            return Ok(resolved);
        }
        let Some(state) = root.plan.states.get(name) else { return Ok(("".into(), None)) };
        let start = root.sources.get(name).cloned().flatten();
        let resolved = self.look_up(root, state, start).await?;
        let mut states = root.states.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was first is right for the whole tree, though both must have found the same.
        Ok(states.entry(name.clone()).or_insert(resolved).clone())
    }

    async fn look_up(
        self: &Arc<Self>,
        root: &Arc<Root>,
        state: &State,
        start: Option<String>,
    ) -> Result<Resolved, Problem> {
        let mut validity = Some(asof_cache::always());
        let mut value = start;
        for lookup in &state.lookups {
            let (Some(key), Some(store)) = (value.take(), &state.store) else { break };
            let path = format!("/v1/spaces/{}/keys/{}", lookup.space, encoded(&key));
            let read = canonical::read(store.as_str(), &path, "");
            let served = self.serve(root, read, None, Level::ROOT).await;
            let fact = served.fact.as_ref().ok();
            validity = validity.and_then(|known| known.intersect(fact?.validity));
            // Only what is known to be absent is the default: nobody is shown that of an outage.
            let content = match served.content() {
                Some(content) if content.status().is_success() => Some(content),
                // Nor is it of somebody whose settings were erased.
                Some(content)
                    if matches!(content.status(), StatusCode::NOT_FOUND | StatusCode::GONE) =>
                {
                    None
                }
                _ => {
                    let detail = format!("the store cannot say what is in `{}` now", lookup.space);
                    return Err(Problem::new(ProblemKind::Unavailable, detail));
                }
            };
            value = content.and_then(|content| {
                let object: serde_json::Value = serde_json::from_slice(content.body()).ok()?;
                text(object.get(&lookup.field)?)
            });
        }
        let allowed =
            |value: &String| state.values.as_ref().is_none_or(|values| values.contains(value));
        let value = value.filter(allowed).unwrap_or_else(|| state.default.clone());
        Ok((value.into(), validity))
    }
}

/// A scalar as the text that a header carries.
pub(crate) fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
    .filter(|text| HeaderValue::from_str(text).is_ok())
}

/// What a key may hold in a path as it is: RFC 3986's unreserved characters, and the slash.
const KEY: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

pub(crate) fn encoded(key: &str) -> String {
    utf8_percent_encode(key, &KEY).to_string()
}

/// The part of a request that a state value starts from.
fn source(from: &StateSource, headers: &HeaderMap, uri: &Uri, who: &Identity) -> Option<String> {
    match from {
        StateSource::Cookie(name) => cookie(headers, name),
        StateSource::Header(name) => headers.get(name)?.to_str().ok().map(str::to_owned),
        StateSource::Query(name) => uri.query()?.split('&').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            (percent_decode_str(key).decode_utf8().ok()? == **name).then(|| value.into_owned())
        }),
        StateSource::Claim(_) | StateSource::AuthHeader(_) => who.value(from).map(str::to_owned),
    }
}

pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}
