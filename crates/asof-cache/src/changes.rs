//! What changed lately, so that a result can be verified without asking anybody.
//!
//! The index is fed by the stores' feeds and remembers a bounded stretch of them. It never
//! guesses: outside of the stretch that it has seen whole it says that it does not know.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use asof_time::{Epoch, Timestamp};

use crate::rules::{Rule, Rules};
use crate::space::Space;

/// A store that the edge follows, by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StoreId(pub u16);

/// One space of one epoch of one store. Another epoch, or the same space after an erasure, has
/// another number, so that nothing which was made before it ever matches again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpaceId(u32);

impl fmt::Debug for SpaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "space#{}", self.0)
    }
}

/// Which part of a space an answer depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reach {
    /// One key, by its fingerprint. Two keys with the same one are asked about together, which
    /// costs a question and never an answer.
    Key(Fingerprint),
    /// All keys of a range, the absent ones included.
    Range(Arc<KeyRange>),
    /// The whole space.
    Space,
}

/// The keys from one key on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct KeyRange {
    /// The first key.
    pub from: Box<str>,
    /// Where it ends.
    pub to: Bound<Box<str>>,
}

/// A key as the index knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of a key.
    pub fn of(key: &str) -> Self {
        let mut short = [0; 8];
        blake3::Hasher::new().update(key.as_bytes()).finalize_xof().fill(&mut short);
        Self(u64::from_le_bytes(short))
    }

    /// Of the key that had this number.
    pub const fn of_number(number: u64) -> Self {
        Self(number)
    }

    /// As a number, which is the same wherever it is made.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What the index knows of a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Nothing changed in it.
    Unchanged,
    /// The first change is at this moment.
    ChangedAt(Timestamp),
    /// The index has not seen the stretch whole, or would have to walk too far.
    Unknown,
}

/// Recent changes of all stores that are followed.
#[derive(Debug)]
pub struct ChangeIndex {
    stores: BTreeMap<StoreId, Frontier>,
    spaces: Vec<Space>,
    /// The number that each space has now.
    numbers: BTreeMap<StoreId, HashMap<Box<str>, SpaceId>>,
    /// All remembered changes, oldest first, of each store in the order of its feed.
    queue: VecDeque<Remembered>,
    /// Spaces of which keys may be erased.
    erasable: BTreeMap<StoreId, HashSet<Box<str>>>,
    changes_max: usize,
    rules: Rules,
}

/// How far one store's feed has been seen.
#[derive(Clone, Copy, Debug)]
struct Frontier {
    epoch: Epoch,
    /// Of every space, the last change after this is known.
    since: Timestamp,
    /// Of every key, all changes after this are known.
    covered: Timestamp,
    /// The feed is complete up to and including this.
    through: Timestamp,
}

#[derive(Debug)]
struct Remembered {
    space: SpaceId,
    at: Timestamp,
    /// `None`: the space as a whole.
    key: Option<Box<str>>,
}

/// What following a store from here on means for what was made of it before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// The feed goes on where it was.
    Resumed,
    /// What happened between the last `through` and this moment was not seen.
    AfterGap,
    /// Another timeline: every space of the store has a new number.
    NewEpoch,
}

impl ChangeIndex {
    /// An index that remembers at most so many changes.
    pub fn new(changes_max: usize) -> Self {
        Self::with_rules(changes_max, Rules::default())
    }

    pub(crate) fn with_rules(changes_max: usize, rules: Rules) -> Self {
        Self {
            stores: BTreeMap::new(),
            spaces: Vec::new(),
            numbers: BTreeMap::new(),
            queue: VecDeque::new(),
            erasable: BTreeMap::new(),
            changes_max,
            rules,
        }
    }

    /// From `at` on, every change of this store will be told.
    pub fn begin(&mut self, store: StoreId, epoch: Epoch, at: Timestamp) -> Begun {
        let fresh = Frontier { epoch, since: at, covered: at, through: at };
        match self.stores.get(&store).copied() {
            Some(known) if known.epoch == epoch && at <= known.through => Begun::Resumed,
            Some(known) if known.epoch == epoch || !self.rules.hold(Rule::EpochMatches) => {
                self.stores.insert(store, fresh);
                self.forget_changes(store, at);
                Begun::AfterGap
            }
            Some(_) => {
                self.retire_store(store);
                self.stores.insert(store, fresh);
                Begun::NewEpoch
            }
            None => {
                self.stores.insert(store, fresh);
                Begun::AfterGap
            }
        }
    }

    /// The number of a space; `None` while its store is not followed.
    pub fn space(&mut self, store: StoreId, name: &str) -> Option<SpaceId> {
        let since = self.stores.get(&store)?.since;
        let numbers = self.numbers.entry(store).or_default();
        if let Some(number) = numbers.get(name) {
            return Some(*number);
        }
        let number = SpaceId(u32::try_from(self.spaces.len()).ok()?);
        let erasable = self.erasable.get(&store).is_some_and(|names| names.contains(name));
        let mut space = Space::new(store, since);
        space.erasable = erasable;
        self.spaces.push(space);
        numbers.insert(Box::from(name), number);
        Some(number)
    }

    /// The store and the name of a space; `None` where nothing made of it is to be used any more.
    pub fn name(&self, space: SpaceId) -> Option<(StoreId, &str)> {
        self.numbers.iter().find_map(|(store, numbers)| {
            let (name, _) = numbers.iter().find(|(_, number)| **number == space)?;
            Some((*store, &**name))
        })
    }

    /// A key changed.
    pub fn changed(&mut self, store: StoreId, space: &str, key: &str, at: Timestamp) {
        let Some(number) = self.space(store, space) else { return };
        if let Some(space) = self.spaces.get_mut(number.0 as usize) {
            space.last = space.last.max(at);
            space.remember(key, at);
        }
        self.remember(Remembered { space: number, at, key: Some(Box::from(key)) });
    }

