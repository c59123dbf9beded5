//! The stores as the edge follows them: each feed feeds the change index, and says how far it is
//! complete. That, and never what a store calls closed, is what the edge goes by.

use core::cell::RefCell;
use core::ops::ControlFlow;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use asof_api::body::{FeedEvent, SpaceBody};
use asof_cache::{Begun, Cache, StoreId};
use asof_client::{Client, HEARTBEATS_LATE_MAX, HttpTransport, Trust};
use asof_env::{BootTime, Clock};
use asof_time::{Epoch, Timestamp};
use tokio::sync::watch;

use super::again::Repeats;
use super::hearing::{Heard, Hearing, TakeUp};
use crate::config::{self, Plan, Store, StoreName};
use crate::limits;

/// How often a feed says that it is there, if it has nothing else to say.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Silence after which a store counts as lost. A connection that is still is given up before, so
/// that one lost packet is no lost store.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(5);

const _: () = assert!(
    HEARTBEAT.as_millis() * (HEARTBEATS_LATE_MAX as u128) < LOST_AFTER.as_millis(),
    "a healthy feed that is taken up anew does not count as lost"
);

/// The pause before the feed is taken up again from scratch.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View {
    pub(crate) epoch: Epoch,
    pub(crate) through: Timestamp,
    pub(crate) floor: Timestamp,
    pub(crate) cap: Option<Timestamp>,
    /// When the feed last said something.
    pub(crate) heard: BootTime,
}

impl View {
    /// What "now" resolves to.
    pub(crate) fn latest(&self) -> Timestamp {
        self.cap.map_or(self.through, |cap| cap.min(self.through))
    }
}

/// One store that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) id: StoreId,
    pub(crate) client: Client,
    pub(crate) view: watch::Sender<Option<View>>,
    pub(crate) authorization: Option<http::HeaderValue>,
    /// What a preview says to be let in.
    pub(crate) preview: Option<http::HeaderValue>,
    settings: Store,
    trust: Trust,
}

/// All stores that were ever followed, by name.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    followed: BTreeMap<StoreName, Arc<Followed>>,
    next: u16,
    /// How far back a rollback finds everything warm.
    window: Duration,
}

impl Known {
    /// The earliest moment that a rollback may go back to, by what is heard of all stores. A cap
    /// that is in force has been gone back to already, and may be lowered further.
    fn rollback_from(&self) -> Option<Timestamp> {
        let latest = self.followed.values().filter_map(|store| {
            let view = *store.view.borrow();
            view.map(|view| view.latest())
        });
        latest.min().map(|latest| latest.saturating_sub(self.window))
    }
}

impl Stores {
    /// The store of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Followed>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.followed.get(name).map(Arc::clone)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(StoreName, Arc<Followed>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.followed.iter().map(|(name, store)| (name.clone(), Arc::clone(store))).collect()
    }

    /// The name of the store that is followed under this number.
    pub(crate) fn name(&self, id: StoreId) -> Option<StoreName> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut followed = known.followed.iter();
        followed.find(|(_, store)| store.id == id).map(|(name, _)| name.clone())
    }

    /// Whether a store can be asked: its token, if it has one, and whom to trust are good.
    pub(crate) fn check(store: &Store, trust: &Trust) -> Result<(), String> {
        client(store, trust)?;
        preview(store).map(drop)
    }

    /// Follows the stores of `plan`, and no others. One whose settings changed is followed anew,
    /// under a number of its own: nothing made of the old one ever matches.
    pub(crate) fn follow(
        &self,
        plan: &Plan,
        cache: &Arc<Cache>,
        repeats: &Arc<Repeats>,
        clock: &Arc<dyn Clock>,
    ) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.window = plan.limits.window;
        let trust = plan.trust();
        known.followed.retain(|name, followed| {
            let trusted = followed.settings.url.secured().is_none() || followed.trust == trust;
            trusted && plan.stores.get(name) == Some(&followed.settings)
        });
        for (name, store) in &plan.stores {
            if known.followed.contains_key(name) {
                continue;
            }
            let Ok((client, authorization)) = client(store, &trust) else { continue };
            let Ok(preview) = preview(store) else { continue };
            let preview = preview.or_else(|| authorization.clone());
            let id = StoreId(known.next);
            known.next = known.next.wrapping_add(1);
            let followed = Arc::new(Followed {
                id,
                client: client.clone(),
                view: watch::Sender::new(None),
                authorization,
                preview,
                settings: store.clone(),
                trust: trust.clone(),
            });
            let follower = Follower {
                name: name.clone(),
                client,
                store: Arc::downgrade(&followed),
                cache: Arc::downgrade(cache),
                repeats: Arc::clone(repeats),
                all: Arc::downgrade(&self.known),
                clock: Arc::clone(clock),
                hearing: RefCell::new(Hearing::new(id)),
            };
            known.followed.insert(name.clone(), followed);
            let thread = std::thread::Builder::new().name(format!("feed-{name}"));
            if let Err(error) = thread.spawn(move || follower.run()) {
                tracing::error!(store = %name, %error, "no thread to follow the store with");
            }
        }
    }
}

