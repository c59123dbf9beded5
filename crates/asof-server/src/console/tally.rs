//! What takes a walk to know, counted in the background and remembered, so that no page walks: how
//! densely changes lie in time, and what spaces hold.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asof_console::density::Density;
use asof_env::BootTime;
use asof_store::{ControlAction, Cursor, LogRange, SpaceName, SpaceState, SpaceUsage, Store};
use asof_time::Timestamp;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::limits::{COUNT_PAGE_COMMITS, COUNT_REST, COUNT_REST_MIN, COUNT_WAIT};

/// The counts.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    log: Arc<Mutex<LogCount>>,
    spaces: Arc<Mutex<HashMap<SpaceName, SpaceCount>>>,
    /// Held by the one that counts the log, and the one that counts spaces.
    at_log: Arc<Semaphore>,
    at_spaces: Arc<Semaphore>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            log: Arc::default(),
            spaces: Arc::default(),
            at_log: Arc::new(Semaphore::new(1)),
            at_spaces: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The density of the log, up to where it was read.
#[derive(Clone, Debug)]
pub(super) struct LogCount {
    pub(super) density: Density,
    /// The earliest commit that was met.
    pub(super) first: Option<Timestamp>,
    pub(super) through: Cursor,
    /// The control history up to where it was looked through for imports.
    control: u64,
}

impl Default for LogCount {
    fn default() -> Self {
        Self { density: Density::default(), first: None, through: Cursor::START, control: 0 }
    }
}

/// What a space was found to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpaceCount {
    pub(super) usage: SpaceUsage,
    pub(super) at: BootTime,
    took: Duration,
    /// The number of the store that moves with each change.
    moved: u64,
}

impl Tally {
    /// What `look` makes of the counts of the log, after a little waiting for what is new.
    pub(super) async fn log<T>(&self, app: &App, look: impl FnOnce(&LogCount) -> T) -> T {
        if let Ok(turn) = Arc::clone(&self.at_log).try_acquire_owned() {
            let (app, log) = (app.clone(), Arc::clone(&self.log));
            let counting = tokio::task::spawn_blocking(move || {
                if let Err(error) = count_log(&app, &log) {
                    // What is counted twice would be wrong: it begins anew.
                    *locked(&log) = LogCount::default();
                    tracing::debug!(%error, "the log could not be counted");
                }
                drop(turn);
            });
            let _ = tokio::time::timeout(COUNT_WAIT, counting).await;
        }
        look(&locked(&self.log))
    }

    /// What spaces hold, as far as it is known, after a little waiting.
    pub(super) async fn spaces(&self, app: &App) -> HashMap<SpaceName, SpaceCount> {
        if let Ok(turn) = Arc::clone(&self.at_spaces).try_acquire_owned() {
            let (app, spaces) = (app.clone(), Arc::clone(&self.spaces));
            let counting = tokio::task::spawn_blocking(move || {
                count_spaces(&app, &spaces);
                drop(turn);
            });
            let _ = tokio::time::timeout(COUNT_WAIT, counting).await;
        }
        locked(&self.spaces).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked left counts, which are as good as any.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what is closed and not counted yet, newest first, so that what is looked at most is
/// there first.
fn count_log(app: &App, log: &Mutex<LogCount>) -> asof_store::Result<()> {
    let store = &app.store;
    if has_gone_live(store, &mut locked(log).control)? {
        // Its history lies between what was counted.
        let control = locked(log).control;
        *locked(log) = LogCount { control, ..LogCount::default() };
    }
    let upto = Cursor::after_snapshot(store.time().closed, 0);
    let range = LogRange { after: locked(log).through, spaces: None, limit: COUNT_PAGE_COMMITS };
    let mut before = upto;
    loop {
        let page = store.log_back(before, &range)?;
        let mut log = locked(log);
        for commit in &page.commits {
            log.density.add(commit.effective, commit.writes.len() as u64);
            log.first =
                Some(log.first.map_or(commit.effective, |first| first.min(commit.effective)));
        }
        match page.next {
            Some(next) if !*app.stopping.borrow() => before = next,
            _ => {
                log.through = upto;
                return Ok(());
            }
        }
    }
}

/// Whether a space with imported history went live since `control`, which moves on.
fn has_gone_live(store: &Store, control: &mut u64) -> asof_store::Result<bool> {
    let mut found = false;
    loop {
        let records = store.control_log(*control, COUNT_PAGE_COMMITS)?;
        let Some(last) = records.last() else {
            return Ok(found);
        };
        *control = last.sequence;
        found |= records.iter().any(|record| record.action == ControlAction::SpaceLive);
    }
}

fn count_spaces(app: &App, known: &Mutex<HashMap<SpaceName, SpaceCount>>) {
    let clock = &app.settings.clock;
    for space in app.store.spaces() {
        if *app.stopping.borrow() || !matches!(space.state, SpaceState::Live { .. }) {
            continue;
        }
        let (began, moved) = (clock.boot(), app.store.moved());
        let known_of = locked(known).get(&space.name).copied();
        let fresh = known_of.is_some_and(|count| {
            let rest = COUNT_REST_MIN.max(count.took * COUNT_REST);
            count.moved == moved || began.since(count.at) < rest
        });
        if fresh {
            continue;
        }
        match app.store.space_usage(&space.name) {
            Ok(usage) => {
                let at = clock.boot();
                let count = SpaceCount { usage, at, took: at.since(began), moved };
                locked(known).insert(space.name, count);
            }
            Err(error) => tracing::debug!(%error, "a space could not be counted"),
        }
    }
}
