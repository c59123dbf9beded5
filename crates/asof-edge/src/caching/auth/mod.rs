//! Who asks, and whether they may: judged before anything else, for every request of a client,
//! and whether or not its answer is held.

mod forward;
mod jwt;
mod key;
mod tokens;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use asof_listen::Soon;
use asof_time::Timestamp;
use http::{HeaderMap, HeaderValue, Response, header};

use self::jwt::Jwt;
use self::tokens::Tokens;
use super::Inner;
use super::routes::{Known, Routes};
use crate::body::Body;
use crate::config::{self, Auth, Plan, StateSource};
use crate::engine::Call;
use crate::limits;
use crate::problem::{Problem, ProblemKind};

/// What is known of whoever asks.
#[derive(Clone, Default, Debug)]
pub(crate) struct Identity {
    /// What the token says, or the file of tokens.
    claims: BTreeMap<String, String>,
    /// What whoever judged the request answered.
    headers: HeaderMap,
    /// Whether the `Authorization` of the request has been judged here, so that no service need
    /// see it.
    pub(crate) judged_here: bool,
}

impl Identity {
    /// The value that a source has, where it is one that clients cannot choose.
    pub(crate) fn value(&self, source: &StateSource) -> Option<&str> {
        match source {
            StateSource::Claim(name) => self.claims.get(name).map(String::as_str),
            StateSource::AuthHeader(name) => self.headers.get(name)?.to_str().ok(),
            StateSource::Cookie(_) | StateSource::Header(_) | StateSource::Query(_) => None,
        }
    }
}

/// Somebody is not let in.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    problem: Problem,
    /// How to be let in (RFC 9110, 11.6.1).
    challenge: HeaderValue,
}

impl Denied {
    /// Nobody is known to ask.
    fn unknown(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"asof\"");
        Self { problem: Problem::new(ProblemKind::Unauthorized, detail), challenge }
    }

    /// What was sent is not good.
    fn invalid(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"asof\", error=\"invalid_token\"");
        Self { problem: Problem::new(ProblemKind::Unauthorized, detail), challenge }
    }

    /// Whoever asks may not.
    fn forbidden(detail: &str) -> Self {
        let challenge =
            HeaderValue::from_static("Bearer realm=\"asof\", error=\"insufficient_scope\"");
        Self { problem: Problem::new(ProblemKind::Forbidden, detail), challenge }
    }

    /// It cannot be said who asks.
    fn unavailable(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"asof\"");
        Self { problem: Problem::new(ProblemKind::Unavailable, detail), challenge }
    }

    /// The answer that says so.
    pub(crate) fn answer(self) -> Response<Body> {
        let mut response = self.problem.answer();
        if self.problem.kind != ProblemKind::Unavailable {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, self.challenge);
        }
        response
    }
}

/// What judges requests.
#[derive(Debug, Default)]
pub(crate) enum Gate {
    /// Nothing could be made of the configuration: nobody is let in.
    #[default]
    Closed,
    /// Everybody is let in.
    Open,
    Tokens(Tokens),
    Jwt(Jwt),
    Forward {
        path: String,
    },
}

impl Gate {
    /// That of a configuration; its files are read.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub(crate) fn of(auth: &Auth) -> Result<Self, String> {
        match auth {
            Auth::None => Ok(Self::Open),
            Auth::Tokens { file } => Tokens::read(&text(file)?)
                .map(Self::Tokens)
                .map_err(|error| format!("{}: {error}", file.display())),
            Auth::Jwt { key_file, issuer, audience } => {
                Jwt::new(&text(key_file)?, issuer.clone(), audience.clone())
                    .map(Self::Jwt)
                    .map_err(|error| format!("{}: {error}", key_file.display()))
            }
            Auth::Forward { path, .. } => Ok(Self::Forward { path: path.clone() }),
        }
    }
}

fn text(file: &Path) -> Result<String, String> {
    config::read_bounded(file, limits::AUTH_BYTES_MAX)
        .map_err(|error| format!("{}: {error}", file.display()))
}

