//! Cap, pins, tokens, and what the operator says of the clock.

use core::time::Duration;

use asof_time::limits::{
    AUTHOR_BYTES_MAX, BAD_COMMITS_MAX, CAP_TTL_MAX, PIN_TEXT_BYTES_MAX, PIN_TTL_MAX, PINS_MAX,
};
use asof_time::{Sequence, Timestamp};

use super::Stage;
use crate::codec::{keys, rows};
use crate::state::CAP;
use crate::view::log;
use crate::{
    Actor, BadCommit, Cap, ClearCap, ControlAction, Error, ErrorKind, Pin, PinRequest, Result,
    SetCap, Token, blast,
};

/// From when on it is worth a word that something due was not done at its time.
const LATE: Duration = Duration::from_secs(2);

impl Stage<'_> {
    /// Sets the cap; `touched` says for the audit what that does to readers.
    pub(crate) fn set_cap(&mut self, request: &SetCap, by: Actor, touched: &str) -> Result<()> {
        if by.reason.is_empty() {
            return Err(Error::invalid("a cap needs a reason"));
        }
        self.check_replaces(request.replaces)?;
        let expires = self.cap_expires(request.ttl)?;
        let at = request.at;
        self.check_readable(at)?;
        let mut detail = format!("was {}", self.describe_cap());
        if let Some(expires) = expires {
            detail = format!("{detail}; until {expires}");
        }
        append(&mut detail, touched);
        let cap = Cap { at, by: by.clone(), set: self.clock, expires };
        self.put(keys::meta(CAP), rows::encode_cap(&cap));
        self.state_mut().cap = Some(cap);
        self.record(ControlAction::CapSet, by, at.to_string(), detail);
        Ok(())
    }

    /// Two operators who act at once shall not undo each other: the second one is told.
    fn check_replaces(&self, replaces: Option<Timestamp>) -> Result<()> {
        match (&self.state.cap, replaces) {
            (None, None) => Ok(()),
            (Some(cap), Some(at)) if cap.at == at => Ok(()),
            (None, Some(at)) => {
                Err(Error::conflict(format!("there is no cap at {at} any more: it was cleared")))
            }
            (Some(cap), _) => Err(Error::conflict(format!(
                "there is a cap already, at {}, set at {} by {} ({}): to move it, say which one \
                 is replaced",
                cap.at, cap.set, cap.by.name, cap.by.reason
            ))),
        }
    }

    fn cap_expires(&self, ttl: Option<Duration>) -> Result<Option<Timestamp>> {
        match ttl {
            None => Ok(None),
            Some(ttl) if !ttl.is_zero() && ttl <= CAP_TTL_MAX => {
                Ok(Some(self.clock.saturating_add(ttl)))
            }
            Some(_) => Err(Error::invalid(format!(
                "a cap that ends by itself lives from 1 second to {} days",
                CAP_TTL_MAX.as_secs() / 86_400
            ))),
        }
    }

    /// Clears the cap.
    pub(crate) fn clear_cap(&mut self, request: &ClearCap, by: Actor, touched: &str) -> Result<()> {
        let Some(cap) = &self.state.cap else {
            return Err(Error::conflict("there is no cap to clear"));
        };
        if let Some(at) = request.at
            && at != cap.at
        {
            return Err(Error::conflict(format!(
                "the cap is not at {at} but at {}, where {} has set it ({})",
                cap.at, cap.by.name, cap.by.reason
            )));
        }
        self.remove_cap(ControlAction::CapCleared, by, touched);
        Ok(())
    }

    /// Clears the cap whose time is over; returns the commits that keep it from that.
    pub(crate) fn expire_cap(&mut self) -> Result<Vec<BadCommit>> {
        let clock = self.clock;
        let expired = self.state.cap.as_ref().and_then(|cap| Some((cap.at, cap.expires?)));
        let Some((at, expires)) = expired.filter(|(_, expires)| *expires <= clock) else {
            return Ok(Vec::new());
        };
        let closed = self.sequencer.closed();
        let bad = blast::bad_in_sight(self.base, &self.state, at, closed)?;
        if bad.is_empty() {
            let late = clock.since(expires);
            let mut detail = format!("its time was over at {expires}");
            if late >= LATE {
                append(
                    &mut detail,
                    &format!("{} s late: the store could not do it then", late.as_secs()),
                );
            }
            let by = Actor { name: "asof".to_owned(), reason: "its time is over".to_owned() };
            self.remove_cap(ControlAction::CapExpired, by, &detail);
        }
        Ok(bad)
    }

    fn remove_cap(&mut self, action: ControlAction, by: Actor, detail: &str) {
        let before = self.describe_cap();
        self.delete(keys::meta(CAP));
        self.state_mut().cap = None;
        self.record(action, by, before, detail.to_owned());
    }

    /// Marks a commit as bad.
    pub(crate) fn mark_bad(&mut self, id: Sequence, by: Actor) -> Result<BadCommit> {
        if by.reason.is_empty() {
            return Err(Error::invalid("marking a commit as bad needs a reason"));
        }
        let (effective, record) = log::find(&self.state, |key| self.get(key), id)?;
        if effective > self.sequencer.closed() {
            return Err(Error::conflict(format!("commit {id} is pending: cancel it instead")));
        }
        if let Some(bad) = self.state.bad.get(&id) {
            return Err(Error::conflict(format!(
                "commit {id} is marked bad already, by {} ({})",
                bad.by.name, bad.by.reason
            )));
        }
        let count = self.state.bad.len() + 1;
        if count > BAD_COMMITS_MAX {
            return Err(Error::too_large("the store", count, BAD_COMMITS_MAX, "bad commits"));
        }
        let bad = BadCommit { commit: id, effective, by: by.clone(), marked: self.clock };
        self.put(keys::bad(id), rows::encode_bad(&bad));
        self.state_mut().bad.insert(id, bad.clone());
        let detail = format!("{} writes at {effective}", record.writes.len());
        self.record(ControlAction::CommitMarkedBad, by, id.to_string(), detail);
        Ok(bad)
    }

    /// Takes the mark from a commit.
    pub(crate) fn unmark_bad(&mut self, id: Sequence, by: Actor) -> Result<BadCommit> {
        let bad = self.state.bad.get(&id).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("commit {id} is not marked bad"))
        })?;
        self.forget_bad(id);
        let detail = format!("was marked by {}: {}", bad.by.name, bad.by.reason);
        self.record(ControlAction::CommitUnmarkedBad, by, id.to_string(), detail);
        Ok(bad)
    }

    /// Forgets a mark, with the commit that it is about.
    pub(super) fn forget_bad(&mut self, id: Sequence) {
        if self.state.bad.contains_key(&id) {
            self.delete(keys::bad(id));
            self.state_mut().bad.remove(&id);
        }
    }

    fn describe_cap(&self) -> String {
        self.state.cap.as_ref().map_or_else(|| "none".to_owned(), |cap| cap.at.to_string())
    }

    /// Refuses a moment that is not closed or no longer whole.
    fn check_readable(&self, at: Timestamp) -> Result<()> {
        let (closed, floor) = (self.sequencer.closed(), self.state.floor());
        if at > closed {
            return Err(Error::new(
                ErrorKind::NotYetClosed { closed },
                format!("{at} is above closed, {closed}"),
            ));
        }
        if at < floor {
            return Err(Error::new(
                ErrorKind::BelowFloor { floor },
                format!("{at} is below the floor, {floor}"),
            ));
        }
        Ok(())
    }

    /// Creates a pin, or renews one of the same name and owner.
    pub(crate) fn create_pin(&mut self, request: PinRequest) -> Result<Pin> {
        self.check_pin(&request)?;
        let held = self.state.pins.get(&request.name);
        let at = match (held, request.at) {
            (Some(held), _) => held.at,
            (None, Some(at)) => at,
            (None, None) => self.state.latest(self.sequencer.closed()),
        };
        if held.is_none() {
            self.check_readable(at)?;
            if let Some(cap) = self.state.cap.as_ref().filter(|cap| at > cap.at) {
                let cap = cap.at;
                let message = format!("{at} is above the cap, {cap}");
                return Err(Error::new(ErrorKind::AboveCap { cap }, message));
            }
        }
        let expires = self.clock.saturating_add(request.ttl);
        let PinRequest { name, owner, by, reason, .. } = request;
        let pin = Pin { name, owner, reason, at, expires };
        self.put(keys::pin(&pin.name), rows::encode_pin(&pin));
        self.state_mut().pins.insert(pin.name.clone(), pin.clone());
        let by = by.unwrap_or_else(|| pin.owner.clone());
        let by = Actor { name: by, reason: pin.reason.clone() };
        let detail = format!("holds {at} until {expires}");
        self.record(ControlAction::PinCreated, by, pin.name.clone(), detail);
        Ok(pin)
    }

    fn check_pin(&self, request: &PinRequest) -> Result<()> {
        for (what, text) in [
            ("the pin's name", &request.name),
            ("the pin's owner", &request.owner),
            ("the pin's reason", &request.reason),
        ] {
            if text.len() > PIN_TEXT_BYTES_MAX {
                return Err(Error::too_large(what, text.len(), PIN_TEXT_BYTES_MAX, "bytes"));
            }
        }
        if request.name.is_empty() || request.owner.is_empty() {
            return Err(Error::invalid("a pin needs a name and an owner"));
        }
        if request.ttl.is_zero() || request.ttl > PIN_TTL_MAX {
            return Err(Error::invalid(format!(
                "a pin lives from 1 second to {} days; renew it to hold it longer",
                PIN_TTL_MAX.as_secs() / 86_400
            )));
        }
        match self.state.pins.get(&request.name) {
            Some(held) if held.owner != request.owner => {
                Err(Error::conflict(format!("pin `{}` belongs to `{}`", held.name, held.owner)))
            }
            None if self.state.pins.len() >= PINS_MAX => {
                Err(Error::too_large("the store", self.state.pins.len() + 1, PINS_MAX, "pins"))
            }
            _ => Ok(()),
        }
    }

    /// Releases a pin.
    pub(crate) fn release_pin(&mut self, name: &str, by: Actor) -> Result<Pin> {
        let pin =
            self.state.pins.get(name).cloned().ok_or_else(|| {
                Error::new(ErrorKind::NotFound, format!("there is no pin `{name}`"))
            })?;
        self.remove_pin(&pin, ControlAction::PinReleased, by);
        Ok(pin)
    }

    /// Drops the pins whose time is over.
    pub(crate) fn expire_pins(&mut self) {
        let clock = self.clock;
        let lapsed: Vec<Pin> =
            self.state.pins.values().filter(|pin| pin.expires <= clock).cloned().collect();
        for pin in lapsed {
            let by = Actor { name: "asof".to_owned(), reason: "its time is over".to_owned() };
            self.remove_pin(&pin, ControlAction::PinExpired, by);
        }
    }

    fn remove_pin(&mut self, pin: &Pin, action: ControlAction, by: Actor) {
        self.delete(keys::pin(&pin.name));
        self.state_mut().pins.remove(&pin.name);
        let detail = format!("of {}, held {}", pin.owner, pin.at);
        self.record(action, by, pin.name.clone(), detail);
    }

    /// Remembers a bearer token.
    pub(crate) fn create_token(&mut self, token: Token, by: Actor) -> Result<()> {
        if token.name.is_empty() {
            return Err(Error::invalid("a token needs a name"));
        }
        if token.name.len() > AUTHOR_BYTES_MAX {
            let size = token.name.len();
            return Err(Error::too_large("the token's name", size, AUTHOR_BYTES_MAX, "bytes"));
        }
        if self.state.tokens.contains_key(&token.name) {
            return Err(Error::conflict(format!("token `{}` exists already", token.name)));
        }
        self.put(keys::token(&token.name), rows::encode_token(&token));
        let (name, role) = (token.name.clone(), token.role.as_str().to_owned());
        self.state_mut().tokens.insert(token.name.clone(), token);
        self.record(ControlAction::TokenCreated, by, name, role);
        Ok(())
    }

    /// Forgets a bearer token.
    pub(crate) fn revoke_token(&mut self, name: &str, by: Actor) -> Result<()> {
        if !self.state.tokens.contains_key(name) {
            let message = format!("there is no token `{name}`");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        self.delete(keys::token(name));
        self.state_mut().tokens.remove(name);
        self.record(ControlAction::TokenRevoked, by, name.to_owned(), String::new());
        Ok(())
    }

    /// Notes that an operator accepted the clock.
    pub(crate) fn accept_clock(&mut self, by: Actor, detail: String) -> Result<()> {
        if by.reason.is_empty() {
            return Err(Error::invalid("accepting the clock needs a reason"));
        }
        self.record(ControlAction::ClockAccepted, by, self.clock.to_string(), detail);
        Ok(())
    }
}

fn append(text: &mut String, more: &str) {
    if !more.is_empty() {
        text.push_str("; ");
        text.push_str(more);
    }
}
