//! The names of what can happen to a call. Headers, metrics, logs and reports say these and
//! nothing else.

use std::fmt;

/// How a call came by its answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// A stored result holds the moment.
    Hit,
    /// A stored result was found unchanged since it was last known true.
    Verified,
    /// An input ran again and came to the same content, so the result stayed true.
    EarlyCutoff,
    /// Somebody else's execution answered this call too.
    Coalesced,
    /// The call was executed, and its result is stored.
    Miss,
    /// The call was executed, and its result could not be stored.
    Unstorable(Unstorable),
    /// The call went to the service without being looked up.
    Bypass(Bypass),
}

/// Why a call was not looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Bypass {
    /// The route is off, or no route is declared for the path.
    RouteOff,
    /// The route only observes: the service answers, the cache is compared with it.
    Observing,
    /// The route is on, but has not been observed often enough yet.
    NotYetObserved,
    /// An operator bypassed the route, or all of them.
    Operator,
    /// The route gave a wrong answer once and is held back.
    Quarantined,
    /// The request has credentials or cookies, and the route declares nothing made of them.
    Credentials,
    /// The method may write.
    Method,
    /// The request is larger than a call may be.
    TooLarge,
    /// The request came without a context.
    NoContext,
    /// The store is away, and the route passes through without it.
    StoreAway,
    /// An operator looks at a moment that is still to come.
    Preview,
}

/// Why an answer is not kept.
///
/// Each of them is contagious: what was made of an unstorable answer is unstorable too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Unstorable {
    /// Something below it is unstorable.
    Contagion,
    /// A nested call may have written.
    Write,
    /// The answer sets a cookie.
    SetCookie,
    /// The body is coded, though the service was not asked to.
    Coded,
    /// An error status other than a recorded 404 or 410.
    Status,
    /// The body broke off, or the exchange was cancelled.
    Truncated,
    /// The service did not answer in time.
    TimedOut,
    /// The service answered before a call of its own was answered.
    Unfinished,
    /// The body is larger than what is kept.
    Oversize,
    /// The execution had more inputs than are kept.
    TooManyInputs,
    /// An input says no validity: a bypass, a preview, an unknown space, a foreign origin.
    NoValidity,
    /// A nested call depends on a state value that this route does not declare.
    UndeclaredState,
    /// No input was seen, on a route that is not declared constant.
    NoInputs,
    /// A call without context may belong to this execution.
    LostContext,
    /// A context was given to another service than the one it was made for.
    LeakedContext,
    /// A call came after the answer.
    LateCall,
    /// Results were dropped as wrong while it ran, and it may be made of them.
    Disowned,
    /// The upstream names another version than the one in force.
    OtherVersion,
    /// An input is of another epoch, or of a space that was erased meanwhile.
    OtherEpoch,
    /// The same input gave two answers, or two inputs are never true at one moment.
    Contradiction,
    /// The route read a store outside of its declared set.
    UndeclaredStore,
    /// Another edge was not heard of while it ran, and may have refused a call of its service.
    PeerAway,
}

impl Outcome {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Verified => "verified",
            Self::EarlyCutoff => "early-cutoff",
            Self::Coalesced => "coalesced",
            Self::Miss => "miss",
            Self::Unstorable(why) => why.as_str(),
            Self::Bypass(why) => why.as_str(),
        }
    }

    /// Whether the answer came without executing the call itself.
    pub const fn is_from_cache(self) -> bool {
        matches!(self, Self::Hit | Self::Verified | Self::EarlyCutoff | Self::Coalesced)
    }
}

impl Bypass {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RouteOff => "bypass-route-off",
            Self::Observing => "bypass-observing",
            Self::NotYetObserved => "bypass-not-yet-observed",
            Self::Operator => "bypass-operator",
            Self::Quarantined => "bypass-quarantined",
            Self::Credentials => "bypass-credentials",
            Self::Method => "bypass-method",
            Self::TooLarge => "bypass-too-large",
            Self::NoContext => "bypass-no-context",
            Self::StoreAway => "bypass-store-away",
            Self::Preview => "bypass-preview",
        }
    }
}

impl Unstorable {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contagion => "unstorable-contagion",
            Self::Write => "unstorable-write",
            Self::SetCookie => "unstorable-set-cookie",
            Self::Coded => "unstorable-coded",
            Self::Status => "unstorable-status",
            Self::Truncated => "unstorable-truncated",
            Self::TimedOut => "unstorable-timed-out",
            Self::Unfinished => "unstorable-unfinished",
            Self::Oversize => "unstorable-oversize",
            Self::TooManyInputs => "unstorable-too-many-inputs",
            Self::NoValidity => "unstorable-no-validity",
            Self::UndeclaredState => "unstorable-undeclared-state",
            Self::NoInputs => "unstorable-no-inputs",
            Self::LostContext => "unstorable-lost-context",
            Self::LeakedContext => "unstorable-leaked-context",
            Self::LateCall => "unstorable-late-call",
            Self::Disowned => "unstorable-disowned",
            Self::OtherVersion => "unstorable-other-version",
            Self::OtherEpoch => "unstorable-other-epoch",
            Self::Contradiction => "unstorable-contradiction",
            Self::UndeclaredStore => "unstorable-undeclared-store",
            Self::PeerAway => "unstorable-peer-away",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Unstorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
