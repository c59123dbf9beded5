//! What lies below a fact, for whoever cannot ask its nested calls again.

use std::collections::HashSet;

use asof_time::Timestamp;

use crate::cache::Cache;
use crate::call::CallKey;
use crate::fact::{Fact, Input};
use crate::limits;

/// What was found below a fact so far.
struct Below {
    at: Timestamp,
    most: usize,
    seen: HashSet<CallKey>,
    leaves: Vec<Input>,
}

impl Cache {
    /// What lies below a fact at `at`, in the order in which it was read, without the calls
    /// between: the same leaves and clocks mean the same fact. `None` where some of it is not known
    /// any more, or it is more than `most`.
    pub fn leaves(&self, fact: &Fact, at: Timestamp, most: usize) -> Option<Vec<Input>> {
        let mut found = Below { at, most, seen: HashSet::new(), leaves: Vec::new() };
        self.collect(fact, 0, &mut found)?;
        Some(found.leaves)
    }

    fn collect(&self, fact: &Fact, depth: usize, found: &mut Below) -> Option<()> {
        for input in fact.trace.inputs() {
            // At one moment the same call says the same, however many ways lead to it.
            if input.call().is_some_and(|call| !found.seen.insert(call)) {
                continue;
            }
            match input {
                Input::Nested { call, hash } => {
                    let (nested, _) = self.lookup(*call, found.at)?;
                    let same = nested.content.hash() == *hash && depth < limits::DEPTH_MAX;
                    self.collect(&same.then_some(nested)?, depth + 1, found)?;
                }
                leaf if found.leaves.len() < found.most => found.leaves.push(leaf.clone()),
                _ => return None,
            }
        }
        Some(())
    }
}
