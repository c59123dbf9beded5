//! The cache: entries by call, the change index beside them, and who is executing what.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use asof_time::{Epoch, Timestamp};
use quick_cache::OptionsBuilder;

use crate::abroad::Abroad;
use crate::call::{Call, CallKey};
use crate::changes::{Begun, ChangeIndex, SpaceId, StoreId};
use crate::content::Content;
use crate::entries::{Entries, Weigh, Window};
use crate::entry::{Contradiction, Entry, Held};
use crate::executions::{Arrival, CallId, Executions, Observed, Slot, Start, TooMany};
use crate::fact::{Fact, Input, Trace};
use crate::flights::Flights;
use crate::limits;
use crate::outcome::Unstorable;
use crate::rules::{Rule, Rules};
use crate::shared::Shared;

/// How large a cache may grow, and how long it keeps what it need not.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most bytes of calls, results and traces.
    pub bytes_max: u64,
    /// Most changes that the index remembers.
    pub changes_max: usize,
    /// Which rules hold: all of them, outside of tests.
    pub rules: Rules,
}

impl Default for Settings {
    fn default() -> Self {
        let changes_max = limits::CHANGES_MAX_DEFAULT;
        Self { bytes_max: 256 << 20, changes_max, rules: Rules::default() }
    }
}

/// Results by call, for any number of threads. Nothing here does I/O or reads a clock.
#[derive(Debug)]
pub struct Cache {
    entries: Entries,
    index: RwLock<ChangeIndex>,
    executions: Mutex<Executions>,
    flights: Flights,
    shared: Shared,
    /// How often results were dropped because they were wrong. What was begun before the end of
    /// such a drop may be made of what was dropped, and is not kept.
    drops: AtomicU64,
    /// Held by many while they keep something, and by one who drops, so that nothing is put in
    /// behind the back of the walk.
    dropping: RwLock<()>,
    /// Whoever replaces an entry holds the lock of its stripe, so that no replacement is lost.
    stripes: Box<[Mutex<()>]>,
    window: Arc<Window>,
    rules: Rules,
}

const STRIPES: usize = 64;

/// When something was begun, counted in drops of wrong results.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Since(u64);

/// Figures for reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Calls with results.
    pub entries: u64,
    /// Bytes that they hold, about.
    pub bytes: u64,
    /// Executions under way.
    pub executions: u64,
    /// Changes in the index.
    pub changes: u64,
    /// Calls dropped for want of memory.
    pub evicted: u64,
    /// Of those, with a result inside the rollback window.
    pub evicted_inside_window: u64,
}

impl Cache {
    /// An empty cache.
    ///
    /// # Panics
    ///
    /// Never: the capacities that it needs are always set.
    pub fn new(settings: Settings) -> Self {
        let Settings { bytes_max, changes_max, rules } = settings;
        let window = Arc::new(Window::default());
        let items = usize::try_from(bytes_max / 1_024).unwrap_or(usize::MAX).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes_max)
            .build()
            .expect("both capacities are set");
        Self {
            entries: Entries::with_options(
                options,
                Weigh,
                BuildHasherDefault::default(),
                Arc::clone(&window),
            ),
            index: RwLock::new(ChangeIndex::with_rules(changes_max, rules)),
            executions: Mutex::new(Executions::new(rules)),
            flights: Flights::new(rules),
            shared: Shared::default(),
            drops: AtomicU64::default(),
            dropping: RwLock::default(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            window,
            rules,
        }
    }

    /// The call of a key, if anything is known of it.
    pub fn call(&self, key: CallKey) -> Option<Arc<Call>> {
        self.entries.peek(&key).map(|entry| Arc::clone(&entry.call))
    }

    /// All facts about a call, by time.
    pub fn facts(&self, key: CallKey) -> Vec<Fact> {
        self.entries.peek(&key).map_or_else(Vec::new, |entry| entry.facts().collect())
    }

    /// The keys of all calls that something is known of.
    pub fn keys(&self) -> Vec<CallKey> {
        self.entries.iter().map(|(key, _)| key).collect()
    }

    /// The fact that is known to be true at `at`.
    pub fn fact_at(&self, key: CallKey, at: Timestamp) -> Option<Fact> {
        let entry = self.entries.get(&key)?;
        let held = entry.at_or_before(at)?;
        held.validity().contains(at).then(|| held.fact())
    }

    /// From when on a fact that is begun now may be made of what is here.
    pub fn since(&self) -> Since {
        // With the store at the end of a drop: whoever sees the new number sees nothing dropped.
        Since(self.drops.load(Ordering::Acquire))
    }

