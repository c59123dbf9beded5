//! What many results have in common is held once: large contents, and sets of spaces.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::changes::SpaceId;
use crate::content::{Content, ContentHash};
use crate::fact::{Fact, Trace};

/// A content smaller than this is not worth a place in the table.
const CONTENT_BYTES_MIN: usize = 512;

/// Most sets of spaces that are remembered. A system has few.
const SPACE_SETS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Shared {
    contents: Mutex<Contents>,
    spaces: Mutex<HashSet<Arc<[SpaceId]>>>,
}

#[derive(Debug, Default)]
struct Contents {
    held: HashMap<ContentHash, Weak<Content>>,
    /// At how many the dead ones are swept out, so that sweeping costs a constant for each.
    sweep_at: usize,
}

impl Shared {
    /// The same fact, with what is known already in place of its own copies.
    pub(crate) fn share(&self, fact: Fact) -> Fact {
        let content = self.share_content(fact.content);
        Fact { content, ..fact }
    }

    pub(crate) fn share_spaces(&self, trace: Trace) -> Trace {
        let mut known = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spaces) = known.get(&trace.spaces) {
            return Trace { spaces: Arc::clone(spaces), ..trace };
        }
        if known.len() >= SPACE_SETS_MAX {
            known.retain(|spaces| Arc::strong_count(spaces) > 1);
        }
        if known.len() < SPACE_SETS_MAX {
            known.insert(Arc::clone(&trace.spaces));
        }
        trace
    }

    fn share_content(&self, content: Arc<Content>) -> Arc<Content> {
        if content.body().len() < CONTENT_BYTES_MIN {
            return content;
        }
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = contents.held.get(&content.hash()).and_then(Weak::upgrade) {
            return known;
        }
        contents.held.insert(content.hash(), Arc::downgrade(&content));
        if contents.held.len() > contents.sweep_at {
            contents.held.retain(|_, content| content.strong_count() > 0);
            contents.sweep_at = contents.held.len() * 2 + 1_024;
        }
        content
    }
}