impl Inner {
    /// Who makes a request.
    ///
    /// # Errors
    ///
    /// If they are not let in.
    pub(crate) fn identify(&self, call: &mut Call) -> Soon<'_, Result<Identity, Denied>> {
        let headers = call.request.headers_mut();
        Soon::now(match &**self.gate.load() {
            Gate::Closed => Err(Denied::unavailable("the edge cannot tell who asks")),
            Gate::Open => Ok(Identity::default()),
            Gate::Tokens(tokens) => by_token(tokens, headers),
            Gate::Jwt(jwt) => by_jwt(jwt, headers, self.clock.wall()),
            Gate::Forward { path } => {
                let question = forward::question(path, call);
                return Soon::later(async {
                    let headers = forward::ask(&self.forwarder, question).await?;
                    Ok(Identity { headers, ..Identity::default() })
                });
            }
        })
    }
}

/// Whoever a file of tokens says. The token is taken out: it is a secret between client and edge,
/// and nobody else's business.
fn by_token(tokens: &Tokens, headers: &mut HeaderMap) -> Result<Identity, Denied> {
    let claims = tokens.claims(bearer(headers)?)?;
    headers.remove(header::AUTHORIZATION);
    Ok(Identity { claims, judged_here: true, ..Identity::default() })
}

/// Whoever a signed token says.
fn by_jwt(jwt: &Jwt, headers: &HeaderMap, wall: Timestamp) -> Result<Identity, Denied> {
    let claims = jwt.claims(bearer(headers)?, wall)?;
    Ok(Identity { claims, judged_here: true, ..Identity::default() })
}

/// The token of the one `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let missing = || Denied::unknown("send a token: `Authorization: Bearer TOKEN`");
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Denied::invalid("there are several Authorization headers"));
    }
    let text = value.to_str().map_err(|_| Denied::invalid("the Authorization is not text"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(missing()),
    }
}

/// Whether whoever asks is what the route requires.
///
/// In a service of which any route requires something, nothing is let in that no route says
/// anything about, and no path that can be written in another way: what a pattern does not see,
/// the service might.
///
/// # Errors
///
/// If not.
pub(crate) fn permitted(
    plan: &Plan,
    routes: &Routes,
    service: &str,
    path: &str,
    known: Option<&Arc<Known>>,
    who: &Identity,
) -> Result<(), Denied> {
    if !routes.of_service(service).any(|known| !known.route.require.is_empty()) {
        return Ok(());
    }
    if !is_plain(path) {
        return Err(Denied::forbidden("the path can be written in a plainer way: write it so"));
    }
    let Some(known) = known else {
        return Err(Denied::forbidden("nothing is said about who may ask for this"));
    };
    for (name, allowed) in &known.route.require {
        let Some(state) = plan.states.get(name) else {
            return Err(Denied::unavailable("what is required is no longer configured"));
        };
        let value = state.from.as_ref().and_then(|from| who.value(from));
        let known = |value: &&str| {
            state.values.as_ref().is_none_or(|values| values.iter().any(|one| one == value))
        };
        let value = value.filter(known).unwrap_or(&state.default);
        if !allowed.iter().any(|allowed| allowed == value) {
            return Err(Denied::forbidden("whoever asks is not what this takes"));
        }
    }
    Ok(())
}

/// Whether a path has one way to be written: no empty or dotted segments, nothing encoded that
/// need not be, and no encoded or backward slashes.
fn is_plain(path: &str) -> bool {
    let middle = path.strip_prefix('/').unwrap_or(path);
    let segments = middle.split('/').collect::<Vec<_>>();
    let last = segments.len().saturating_sub(1);
    let empty = segments.iter().enumerate().any(|(nth, part)| part.is_empty() && nth != last);
    let dotted = segments.iter().any(|part| matches!(*part, "." | ".."));
    let encoded = path.split('%').skip(1).any(|rest| {
        let code = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        code.is_none_or(|code| {
            code.is_ascii_alphanumeric()
                || code.is_ascii_control()
                || matches!(code, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b';' | b'%')
        })
    });
    !empty && !dotted && !encoded && !path.contains(['\\', ';'])
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn a_path_has_one_way_to_be_written() {
        for path in ["/", "/a/b", "/a/", "/a%20b", "/%C3%A4"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["//a", "/a//b", "/a/../b", "/./a", "/%61", "/a%2fb", "/a\\b", "/a;b", "/%"] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
