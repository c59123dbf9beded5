//! Who looks, from one request of a browser to the next.
//!
//! A token is sent once, in the body of the form. What the browser keeps is a random id in a
//! cookie that no script can read and no other site can send; what is kept here, in memory, is the
//! hash of that id and the hash of the token. A token that is revoked ends its sessions with it.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use asof_env::{BootTime, Random};
use asof_store::TokenHash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};

use crate::app::Transport;
use crate::limits::{SESSION_IDLE, SESSION_LIFE, SESSIONS_MAX};
use crate::reply;

/// The sessions of one service.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

#[derive(Clone, Copy)]
struct Session {
    token: TokenHash,
    began: BootTime,
    seen: BootTime,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(..)")
    }
}

impl Session {
    fn lives(&self, now: BootTime) -> bool {
        now.since(self.began) < SESSION_LIFE && now.since(self.seen) < SESSION_IDLE
    }
}

impl Sessions {
    /// Begins a session of the holder of `token`; returns its id.
    pub(super) fn begin(&self, token: TokenHash, random: &dyn Random, now: BootTime) -> String {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        let id = URL_SAFE_NO_PAD.encode(bytes);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.lives(now));
        }
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions
                .iter()
                .max_by_key(|(_, session)| now.since(session.seen))
                .map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(name(&id), Session { token, began: now, seen: now });
        id
    }

    /// The token behind the session that `headers` carry, if it lives.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        transport: Transport,
        now: BootTime,
    ) -> Option<TokenHash> {
        let name = name(cookie(headers, transport)?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&name)?;
        if !session.lives(now) {
            sessions.remove(&name);
            return None;
        }
        session.seen = now;
        Some(session.token)
    }

    /// Ends the session that `headers` carry.
    pub(super) fn end(&self, headers: &HeaderMap, transport: Transport) {
        if let Some(id) = cookie(headers, transport) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&name(id));
        }
    }
}

/// What a session is kept under. Its id is known to the browser alone.
fn name(id: &str) -> [u8; 32] {
    *blake3::hash(id.as_bytes()).as_bytes()
}

/// Behind TLS the name binds the cookie to this host, its root and TLS (RFC 6265bis).
fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "asof-session",
        Transport::Tls => "__Host-asof-session",
    }
}

fn cookie(headers: &HeaderMap, transport: Transport) -> Option<&str> {
    let wanted = cookie_name(transport);
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, id)| id.trim())
}

/// The cookie that keeps `id`, or that is forgotten at once.
pub(super) fn set_cookie(id: Option<&str>, transport: Transport) -> HeaderValue {
    let name = cookie_name(transport);
    let secure = match transport {
        Transport::Plain => "",
        Transport::Tls => "; Secure",
    };
    let (id, age) = match id {
        Some(id) => (id, SESSION_LIFE.as_secs()),
        None => ("", 0),
    };
    reply::owned_text(format!(
        "{name}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use asof_env::SystemRandom;
    use core::time::Duration;

    fn carrying(id: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let text = format!("other=1; asof-session={id}");
        headers.insert(header::COOKIE, text.parse().unwrap());
        headers
    }

    #[test]
    fn a_session_ends_by_itself() {
        let sessions = Sessions::default();
        let (random, start) = (SystemRandom, BootTime::new(Duration::from_secs(5)));
        let token = TokenHash([7; 32]);
        let headers = carrying(&sessions.begin(token, &random, start));
        let at = |later| sessions.find(&headers, Transport::Plain, start.after(later));
        assert_eq!(at(Duration::ZERO), Some(token));
        let almost = SESSION_IDLE.checked_sub(Duration::from_secs(1)).unwrap();
        // Each request keeps it alive, up to its whole life.
        let mut later = Duration::ZERO;
        while later + almost < SESSION_LIFE {
            later += almost;
            assert_eq!(at(later), Some(token));
        }
        assert_eq!(at(later + almost), None);
        let idle = carrying(&sessions.begin(token, &random, start));
        assert_eq!(sessions.find(&idle, Transport::Plain, start.after(SESSION_IDLE)), None);
        assert_eq!(sessions.find(&idle, Transport::Plain, start), None);
    }

    #[test]
    fn sessions_are_bounded_and_the_longest_idle_one_goes() {
        let sessions = Sessions::default();
        let random = SystemRandom;
        let at = |second| BootTime::new(Duration::from_secs(second));
        let first = carrying(&sessions.begin(TokenHash([1; 32]), &random, at(0)));
        let second = carrying(&sessions.begin(TokenHash([2; 32]), &random, at(1)));
        assert!(sessions.find(&first, Transport::Plain, at(2)).is_some());
        for _ in 0..SESSIONS_MAX - 1 {
            sessions.begin(TokenHash([3; 32]), &random, at(3));
        }
        assert_eq!(sessions.0.lock().unwrap().len(), SESSIONS_MAX);
        assert!(sessions.find(&second, Transport::Plain, at(4)).is_none());
        assert!(sessions.find(&first, Transport::Plain, at(4)).is_some());
    }

    #[test]
    fn behind_tls_the_cookie_is_bound_to_it() {
        let plain = set_cookie(Some("id"), Transport::Plain);
        let text = "asof-session=id; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200";
        assert_eq!(plain, text);
        let tls = set_cookie(Some("id"), Transport::Tls);
        assert_eq!(tls, format!("__Host-{text}; Secure"));
    }
}
