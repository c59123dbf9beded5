//! What edges say to each other, as JSON.
//!
//! `GET  /edge/1/standing`   how this edge stands
//! `POST /edge/1/arrive`     a call came with a context of this edge
//! `POST /edge/1/deliver`    what came of it
//! `POST /edge/1/taint`      a call of a service came, and nobody knows for which execution

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) const STANDING: &str = "/edge/1/standing";
pub(crate) const ARRIVE: &str = "/edge/1/arrive";
pub(crate) const DELIVER: &str = "/edge/1/deliver";
pub(crate) const TAINT: &str = "/edge/1/taint";

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandingBody {
    pub(crate) standing: String,
    pub(crate) troubles: u64,
    pub(crate) system: String,
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArriveBody {
    pub(crate) context: String,
    pub(crate) service: String,
    pub(crate) system: String,
}

/// What a call is to the edge that gave out its context.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ArrivedBody {
    /// An input of an execution that is under way.
    Input(Box<TreeBody>),
    /// Its execution has ended.
    Late,
    /// There is no such execution.
    Unknown,
    /// It is an input, and its place stays empty: why.
    Refused(String),
}

/// What a tree of calls is a function of, and the place of a call in it.
#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreeBody {
    pub(crate) place: usize,
    pub(crate) at: u64,
    /// By store.
    pub(crate) epochs: BTreeMap<String, String>,
    /// The stores that may be read below.
    pub(crate) declared: Vec<String>,
    /// What each state value starts from.
    pub(crate) sources: BTreeMap<String, Option<String>>,
    pub(crate) context: u64,
    pub(crate) depth: u32,
    /// Whether the moment is looked at before it is closed.
    pub(crate) preview: bool,
    /// Whether the context was in the hands of another service than its own.
    pub(crate) leaked: bool,
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliverBody {
    pub(crate) context: String,
    pub(crate) place: usize,
    /// Why nothing may be made of the answer; then there is nothing to say of what it is made of.
    pub(crate) taint: Option<String>,
    pub(crate) state: Vec<String>,
    pub(crate) valid: String,
    pub(crate) inputs: Vec<InputBody>,
    /// The newest write below.
    pub(crate) wrote: Option<String>,
}

/// One thing that was read.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum InputBody {
    Key {
        call: String,
        hash: String,
        store: String,
        space: String,
        print: u64,
    },
    Range {
        call: String,
        hash: String,
        store: String,
        space: String,
        from: String,
        to: EndBody,
    },
    Space {
        call: String,
        hash: String,
        store: String,
        space: String,
    },
    /// The help of an edge, as it stood.
    Edge {
        call: String,
        hash: String,
        standing: String,
    },
    Clock {
        valid: String,
    },
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EndBody {
    Open,
    Before(String),
    UpTo(String),
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaintBody {
    pub(crate) service: String,
    /// Contexts that came together, of which at most one can be right.
    pub(crate) contexts: Vec<String>,
}
