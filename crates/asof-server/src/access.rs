//! Who may do what.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use asof_api::ErrorName;
use asof_api::routes::{Needs, Route};
use asof_env::Random;
use asof_store::{Role, Scope, SpaceName, Store, Token, TokenHash};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::refusal::Refusal;

/// How callers are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The caller is this process: it may do everything.
    InProcess,
    /// A listener on loopback: everybody may do everything until there is a token, then tokens
    /// are needed.
    Loopback,
    /// Tokens are needed.
    Tokens,
}

/// The hash under which the store knows the bearer token `secret`: BLAKE3-256 of all its text.
pub fn token_hash(secret: &str) -> TokenHash {
    TokenHash(*blake3::hash(secret.as_bytes()).as_bytes())
}

/// A new bearer token: `asof_` and 32 random bytes as base64url.
pub fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    format!("asof_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Whoever can connect.
    Anybody,
    /// The holder of a token.
    Token(Arc<Token>),
}

impl Caller {
    /// The name of the token.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Anybody => None,
            Self::Token(token) => Some(&token.name),
        }
    }

    /// Whether it may act in `space`.
    pub(crate) fn covers(&self, space: &SpaceName) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => token.scope.covers(space),
        }
    }

    /// Whether it may act on the store as a whole.
    pub(crate) fn covers_all(&self) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => token.scope == Scope::All,
        }
    }

    /// Whether it has at least the role.
    pub(crate) fn is_at_least(&self, role: Role) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => token.role >= role,
        }
    }

    /// Refuses unless it may act in `space`.
    pub(crate) fn check_space(&self, space: &SpaceName) -> Result<(), Refusal> {
        if self.covers(space) {
            Ok(())
        } else {
            Err(Refusal::forbidden(format!("the token is not for space `{space}`")))
        }
    }

    /// Refuses unless it may act on the store as a whole.
    pub(crate) fn check_all(&self) -> Result<(), Refusal> {
        if self.covers_all() {
            Ok(())
        } else {
            Err(Refusal::forbidden(
                "the token is for some spaces only, and this concerns the whole store",
            ))
        }
    }
}

/// The tokens of the store as of a control record: they are asked for on every request, and
/// change seldom.
#[derive(Debug)]
struct Known {
    control: u64,
    tokens: Vec<Arc<Token>>,
}

/// Tells callers apart.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    known: ArcSwap<Known>,
}

impl Gate {
    pub(crate) fn new(access: Access, store: &Store) -> Self {
        Self { access, known: ArcSwap::from_pointee(Known::of(store)) }
    }

    /// The gate as it stands for one request.
    pub(crate) fn now(&self, store: &Store) -> Standing {
        let known = self.known(store);
        let needs_token = match self.access {
            Access::InProcess => false,
            Access::Loopback => !known.tokens.is_empty(),
            Access::Tokens => true,
        };
        let is_open = self.access == Access::Loopback && !needs_token;
        Standing { known, needs_token, is_open }
    }

    fn known(&self, store: &Store) -> Guard<Arc<Known>> {
        let known = self.known.load();
        if known.control == store.control_sequence() {
            return known;
        }
        let fresh = Arc::new(Known::of(store));
        self.known.store(Arc::clone(&fresh));
        Guard::from_inner(fresh)
    }
}

/// What the gate asks of a request.
pub(crate) struct Standing {
    known: Guard<Arc<Known>>,
    needs_token: bool,
    is_open: bool,
}

impl Standing {
    /// Whether whoever can connect may do everything, so that foreign web pages are a danger.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether callers are told apart by tokens.
    pub(crate) fn needs_token(&self) -> bool {
        self.needs_token
    }

    /// Who holds the token of this hash; `None` where it was revoked, or never was one.
    pub(crate) fn holder(&self, hash: TokenHash) -> Option<Caller> {
        self.known.find(hash).map(Caller::Token)
    }

    /// Who sends `headers`.
    ///
    /// # Errors
    ///
    /// `Unauthorized` where a token is needed and there is none, or it is not known.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        if !self.needs_token {
            return Ok(Caller::Anybody);
        }
        let refuse = |detail: &str| Refusal::new(ErrorName::Unauthorized, detail);
        let text = headers
            .get(header::AUTHORIZATION)
            .ok_or_else(|| refuse("send a bearer token: `Authorization: Bearer asof_...`"))?
            .to_str()
            .map_err(|_| refuse("the Authorization header is not text"))?;
        let secret = match text.split_once(' ') {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
            _ => return Err(refuse("the Authorization header is not `Bearer asof_...`")),
        };
        self.known
            .find(token_hash(secret))
            .map(Caller::Token)
            .ok_or_else(|| refuse("the bearer token is not known, or was revoked"))
    }
}

impl Known {
    fn of(store: &Store) -> Self {
        // The number first: if a token changes in between, the next request looks again.
        let control = store.control_sequence();
        let tokens = store.tokens().into_iter().map(Arc::new).collect();
        Self { control, tokens }
    }

    /// Looks at every token, so that the time taken says nothing of where it is.
    fn find(&self, hash: TokenHash) -> Option<Arc<Token>> {
        let mut found = u64::MAX;
        for (index, token) in (0u64..).zip(&self.tokens) {
            let same: Choice = token.hash.0.ct_eq(&hash.0);
            found.conditional_assign(&index, same);
        }
        usize::try_from(found).ok().and_then(|index| self.tokens.get(index)).cloned()
    }
}

/// Refuses `caller` what its role, or its spaces, do not cover of `route`.
pub(crate) fn check_role(
    caller: &Caller,
    route: &Route,
    space: Option<&SpaceName>,
) -> Result<(), Refusal> {
    let role = match route.needs {
        Needs::Nothing => return Ok(()),
        Needs::Reader => Role::Reader,
        Needs::Writer => Role::Writer,
        Needs::Operator => Role::Operator,
    };
    if !caller.is_at_least(role) {
        return Err(Refusal::forbidden(format!("this takes a token of role {}", role.as_str())));
    }
    match space {
        Some(space) => caller.check_space(space),
        // What an operator does beyond spaces concerns the whole store. Reads and writes that
        // name their spaces in query or body are checked where those are known.
        None if role == Role::Operator => caller.check_all(),
        None => Ok(()),
    }
}