    /// A space changed as a whole: it went live, say.
    pub fn changed_whole(&mut self, store: StoreId, space: &str, at: Timestamp) {
        let Some(number) = self.space(store, space) else { return };
        if let Some(space) = self.spaces.get_mut(number.0 as usize) {
            space.last = space.last.max(at);
            space.remember_whole(at);
        }
        self.remember(Remembered { space: number, at, key: None });
    }

    /// The feed is complete up to and including `through`. It never steps back.
    pub fn advance(&mut self, store: StoreId, through: Timestamp) {
        if let Some(frontier) = self.stores.get_mut(&store) {
            frontier.through = frontier.through.max(through);
        }
    }

    /// How far the store's feed is complete.
    pub fn through(&self, store: StoreId) -> Option<Timestamp> {
        self.stores.get(&store).map(|frontier| frontier.through)
    }

    /// The epoch of a store.
    pub fn epoch(&self, store: StoreId) -> Option<Epoch> {
        self.stores.get(&store).map(|frontier| frontier.epoch)
    }

    /// How many changes are remembered.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no change is remembered.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// From now on the space has another number; what was made of it so far never matches.
    pub fn retire(&mut self, store: StoreId, name: &str) {
        let numbers = self.numbers.get_mut(&store);
        let Some(number) = numbers.and_then(|numbers| numbers.remove(name)) else { return };
        let last = self.spaces.get(number.0 as usize).map(|space| space.last);
        self.retire_number(number);
        // Its changes so far are forgotten with the old number, so the new one answers only for
        // what comes after them.
        let known = self.through(store).max(last);
        if let (Some(number), Some(known)) = (self.space(store, name), known)
            && let Some(space) = self.spaces.get_mut(number.0 as usize)
        {
            (space.last, space.since) = (known, known);
        }
    }

    /// Whether something that was made of this space must not be used any more.
    pub fn is_retired(&self, space: SpaceId) -> bool {
        self.spaces.get(space.0 as usize).is_none_or(|space| space.retired)
    }

    /// Keys of this space may be erased. There is no way back, short of another epoch.
    pub fn foresee_erasure(&mut self, store: StoreId, name: &str) {
        self.erasable.entry(store).or_default().insert(Box::from(name));
        if let Some(number) = self.space(store, name)
            && let Some(space) = self.spaces.get_mut(number.0 as usize)
        {
            space.erasable = true;
        }
    }

    /// Whether keys of this space may be erased.
    pub fn is_erasable(&self, space: SpaceId) -> bool {
        self.spaces.get(space.0 as usize).is_none_or(|space| space.erasable)
    }

    /// Whether it is known that nothing in these spaces changed in `(after, to]`.
    pub fn unchanged(&self, spaces: &[SpaceId], after: Timestamp, to: Timestamp) -> bool {
        spaces.iter().all(|space| self.space_unchanged(*space, after, to))
    }

    /// The first change of a part of a space in `(after, to]`.
    pub fn first_change(
        &self,
        space: SpaceId,
        reach: &Reach,
        after: Timestamp,
        to: Timestamp,
    ) -> Seen {
        if self.space_unchanged(space, after, to) {
            return Seen::Unchanged;
        }
        let Some(known) = self.spaces.get(space.0 as usize).filter(|space| !space.retired) else {
            return Seen::Unknown;
        };
        let Some(frontier) = self.stores.get(&known.store) else { return Seen::Unknown };
        let covered = frontier.covered.max(known.since);
        let whole = after >= covered && to <= frontier.through;
        if !whole && self.rules.hold(Rule::CoveredRange) {
            return Seen::Unknown;
        }
        known.first_change(reach, after, to)
    }

    fn space_unchanged(&self, space: SpaceId, after: Timestamp, to: Timestamp) -> bool {
        let Some(known) = self.spaces.get(space.0 as usize) else { return false };
        let Some(frontier) = self.stores.get(&known.store) else { return false };
        let seen = frontier.since <= after && to <= frontier.through;
        let seen = seen || !self.rules.hold(Rule::CoveredRange);
        !known.retired && seen && known.last <= after
    }

    fn remember(&mut self, change: Remembered) {
        self.queue.push_back(change);
        while self.queue.len() > self.changes_max {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.queue.pop_front() else { return };
        let Some(space) = self.spaces.get_mut(oldest.space.0 as usize) else { return };
        space.forget(oldest.key.as_deref(), oldest.at);
        if let Some(frontier) = self.stores.get_mut(&space.store) {
            frontier.covered = frontier.covered.max(oldest.at);
        }
    }

    /// After a gap nothing is known of the time before it.
    fn forget_changes(&mut self, store: StoreId, at: Timestamp) {
        for space in self.spaces.iter_mut().filter(|space| space.store == store) {
            let (retired, erasable) = (space.retired, space.erasable);
            *space = Space::new(store, at);
            (space.retired, space.erasable) = (retired, erasable);
        }
        let spaces = &self.spaces;
        self.queue.retain(|change| {
            spaces.get(change.space.0 as usize).is_some_and(|space| space.store != store)
        });
    }

    fn retire_store(&mut self, store: StoreId) {
        self.erasable.remove(&store);
        for number in self.numbers.remove(&store).unwrap_or_default().into_values() {
            self.retire_number(number);
        }
    }

    fn retire_number(&mut self, number: SpaceId) {
        if let Some(space) = self.spaces.get_mut(number.0 as usize) {
            *space = Space::new(space.store, Timestamp::MAX);
            space.retired = true;
        }
        self.queue.retain(|change| change.space != number);
    }
}
