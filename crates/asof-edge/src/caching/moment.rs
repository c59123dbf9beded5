//! The moment of a request: as late as all stores that it may read allow, and no earlier than the
//! last write of whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use asof_api::{SessionToken, headers as wire};
use asof_listen::Soon;
use asof_time::{Epoch, Timestamp};
use http::{HeaderMap, HeaderName};

use super::Inner;
use super::routes::Known;
use super::stores::{LOST_AFTER, View};
use crate::config::{AsOf, OnLoss, Plan, StateName, StoreName};
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
    /// An operator looks at it before it is closed: what is true then may still change.
    Preview,
}

/// How far a request may look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// At what is closed.
    Closed,
    /// At this moment, whether it is closed or not.
    Ahead(Timestamp),
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
pub(crate) fn declared(plan: &Plan, known: Option<&Arc<Known>>) -> Arc<[StoreName]> {
    known.map_or_else(|| plan.stores.keys().cloned().collect(), |known| Arc::clone(&known.declared))
}

/// With those that services may read, those that the edge itself reads: for state values and
/// releases.
pub(crate) fn bounding(
    plan: &Plan,
    declared: Vec<StoreName>,
    states: &[StateName],
) -> Vec<StoreName> {
    let mut stores = declared;
    let states = states.iter().filter_map(|name| plan.states.get(name)?.store.as_ref());
    let releases = plan.releases.iter().map(|releases| &releases.store);
    stores.extend(states.chain(releases).cloned());
    stores.sort();
    stores.dedup();
    stores
}

/// What a request needs of its moment.
#[derive(Debug)]
struct Wanted {
    /// The stores that it is taken from.
    stores: Arc<[StoreName]>,
    /// The session's last write.
    written: Option<SessionToken>,
    /// The stores that were waited for until they had come to that.
    met: Vec<StoreName>,
    /// The moment that the client chose.
    asked: Option<Timestamp>,
    sight: Sight,
}

/// Why the bounds of a moment are not known.
enum Short {
    Instead(Instead),
    /// This store has not yet come to the session's last write, or was not yet heard of.
    Behind(StoreName, OnLoss),
}

impl From<Instead> for Short {
    fn from(instead: Instead) -> Self {
        Self::Instead(instead)
    }
}

