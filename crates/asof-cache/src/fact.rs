//! A result, where it is true, and what was read to make it.

use std::collections::BTreeSet;
use std::sync::Arc;

use asof_time::{Timestamp, Validity};

use crate::call::CallKey;
use crate::changes::{ChangeIndex, Fingerprint, KeyRange, Reach, SpaceId};
use crate::content::{Content, ContentHash};
use crate::weight;

/// An answer and an interval over which it is true.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What is answered.
    pub content: Arc<Content>,
    /// Where that is true.
    pub validity: Validity,
    /// What it was made of, as known at the end of the interval.
    pub trace: Arc<Trace>,
}

/// What one execution was seen to read.
#[derive(PartialEq, Eq, Debug)]
pub struct Trace {
    inputs: Inputs,
    spaces: Spaces,
}

/// Most results have one input and no clock, and need no list for them.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Inputs {
    One(Input),
    Many {
        inputs: Box<[Input]>,
        /// `None`: no clock was read, or it stands still always.
        clock: Option<Box<Validity>>,
    },
}

/// A sorted set of spaces, behind one thin pointer: systems have few such sets.
pub(crate) type Spaces = Arc<Box<[SpaceId]>>;

/// One thing that was read. A result has one of these for each input, so they are kept small:
/// how far a read of a store reached is told by the variant, not by a part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// One key of a space of a store.
    Key {
        /// The call that reads it.
        call: CallKey,
        /// What it said.
        hash: ContentHash,
        /// Where it lies.
        space: SpaceId,
        /// Which key.
        print: Fingerprint,
    },
    /// A range of keys.
    Range {
        /// The call that reads it.
        call: CallKey,
        /// What it said.
        hash: ContentHash,
        /// Where it lies.
        space: SpaceId,
        /// Which keys.
        range: Arc<KeyRange>,
    },
    /// A whole space.
    Space {
        /// The call that reads it.
        call: CallKey,
        /// What it said.
        hash: ContentHash,
        /// Which space.
        space: SpaceId,
    },
    /// The answer of another call.
    Nested {
        /// The call.
        call: CallKey,
        /// What it said.
        hash: ContentHash,
    },
    /// Wall time, by the bucket in which it stands still.
    Clock(Validity),
}

/// True always: what an answer without inputs is.
///
/// # Panics
///
/// Never: the first moment is before the last.
pub fn always() -> Validity {
    Validity::through(Timestamp::MIN, Timestamp::MAX).expect("the first moment is not the last")
}

impl Trace {
    /// What an answer of an origin is made of: itself.
    pub fn leaf(call: CallKey, hash: ContentHash, space: SpaceId, reach: Reach) -> Arc<Self> {
        let input = Input::leaf(call, hash, space, reach);
        Arc::new(Self { inputs: Inputs::One(input), spaces: Arc::new([space].into()) })
    }

    /// Of these inputs, and what lies below them.
    pub(crate) fn new(inputs: Vec<Input>, spaces: &BTreeSet<SpaceId>, clock: Validity) -> Self {
        let clock = (clock != always()).then(|| Box::new(clock));
        let inputs = match (clock, <[Input; 1]>::try_from(inputs)) {
            (None, Ok([input])) => Inputs::One(input),
            (clock, Ok(inputs)) => Inputs::Many { inputs: inputs.into(), clock },
            (clock, Err(inputs)) => Inputs::Many { inputs: inputs.into(), clock },
        };
        Self { inputs, spaces: Arc::new(spaces.iter().copied().collect()) }
    }

    /// The same inputs, with other things below them.
    pub(crate) fn above(&self, spaces: &BTreeSet<SpaceId>, clock: Validity) -> Self {
        Self::new(self.inputs().to_vec(), spaces, clock)
    }

    /// The same, with an equal set of spaces in place of its own.
    pub(crate) fn with_spaces(&self, spaces: Spaces) -> Self {
        Self { inputs: self.inputs.clone(), spaces }
    }

    /// Whether something that was read must not be used any more.
    pub(crate) fn is_retired(&self, index: &ChangeIndex) -> bool {
        self.spaces().iter().any(|space| index.is_retired(*space))
    }

