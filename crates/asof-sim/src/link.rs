//! The way between a store and an edge that follows it: the store's messages as its server makes
//! them, in order, late, and lost with the connection; the client that takes a lost connection up
//! at its cursor, and the edge that begins anew where that is refused.

use std::collections::VecDeque;

use asof_api::Cursor;
use asof_api::body::{FeedEvent, FeedMessage, TimeBody};
use asof_cache::{Cache, StoreId};
use asof_edge::hearing::{Heard, Hearing};
use asof_server::{Place, messages};
use asof_time::Epoch;

use crate::rules::Seam;
use crate::seed::Seed;
use crate::source::Source;

/// How an edge stands with one store.
pub(crate) struct Link {
    store: StoreId,
    hearing: Hearing,
    pub(crate) heard: Option<Heard>,
    state: State,
}

enum State {
    Away,
    /// The store said where it is.
    Asked(TimeBody),
    /// The connection is lost; the client takes it up after its cursor.
    Broken {
        cursor: Cursor,
        epoch: Epoch,
    },
    Open(Open),
}

struct Open {
    /// Where the server has come to.
    place: Place,
    /// Said, and not yet heard.
    under_way: VecDeque<FeedMessage>,
    /// The last message that was heard, or where the feed was taken up.
    cursor: Cursor,
    epoch: Epoch,
}

impl Link {
    pub(crate) fn new(store: StoreId) -> Self {
        Self { store, hearing: Hearing::new(store), heard: None, state: State::Away }
    }

    /// The connection goes, with all that is under way.
    pub(crate) fn lose(&mut self) {
        self.state = match core::mem::replace(&mut self.state, State::Away) {
            State::Open(Open { cursor, epoch, .. }) => State::Broken { cursor, epoch },
            other => other,
        };
    }

    /// The client gives up going on at its cursor: the edge begins anew.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Away;
    }

    /// Something of what is due happens. Says what is wrong, if anything is.
    pub(crate) fn event(
        &mut self,
        seed: &Seed,
        source: &Source,
        cache: &Cache,
        holds: &dyn Fn(Seam) -> bool,
    ) -> Result<(), String> {
        self.state = match core::mem::replace(&mut self.state, State::Away) {
            State::Away if source.away => State::Away,
            State::Away => State::Asked(time(source)),
            // The answer takes its time.
            State::Asked(time) if seed.once_in(2) => State::Asked(time),
            State::Asked(time) => self.take_up(&time, source, cache, holds)?,
            State::Broken { cursor, epoch } if source.away => State::Broken { cursor, epoch },
            State::Broken { cursor, epoch } => match read_cursor(source, &cursor) {
                Some(after) => {
                    let under_way = VecDeque::new();
                    State::Open(Open { place: Place::at(after), under_way, cursor, epoch })
                }
                None => State::Away,
            },
            State::Open(mut open) => {
                if !source.away && seed.once_in(2) {
                    open.say(seed, source);
                }
                let mut gone = false;
                while !gone && seed.below(4) > 0 {
                    let Some(message) = open.under_way.pop_front() else { break };
                    open.cursor = message.cursor.clone();
                    gone = !self.take(message, open.epoch, cache, holds)?;
                }
                if gone { State::Away } else { State::Open(open) }
            }
        };
        Ok(())
    }

    /// Opens the feed where the store was when it was asked.
    fn take_up(
        &mut self,
        time: &TimeBody,
        source: &Source,
        cache: &Cache,
        holds: &dyn Fn(Seam) -> bool,
    ) -> Result<State, String> {
        if source.away {
            return Ok(State::Away);
        }
        if !holds(Seam::WhatWasMissedComesFirst) {
            self.hearing = Hearing::new(self.store);
        }
        let mut cursor = self.hearing.take_up(time).after;
        if !holds(Seam::FeedIsOfOneTimeline) {
            cursor = Cursor(cursor.0.split_once('.').map_or("", |(_, rest)| rest).to_owned());
        }
        let Some(mut after) = read_cursor(source, &cursor) else { return Ok(State::Away) };
        if !holds(Seam::FollowFromTheSnapshot) {
            let now = source.time().closed;
            after = asof_store::Cursor::after_snapshot(now, after.control);
        }
        let (_, heard) = self.hearing.begin(cache, time, &[]);
        self.show(heard)?;
        let (place, epoch) = (Place::at(after), time.epoch.0);
        Ok(State::Open(Open { place, under_way: VecDeque::new(), cursor, epoch }))
    }

    /// Takes a message; false where the feed is to be taken up anew.
    fn take(
        &mut self,
        mut message: FeedMessage,
        epoch: Epoch,
        cache: &Cache,
        holds: &dyn Fn(Seam) -> bool,
    ) -> Result<bool, String> {
        let said = message.epoch;
        if !holds(Seam::FeedIsOfOneTimeline) {
            message.epoch = epoch.into();
        }
        if !holds(Seam::MomentIsThrough)
            && let FeedEvent::Commit { commit } = &message.event
        {
            message.through = commit.effective;
        }
        let Ok(heard) = self.hearing.take(cache, &message) else { return Ok(false) };
        self.show(heard.map(|heard| Heard { epoch: said.0, ..heard }))?;
        Ok(true)
    }

    /// What an edge knows never steps back within a timeline.
    fn show(&mut self, heard: Option<Heard>) -> Result<(), String> {
        let Some(heard) = heard else { return Ok(()) };
        if let Some(known) = self.heard
            && known.epoch == heard.epoch
            && heard.through < known.through
        {
            let (from, to) = (known.through, heard.through);
            return Err(format!("what an edge heard stepped back from {from} to {to}"));
        }
        self.heard = Some(heard);
        Ok(())
    }
}

impl Open {
    /// The server sends a page.
    fn say(&mut self, seed: &Seed, source: &Source) {
        let limit = 1 + seed.index(4);
        if let Ok(page) = source.store().feed(self.place.after, None, limit) {
            self.under_way.extend(messages(page, &mut self.place));
        }
    }
}

/// What a store says of where it is.
fn time(source: &Source) -> TimeBody {
    let (time, control_sequence) = (source.time(), source.store().control_sequence());
    TimeBody {
        epoch: time.epoch.into(),
        floor: time.floor.into(),
        closed: time.closed.into(),
        cap: time.cap.map(Into::into),
        latest: time.latest.into(),
        control_sequence,
    }
}

/// A cursor as the server reads it: one that names another timeline is refused, and one from
/// which the log is not whole.
fn read_cursor(source: &Source, cursor: &Cursor) -> Option<asof_store::Cursor> {
    let text = &*cursor.0;
    let (epoch, rest) = match text.split_once('.') {
        Some((epoch, rest)) if rest.matches('.').count() == 2 => (epoch.parse().ok(), rest),
        _ => (None, text),
    };
    if epoch.is_some_and(|epoch: Epoch| epoch != source.time().epoch) {
        return None;
    }
    let after = rest.parse().ok()?;
    source.store().feed(after, None, 1).ok().map(|_| after)
}
