//! Whether an import would leave too little of a live space.
//!
//! A source that was cut off, or made by a job that failed, looks like one in which nearly
//! everything was deleted. What it would take away is therefore counted, commit by commit, before
//! the first of them is written.

use std::collections::{BTreeSet, HashSet};

use asof_api::ErrorName;
use asof_client::{Client, KeysQuery, ReadAt};
use asof_time::limits::PAGE_ENTRIES_MAX;
use serde::{Deserialize, Serialize};

use super::refusal::refused;
use crate::failure::Failure;
use crate::human;

/// Fewer keys than this may go without a word, unless they are all that the space has.
const KEYS_MIN: u64 = 10;

/// More than one in so many keys may not go without a word.
const SHARE: u64 = 2;

/// Keys that are shown.
const SHOWN_MAX: usize = 5;

/// What an import takes from one live space at the commit after which most of its keys are gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Shrinkage {
    /// Keys that the space has at latest.
    pub(crate) keys: u64,
    /// How many of them are gone then.
    pub(crate) gone: u64,
    /// The commit after which they are, as it is called.
    pub(crate) after: String,
    /// Some of them.
    pub(crate) sample: Vec<String>,
    /// Whether nothing else is there either.
    pub(crate) empty: bool,
    /// Whether it takes a second word.
    pub(crate) held: bool,
}

/// The keys that commits write, read from their text.
#[derive(Deserialize)]
struct Touched {
    writes: Vec<Touch>,
}

#[derive(Deserialize)]
struct Touch {
    key: String,
    #[serde(default)]
    delete: Option<bool>,
}

/// The keys that an import deletes from one space, whether or not they come back.
#[derive(Debug, Default)]
pub(crate) struct Deletions(HashSet<String>);

impl Deletions {
    /// Adds those of one commit.
    pub(crate) fn add(&mut self, text: &[u8]) -> serde_json::Result<()> {
        let touched: Touched = serde_json::from_slice(text)?;
        let deleted = touched.writes.into_iter().filter(|touch| touch.delete == Some(true));
        self.0.extend(deleted.map(|touch| touch.key));
        Ok(())
    }
}

/// How far a space is looked through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// Until it has so many keys that what is deleted cannot be too many.
    Enough,
    /// To its end, since it is to be told.
    Whole,
}

/// What a live space has before an import, and what the import has left of it so far.
#[derive(Debug)]
pub(crate) struct Ledger {
    keys: u64,
    /// The keys of the space that the import deletes somewhere.
    at_stake: HashSet<String>,
    gone: BTreeSet<String>,
    /// Other keys that are there: counted where a space has so few that it could become empty
    /// without losing many.
    others: Option<HashSet<String>>,
    worst: Option<Shrinkage>,
}

