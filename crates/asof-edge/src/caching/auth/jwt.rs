//! JSON web tokens (RFC 7519), signed by somebody else.

use std::collections::BTreeMap;

use asof_time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::Denied;
use super::key::Key;
use crate::caching::root;
use crate::limits;

/// Seconds by which the clock of whoever issues tokens may be ahead.
const AHEAD_S: f64 = 5.0;

/// What tokens must be.
#[derive(Debug)]
pub(crate) struct Jwt {
    key: Key,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Jwt {
    /// With the key in `text`.
    ///
    /// # Errors
    ///
    /// Why that is none.
    pub(crate) fn new(
        text: &str,
        issuer: Option<String>,
        audience: Option<String>,
    ) -> Result<Self, String> {
        Ok(Self { key: Key::read(text)?, issuer, audience })
    }

    /// What a token says of its holder, if it is good at `now`: the claims that are one text,
    /// number or truth value.
    pub(crate) fn claims(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<String, String>, Denied> {
        let claims = self.verified(token).ok_or_else(|| {
            Denied::invalid("the token is no JSON web token, or is signed by somebody else")
        })?;
        self.judge(&claims, now).map_err(Denied::invalid)?;
        let texts = claims
            .iter()
            .filter_map(|(name, value)| root::text(value).map(|text| (name.clone(), text)));
        Ok(texts.collect())
    }

    fn verified(&self, token: &str) -> Option<Map<String, Value>> {
        if token.len() > limits::JWT_BYTES_MAX {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (head, body) = message.split_once('.').filter(|(_, body)| !body.contains('.'))?;
        let head = object(head)?;
        let pinned = head.get("alg").and_then(Value::as_str) == Some(self.key.algorithm());
        // What is critical and not understood must not be passed over (RFC 7515, 4.1.11).
        if !pinned || head.contains_key("crit") {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if self.key.signed(message.as_bytes(), &signature) { object(body) } else { None }
    }

    fn judge(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), &'static str> {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53, so it is exact")]
        let now = now.as_micros() as f64 / 1e6;
        match claims.get("exp").map(Value::as_f64) {
            None => return Err("the token does not say when it ends"),
            Some(Some(ends)) if now < ends => {}
            Some(_) => return Err("the token has ended"),
        }
        match claims.get("nbf").map(Value::as_f64) {
            None => {}
            Some(Some(begins)) if begins <= now + AHEAD_S => {}
            Some(_) => return Err("the token has not begun"),
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err("the token is of another issuer");
        }
        let named = match claims.get("aud") {
            None => None,
            Some(Value::String(one)) => Some(vec![one.as_str()]),
            Some(Value::Array(all)) => Some(all.iter().filter_map(Value::as_str).collect()),
            Some(_) => Some(Vec::new()),
        };
        // A token that is for somebody is for nobody else (RFC 7519, 4.1.3).
        match (&self.audience, named) {
            (None, None) => Ok(()),
            (Some(wanted), Some(named)) if named.contains(&wanted.as_str()) => Ok(()),
            _ => Err("the token is for somebody else"),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