    /// Keeps a fact that was begun at `since`. It comes back as it is kept: joined with what it
    /// touches.
    ///
    /// # Errors
    ///
    /// [`Unstorable::OtherEpoch`] if something that it was made of is not to be used any more;
    /// [`Unstorable::Disowned`] if results were dropped since then: it may be made of them;
    /// [`Unstorable::Contradiction`] if the cache holds another answer for a moment of it.
    pub fn insert(&self, call: &Arc<Call>, fact: Fact, since: Since) -> Result<Fact, Unstorable> {
        let key = call.key();
        let fact = self.shared.share(fact);
        let at = fact.validity.from();
        // Both are held while inserting: whoever drops something does so afterwards.
        let _dropping = self.dropping.read().unwrap_or_else(PoisonError::into_inner);
        let index = self.index();
        if fact.is_retired(&index) {
            return Err(Unstorable::OtherEpoch);
        }
        if self.since() != since && self.rules.hold(Rule::DropsReachWhatRuns) {
            return Err(Unstorable::Disowned);
        }
        let _stripe = self.stripe(key);
        let agree = self.rules.hold(Rule::OverlapsAgree);
        let entry = match self.entries.peek(&key) {
            Some(entry) => {
                let with = entry.with(fact.clone(), agree);
                with.map_err(|Contradiction| Unstorable::Contradiction)?
            }
            None => Entry::new(Arc::clone(call), fact.clone()),
        };
        // One that is older than all that there is room for is true, and not kept.
        let kept = entry.at_or_before(at).map(Held::fact);
        self.entries.insert(key, Arc::new(entry));
        Ok(kept.unwrap_or(fact))
    }

    /// Ends a fact that is open where something below it changed first.
    pub(crate) fn end(&self, key: CallKey, fact: &Fact, until: Timestamp) {
        // As for an insertion: what is dropped meanwhile must not come back by this.
        let _dropping = self.dropping.read().unwrap_or_else(PoisonError::into_inner);
        let index = self.index();
        if fact.is_retired(&index) {
            return;
        }
        let _stripe = self.stripe(key);
        if let Some(ended) = self.entries.peek(&key).and_then(|entry| entry.ended(fact, until)) {
            self.entries.insert(key, Arc::new(ended));
        }
    }

    /// Whether somebody who asks at `own` may have a fact that was right at `since`.
    pub(crate) fn may_share(&self, fact: &Fact, since: Since, own: Since) -> bool {
        let dropped = since < own && self.rules.hold(Rule::DropsReachWhatRuns);
        !dropped && !fact.is_retired(&self.index())
    }

    /// Drops what is known of these calls, and all that was made of it. Returns the calls that
    /// were dropped.
    ///
    /// This walks over the whole cache, as often as there are layers above.
    pub fn drop_with_ancestors(&self, calls: &[CallKey]) -> Vec<Arc<Call>> {
        let _dropping = self.dropping.write().unwrap_or_else(PoisonError::into_inner);
        let mut doomed: HashSet<CallKey> = calls.iter().copied().collect();
        loop {
            let before = doomed.len();
            for (key, entry) in self.entries.iter() {
                let mut calls = entry.traces().flat_map(Trace::inputs).filter_map(Input::call);
                if !doomed.contains(&key) && calls.any(|call| doomed.contains(&call)) {
                    doomed.insert(key);
                }
            }
            if doomed.len() == before {
                break;
            }
        }
        let dropped = doomed.iter().filter_map(|key| {
            let _stripe = self.stripe(*key);
            self.entries.remove(key).map(|(_, entry)| Arc::clone(&entry.call))
        });
        let dropped = dropped.collect();
        // Last: what was begun meanwhile may have seen what is gone only now.
        self.drops.fetch_add(1, Ordering::Release);
        dropped
    }

    /// Drops all results of calls for which `doomed` says so, and all that was made of them.
    pub fn drop_where(&self, doomed: impl Fn(&Call) -> bool) -> Vec<Arc<Call>> {
        let keys = self.entries.iter().filter(|(_, entry)| doomed(&entry.call));
        let keys: Vec<CallKey> = keys.map(|(key, _)| key).collect();
        self.drop_with_ancestors(&keys)
    }

    /// From `at` on, every change of this store will be told.
    pub fn begin(&self, store: StoreId, epoch: Epoch, at: Timestamp) -> Begun {
        let begun = self.index_mut().begin(store, epoch, at);
        if begun == Begun::NewEpoch {
            self.drop_retired();
        }
        begun
    }

    /// The space was erased in part: nothing that was made of it may be used any more.
    pub fn erase(&self, store: StoreId, space: &str) {
        if self.rules.hold(Rule::ErasureDrops) {
            let _dropping = self.dropping.write().unwrap_or_else(PoisonError::into_inner);
            self.index_mut().retire(store, space);
            self.drop_retired();
            // Last: what is under way may have read what was erased, and would name it by the new
            // number.
            self.drops.fetch_add(1, Ordering::Release);
        }
    }

    /// Keys of this space may be erased: no answer made of it is told to stay as it is.
    pub fn foresee_erasure(&self, store: StoreId, space: &str) {
        self.index_mut().foresee_erasure(store, space);
    }

