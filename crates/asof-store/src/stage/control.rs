//! Cap, pins, tokens, and what the operator says of the clock.

use asof_time::Timestamp;
use asof_time::limits::{AUTHOR_BYTES_MAX, PIN_TEXT_BYTES_MAX, PIN_TTL_MAX, PINS_MAX};

use super::Stage;
use crate::codec::{keys, rows};
use crate::state::CAP;
use crate::{Actor, Cap, ControlAction, Error, ErrorKind, Pin, PinRequest, Result, Token};

impl Stage<'_> {
    /// Sets the cap.
    pub(crate) fn set_cap(&mut self, at: Timestamp, by: Actor) -> Result<()> {
        if by.reason.is_empty() {
            return Err(Error::invalid("a cap needs a reason"));
        }
        self.check_readable(at)?;
        let before = self.describe_cap();
        let cap = Cap { at, by: by.clone(), set: self.clock };
        self.put(keys::meta(CAP), rows::encode_cap(&cap));
        self.state_mut().cap = Some(cap);
        self.record(ControlAction::CapSet, by, at.to_string(), format!("was {before}"));
        Ok(())
    }

    /// Clears the cap.
    pub(crate) fn clear_cap(&mut self, by: Actor) -> Result<()> {
        if self.state.cap.is_none() {
            return Err(Error::conflict("there is no cap to clear"));
        }
        let before = self.describe_cap();
        self.delete(keys::meta(CAP));
        self.state_mut().cap = None;
        self.record(ControlAction::CapCleared, by, before, String::new());
        Ok(())
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
        let PinRequest { name, owner, reason, .. } = request;
        let pin = Pin { name, owner, reason, at, expires };
        self.put(keys::pin(&pin.name), rows::encode_pin(&pin));
        self.state_mut().pins.insert(pin.name.clone(), pin.clone());
        let by = Actor { name: pin.owner.clone(), reason: pin.reason.clone() };
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