impl Ledger {
    /// What `space` has of `deletions` at latest; `None` where they are too few to matter.
    pub(crate) fn open(
        client: &Client,
        space: &str,
        deletions: &Deletions,
        look: Look,
    ) -> Result<Option<Self>, Failure> {
        let enough = (deletions.0.len() as u64).saturating_mul(SHARE);
        if deletions.0.is_empty() {
            return Ok(None);
        }
        let (mut keys, mut at_stake) = (0_u64, HashSet::new());
        let mut query = KeysQuery { limit: Some(PAGE_ENTRIES_MAX), ..KeysQuery::default() };
        let mut at = ReadAt::LATEST;
        loop {
            let page = match client.keys(space, &query, at) {
                // It is live above the cap only: readers have nothing of it to lose.
                Err(error) if is_not_there(&error) => return Ok(None),
                page => page?,
            };
            keys += page.entries.len() as u64;
            let listed = page.entries.into_iter().map(|entry| entry.key);
            at_stake.extend(listed.filter(|key| deletions.0.contains(key)));
            if look == Look::Enough && keys >= enough.max(KEYS_MIN) {
                return Ok(None);
            }
            at = ReadAt::at(page.as_of.0);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        Ok(Some(Self::new(keys, at_stake)))
    }

    fn new(keys: u64, at_stake: HashSet<String>) -> Self {
        let others = (keys < KEYS_MIN).then(HashSet::new);
        Self { keys, at_stake, gone: BTreeSet::new(), others, worst: None }
    }

    /// Does what the commit called `name` does.
    pub(crate) fn apply(&mut self, name: &str, text: &[u8]) -> serde_json::Result<()> {
        let touched: Touched = serde_json::from_slice(text)?;
        for Touch { key, delete } in touched.writes {
            let delete = delete == Some(true);
            match (self.at_stake.contains(&key), delete) {
                (true, true) => drop(self.gone.insert(key)),
                (true, false) => drop(self.gone.remove(&key)),
                (false, true) => drop(self.others.as_mut().map(|others| others.remove(&key))),
                (false, false) => drop(self.others.as_mut().map(|others| others.insert(key))),
            }
        }
        self.weigh(name);
        Ok(())
    }

    fn weigh(&mut self, name: &str) {
        let (keys, gone) = (self.keys, self.gone.len() as u64);
        let others = self.others.as_ref().is_some_and(|others| !others.is_empty());
        let empty = keys > 0 && gone == keys && !others;
        let worse = self.worst.as_ref().map_or(gone > 0, |worst| {
            gone > worst.gone || (gone == worst.gone && empty && !worst.empty)
        });
        if worse {
            let held = empty || (gone >= KEYS_MIN && gone.saturating_mul(SHARE) > keys);
            let sample = self.gone.iter().take(SHOWN_MAX).cloned().collect();
            self.worst =
                Some(Shrinkage { keys, gone, after: name.to_owned(), sample, empty, held });
        }
    }

    /// What there was at the worst of the moments seen; `None` where nothing was ever gone.
    pub(crate) fn close(self) -> Option<Shrinkage> {
        self.worst
    }
}

impl Shrinkage {
    /// What it is, for people.
    pub(crate) fn tell(&self, space: &str) -> String {
        let sample: Vec<_> =
            self.sample.iter().map(|key| format!("`{}`", human::one_line(key))).collect();
        let such_as = if self.sample.len() as u64 == self.gone { ": " } else { ", such as " };
        format!(
            "after {} {} of the {} that space `{space}` has would be gone{such_as}{}",
            self.after,
            human::count(self.gone),
            crate::blast::keys(self.keys),
            sample.join(", ")
        )
    }
}

/// Refuses a source in which there is no commit at all, where there is something that it would be
/// the end of. It writes nothing, but whoever made it thinks that it was imported.
pub(crate) fn refuse_empty(client: &Client, space: Option<&str>) -> Result<(), Failure> {
    let Some(space) = space else {
        return Err(refused(
            "the source holds no commit at all, which is taken for a mistake of what made it; \
             nothing was written",
        ));
    };
    let query = KeysQuery { limit: Some(1), ..KeysQuery::default() };
    let page = match client.keys(space, &query, ReadAt::LATEST) {
        Err(error) if is_not_there(&error) => return Ok(()),
        page => page?,
    };
    if page.entries.is_empty() && page.next.is_none() {
        return Ok(());
    }
    Err(refused(format!(
        "the source holds no commit at all, and space `{space}` has keys: that is taken for a \
         mistake of what made it; nothing was written. To delete keys, import commits that do"
    )))
}

fn is_not_there(error: &asof_client::Error) -> bool {
    matches!(error.name(), ErrorName::UnknownSpace | ErrorName::StillImporting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of a space with `keys` keys `k0`, `k1`, ..., after commits that delete (`-`) and
    /// write (`+`) keys.
    fn after(keys: u64, commits: &[&[String]]) -> Option<Shrinkage> {
        let at_stake = (0..keys).map(|n| format!("k{n}")).collect();
        let mut ledger = Ledger::new(keys, at_stake);
        for (number, commit) in commits.iter().enumerate() {
            let writes: Vec<_> = commit
                .iter()
                .map(|write| {
                    let (sign, key) = write.split_at(1);
                    serde_json::json!({"key": key, "delete": sign == "-"})
                })
                .collect();
            let text = serde_json::json!({"writes": writes}).to_string();
            ledger.apply(&format!("line {}", number + 1), text.as_bytes()).unwrap();
        }
        ledger.close()
    }

    fn each(sign: char, numbers: core::ops::Range<u64>) -> Vec<String> {
        numbers.map(|n| format!("{sign}k{n}")).collect()
    }

    #[test]
    fn half_of_the_keys_may_go_and_one_more_may_not() {
        assert!(!after(40, &[&each('-', 0..20)]).unwrap().held);
        let more = after(40, &[&each('-', 0..21)]).unwrap();
        assert!(more.held && !more.empty);
        assert_eq!((more.keys, more.gone, more.after.as_str()), (40, 21, "line 1"));
        assert_eq!(more.sample.len(), SHOWN_MAX);
    }

    #[test]
    fn a_few_keys_may_go_unless_they_are_all() {
        assert!(!after(10, &[&each('-', 0..9)]).unwrap().held);
        assert!(after(10, &[&each('-', 0..10)]).unwrap().held);
        let all = after(3, &[&each('-', 0..3)]).unwrap();
        assert!(all.held && all.empty);
        // Moved, not gone.
        let moved = [each('-', 0..3), vec!["+new".to_owned()]].concat();
        assert!(!after(3, &[&moved]).unwrap().held);
        assert!(after(3, &[&moved, &["-new".to_owned()]]).unwrap().held);
    }

    #[test]
    fn what_comes_back_was_gone_for_readers_all_the_same() {
        let back = after(40, &[&each('-', 0..30), &each('+', 0..30)]).unwrap();
        assert!(back.held);
        assert_eq!(back.after, "line 1");
        // Within one commit nobody sees it.
        let both = [each('-', 0..30), each('+', 0..30)].concat();
        assert_eq!(after(40, &[&both]), None);
    }
}
