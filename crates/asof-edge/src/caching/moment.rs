//! The moment of a request: as late as all stores that it may read allow, and no earlier than the
//! last write of whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use asof_api::{SessionToken, headers as wire};
use asof_time::{Epoch, Timestamp};
use http::{HeaderMap, HeaderName};

use super::Inner;
use super::routes::Known;
use super::stores::{LOST_AFTER, View};
use crate::config::{AsOf, OnLoss, Plan, StoreName};
use crate::limits;
use crate::problem::{Problem, ProblemKind};

/// The moment of a request.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) epochs: BTreeMap<StoreName, Epoch>,
    pub(crate) frozen: Option<core::time::Duration>,
    pub(crate) choice: Choice,
}

/// Why a moment is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// It is the latest there is.
    Latest,
    /// An operator keeps the system below the last write of the session: that one is not in it.
    Capped,
    /// The client asked for it.
    Asked,
}

/// What is done where there is no moment.
#[derive(Debug)]
pub(crate) enum Instead {
    /// A store is lost, and the route goes on without.
    Pass,
    Refuse(Problem),
}

impl Instead {
    fn refuse(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Refuse(Problem::new(kind, detail))
    }
}

/// What all stores together allow.
struct Bounds {
    latest: Timestamp,
    floor: Timestamp,
    cap: Option<Timestamp>,
    epochs: BTreeMap<StoreName, Epoch>,
    frozen: Option<core::time::Duration>,
}

/// The stores that services may read below a request: those of its route, or all.
pub(crate) fn declared(plan: &Plan, known: Option<&Arc<Known>>) -> Vec<StoreName> {
    known.map_or_else(|| plan.stores.keys().cloned().collect(), |known| known.route.stores.clone())
}

/// With them, those that the edge itself reads: for state values and releases.
fn bounding(plan: &Plan, known: Option<&Arc<Known>>) -> Vec<StoreName> {
    let mut stores = declared(plan, known);
    let states = known.iter().flat_map(|known| &known.route.state);
    let states = states.filter_map(|name| plan.states.get(name)?.store.as_ref());
    let releases = plan.releases.iter().map(|releases| &releases.store);
    stores.extend(states.chain(releases).cloned());
    stores.sort();
    stores.dedup();
    stores
}

impl Inner {
    /// The moment of a request of a client.
    pub(crate) async fn seek(
        &self,
        plan: &Arc<Plan>,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
    ) -> Result<Moment, Instead> {
        let stores = bounding(plan, known);
        let written = session(headers).map_err(Instead::Refuse)?;
        let written = written.filter(|token| self.may_be_of(token, &stores));
        let asked = as_of(headers).map_err(Instead::Refuse)?;
        if asked.is_some() && known.is_some_and(|known| known.route.as_of != AsOf::Closed) {
            let detail = "this route does not let clients choose a moment: leave As-Of out, or have \
                          `as_of = \"closed\"` set for it";
            return Err(Instead::refuse(ProblemKind::Forbidden, detail));
        }
        let asked = asked.filter(|_| known.is_some());
        let bounds = self.bounds(plan, known, &stores, written).await?;
        let Some(asked) = asked else {
            let behind = written.is_some_and(|token| bounds.latest < token.at);
            let choice = if behind { Choice::Capped } else { Choice::Latest };
            let Bounds { latest, epochs, frozen, .. } = bounds;
            return Ok(Moment { at: latest, epochs, frozen, choice });
        };
        let Bounds { latest, floor, cap, epochs, frozen } = bounds;
        if cap.is_some_and(|cap| asked > cap) {
            let detail = format!("as-of `{asked}` is above the cap");
            return Err(Instead::refuse(ProblemKind::AboveCap, detail));
        }
        if asked > latest {
            let detail = format!("as-of `{asked}` is above closed=`{latest}`");
            return Err(Instead::refuse(ProblemKind::NotYetClosed, detail));
        }
        if asked < floor {
            let detail = format!("as-of `{asked}` is below floor=`{floor}`");
            return Err(Instead::refuse(ProblemKind::BelowFloor, detail));
        }
        Ok(Moment { at: asked, epochs, frozen, choice: Choice::Asked })
    }

