//! Inputs as edges tell them to each other: numbers of spaces mean something at one edge only.

use core::ops::Bound;
use std::collections::HashMap;
use std::sync::Arc;

use asof_api::headers::AsOfValid;
use asof_cache::{Call, CallKey, ContentHash, Fingerprint, Input, KeyRange, SpaceId, Unstorable};
use asof_time::Validity;
use bytes::Bytes;
use http::Method;

use super::EDGES;
use super::standing::Standing;
use super::wire::{EndBody, InputBody};
use crate::caching::Inner;
use crate::caching::root::Root;

/// A space by its names.
#[derive(Clone)]
enum Named {
    OfStore { store: String, space: String },
    Edge(String),
}

/// An interval as a text.
pub(super) fn shown(validity: Validity) -> String {
    AsOfValid(validity).to_string()
}

/// The interval that a text is.
pub(super) fn interval(text: &str) -> Option<Validity> {
    text.parse::<AsOfValid>().ok().map(|valid| valid.0)
}

impl Inner {
    /// The inputs, by names that mean the same at every edge. `None` where one of them is not to be
    /// used any more.
    pub(super) fn told(&self, inputs: &[Input]) -> Option<Vec<InputBody>> {
        let mut names: HashMap<SpaceId, Named> = HashMap::new();
        let mut told = Vec::with_capacity(inputs.len());
        for input in inputs {
            if let Input::Clock(bucket) = input {
                told.push(InputBody::Clock { valid: shown(*bucket) });
                continue;
            }
            let (space, _) = input.place()?;
            let named = match names.get(&space) {
                Some(named) => named.clone(),
                None => names.entry(space).or_insert(self.named(space)?).clone(),
            };
            told.push(one(input, named)?);
        }
        Some(told)
    }

    /// Whole spaces in place of what was read in them: more than was read, and never less.
    pub(super) fn spaces_told(&self, spaces: &[SpaceId]) -> Option<Vec<InputBody>> {
        let told = spaces.iter().map(|space| {
            let named = self.named(*space)?;
            let (store, name) = match &named {
                Named::OfStore { store, space } => (store.as_str(), space.as_str()),
                Named::Edge(standing) => ("", standing.as_str()),
            };
            // Nobody ever asks for this, so no answer to it is ever held.
            let call = whole(store, name).key();
            let hash = asof_cache::Content::new(http::StatusCode::OK, [], Bytes::new()).hash();
            one(&Input::Space { call, hash, space: *space }, named)
        });
        told.collect()
    }

    fn named(&self, space: SpaceId) -> Option<Named> {
        let index = self.cache.index();
        let (store, name) = index.name(space)?;
        if store == EDGES {
            return Some(Named::Edge(name.to_owned()));
        }
        let store = self.stores.name(store)?;
        Some(Named::OfStore { store: store.as_str().to_owned(), space: name.to_owned() })
    }

    /// The inputs that another edge tells, by the numbers of this one.
    pub(super) async fn understood(
        self: &Arc<Self>,
        root: &Root,
        told: &[InputBody],
    ) -> Result<Vec<Input>, Unstorable> {
        let mut asked_again = false;
        let mut inputs = Vec::with_capacity(told.len());
        for input in told {
            if let InputBody::Edge { call, hash, standing } = input {
                let (call, hash) = asked(call, hash)?;
                let standing: Standing = standing.parse().map_err(|_| Unstorable::NoValidity)?;
                if !self.peers.stands(standing) && !asked_again {
                    asked_again = true;
                    self.refresh_peers().await;
                }
                let space = self.edge_space(standing).ok_or(Unstorable::Disowned)?;
                inputs.push(Input::Space { call, hash, space });
            } else {
                inputs.push(self.understood_leaf(root, input)?);
            }
        }
        Ok(inputs)
    }