/// A client of the store, and what it says to be let in.
fn client(store: &Store, trust: &Trust) -> Result<(Client, Option<http::HeaderValue>), String> {
    let transport = HttpTransport::new(&store.url.to_string(), trust);
    let transport = transport.map_err(|error| error.to_string())?;
    let client = Client::new(Arc::new(transport)).with_author("asof edge");
    let Some(path) = &store.token_file else { return Ok((client, None)) };
    let token = token(path)?;
    let client = client.with_token(&token);
    let client = client.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((client, Some(bearer(path, &token)?)))
}

fn token(path: &Path) -> Result<String, String> {
    let text = config::read_bounded(path, limits::TOKEN_BYTES_MAX);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// The header that says a token, which is out of the file at `path`.
fn bearer(path: &Path, token: &str) -> Result<http::HeaderValue, String> {
    let value = http::HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|error| format!("{}: {error}", path.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// What a preview says to be let in, where that is something else.
fn preview(store: &Store) -> Result<Option<http::HeaderValue>, String> {
    let path = store.preview_token_file.as_deref();
    path.map(|path| bearer(path, &token(path)?)).transpose()
}

/// Follows one store on a thread of its own, for as long as the store is configured.
struct Follower {
    name: StoreName,
    client: Client,
    store: Weak<Followed>,
    cache: Weak<Cache>,
    repeats: Arc<Repeats>,
    all: Weak<Mutex<Known>>,
    clock: Arc<dyn Clock>,
    hearing: RefCell<Hearing>,
}

impl Follower {
    fn run(&self) {
        while self.store.strong_count() > 0 && self.cache.strong_count() > 0 {
            if let Err(error) = self.follow_once() {
                tracing::warn!(store = %self.name, %error, "the feed of a store is away");
            }
            self.clock.sleep(PAUSE);
        }
    }

    /// Begins at what is closed now, and goes on until going on cannot help.
    fn follow_once(&self) -> asof_client::Result<()> {
        let time = self.client.time()?;
        let TakeUp { after, wants_spaces } = self.hearing.borrow().take_up(&time);
        let spaces = if wants_spaces { self.spaces()? } else { Vec::new() };
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        let pause = move |_: &asof_client::Error, pause: Duration| {
            if store.strong_count() == 0 {
                return ControlFlow::Break(());
            }
            clock.sleep(pause.min(PAUSE));
            ControlFlow::Continue(())
        };
        let feed = self.client.follow_closely(after, Vec::new(), HEARTBEAT, Box::new(pause))?;
        let (Some(store), Some(cache)) = (self.store.upgrade(), self.cache.upgrade()) else {
            return Ok(());
        };
        let (begun, heard) = self.hearing.borrow_mut().begin(&cache, &time, &spaces);
        let (epoch, at) = (time.epoch.0, time.closed.0);
        tracing::info!(store = %self.name, %epoch, through = %at, ?begun, "following a store");
        if begun == Begun::NewEpoch {
            tracing::warn!(store = %self.name, %epoch, "the store was restored: all of it is forgotten");
        }
        self.repeats.moved();
        self.show(&store, heard);
        self.move_window(&cache);
        drop((store, cache));
        let mut moved = self.clock.boot();
        for message in feed {
            let message = message?;
            let (Some(store), Some(cache)) = (self.store.upgrade(), self.cache.upgrade()) else {
                return Ok(());
            };
            let heard = self.hearing.borrow_mut().take(&cache, &message);
            let Ok(heard) = heard else {
                tracing::warn!(store = %self.name, epoch = %message.epoch.0, "the store was restored: its feed is taken up anew");
                return Ok(());
            };
            if matches!(message.event, FeedEvent::Control { .. }) {
                // It may have been an erasure.
                self.repeats.clear();
            }
            self.show(&store, heard);
            // Often enough for a window of minutes.
            if self.clock.boot().since(moved) >= HEARTBEAT {
                moved = self.clock.boot();
                self.move_window(&cache);
            }
        }
        Ok(())
    }

    /// The spaces that there are. A store of somebody else need not list them: then nothing of it is
    /// foreseen to be erased.
    fn spaces(&self) -> asof_client::Result<Vec<SpaceBody>> {
        match self.client.spaces() {
            Ok(list) => Ok(list.spaces),
            Err(error) if error.is_passing() => Err(error),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn move_window(&self, cache: &Cache) {
        let Some(all) = self.all.upgrade() else { return };
        let from = all.lock().unwrap_or_else(PoisonError::into_inner).rollback_from();
        if let Some(from) = from {
            cache.keep_from(from);
        }
    }

    /// Publishes what is known. A feed that steps back within an epoch is wrong: the moment
    /// freezes where it was.
    fn show(&self, store: &Followed, heard: Option<Heard>) {
        let Some(Heard { epoch, through, floor, cap }) = heard else { return };
        let view = View { epoch, through, floor, cap, heard: self.clock.boot() };
        store.view.send_modify(|known| {
            // While nobody can look: whoever sees this view finds no answer of the one before.
            if known.is_none_or(|known| View { heard: view.heard, ..known } != view) {
                self.repeats.moved();
            }
            let back = known.is_some_and(|known| {
                known.epoch == view.epoch && view.through < known.through
            });
            if back {
                tracing::error!(store = %self.name, through = %view.through, "the feed of a store stepped back");
            } else {
                *known = Some(view);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(through: u64, cap: Option<u64>) -> Arc<Followed> {
        let at = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let view = View {
            epoch: Epoch::from_random(1),
            through: at(through),
            floor: Timestamp::MIN,
            cap: cap.map(at),
            heard: BootTime::new(Duration::ZERO),
        };
        let text = "listen = '127.0.0.1:0'\n[[ingress.rules]]\nservice = 'a'\n[services.a]\n\
                    upstreams = ['http://127.0.0.1:1']\n[stores.s]\nurl = 'http://127.0.0.1:1'\n";
        let plan = Plan::from_toml(text, std::path::Path::new(".")).unwrap();
        let settings = plan.stores.into_values().next().unwrap();
        let trust = Trust::System;
        let (client, authorization) = client(&settings, &trust).unwrap();
        let view = watch::Sender::new(Some(view));
        let id = StoreId(0);
        Arc::new(Followed { id, client, view, authorization, preview: None, settings, trust })
    }

    #[test]
    fn a_rollback_may_go_back_by_the_window_from_where_readers_are_held() {
        let mut known = Known { window: Duration::from_mins(15), ..Known::default() };
        assert_eq!(known.rollback_from(), None);
        let mut from = |name: &str, through, cap| {
            known.followed.insert(name.parse().unwrap(), followed(through, cap));
            known.rollback_from().unwrap().as_seconds()
        };
        assert_eq!(from("fast", 10_000, None), 9_100);
        assert_eq!(from("slow", 9_990, None), 9_090, "there is one moment for all stores");
        assert_eq!(from("fast", 10_000, Some(5_000)), 4_100, "a cap may be lowered further");
        assert_eq!(from("new", 100, None), 0);
    }
}
