//! The pin that holds the moment: taken, renewed by a thread of its own, released.
//!
//! What is closed does not change, so a moment that can still be pinned was readable all the
//! time. A pin that lapsed is therefore no loss as long as it can be had again.

use core::time::Duration;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;

use asof_api::ErrorName;
use asof_api::body::{PinBody, PinRequest};
use asof_client::{Client, DryRun, Error};
use asof_env::{BootTime, Clock, SystemClock};
use asof_time::{Epoch, Timestamp};

use crate::failure::Failure;
use crate::output::warn;

/// The pin is renewed when a third of its life is over, so that two renewals may fail.
const RENEWALS_PER_TTL: u32 = 3;

/// After a renewal that failed it is tried again this much sooner.
const RETRY_HASTE: u32 = 8;

/// What to hold.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) reason: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) ttl: Duration,
    pub(crate) if_there: IfThere,
}

/// What happens where there is a pin of that name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfThere {
    /// It is somebody else's: renewed, it would hold its own moment, and go when that one says so.
    Refuse,
    /// It was left by this work when it was interrupted.
    Adopt,
}

/// A moment that is held.
#[derive(Debug)]
pub(crate) struct Hold {
    pin: Pin,
    ended: SyncSender<()>,
    keeper: JoinHandle<Kept>,
}

/// How a hold ended.
#[derive(Debug)]
pub(crate) enum Release {
    /// The moment was held to the end.
    Done,
    /// It was, but the pin could not be released, and goes when its time is over.
    Lapses(String),
    /// Nobody knows that it was.
    Lost(String),
}

/// The pin as it was asked for, with the moment that it holds.
#[derive(Clone, Debug)]
struct Pin {
    client: Client,
    name: String,
    request: PinRequest,
    at: Timestamp,
    epoch: Epoch,
}

/// What the keeper knows.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kept {
    /// Held until then, however it goes.
    Until(BootTime),
    /// The moment is gone for good.
    Lost(String),
}

/// What a renewal found.
#[derive(Debug)]
enum Renewal {
    /// The pin was there.
    Kept,
    /// It had lapsed or was released; it is there again, and nothing of the moment is lost.
    Retaken,
    /// The moment is gone.
    Lost(String),
}

impl Hold {
    /// Pins the moment and goes on renewing the pin.
    pub(crate) fn take(client: Client, request: Request) -> Result<Self, Failure> {
        let Request { name, owner, reason, at, ttl, if_there } = request;
        if if_there == IfThere::Refuse && client.pins()?.pins.iter().any(|pin| pin.name == name) {
            return Err(Failure::usage(format!(
                "there is a pin `{name}` already; pass another --name, or release it with `asof \
                 pin release {name}`"
            )));
        }
        let mut request =
            PinRequest { owner, reason, at: at.map(Into::into), ttl_seconds: ttl.as_secs() };
        let began = SystemClock.boot();
        let pin = client.create_pin(&name, &request, DryRun::No)?;
        if at.is_some_and(|at| at != pin.at.0) {
            let held = pin.at.0;
            return Err(Failure::usage(format!("there is a pin `{name}` already, of {held}")));
        }
        request.at = Some(pin.at);
        let epoch = client.time()?.epoch.0;
        let held = Pin { client, name, request, at: pin.at.0, epoch };
        // One word: that it is over.
        let (ended, told) = sync_channel(1);
        let keeper = {
            let (held, until) = (held.clone(), began.after(ttl));
            std::thread::spawn(move || held.keep(&told, until, ttl))
        };
        Ok(Self { pin: held, ended, keeper })
    }

    pub(crate) fn name(&self) -> &str {
        &self.pin.name
    }

    pub(crate) fn at(&self) -> Timestamp {
        self.pin.at
    }

    /// Lets go of the moment.
    pub(crate) fn release(self) -> Release {
        let Self { pin, ended, keeper } = self;
        // Where the keeper is gone, what it left is read from its end.
        let _ = ended.send(());
        match keeper.join() {
            Ok(Kept::Until(until)) => pin.release(until),
            Ok(Kept::Lost(why)) => Release::Lost(why),
            Err(_) => Release::Lost("the thread that renewed it failed".to_owned()),
        }
    }
}

impl Pin {
    fn keep(&self, ended: &Receiver<()>, mut until: BootTime, ttl: Duration) -> Kept {
        let regular = ttl / RENEWALS_PER_TTL;
        let mut pause = regular;
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
            pause = regular;
            let began = SystemClock.boot();
            match self.renew() {
                Ok(Renewal::Kept) => until = began.after(ttl),
                Ok(Renewal::Retaken) => {
                    until = began.after(ttl);
                    self.warn_retaken();
                }
                Ok(Renewal::Lost(why)) => {
                    let (name, at) = (&self.name, self.at);
                    warn(&format!("pin {name} of {at} is lost: {why}"));
                    return Kept::Lost(why);
                }
                Err(error) => {
                    pause = regular / RETRY_HASTE;
                    let (name, why) = (&self.name, error.message());
                    let left = until.since(began).as_secs();
                    warn(&format!("pin {name} could not be renewed, it lapses in {left} s: {why}"));
                }
            }
        }
        Kept::Until(until)
    }

    fn warn_retaken(&self) {
        let (name, at) = (&self.name, self.at);
        warn(&format!(
            "pin {name} had lapsed or was released; it holds {at} again, and nothing of \
             it was dropped meanwhile"
        ));
    }

    fn renew(&self) -> Result<Renewal, Error> {
        if self.client.time()?.epoch.0 != self.epoch {
            return Ok(Renewal::Lost("the store was restored from a backup".to_owned()));
        }
        let there = self.client.pins()?.pins.iter().any(|pin| self.is(pin));
        match self.client.create_pin(&self.name, &self.request, DryRun::No) {
            Ok(pin) if !self.is(&pin) => {
                let why = format!("another pin of its name holds {}", pin.at.0);
                Ok(Renewal::Lost(why))
            }
            Ok(_) if there => Ok(Renewal::Kept),
            Ok(_) => Ok(Renewal::Retaken),
            Err(error) if matches!(error.name(), ErrorName::BelowFloor | ErrorName::Conflict) => {
                Ok(Renewal::Lost(error.message().to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn is(&self, pin: &PinBody) -> bool {
        pin.name == self.name && pin.at.0 == self.at && pin.owner == self.request.owner
    }

    /// Renews once more, which proves that the moment was held to the end, and lets go of it.
    fn release(&self, until: BootTime) -> Release {
        match self.renew() {
            Ok(Renewal::Lost(why)) => return Release::Lost(why),
            Ok(Renewal::Kept) => {}
            Ok(Renewal::Retaken) => self.warn_retaken(),
            Err(error) if SystemClock.boot().since(until).is_zero() => {
                return Release::Lapses(error.message().to_owned());
            }
            Err(error) => return Release::Lost(error.message().to_owned()),
        }
        match self.client.release_pin(&self.name, "its work is done", DryRun::No) {
            Ok(_) => Release::Done,
            Err(error) => Release::Lapses(error.message().to_owned()),
        }
    }
}