    /// The number for how an edge stands, if it still stands so.
    pub(super) fn edge_space(&self, standing: Standing) -> Option<SpaceId> {
        let number = || self.cache.space(EDGES, &standing.to_string());
        let space = self.peers.stands(standing).then(number).flatten()?;
        // Once more after the number was taken: what changes from now on retires the number.
        self.peers.stands(standing).then_some(space)
    }

    fn understood_leaf(&self, root: &Root, told: &InputBody) -> Result<Input, Unstorable> {
        match told {
            InputBody::Clock { valid } => {
                interval(valid).map(Input::Clock).ok_or(Unstorable::NoValidity)
            }
            InputBody::Key { call, hash, store, space, print } => {
                let (call, hash) = asked(call, hash)?;
                let space = self.number(root, store, space)?;
                Ok(Input::Key { call, hash, space, print: Fingerprint::of_number(*print) })
            }
            InputBody::Range { call, hash, store, space, from, to } => {
                let (call, hash) = asked(call, hash)?;
                let space = self.number(root, store, space)?;
                let to = match to {
                    EndBody::Open => Bound::Unbounded,
                    EndBody::Before(key) => Bound::Excluded(key.as_str().into()),
                    EndBody::UpTo(key) => Bound::Included(key.as_str().into()),
                };
                let range = Arc::new(KeyRange { from: from.as_str().into(), to });
                Ok(Input::Range { call, hash, space, range })
            }
            InputBody::Space { call, hash, store, space } => {
                let (call, hash) = asked(call, hash)?;
                Ok(Input::Space { call, hash, space: self.number(root, store, space)? })
            }
            InputBody::Edge { .. } => Err(Unstorable::NoValidity),
        }
    }

    /// The number of a space, of the epoch that the tree is of.
    fn number(&self, root: &Root, store: &str, space: &str) -> Result<SpaceId, Unstorable> {
        let epoch = root.epochs.get(store).ok_or(Unstorable::UndeclaredStore)?;
        let followed = self.stores.get(store).ok_or(Unstorable::OtherEpoch)?;
        let number = self.cache.space(followed.id, space).ok_or(Unstorable::OtherEpoch)?;
        // Looked at after the number was taken, as for what a store answers.
        let known = self.cache.index().epoch(followed.id);
        if known == Some(*epoch) { Ok(number) } else { Err(Unstorable::OtherEpoch) }
    }
}

fn one(input: &Input, named: Named) -> Option<InputBody> {
    let (call, hash) = (input.call()?.to_string(), input.hash()?.to_string());
    let (store, space) = match named {
        Named::Edge(standing) => return Some(InputBody::Edge { call, hash, standing }),
        Named::OfStore { store, space } => (store, space),
    };
    Some(match input {
        Input::Key { print, .. } => {
            InputBody::Key { call, hash, store, space, print: print.number() }
        }
        Input::Range { range, .. } => {
            let from = range.from.to_string();
            let to = match &range.to {
                Bound::Unbounded => EndBody::Open,
                Bound::Excluded(key) => EndBody::Before(key.to_string()),
                Bound::Included(key) => EndBody::UpTo(key.to_string()),
            };
            InputBody::Range { call, hash, store, space, from, to }
        }
        Input::Space { .. } => InputBody::Space { call, hash, store, space },
        Input::Nested { .. } | Input::Clock(_) => return None,
    })
}

fn asked(call: &str, hash: &str) -> Result<(CallKey, ContentHash), Unstorable> {
    let call = call.parse().map_err(|_| Unstorable::NoValidity)?;
    let hash = hash.parse().map_err(|_| Unstorable::NoValidity)?;
    Ok((call, hash))
}

/// Names a space as a whole.
fn whole(store: &str, space: &str) -> Call {
    Call {
        service: store.into(),
        method: Method::GET,
        path: space.into(),
        query: "".into(),
        headers: [].into(),
        state: [].into(),
        body: Bytes::new(),
        release: "".into(),
        route: asof_cache::RouteDigest::of(b"asof whole space 1"),
    }
}
