//! Inputs that another edge answered.

use asof_time::Validity;

use crate::fact::Input;

/// What a nested call came to that another edge answered: what that one saw it to be made of.
#[derive(Clone, Debug)]
pub struct Abroad {
    /// The names of the state values that it may depend on.
    pub state: Vec<Box<str>>,
    /// What was read below it, in order: nothing that only the other edge could ask again.
    pub inputs: Vec<Input>,
    /// Where it is true.
    pub validity: Validity,
}

/// What is known of one input.
#[derive(Debug)]
pub(crate) enum Place {
    /// Nothing yet.
    Open,
    One(Input),
    /// It was answered by another edge, of these.
    Several(Box<[Input]>),
}

impl Place {
    pub(crate) fn into_inputs(self) -> impl Iterator<Item = Input> {
        let (one, several) = match self {
            Self::Open => (None, None),
            Self::One(input) => (Some(input), None),
            Self::Several(inputs) => (None, Some(inputs.into_vec())),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }
}