    pub(crate) fn space_set(&self) -> &Spaces {
        &self.spaces
    }

    /// In order of arrival.
    pub fn inputs(&self) -> &[Input] {
        match &self.inputs {
            Inputs::One(input) => std::slice::from_ref(input),
            Inputs::Many { inputs, .. } => inputs,
        }
    }

    /// Where every clock that was read here or anywhere below stands still.
    pub fn clock(&self) -> Validity {
        match &self.inputs {
            Inputs::Many { clock: Some(clock), .. } => **clock,
            Inputs::Many { clock: None, .. } | Inputs::One(_) => always(),
        }
    }

    /// Every space that was read here or anywhere below, sorted.
    pub fn spaces(&self) -> &[SpaceId] {
        &self.spaces
    }

    /// Bytes that it holds, about, without the set of spaces: that is shared.
    pub(crate) fn weight(&self) -> u64 {
        let list = match &self.inputs {
            Inputs::One(_) => 0,
            Inputs::Many { inputs, clock } => {
                let clock = clock.as_ref().map_or(0, |_| size_of::<Validity>());
                weight::allocated(size_of_val(&**inputs)) + weight::allocated(clock)
            }
        };
        weight::shared(size_of::<Self>()) + list
    }
}

impl Input {
    /// The call that can be asked again.
    pub fn call(&self) -> Option<CallKey> {
        match self {
            Self::Key { call, .. }
            | Self::Range { call, .. }
            | Self::Space { call, .. }
            | Self::Nested { call, .. } => Some(*call),
            Self::Clock(_) => None,
        }
    }

    /// What it said; a clock says nothing but its bucket.
    pub fn hash(&self) -> Option<ContentHash> {
        match self {
            Self::Key { hash, .. }
            | Self::Range { hash, .. }
            | Self::Space { hash, .. }
            | Self::Nested { hash, .. } => Some(*hash),
            Self::Clock(_) => None,
        }
    }

    /// Where it lies in a store, and how far it reaches there.
    pub fn place(&self) -> Option<(SpaceId, Reach)> {
        match self {
            Self::Key { space, print, .. } => Some((*space, Reach::Key(*print))),
            Self::Range { space, range, .. } => Some((*space, Reach::Range(Arc::clone(range)))),
            Self::Space { space, .. } => Some((*space, Reach::Space)),
            Self::Nested { .. } | Self::Clock(_) => None,
        }
    }

    /// Where it stands still, if it is a clock.
    pub fn clock(&self) -> Option<Validity> {
        match self {
            Self::Clock(bucket) => Some(*bucket),
            Self::Key { .. } | Self::Range { .. } | Self::Space { .. } | Self::Nested { .. } => {
                None
            }
        }
    }

    fn leaf(call: CallKey, hash: ContentHash, space: SpaceId, reach: Reach) -> Self {
        match reach {
            Reach::Key(print) => Self::Key { call, hash, space, print },
            Reach::Range(range) => Self::Range { call, hash, space, range },
            Reach::Space => Self::Space { call, hash, space },
        }
    }
}

impl Fact {
    /// What a call that reads this fact has as its input.
    pub(crate) fn as_input(&self, call: CallKey) -> Input {
        match self.trace.inputs() {
            [input] if self.is_leaf(call) => input.clone(),
            _ => Input::Nested { call, hash: self.content.hash() },
        }
    }

    /// Whether something that it was made of must not be used any more.
    pub(crate) fn is_retired(&self, index: &ChangeIndex) -> bool {
        self.trace.is_retired(index)
    }

    /// Whether it is the answer of an origin to this very call.
    pub(crate) fn is_leaf(&self, call: CallKey) -> bool {
        match self.trace.inputs() {
            [input] => input.call() == Some(call) && input.place().is_some(),
            _ => false,
        }
    }
}

/// Large results have thousands of inputs.
const _: () = assert!(size_of::<Input>() <= 64);

/// With its two counters it fits an allocation of 96 bytes.
const _: () = assert!(size_of::<Trace>() <= 72);