    /// Whether the write can have been made in one of these stores. One of another epoch, or of a
    /// store that does not matter here, is nothing to wait for.
    fn may_be_of(&self, token: &SessionToken, stores: &[StoreName]) -> bool {
        stores.iter().filter_map(|name| self.stores.get(name.as_str())).any(|store| {
            let view = *store.view.borrow();
            view.is_none_or(|view| view.epoch == token.epoch)
        })
    }

    /// All of the stores must have come to the session's last write, whichever it was made in:
    /// there is one moment for all.
    async fn bounds(
        &self,
        plan: &Plan,
        known: Option<&Arc<Known>>,
        stores: &[StoreName],
        written: Option<SessionToken>,
    ) -> Result<Bounds, Instead> {
        let mut bounds = Bounds {
            latest: Timestamp::MAX,
            floor: Timestamp::MIN,
            cap: None,
            epochs: BTreeMap::new(),
            frozen: None,
        };
        for name in stores {
            let default = plan.stores.get(name).map_or(OnLoss::Freeze, |store| store.on_loss);
            let on_loss = known.map_or(default, |known| plan.on_loss(&known.route, name));
            let view = match self.view(name, written).await {
                Ok(view) => view,
                Err(_) if on_loss == OnLoss::Pass => return Err(Instead::Pass),
                Err(problem) => return Err(Instead::Refuse(problem)),
            };
            if let Some(silent) = self.silence(plan, name, &view, on_loss)? {
                bounds.frozen = bounds.frozen.max(Some(silent));
            }
            bounds.latest = bounds.latest.min(view.latest());
            bounds.floor = bounds.floor.max(view.floor);
            bounds.cap = bounds.cap.into_iter().chain(view.cap).min();
            bounds.epochs.insert(name.clone(), view.epoch);
        }
        if stores.is_empty() {
            bounds.latest = self.clock.wall();
        }
        Ok(bounds)
    }

    /// For how long a store has been lost, if it is and that is still borne.
    fn silence(
        &self,
        plan: &Plan,
        name: &StoreName,
        view: &View,
        on_loss: OnLoss,
    ) -> Result<Option<core::time::Duration>, Instead> {
        let silent = self.clock.boot().since(view.heard);
        if silent <= LOST_AFTER {
            return Ok(None);
        }
        let most = plan.stores.get(name).map_or(LOST_AFTER, |store| store.freeze_max);
        match on_loss {
            OnLoss::Pass => Err(Instead::Pass),
            OnLoss::Refuse => {
                let detail = format!("the store `{name}` is lost");
                Err(Instead::refuse(ProblemKind::Unavailable, detail))
            }
            OnLoss::Freeze if silent > most => {
                let (silent, most) = (silent.as_secs(), most.as_secs());
                let detail = format!(
                    "the store `{name}` has been lost for {silent} s, and a frozen moment is \
                     served for {most} s"
                );
                Err(Instead::refuse(ProblemKind::Unavailable, detail))
            }
            OnLoss::Freeze => Ok(Some(silent)),
        }
    }

    /// What is known of a store, once it has come to the session's last write.
    async fn view(&self, name: &StoreName, written: Option<SessionToken>) -> Result<View, Problem> {
        let away = || {
            let detail = format!("the edge has not yet heard of the store `{name}`");
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let store = self.stores.get(name.as_str()).ok_or_else(away)?;
        let enough = |view: &Option<View>| {
            view.is_some_and(|view| written.is_none_or(|token| token.at <= view.through))
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
                    format!("the store `{name}` has not yet come to the session's last write");
                Err(Problem::new(ProblemKind::Unavailable, detail))
            }
        }
    }
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
