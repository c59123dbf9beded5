//! What is resolved once, at the root of a request tree: the moment, and the state values.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use asof_api::{SessionToken, headers as wire};
use asof_time::{Epoch, Timestamp, Validity};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::routes::{Known, Routes};
use super::stores::{LOST_AFTER, View};
use super::{Inner, canonical};
use crate::config::{AsOf, OnLoss, Plan, State, StateName, StateSource, StoreName};
use crate::limits;
use crate::problem::{Problem, ProblemKind};

/// What one request tree is a function of.
#[derive(Debug)]
pub(crate) struct Root {
    /// The moment.
    pub(crate) at: Timestamp,
    pub(crate) plan: Arc<Plan>,
    pub(crate) routes: Arc<Routes>,
    /// Names the tree to whoever carries it.
    pub(crate) context: u64,
    pub(crate) traceparent: HeaderValue,
    /// The timelines that the moment was taken from.
    pub(crate) epochs: BTreeMap<StoreName, Epoch>,
    /// For how long the moment has been frozen, where a store is lost.
    pub(crate) frozen: Option<core::time::Duration>,
    /// Whether the moment is before the session's last write, since the cap is.
    pub(crate) capped: bool,
    sources: BTreeMap<StateName, Option<String>>,
    states: Mutex<HashMap<StateName, Resolved>>,
    /// The newest write below the request, for its writer's next one.
    wrote: Mutex<Option<SessionToken>>,
}

/// State values by name, and where each of them is that.
type States = (Vec<(Box<str>, Box<str>)>, Vec<Option<Validity>>);

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

/// The moment of a request.
struct Moment {
    at: Timestamp,
    epochs: BTreeMap<StoreName, Epoch>,
    frozen: Option<core::time::Duration>,
    capped: bool,
}

enum Sought {
    At(Moment),
    Pass,
    Refused(Problem),
}

fn refused(kind: ProblemKind, detail: impl Into<String>) -> Sought {
    Sought::Refused(Problem::new(kind, detail))
}