impl Inner {
    /// The moment of a request of a client.
    pub(crate) fn seek(
        &self,
        plan: &Arc<Plan>,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
        sight: Sight,
    ) -> Soon<'_, Result<Moment, Instead>> {
        let mut wanted = match self.wanted(plan, known, headers, sight) {
            Ok(wanted) => wanted,
            Err(instead) => return Soon::now(Err(instead)),
        };
        let (mut behind, on_loss) = match self.bounds(plan, known, &wanted) {
            Ok(bounds) => return Soon::now(wanted.moment(bounds)),
            Err(Short::Instead(instead)) => return Soon::now(Err(instead)),
            Err(Short::Behind(name, on_loss)) => (name, on_loss),
        };
        let (plan, known, mut on_loss) = (Arc::clone(plan), known.cloned(), on_loss);
        Soon::later(async move {
            loop {
                match self.come(&behind, wanted.written).await {
                    Ok(()) => wanted.met.push(behind),
                    Err(_) if on_loss == OnLoss::Pass => return Err(Instead::Pass),
                    Err(problem) => return Err(Instead::Refuse(problem)),
                }
                (behind, on_loss) = match self.bounds(&plan, known.as_ref(), &wanted) {
                    Ok(bounds) => return wanted.moment(bounds),
                    Err(Short::Instead(instead)) => return Err(instead),
                    Err(Short::Behind(name, on_loss)) => (name, on_loss),
                };
            }
        })
    }

    /// What the request says of its moment.
    fn wanted(
        &self,
        plan: &Plan,
        known: Option<&Arc<Known>>,
        headers: &HeaderMap,
        sight: Sight,
    ) -> Result<Wanted, Instead> {
        let stores = known.map_or_else(
            || bounding(plan, plan.stores.keys().cloned().collect(), &[]).into(),
            |known| Arc::clone(&known.bounding),
        );
        let written = session(headers).map_err(Instead::Refuse)?;
        let written = written.filter(|token| self.may_be_of(token, &stores));
        if let Sight::Ahead(at) = sight {
            return Ok(Wanted { stores, written: None, met: Vec::new(), asked: Some(at), sight });
        }
        let asked = as_of(headers).map_err(Instead::Refuse)?;
        if asked.is_some() && known.is_some_and(|known| known.route.as_of != AsOf::Closed) {
            let detail = "this route does not let clients choose a moment: leave As-Of out, or have \
                          `as_of = \"closed\"` set for it";
            return Err(Instead::refuse(ProblemKind::Forbidden, detail));
        }
        let asked = asked.filter(|_| known.is_some());
        Ok(Wanted { stores, written, met: Vec::new(), asked, sight })
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
    fn bounds(
        &self,
        plan: &Plan,
        known: Option<&Arc<Known>>,
        wanted: &Wanted,
    ) -> Result<Bounds, Short> {
        let mut bounds = Bounds {
            latest: Timestamp::MAX,
            floor: Timestamp::MIN,
            cap: None,
            epochs: BTreeMap::new(),
            frozen: None,
        };
        for name in &*wanted.stores {
            let default = plan.stores.get(name).map_or(OnLoss::Freeze, |store| store.on_loss);
            let on_loss = known.map_or(default, |known| plan.on_loss(&known.route, name));
            let view = self.stores.get(name.as_str()).and_then(|store| *store.view.borrow());
            let view = view.filter(|view| wanted.is_enough(name, view));
            let view = view.ok_or_else(|| Short::Behind(name.clone(), on_loss))?;
            if let Some(silent) = self.silence(plan, name, &view, on_loss)? {
                bounds.frozen = bounds.frozen.max(Some(silent));
            }
            bounds.latest = bounds.latest.min(view.latest());
            bounds.floor = bounds.floor.max(view.floor);
            bounds.cap = bounds.cap.into_iter().chain(view.cap).min();
            bounds.epochs.insert(name.clone(), view.epoch);
        }
        if wanted.stores.is_empty() {
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

    /// Waits until a store has come to the session's last write.
    async fn come(&self, name: &StoreName, written: Option<SessionToken>) -> Result<(), Problem> {
        let away = || {
            let detail = format!("the edge has not yet heard of the store `{name}`");
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let store = self.stores.get(name.as_str()).ok_or_else(away)?;
        let enough =
            |view: &Option<View>| view.is_some_and(|view| has_come(&view, written.as_ref()));
        let mut views = store.view.subscribe();
        let heard = views.borrow().is_some();
        match tokio::time::timeout(limits::SESSION_WAIT, views.wait_for(enough)).await {
            Ok(Ok(_)) => Ok(()),
            _ if !heard => Err(away()),
            _ => {
                let detail =
                    format!("the store `{name}` has not yet come to the session's last write");
                Err(Problem::new(ProblemKind::Unavailable, detail))
            }
        }
    }
}

impl Wanted {
    /// Whether a store is as far as the session, or was.
    fn is_enough(&self, name: &StoreName, view: &View) -> bool {
        has_come(view, self.written.as_ref()) || self.met.contains(name)
    }

    /// The moment within `bounds`.
    fn moment(&self, bounds: Bounds) -> Result<Moment, Instead> {
        let Bounds { latest, floor, cap, epochs, frozen } = bounds;
        let Some(asked) = self.asked else {
            let behind = self.written.is_some_and(|token| latest < token.at);
            let choice = if behind { Choice::Capped } else { Choice::Latest };
            return Ok(Moment { at: latest, epochs, frozen, choice });
        };
        let is_ahead = asked > latest || cap.is_some_and(|cap| asked > cap);
        if is_ahead && self.sight != Sight::Closed {
            return Ok(Moment { at: asked, epochs, frozen, choice: Choice::Preview });
        }
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
}

/// Whether a store is known as far as the write.
fn has_come(view: &View, written: Option<&SessionToken>) -> bool {
    written.is_none_or(|token| token.at <= view.through)
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
