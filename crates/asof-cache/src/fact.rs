//! A result, where it is true, and what was read to make it.

use std::sync::Arc;

use asof_time::{Timestamp, Validity};

use crate::call::CallKey;
use crate::changes::{Reach, SpaceId};
use crate::content::{Content, ContentHash};

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
    /// In order of arrival.
    pub(crate) inputs: Box<[Input]>,
    /// Every space that was read here or anywhere below, sorted.
    pub(crate) spaces: Arc<[SpaceId]>,
    /// Where every clock that was read here or anywhere below stands still.
    pub(crate) clock: Validity,
}

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
        let input = Input::Leaf { call, hash, space, reach };
        Arc::new(Self { inputs: [input].into(), spaces: [space].into(), clock: always() })
    }

    /// In order of arrival.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Every space that was read here or anywhere below, sorted.
    pub fn spaces(&self) -> &[SpaceId] {
        &self.spaces
    }

    /// Bytes that it holds, about.
    pub(crate) fn weight(&self) -> u64 {
        let spaces = self.spaces.len() * size_of::<SpaceId>();
        (size_of::<Self>() + spaces + self.inputs.len() * size_of::<Input>()) as u64
    }
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
        match &*self.trace.inputs {
            [Input::Leaf { call: own, hash, space, reach }] if *own == call => {
                Input::Leaf { call, hash: *hash, space: *space, reach: reach.clone() }
            }
            _ => Input::Nested { call, hash: self.content.hash() },
        }
    }

    /// Whether it is the answer of an origin to this very call.
    pub(crate) fn is_leaf(&self, call: CallKey) -> bool {
        matches!(&*self.trace.inputs, [Input::Leaf { call: own, .. }] if *own == call)
    }
}
