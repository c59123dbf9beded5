//! The newest write of a client, as a cookie: browsers bring it back by themselves.

use asof_api::{SessionToken, headers as wire};
use http::{HeaderMap, HeaderValue, header};

use crate::engine::Call;

/// Takes the cookie out of a request, and makes the header of it that says the same, unless the
/// client sent that one as well. A cookie that is no token is forgotten: nobody can mend it.
pub(crate) fn take(headers: &mut HeaderMap, cookie: &str) {
    let token: Option<SessionToken> = remove(headers, cookie).and_then(|text| text.parse().ok());
    if let Some(token) = token.filter(|_| !headers.contains_key(&wire::ASOF_TOKEN))
        && let Ok(value) = HeaderValue::try_from(token.to_string())
    {
        headers.insert(&wire::ASOF_TOKEN, value);
    }
}

/// Takes a cookie out of a request, wherever it is, and tells its first value.
pub(crate) fn remove(headers: &mut HeaderMap, cookie: &str) -> Option<String> {
    if !headers.contains_key(header::COOKIE) {
        return None;
    }
    let (mut found, mut kept) = (None, Vec::new());
    for value in headers.get_all(header::COOKIE) {
        let Ok(text) = value.to_str() else {
            kept.push(value.clone());
            continue;
        };
        let is_ours =
            |pair: &str| pair.split_once('=').is_some_and(|(name, _)| name.trim() == cookie);
        let (ours, others): (Vec<&str>, Vec<&str>) =
            text.split(';').map(str::trim).partition(|pair| is_ours(pair));
        let mut values = ours.iter().filter_map(|pair| Some(pair.split_once('=')?.1.trim()));
        found = found.or_else(|| values.next().map(str::to_owned));
        let others: Vec<&str> = others.into_iter().filter(|pair| !pair.is_empty()).collect();
        kept.extend(HeaderValue::try_from(others.join("; ")).ok().filter(|_| !others.is_empty()));
    }
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
    found
}

/// How a cookie may travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// Over TLS alone.
    Secure,
    /// Over anything.
    Plain,
}

impl Transport {
    /// That of a client's call.
    pub(crate) fn of(call: &Call) -> Self {
        if call.origin.client().is_some_and(|(_, tls)| tls) || call.plan.tls_terminated_elsewhere {
            Self::Secure
        } else {
            Self::Plain
        }
    }
}

/// Hands out the token of a write.
pub(crate) fn hand_out(
    headers: &mut HeaderMap,
    cookie: &str,
    token: SessionToken,
    transport: Transport,
) {
    let secure = if transport == Transport::Secure { "; Secure" } else { "" };
    let text = format!("{cookie}={token}; Path=/; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef.7";

    fn headers(cookies: &[&'static str]) -> HeaderMap {
        let values = cookies.iter().map(|text| (header::COOKIE, HeaderValue::from_static(text)));
        values.collect()
    }

    #[test]
    fn only_the_one_cookie_is_taken() {
        let mut taken = headers(&["a=1; s=nonsense; b=2", "s=also", "c=3"]);
        take(&mut taken, "s");
        let left: Vec<_> = taken.get_all(header::COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2", "c=3"]);
        assert!(!taken.contains_key(&wire::ASOF_TOKEN));
    }

    #[test]
    fn a_header_goes_before_the_cookie() {
        let Ok(token) = TOKEN.parse::<SessionToken>() else { return };
        let mut taken = headers(&[]);
        hand_out(&mut taken, "s", token, Transport::Plain);
        assert!(taken[header::SET_COOKIE].as_bytes().ends_with(b"; HttpOnly; SameSite=Lax"));
    }
}
