//! A result, where it is true, and what was read to make it.

use std::collections::BTreeSet;
use std::sync::Arc;

use asof_time::{Timestamp, Validity};

use crate::call::CallKey;
use crate::changes::{ChangeIndex, Reach, SpaceId};
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
    /// `None`: no clock was read, or it stands still always.
    clock: Option<Box<Validity>>,
}

/// Most results have one input, and need no list for it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Inputs {
    One(Input),
    Many(Box<[Input]>),
}

/// A sorted set of spaces, behind one thin pointer: systems have few such sets.
pub(crate) type Spaces = Arc<Box<[SpaceId]>>;

/// One thing that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Part of a space of a store.
    Leaf {
        /// The call that reads it.
        call: CallKey,
        /// What it said.
        hash: ContentHash,
        /// Where it lies.
        space: SpaceId,
        /// How far it looked.
        reach: Reach,
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
pub(crate) fn always() -> Validity {
    Validity::through(Timestamp::MIN, Timestamp::MAX).expect("the first moment is not the last")
}

impl Trace {
    /// What an answer of an origin is made of: itself.
    pub fn leaf(call: CallKey, hash: ContentHash, space: SpaceId, reach: Reach) -> Arc<Self> {
        let input = Input::Leaf { call, hash, space, reach };
        Arc::new(Self { inputs: Inputs::One(input), spaces: Arc::new([space].into()), clock: None })
    }

    /// Of these inputs, and what lies below them.
    pub(crate) fn new(inputs: Vec<Input>, spaces: &BTreeSet<SpaceId>, clock: Validity) -> Self {
        let inputs = match <[Input; 1]>::try_from(inputs) {
            Ok([input]) => Inputs::One(input),
            Err(inputs) => Inputs::Many(inputs.into()),
        };
        Self { inputs, spaces: Arc::new(spaces.iter().copied().collect()), clock: boxed(clock) }
    }

    /// The same inputs, with other things below them.
    pub(crate) fn above(&self, spaces: &BTreeSet<SpaceId>, clock: Validity) -> Self {
        let inputs = self.inputs.clone();
        Self { inputs, spaces: Arc::new(spaces.iter().copied().collect()), clock: boxed(clock) }
    }

    /// The same, with an equal set of spaces in place of its own.
    pub(crate) fn with_spaces(&self, spaces: Spaces) -> Self {
        Self { inputs: self.inputs.clone(), spaces, clock: self.clock.clone() }
    }

    pub(crate) fn space_set(&self) -> &Spaces {
        &self.spaces
    }

    /// In order of arrival.
    pub fn inputs(&self) -> &[Input] {
        match &self.inputs {
            Inputs::One(input) => std::slice::from_ref(input),
            Inputs::Many(inputs) => inputs,
        }
    }

    /// Where every clock that was read here or anywhere below stands still.
    pub fn clock(&self) -> Validity {
        self.clock.as_deref().copied().unwrap_or_else(always)
    }

    /// Every space that was read here or anywhere below, sorted.
    pub fn spaces(&self) -> &[SpaceId] {
        &self.spaces
    }

    /// Bytes that it holds, about, without the set of spaces: that is shared.
    pub(crate) fn weight(&self) -> u64 {
        let inputs = match &self.inputs {
            Inputs::One(_) => 0,
            Inputs::Many(inputs) => weight::allocated(size_of_val(&**inputs)),
        };
        let clock = self.clock.as_ref().map_or(0, |clock| weight::allocated(size_of_val(&**clock)));
        weight::shared(size_of::<Self>()) + inputs + clock
    }
}

fn boxed(clock: Validity) -> Option<Box<Validity>> {
    (clock != always()).then(|| Box::new(clock))
}

impl Input {
    /// The call that can be asked again.
    pub fn call(&self) -> Option<CallKey> {
        match self {
            Self::Leaf { call, .. } | Self::Nested { call, .. } => Some(*call),
            Self::Clock(_) => None,
        }
    }
}

impl Fact {
    /// What a call that reads this fact has as its input.
    pub(crate) fn as_input(&self, call: CallKey) -> Input {
        match self.trace.inputs() {
            [Input::Leaf { call: own, hash, space, reach }] if *own == call => {
                Input::Leaf { call, hash: *hash, space: *space, reach: reach.clone() }
            }
            _ => Input::Nested { call, hash: self.content.hash() },
        }
    }

    /// Whether something that it was made of must not be used any more.
    pub(crate) fn is_retired(&self, index: &ChangeIndex) -> bool {
        self.trace.spaces().iter().any(|space| index.is_retired(*space))
    }

    /// Whether it is the answer of an origin to this very call.
    pub(crate) fn is_leaf(&self, call: CallKey) -> bool {
        matches!(self.trace.inputs(), [Input::Leaf { call: own, .. }] if *own == call)
    }
}