    /// Whether something may be erased of which a fact was made.
    pub fn may_be_erased(&self, fact: &Fact) -> bool {
        let index = self.index();
        fact.trace.spaces().iter().any(|space| index.is_erasable(*space))
    }

    fn drop_retired(&self) {
        let index = self.index();
        self.entries.retain(|_, entry| !entry.facts().any(|fact| fact.is_retired(&index)));
    }

    /// The index, to look something up.
    pub fn index(&self) -> RwLockReadGuard<'_, ChangeIndex> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the index several things at once, so that nobody sees half of them.
    pub fn tell<R>(&self, tell: impl FnOnce(&mut ChangeIndex) -> R) -> R {
        tell(&mut self.index_mut())
    }

    /// The number of a space; `None` while its store is not followed.
    pub fn space(&self, store: StoreId, name: &str) -> Option<SpaceId> {
        self.index_mut().space(store, name)
    }

    fn index_mut(&self) -> std::sync::RwLockWriteGuard<'_, ChangeIndex> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rollback may go back to `from`: what is evicted of the time after is counted apart. Older
    /// results and changes stay for as long as there is room.
    pub fn keep_from(&self, from: Timestamp) {
        self.window.from.store(from.as_micros(), Ordering::Relaxed);
    }

    /// An execution begins.
    ///
    /// # Errors
    ///
    /// If too many are running already.
    pub fn begin_execution(&self, id: CallId, start: Start) -> Result<(), TooMany> {
        self.executions().begin(id, start)
    }

    /// A call arrived from a service with the id and nonce of an execution.
    ///
    /// A late one drops what was stored of its call, and all that was made of it.
    pub fn arrive(&self, id: CallId, nonce: u64, service: &str) -> Arrival {
        let arrival = self.executions().arrive(id, nonce, service);
        if let Arrival::Late(Some(call)) = &arrival
            && self.rules.hold(Rule::LateCallsDrop)
        {
            self.drop_with_ancestors(&[call.key()]);
        }
        arrival
    }

    /// A further place among the inputs of an execution that is under way, for what is read on
    /// behalf of a call of its own. Like any other it must be settled before the answer.
    pub fn reserve(&self, id: CallId) -> Option<Slot> {
        self.executions().reserve(id)
    }

    /// What came of an input.
    pub fn settle(&self, id: CallId, slot: Slot, observed: &Observed) {
        self.executions().settle(id, slot, observed);
    }

    /// What came of an input that another edge answered.
    pub fn settle_abroad(&self, id: CallId, slot: Slot, abroad: Abroad) {
        self.executions().settle_abroad(id, slot, abroad);
    }

    /// Nothing may be made of this execution.
    pub fn taint(&self, id: CallId, why: Unstorable) {
        self.executions().taint(id, why);
    }

    /// A call without context came from this service.
    pub fn taint_service(&self, service: &str) {
        self.executions().taint_service(service);
    }

    /// The service answered: the result is kept, if it may be.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub fn finish(
        &self,
        id: CallId,
        call: &Arc<Call>,
        answer: Result<Arc<Content>, Unstorable>,
    ) -> Result<Fact, Unstorable> {
        // One lock around both: a late call comes either before the end or after the insertion.
        let mut executions = self.executions();
        let (fact, since) = executions.finish(id, answer)?;
        let kept = self.insert(call, fact, since)?;
        executions.stored(id, call);
        Ok(kept)
    }

    /// The execution came to no answer.
    pub fn cancel(&self, id: CallId) {
        self.executions().cancel(id);
    }

    fn executions(&self) -> MutexGuard<'_, Executions> {
        self.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stripe(&self, key: CallKey) -> MutexGuard<'_, ()> {
        let place = usize::try_from(key.short() >> 32).unwrap_or_default() % STRIPES;
        let stripe = self.stripes.get(place).expect("there are that many stripes");
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entry(&self, key: CallKey) -> Option<Arc<Entry>> {
        self.entries.get(&key)
    }

    pub(crate) fn flights(&self) -> &Flights {
        &self.flights
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// A trace with other spaces and clocks below it, and the same inputs.
    pub(crate) fn retrace(&self, trace: Trace) -> Arc<Trace> {
        self.shared.share_spaces(&Arc::new(trace))
    }

    /// Forgets all results. What is executing goes on.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// Forgets the results of one call, as if for want of memory.
    pub fn evict(&self, key: CallKey) {
        self.entries.remove(&key);
    }

    /// Figures for reports.
    pub fn figures(&self) -> Figures {
        Figures {
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            executions: self.executions().len() as u64,
            changes: self.index().len() as u64,
            evicted: self.window.evicted.load(Ordering::Relaxed),
            evicted_inside_window: self.window.evicted_inside.load(Ordering::Relaxed),
        }
    }
}
