//! What keeps the seam between store, feed and edge from being wrong, by name. A run with one of
//! these switched off shows that the simulation would notice.

use asof_cache::Rule;

/// What may be switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Off {
    /// A rule of the cache.
    Cache(Rule),
    /// A rule of the shell around it.
    Seam(Seam),
}

/// One rule of the shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seam {
    /// A feed is taken up in the timeline that was asked about, and its messages are of that one.
    FeedIsOfOneTimeline,
    /// What a store answers in another timeline than the tree's is no answer.
    ReadsAreOfOneTimeline,
    /// What was missed while away is told before the moment goes on.
    WhatWasMissedComesFirst,
    /// Following begins where the snapshot was, not where the store is by then.
    FollowFromTheSnapshot,
    /// The moment is where the feed is complete, not where a message of it was written.
    MomentIsThrough,
    /// There is one moment for all calls of a request.
    OneMoment,
    /// The moment is at or below the cap.
    CapIsObeyed,
    /// The moment is at or above the session's last write.
    SessionIsWaitedFor,
    /// All stores of a request are as far as its moment.
    MomentOfAllStores,
}

impl Seam {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::FeedIsOfOneTimeline,
        Self::ReadsAreOfOneTimeline,
        Self::WhatWasMissedComesFirst,
        Self::FollowFromTheSnapshot,
        Self::MomentIsThrough,
        Self::OneMoment,
        Self::CapIsObeyed,
        Self::SessionIsWaitedFor,
        Self::MomentOfAllStores,
    ];
}

/// The rules of the cache that the seam rests on. The others are about services that do what they
/// should not, and have their histories in the oracle test of `asof-cache`.
pub const OF_CACHE: [Rule; 9] = [
    Rule::IntersectInputs,
    Rule::TransitiveSpaces,
    Rule::CoveredRange,
    Rule::EqualHashesBridgeNothing,
    Rule::Contagion,
    Rule::EpochMatches,
    Rule::ErasureDrops,
    Rule::DropsReachWhatRuns,
    Rule::SharedWithinValidity,
];
