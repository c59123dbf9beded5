//! The rules that keep the cache from being wrong, by name.
//!
//! All of them hold. Under the feature `testing` one can be switched off, so that a test shows
//! which short history breaks an edge without it.

/// One rule of safety.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// An answer is true only where all of its inputs are.
    IntersectInputs,
    /// The fast path looks at the spaces below the nested calls too.
    TransitiveSpaces,
    /// The fast path looks at the clocks below the nested calls too.
    TransitiveClocks,
    /// The change index answers only for what it has seen whole.
    CoveredRange,
    /// A feed is complete up to its `through`, not up to what is closed.
    FrontierIsThrough,
    /// Nested calls are verified in the order in which they were recorded.
    RecordedOrder,
    /// Equal content at two moments says nothing about the time between them.
    EqualHashesBridgeNothing,
    /// What a result is known by is rebuilt from its inputs whenever it is extended.
    RebuildOnExtension,
    /// The end of a result is the smallest first change over all that lies below it.
    SmallestFirstChange,
    /// An input that cannot be asked again means that its parent runs.
    UnissuableMeansRun,
    /// What was made of an unstorable answer is unstorable.
    Contagion,
    /// A nested call may use only the state that its parent declares.
    StateIsDeclared,
    /// A route without inputs is stored only where it is declared constant.
    InputsOrConstant,
    /// A service that answers before its inputs are there is not stored.
    AllInputsSettled,
    /// A call after the answer drops what was stored, and all that was made of it.
    LateCallsDrop,
    /// What runs while wrong results are dropped may be made of them, and is not kept.
    DropsReachWhatRuns,
    /// A call without context taints whatever its service is executing.
    LostContextTaints,
    /// What is of another epoch never matches.
    EpochMatches,
    /// What was erased is dropped with all that was made of it.
    ErasureDrops,
    /// An execution is shared only with those whose moment its validity contains.
    SharedWithinValidity,
    /// Nobody waits for an execution that waits for them.
    WaitsHaveNoCycle,
    /// Two answers for one moment are a contradiction, not a choice.
    OverlapsAgree,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::IntersectInputs,
        Self::TransitiveSpaces,
        Self::TransitiveClocks,
        Self::CoveredRange,
        Self::FrontierIsThrough,
        Self::RecordedOrder,
        Self::EqualHashesBridgeNothing,
        Self::RebuildOnExtension,
        Self::SmallestFirstChange,
        Self::UnissuableMeansRun,
        Self::Contagion,
        Self::StateIsDeclared,
        Self::InputsOrConstant,
        Self::AllInputsSettled,
        Self::LateCallsDrop,
        Self::DropsReachWhatRuns,
        Self::LostContextTaints,
        Self::EpochMatches,
        Self::ErasureDrops,
        Self::SharedWithinValidity,
        Self::WaitsHaveNoCycle,
        Self::OverlapsAgree,
    ];
}

/// Which rules hold.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rules {
    #[cfg(feature = "testing")]
    off: Option<Rule>,
}

impl Rules {
    /// All but one.
    #[cfg(feature = "testing")]
    pub fn without(rule: Rule) -> Self {
        Self { off: Some(rule) }
    }

    /// Whether the rule holds.
    #[cfg(feature = "testing")]
    pub fn hold(self, rule: Rule) -> bool {
        self.off != Some(rule)
    }

    /// Whether the rule holds: it does.
    #[cfg(not(feature = "testing"))]
    pub fn hold(self, _: Rule) -> bool {
        true
    }
}
