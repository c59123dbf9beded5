//! Tells the followers of the feed when there is something to ask for.
//!
//! Closed moves many times a second while nothing is written. Were each follower to ask the store
//! each time, a thousand of them would keep it busy with nothing; so one task asks for all, and
//! wakes them only where something took effect.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use asof_store::{Cursor, Store, StoreTime};
use tokio::sync::watch;

use crate::app::{App, Shared};

/// The beat that followers wait for.
#[derive(Debug)]
pub(crate) struct Pulse {
    beats: watch::Sender<u64>,
    running: AtomicBool,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            beats: watch::Sender::new(0),
            running: AtomicBool::new(false),
        }
    }

    /// A receiver that changes when something took effect after this call.
    pub(crate) fn follow(&self, app: &App) -> watch::Receiver<u64> {
        let beats = self.beats.subscribe();
        if !self.running.swap(true, Ordering::AcqRel) {
            let head = head(&app.store);
            tokio::spawn(watch_head(app.downgrade(), app.published.clone(), head));
        }
        beats
    }

    fn beat(&self) {
        self.beats.send_modify(|beats| *beats += 1);
    }
}

/// Where the feed ends at present.
fn head(store: &Store) -> Cursor {
    // The control records first: one that comes in between is seen again, not missed.
    let control = store.control_sequence();
    Cursor::after_snapshot(store.time().closed, control)
}

/// Runs as long as the service: it holds nothing that would keep the store open.
async fn watch_head(
    service: Weak<Shared>,
    mut published: watch::Receiver<StoreTime>,
    mut head: Cursor,
) {
    while published.changed().await.is_ok() {
        let Some(app) = App::upgrade(&service) else {
            return;
        };
        if app.pulse.beats.receiver_count() == 0 {
            // Whoever comes next asks for itself first, and a beat too many does no harm.
            continue;
        }
        let page = app
            .ask_feed(move |store| Ok(store.feed(head, None, 1)?))
            .await;
        match page {
            Ok(page) if page.items.is_empty() && !page.more => head = page.cursor,
            Ok(_) => {
                head = self::head(&app.store);
                app.pulse.beat();
            }
            // The followers find out for themselves what is wrong.
            Err(_) => app.pulse.beat(),
        }
    }
    if let Some(app) = App::upgrade(&service) {
        app.pulse.beat();
    }
}
