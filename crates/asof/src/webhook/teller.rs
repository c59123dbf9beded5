//! Goes through the control log for one webhook, on a thread of its own, so that no action ever waits
//! for whoever is told.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use asof_env::{Clock, Random, SystemClock, SystemRandom};
use asof_server::{WebhookFigures, control_body};
use asof_store::Store;
use asof_time::Timestamp;

use super::cursor::{self, Cursor};
use super::hook::Hook;
use super::judge::{Verdict, judge, pause};
use super::message::Message;
use crate::failure::Failure;

/// How often it is looked whether there is something new, or whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Records that are read at once.
const RECORDS: usize = 64;

/// Tells webhooks until it goes.
#[derive(Debug)]
pub(crate) struct Tellers(Arc<AtomicBool>);

impl Tellers {
    /// Begins to tell `hooks` of what is in `store`, whose folder is `data`.
    ///
    /// # Errors
    ///
    /// Where a cursor cannot be read, or begun.
    pub(crate) fn start(
        hooks: Vec<Hook>,
        store: &Store,
        data: &Path,
        figures: &WebhookFigures,
    ) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        // Dropped where one of them cannot begin, and then the others end.
        let tellers = Self(Arc::clone(&stop));
        for hook in hooks {
            let path = cursor::path(data, &hook.name);
            let cursor = begin(&hook, store, &path)?;
            let name = format!("webhook-{}", hook.name);
            let teller = Teller {
                hook,
                store: store.clone(),
                path,
                cursor,
                figures: figures.clone(),
                stop: Arc::clone(&stop),
            };
            std::thread::Builder::new().name(name).spawn(move || teller.run())?;
        }
        Ok(tellers)
    }
}

impl Drop for Tellers {
    fn drop(&mut self) {
        // A message under way may be cut off: it is sent again by the next run.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where a webhook goes on. One without a cursor begins with what comes next, and that is durable
/// before anything comes.
fn begin(hook: &Hook, store: &Store, path: &Path) -> Result<Cursor, Failure> {
    let broken = |error| {
        Failure::file(&format!("cursor of webhook `{}`, `{}`", hook.name, path.display()), &error)
    };
    let (epoch, newest) = (store.time().epoch, store.control_sequence());
    match Cursor::load(path).map_err(broken)? {
        Some(known) if known.epoch == epoch && known.sequence <= newest => return Ok(known),
        Some(known) => tracing::warn!(
            webhook = hook.name, known = %known.epoch, now = %epoch,
            "the store was restored: the webhook begins with what comes next"
        ),
        None => tracing::info!(webhook = hook.name, "the webhook begins with what comes next"),
    }
    let cursor = Cursor { epoch, sequence: newest };
    cursor.save(path).map_err(broken)?;
    Ok(cursor)
}

struct Teller {
    hook: Hook,
    store: Store,
    path: PathBuf,
    cursor: Cursor,
    figures: WebhookFigures,
    stop: Arc<AtomicBool>,
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// Go on to the next.
    Yes,
    /// Whoever was told wants nothing more, or the process ends.
    End,
}

impl Teller {
    fn run(mut self) {
        while !self.stops() {
            let records = match self.store.control_log(self.cursor.sequence, RECORDS) {
                Ok(records) => records,
                Err(error) => {
                    tracing::error!(webhook = self.hook.name, %error, "the audit cannot be read");
                    self.rest(pause(u32::MAX, SystemRandom.number()), None);
                    continue;
                }
            };
            self.count(records.first().map(|record| record.at));
            for record in records {
                let (sequence, at) = (record.sequence, record.at);
                if self.hook.wants(record.action.as_str()) {
                    let message = Message::about(self.cursor.epoch, &control_body(record));
                    if self.tell(&message, at) == Told::End || !self.advance(sequence) {
                        return;
                    }
                }
                // Passed over without a word, it need not be remembered.
                self.cursor.sequence = sequence;
                self.count(None);
            }
            SystemClock.sleep(LOOK);
        }
    }

    /// Sends `message` until it is taken.
    fn tell(&self, message: &Message, at: Timestamp) -> Told {
        let name = &self.hook.name;
        let mut failures = 0_u32;
        while !self.stops() {
            let answer = self.hook.send(message, SystemClock.wall());
            match answer.as_ref().map(|status| judge(*status)) {
                Ok(Verdict::Taken) => {
                    self.figures.delivered(name);
                    return Told::Yes;
                }
                Ok(Verdict::Gone) => {
                    self.figures.failed(name);
                    tracing::error!(
                        webhook = name,
                        "its receiver answers 410: it is told nothing more until the next start"
                    );
                    return Told::End;
                }
                Ok(Verdict::Again) | Err(_) => {
                    failures = failures.saturating_add(1);
                    self.figures.failed(name);
                    let why = match answer {
                        Ok(status) => status.to_string(),
                        Err(why) => why,
                    };
                    let pause = pause(failures, SystemRandom.number());
                    tracing::warn!(
                        webhook = name,
                        id = message.id,
                        failures,
                        why,
                        again_ms = pause.as_millis(),
                        "a webhook was not told"
                    );
                    self.rest(pause, Some(at));
                }
            }
        }
        Told::End
    }

    /// Remembers durably that `sequence` was taken. Whether to go on: what cannot be remembered is
    /// told again after the next start, and nothing after it before that.
    fn advance(&mut self, sequence: u64) -> bool {
        self.cursor.sequence = sequence;
        let mut failures = 0_u32;
        while let Err(error) = self.cursor.save(&self.path) {
            tracing::error!(webhook = self.hook.name, %error, "its cursor cannot be written");
            failures = failures.saturating_add(1);
            self.rest(pause(failures, SystemRandom.number()), None);
            if self.stops() {
                return false;
            }
        }
        true
    }

    /// Says how far it is behind: `oldest` is when the oldest record was made that is not told.
    fn count(&self, oldest: Option<Timestamp>) {
        let behind = self.store.control_sequence().saturating_sub(self.cursor.sequence);
        let age = oldest.map_or(Duration::ZERO, |at| SystemClock.wall().since(at));
        self.figures.behind(&self.hook.name, behind, age);
    }

    /// Waits, unless the process ends; meanwhile it goes on saying how far it is behind.
    fn rest(&self, pause: Duration, oldest: Option<Timestamp>) {
        let since = SystemClock.boot();
        while !self.stops() && SystemClock.boot().since(since) < pause {
            self.count(oldest);
            SystemClock.sleep(LOOK);
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
