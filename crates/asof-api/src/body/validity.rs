//! Validity as members of a JSON object.

use asof_time::{End, Validity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// Over which interval the object around it is true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ValidityBody {
    /// The end is known.
    Until {
        /// The first moment.
        from: Moment,
        /// The first moment that is outside.
        until: Moment,
    },
    /// The end is not known yet.
    Through {
        /// The first moment.
        from: Moment,
        /// The last moment that is known to be inside.
        through: Moment,
    },
}

impl From<Validity> for ValidityBody {
    fn from(validity: Validity) -> Self {
        let from = Moment(validity.from());
        match validity.end() {
            End::Until(until) => Self::Until { from, until: Moment(until) },
            End::Through(through) => Self::Through { from, through: Moment(through) },
        }
    }
}

impl ValidityBody {
    /// The validity; `None` where the members hold no moment.
    pub fn validity(self) -> Option<Validity> {
        match self {
            Self::Until { from, until } => Validity::until(from.0, until.0),
            Self::Through { from, through } => Validity::through(from.0, through.0),
        }
    }
}