impl Root {
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
    pub(crate) async fn gather(
        &self,
        plan: &Arc<Plan>,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Gathered {
        let moment = match self.seek(plan, known, headers).await {
            Sought::At(moment) => moment,
            Sought::Pass => return Gathered::Pass,
            Sought::Refused(problem) => return Gathered::Refused(problem),
        };
        let sources = plan.states.iter().map(|(name, state)| {
            (name.clone(), state.from.as_ref().and_then(|from| source(from, headers, uri)))
        });
        let traceparent = headers.get(&crate::headers::TRACEPARENT).cloned();
        Gathered::Root(Arc::new(Root {
            at: moment.at,
            plan: Arc::clone(plan),
            routes: self.routes.load_full(),
            context: self.random.number(),
            traceparent: traceparent.unwrap_or_else(|| crate::engine::traceparent(&*self.random)),
            epochs: moment.epochs,
            frozen: moment.frozen,
            capped: moment.capped,
            sources: sources.collect(),
            states: Mutex::default(),
            wrote: Mutex::default(),
        }))
    }

    async fn seek(
        &self,
        plan: &Arc<Plan>,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
    ) -> Sought {
        let route = known.map(|known| &known.route);
        let all = || plan.stores.keys().collect::<Vec<_>>();
        let stores = route.map_or_else(all, |route| route.stores.iter().collect());
        let floor = match session(headers) {
            Ok(floor) => floor,
            Err(problem) => return Sought::Refused(problem),
        };
        let (mut at, mut earliest) = (Timestamp::MAX, Timestamp::MIN);
        let mut cap: Option<Timestamp> = None;
        let (mut epochs, mut frozen) = (BTreeMap::new(), None::<core::time::Duration>);
        for name in &stores {
            let view = match self.view(name, floor).await {
                Ok(view) => view,
                Err(problem) => {
                    let default =
                        plan.stores.get(*name).map_or(OnLoss::Freeze, |store| store.on_loss);
                    let on_loss = route.map_or(default, |route| plan.on_loss(route, name));
                    return if on_loss == OnLoss::Pass {
                        Sought::Pass
                    } else {
                        Sought::Refused(problem)
                    };
                }
            };
            let silent = self.clock.boot().since(view.heard);
            if silent > LOST_AFTER {
                let default = plan.stores.get(*name).map_or(OnLoss::Freeze, |store| store.on_loss);
                match route.map_or(default, |route| plan.on_loss(route, name)) {
                    OnLoss::Pass => return Sought::Pass,
                    OnLoss::Refuse => {
                        return refused(
                            ProblemKind::Unavailable,
                            format!("the store `{name}` is lost"),
                        );
                    }
                    OnLoss::Freeze => {}
                }
                let most = plan.stores.get(*name).map_or(LOST_AFTER, |store| store.freeze_max);
                if silent > most {
                    let detail = format!(
                        "the store `{name}` has been lost for {} s, and a frozen moment is served for {} s",
                        silent.as_secs(),
                        most.as_secs()
                    );
                    return refused(ProblemKind::Unavailable, detail);
                }
                frozen = frozen.max(Some(silent));
            }
            at = at.min(view.latest());
            earliest = earliest.max(view.floor);
            cap = cap.into_iter().chain(view.cap).min();
            epochs.insert((*name).clone(), view.epoch);
        }
        if stores.is_empty() {
            at = self.clock.wall();
        }
        let asked = match as_of(headers) {
            Ok(asked) => asked.filter(|_| route.is_some_and(|route| route.as_of == AsOf::Closed)),
            Err(problem) => return Sought::Refused(problem),
        };
        match asked {
            Some(asked) if cap.is_some_and(|cap| asked > cap) => {
                refused(ProblemKind::AboveCap, format!("as-of `{asked}` is above the cap"))
            }
            Some(asked) if asked > at => refused(
                ProblemKind::NotYetClosed,
                format!("as-of `{asked}` is above closed=`{at}`"),
            ),
            Some(asked) if asked < earliest => refused(
                ProblemKind::BelowFloor,
                format!("as-of `{asked}` is below floor=`{earliest}`"),
            ),
            asked => {
                let own = |token: &SessionToken| epochs.values().any(|epoch| *epoch == token.epoch);
                let capped = asked.is_none() && floor.filter(own).is_some_and(|own| at < own.at);
                Sought::At(Moment { at: asked.unwrap_or(at), epochs, frozen, capped })
            }
        }
    }

    /// What is known of a store, once it has come to the session's last write of this epoch.
    async fn view(&self, name: &StoreName, floor: Option<SessionToken>) -> Result<View, Problem> {
        let away = || {
            let detail = format!("the edge has not yet heard of the store `{name}`");
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let store = self.stores.get(name.as_str()).ok_or_else(away)?;
        let enough = |view: &Option<View>| {
            view.is_some_and(|view| {
                floor.is_none_or(|floor| floor.epoch != view.epoch || floor.at <= view.through)
            })
        };
        let mut views = store.view.subscribe();
        let now = *views.borrow();
        if let Some(view) = now.filter(|_| enough(&now)) {
            return Ok(view);
        }
        let waited = tokio::time::timeout(limits::SESSION_WAIT, views.wait_for(enough)).await;
        match waited {
            Ok(Ok(view)) => (*view).ok_or_else(away),
            _ if now.is_none() => Err(away()),
            _ => {
                let detail =
                    format!("the edge has not yet come to the session's last write of `{name}`");
                Err(Problem::new(ProblemKind::Unavailable, detail))
            }
        }
    }

    /// The declared state values of a route, by name.
    pub(crate) async fn states(
        self: &Arc<Self>,
        root: &Arc<Root>,
        names: &[StateName],
    ) -> Result<States, Problem> {
        let (mut values, mut validities) = (Vec::new(), Vec::new());
        let mut names: Vec<&StateName> = names.iter().collect();
        names.sort();
        for name in names {
            let (value, validity) = self.state(root, name).await?;
            values.push((name.as_str().into(), (*value).into()));
            validities.push(validity);
        }
        Ok((values, validities))
    }

    async fn state(
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
            let served = self.serve(root, read, None, 0).await;
            let fact = served.fact.as_ref().ok();
            validity = validity.and_then(|known| known.intersect(fact?.validity));
            // Only what is known to be absent is the default: nobody is shown that of an outage.
            let content = match served.content() {
                Some(content) if content.status().is_success() => Some(content),
                Some(content) if content.status() == StatusCode::NOT_FOUND => None,
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
fn text(value: &serde_json::Value) -> Option<String> {
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

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, &KEY).to_string()
}

/// The part of a request that a state value starts from.
fn source(from: &StateSource, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match from {
        StateSource::Cookie(name) => cookie(headers, name),
        StateSource::Header(name) => headers.get(name)?.to_str().ok().map(str::to_owned),
        StateSource::Query(name) => uri.query()?.split('&').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            (percent_decode_str(key).decode_utf8().ok()? == **name).then(|| value.into_owned())
        }),
        // Nobody checks tokens with claims yet: the configuration refuses such a mode.
        StateSource::Claim(_) => None,
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

/// The moment that the client asks for.
fn as_of(headers: &HeaderMap) -> Result<Option<Timestamp>, Problem> {
    one(headers, &wire::AS_OF)?.map_or(Ok(None), |text| {
        text.parse()
            .map(Some)
            .map_err(|error| Problem::new(ProblemKind::Malformed, format!("As-Of: {error}")))
    })
}

/// The last write that the client's next answer must show.
fn session(headers: &HeaderMap) -> Result<Option<SessionToken>, Problem> {
    one(headers, &wire::ASOF_TOKEN)?.map_or(Ok(None), |text| {
        text.parse()
            .map(Some)
            .map_err(|error| Problem::new(ProblemKind::Malformed, format!("Asof-Token: {error}")))
    })
}

fn one(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let malformed = |what: &str| Problem::new(ProblemKind::Malformed, format!("{name}: {what}"));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(malformed("it is there more than once"));
    }
    value.to_str().map(|text| Some(text.trim().to_owned())).map_err(|_| malformed("it is not text"))
}
