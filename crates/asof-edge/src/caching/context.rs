//! The context as it travels: one opaque token, in a header of its own and in the baggage.

use core::fmt;
use core::str::FromStr;

use asof_cache::CallId;
use http::{HeaderMap, HeaderValue};

use crate::headers::{ASOF_CONTEXT, BAGGAGE};

/// The member of the baggage that is ours.
const MEMBER: &str = "asof";

/// Names one execution of one request tree, and the edge that records it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    pub(crate) edge: u32,
    pub(crate) context: u64,
    pub(crate) call: CallId,
    /// Fresh for each hop, so that a context that went another way is noticed.
    pub(crate) nonce: u64,
}

/// What a request carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Carried {
    /// No context.
    Nothing,
    /// One, wherever it was found.
    Token(Token),
    /// Several that differ: it is not known for which of them the call is made.
    Several(Vec<Token>),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge, context, call, nonce } = self;
        write!(f, "1-{edge:08x}-{context:016x}-{:016x}-{nonce:016x}", call.0)
    }
}

/// Says that a text is no context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoToken;

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let mut parts = text.split('-');
        let mut part = |digits| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(NoToken)?;
            let hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex { u64::from_str_radix(part, 16).map_err(|_| NoToken) } else { Err(NoToken) }
        };
        let form = part(1)?;
        let edge = u32::try_from(part(8)?).map_err(|_| NoToken)?;
        let (context, call, nonce) = (part(16)?, CallId(part(16)?), part(16)?);
        if form != 1 || parts.next().is_some() {
            return Err(NoToken);
        }
        Ok(Self { edge, context, call, nonce })
    }
}

impl Token {
    /// Puts it into a request, in place of any other.
    pub(crate) fn put(self, headers: &mut HeaderMap) {
        crate::headers::strip_baggage(headers);
        let text = self.to_string();
        if let (Ok(value), Ok(member)) =
            (HeaderValue::try_from(&text), HeaderValue::try_from(format!("{MEMBER}={text}")))
        {
            headers.insert(&ASOF_CONTEXT, value);
            headers.append(&BAGGAGE, member);
        }
    }
}

/// The context of a request. What is there and cannot be read is no context of ours.
pub(crate) fn carried(headers: &HeaderMap) -> Carried {
    let plain = headers.get_all(&ASOF_CONTEXT).iter().filter_map(|value| value.to_str().ok());
    let baggage = headers.get_all(&BAGGAGE).iter().filter_map(|value| value.to_str().ok());
    let members = baggage.flat_map(|value| value.split(',')).filter_map(|member| {
        let (name, rest) = member.split_once('=')?;
        // A member may have properties behind a semicolon (W3C Baggage).
        (name.trim() == MEMBER).then(|| rest.split(';').next().unwrap_or(rest).trim())
    });
    let mut tokens: Vec<Token> = Vec::new();
    let mut torn = false;
    for text in plain.map(str::trim).chain(members) {
        match text.parse() {
            Ok(token) if !tokens.contains(&token) => tokens.push(token),
            Ok(_) => {}
            Err(NoToken) => torn = true,
        }
    }
    match *tokens.as_slice() {
        [] => Carried::Nothing,
        // Where one of two was overwritten, the other may be what somebody else left behind.
        [token] if !torn => Carried::Token(token),
        _ => Carried::Several(tokens),
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
