//! What many results have in common is held once: large contents, heads, and sets of spaces.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::content::{Content, Head};
use crate::fact::{Fact, Spaces, Trace};
use crate::short::Short;

/// Most heads, and most sets of spaces, that are remembered. A system has few of both.
const SETS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Shared {
    contents: Mutex<Contents>,
    heads: Mutex<Known<Arc<Head>>>,
    spaces: Mutex<Known<Spaces>>,
}

/// By the first half of the hash: of two contents with the same one, the second is not shared.
#[derive(Debug, Default)]
struct Contents {
    held: HashMap<u64, Weak<Content>, BuildHasherDefault<Short>>,
    /// At how many the dead ones are swept out, so that sweeping costs a constant for each.
    sweep_at: usize,
}

/// Values of which the first is held in place of all that are equal.
#[derive(Debug)]
struct Known<T> {
    held: HashSet<T>,
    /// While the table is full of values in use, newcomers left before it is looked at again.
    patience: usize,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { held: HashSet::new(), patience: 0 }
    }
}

impl<T: Clone + Eq + Hash> Known<T> {
    /// The one that is held in place of `own`.
    fn share(&mut self, own: &T, in_use: impl Fn(&T) -> bool) -> T {
        if let Some(known) = self.held.get(own) {
            return known.clone();
        }
        if self.held.len() >= SETS_MAX {
            if self.patience > 0 {
                self.patience -= 1;
                return own.clone();
            }
            self.held.retain(in_use);
            self.patience = SETS_MAX;
        }
        if self.held.len() < SETS_MAX {
            self.held.insert(own.clone());
        }
        own.clone()
    }
}

impl Shared {
    /// The same fact, with what is known already in place of its own copies.
    pub(crate) fn share(&self, fact: Fact) -> Fact {
        let content = self.share_content(self.share_head(fact.content));
        let trace = self.share_spaces(&fact.trace);
        Fact { content, trace, ..fact }
    }

    pub(crate) fn share_spaces(&self, trace: &Arc<Trace>) -> Arc<Trace> {
        let own = trace.space_set();
        let mut known = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = known.share(own, |spaces| Arc::strong_count(spaces) > 1);
        drop(known);
        if Arc::ptr_eq(&shared, own) {
            return Arc::clone(trace);
        }
        Arc::new(trace.with_spaces(shared))
    }

    fn share_head(&self, content: Arc<Content>) -> Arc<Content> {
        let mut known = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = known.share(content.head(), |head| Arc::strong_count(head) > 1);
        drop(known);
        if Arc::ptr_eq(&shared, content.head()) { content } else { content.with_head(shared) }
    }

    fn share_content(&self, content: Arc<Content>) -> Arc<Content> {
        if !content.is_worth_sharing() {
            return content;
        }
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let short = content.hash().short();
        match contents.held.get(&short).and_then(Weak::upgrade) {
            Some(known) if known.hash() == content.hash() => return known,
            Some(_) => return content,
            None => {}
        }
        contents.held.insert(short, Arc::downgrade(&content));
        if contents.held.len() > contents.sweep_at {
            contents.held.retain(|_, content| content.strong_count() > 0);
            contents.sweep_at = contents.held.len() * 2 + 1_024;
        }
        content
    }
}
