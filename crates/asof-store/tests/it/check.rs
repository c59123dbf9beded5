//! Holds what the store answers against the oracle.

use std::collections::BTreeSet;

use asof_store::{
    AsOf, Commit, Content, ContentHash, Cursor, ErrorKind, Extent, Glance, HistoryRange, Key,
    LogRange, ScanRange, SpaceBlast, SpaceName, WithValues, Written,
};
use asof_time::{End, Timestamp, Validity};

use crate::oracle::{At, Place};
use crate::record::Question;
use crate::run::{Run, assert_kind};

impl Run {
    /// Asks a few random questions of every kind.
    pub(crate) fn check(&mut self) {
        for _ in 0..4 {
            let at = self.moment();
            let spaces: Vec<SpaceName> = self.oracle.spaces.keys().cloned().collect();
            let Some(space) = self.dice.pick(&spaces).cloned() else {
                return;
            };
            if !self.is_readable(&space, at) {
                continue;
            }
            let key = self.key();
            self.check_get(&space, &key, at);
            self.check_scan(&space, at);
            self.check_history(&space, &key, at);
            self.check_diff(&space, at);
        }
        self.check_blast();
        self.check_log();
        self.check_pending();
    }

    /// What answers differently between two moments, counted key by key.
    fn check_blast(&mut self) {
        let closed = self.world.closed();
        let (from, to) = (self.moment().min(closed), self.moment().min(closed));
        let found = self.world.store.blast(from, to);
        let floor = self.world.store.time().floor;
        if from.min(to) < floor {
            return assert_kind(found, "BelowFloor");
        }
        let found = found.expect("both are closed and kept");
        assert_eq!((found.from, found.to, found.extent), (from, to, Extent::Whole));
        let live = self.oracle.spaces.iter().filter(|(_, space)| !space.importing);
        let mut wanted = Vec::new();
        for (space, _) in live {
            let mut of_space =
                SpaceBlast { space: space.clone(), keys: 0, bytes_before: 0, bytes_after: 0 };
            for key in self.oracle.keys(space) {
                let held =
                    |at| self.oracle.at(space, &key, at).value().map(|(_, bytes)| bytes.clone());
                let (before, after) = (held(from), held(to));
                if before != after {
                    of_space.keys += 1;
                    of_space.bytes_before += before.map_or(0, |bytes| bytes.len() as u64);
                    of_space.bytes_after += after.map_or(0, |bytes| bytes.len() as u64);
                }
            }
            if of_space.keys > 0 {
                wanted.push(of_space);
            }
        }
        assert_eq!(found.spaces, wanted, "{from:?} -> {to:?}");
        assert_eq!(found.keys, wanted.iter().map(|space| space.keys).sum::<u64>());
        for change in &found.sample {
            let held = |at| self.oracle.at(&change.space, &change.key, at);
            let hash = |at: At| at.value().map(|(_, bytes)| ContentHash::of(bytes));
            let seen = |glance: &Option<Glance>| glance.as_ref().map(|g| g.content.hash);
            assert_eq!(seen(&change.before), hash(held(from)));
            assert_eq!(seen(&change.after), hash(held(to)));
        }
        let shown = found.sample.len() as u64;
        assert!(shown == found.keys || shown >= 5, "some of each space are shown");
    }

    pub(crate) fn verify(&self) {
        let report = self.world.store.verify(&mut |_| {}).expect("readable");
        assert_eq!(report.problems, [""; 0]);
    }

    fn floor(&self, space: &SpaceName) -> Timestamp {
        let known = self.oracle.spaces.get(space);
        known.and_then(|space| space.floor).unwrap_or(Timestamp::MIN)
    }

    /// Whether a space can be read at a moment; where not, the store says plainly why.
    fn is_readable(&mut self, space: &SpaceName, at: Timestamp) -> bool {
        let time = self.world.store.time();
        let key = self.key();
        let asked = self.world.store.view(AsOf::At(at)).and_then(|view| view.get(space, &key));
        let kind = match asked.as_ref().map_err(asof_store::Error::kind) {
            // Of this key alone.
            Err(ErrorKind::Erased) if self.oracle.is_erased(space, &key) => Ok(()),
            kind => kind.map(|_| ()),
        };
        let importing = self.oracle.spaces.get(space).is_none_or(|space| space.importing);
        let floor = self.floor(space);
        let expected = if at > time.closed {
            Err(ErrorKind::NotYetClosed { closed: time.closed })
        } else if let Some(cap) = time.cap.filter(|cap| at > *cap) {
            Err(ErrorKind::AboveCap { cap })
        } else if importing {
            Err(ErrorKind::StillImporting)
        } else if at < floor && !self.oracle.is_kept_instant(space, at) {
            Err(ErrorKind::BelowFloor { floor })
        } else {
            Ok(())
        };
        assert_eq!(kind, expected, "{space} at {at:?}");
        expected.is_ok()
    }

    fn check_get(&mut self, space: &SpaceName, key: &Key, as_of: Timestamp) {
        let view = self.world.store.view(AsOf::At(as_of)).expect("readable");
        if self.oracle.is_erased(space, key) {
            return assert_kind(view.get(space, key), "Erased");
        }
        let read = view.get(space, key).expect("readable");
        let expected = self.oracle.at(space, key, as_of);
        let found = read.value.map(|v| ((v.effective, v.commit), v.bytes.to_vec()));
        let wanted = expected.value().map(|(place, value)| (place, value.clone()));
        assert_eq!(found, wanted, "{space}/{key} at {as_of:?}");
        let validity = read.validity.expect("a closed read");
        self.check_validity(space, std::slice::from_ref(&expected), as_of, validity);
        self.oracle.assert_unchanged(space, key, validity);
        let question = Question::Get(space.clone(), key.clone());
        let answer = question.ask(&self.world.store, as_of).expect("readable");
        self.recorder.note(&self.world.store, &question, as_of, answer);
    }

    /// A validity is as wide as what is closed and kept allows, and no wider.
    fn check_validity(&self, space: &SpaceName, keys: &[At], as_of: Timestamp, found: Validity) {
        let (floor, closed) = (self.floor(space), self.world.closed());
        if as_of < floor {
            assert_eq!(found, Validity::instant(as_of), "an instant speaks for itself alone");
            return;
        }
        let next = keys.iter().filter_map(|key| key.next).filter(|next| *next <= closed).min();
        let end = next.map_or(End::Through(closed), End::Until);
        assert_eq!(found.end(), end, "at {as_of:?}");
        let written = |at: &At| at.version.as_ref().map_or(Timestamp::MIN, |(place, _)| place.0);
        let wanted = keys.iter().map(written).max().unwrap_or(Timestamp::MIN);
        let from = found.from();
        if from != wanted {
            assert_eq!(from, floor, "it begins where something was written, or at the floor");
            assert!(wanted < floor, "nothing was written between {from:?} and {wanted:?}");
        }
    }

    fn check_scan(&mut self, space: &SpaceName, as_of: Timestamp) {
        let prefix = self.dice.pick(&["", "", "k", "k/", "k\0", "m", "zz"]).copied().unwrap_or("");
        let limit = 1 + self.dice.index(4);
        let mut after = if self.dice.one_in(3) { Some(self.key()) } else { None };
        loop {
            let question = Question::Scan {
                space: space.clone(),
                prefix: prefix.to_owned(),
                after: after.clone(),
                limit,
            };
            let next = self.check_page(space, prefix, after.as_ref(), limit, as_of);
            let answer = question.ask(&self.world.store, as_of).expect("readable");
            self.recorder.note(&self.world.store, &question, as_of, answer);
            match next {
                Some(next) => after = Some(next),
                None => return,
            }
        }
    }

    fn check_page(
        &self,
        space: &SpaceName,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
        as_of: Timestamp,
    ) -> Option<Key> {
        let range = ScanRange {
            prefix: prefix.to_owned(),
            after: after.cloned(),
            limit,
            values: WithValues::Include,
        };
        let view = self.world.store.view(AsOf::At(as_of)).expect("readable");
        let read = view.scan(space, &range).expect("readable");
        let (mut entries, mut covered, mut next) = (Vec::new(), Vec::new(), None);
        let (mut erased, mut last) = (Vec::new(), None);
        for key in self.oracle.keys(space) {
            if !key.as_str().starts_with(prefix) || after.is_some_and(|after| key <= *after) {
                continue;
            }
            let at = self.oracle.at(space, &key, as_of);
            let value = at.value().map(|(place, value)| (key.clone(), place, value.clone()));
            covered.push((key.clone(), at));
            let is_erased = self.oracle.is_erased(space, &key);
            if value.is_none() && !is_erased {
                continue;
            }
            if entries.len() + erased.len() == limit {
                next = last;
                break;
            }
            last = Some(key.clone());
            entries.extend(value);
            erased.extend(is_erased.then_some(key));
        }
        let found: Vec<_> = read
            .value
            .entries
            .iter()
            .map(|entry| {
                let value = entry.value.as_ref().expect("asked for").to_vec();
                (entry.key.clone(), (entry.effective, entry.commit), value)
            })
            .collect();
        assert_eq!(found, entries, "{space} {range:?} at {as_of:?}");
        assert_eq!(read.value.erased, erased);
        assert_eq!(read.value.next, next);
        let validity = read.validity.expect("a closed read");
        let states: Vec<At> = covered.iter().map(|(_, at)| at.clone()).collect();
        self.check_validity(space, &states, as_of, validity);
        for (key, _) in &covered {
            self.oracle.assert_unchanged(space, key, validity);
        }
        for entry in &read.value.entries {
            let own = entry.validity.expect("a closed read");
            let state = self.oracle.at(space, &entry.key, as_of);
            self.check_validity(space, &[state], as_of, own);
        }
        next
    }

    fn check_history(&mut self, space: &SpaceName, key: &Key, as_of: Timestamp) {
        let floor = self.floor(space);
        let view = self.world.store.view(AsOf::At(as_of)).expect("readable");
        let from = if self.dice.one_in(2) { Timestamp::MIN } else { self.moment() };
        let limit = 1 + self.dice.index(4);
        let mut range = HistoryRange { from, before: None, limit };
        if self.oracle.is_erased(space, key) {
            return assert_kind(view.history(space, key, &range), "Erased");
        }
        let mut found = Vec::new();
        loop {
            let page = view.history(space, key, &range).expect("readable");
            for version in page.versions {
                let validity = version.validity.expect("a closed read");
                if as_of < floor {
                    assert_eq!(validity, Validity::instant(as_of));
                } else {
                    assert!(validity.contains(version.effective.max(floor).min(as_of)));
                    self.oracle.assert_unchanged(space, key, validity);
                }
                let hash = version.content.map(|content| content.hash);
                found.push(((version.effective, version.commit), hash));
            }
            match page.next {
                Some(next) => range.before = Some(next),
                None => break,
            }
        }
        let mut wanted = Vec::new();
        for (place, value) in self.oracle.history(space, key, as_of) {
            wanted.push((place, value.as_deref().map(ContentHash::of)));
            if place.0 <= from.max(floor) {
                break;
            }
        }
        // A deletion at or below the floor, with nothing kept behind it, is no longer needed.
        let is_spare = |last: &(Place, Option<ContentHash>)| last.1.is_none() && last.0.0 <= floor;
        if found.len() + 1 == wanted.len() && wanted.last().is_some_and(is_spare) {
            wanted.pop();
        }
        assert_eq!(found, wanted, "history of {space}/{key} from {from:?} at {as_of:?}");
    }

    fn check_diff(&mut self, space: &SpaceName, one: Timestamp) {
        let other = self.moment();
        if !self.is_readable(space, other) {
            return;
        }
        let (from, to) = (one.min(other), one.max(other));
        let (mut found, mut after, limit) = (Vec::new(), None, 1 + self.dice.index(3));
        let mut erased = Vec::new();
        loop {
            let page = self.world.store.diff(space, from, to, after.as_ref(), limit);
            let page = page.expect("readable");
            erased.extend(page.erased);
            found.extend(page.entries.into_iter().map(|entry| {
                let hash = |content: Option<Content>| content.map(|content| content.hash);
                (entry.key, hash(entry.before), hash(entry.after))
            }));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let hash = |key: &Key, at| {
            let at = self.oracle.at(space, key, at);
            at.value().map(|(_, value)| ContentHash::of(value))
        };
        let states = self.oracle.keys(space).into_iter().map(|key| {
            let (before, after) = (hash(&key, from), hash(&key, to));
            (key, before, after)
        });
        let wanted: Vec<_> = states.filter(|(_, before, after)| before != after).collect();
        assert_eq!(found, wanted, "diff of {space} from {from:?} to {to:?}");
        assert_eq!(erased, self.oracle.erased(space));
    }

    /// The earliest moment from which the log is whole.
    pub(crate) fn log_floor(&self) -> Timestamp {
        self.world.store.time().floor
    }

    fn check_log(&mut self) {
        let time = self.world.store.time();
        let start = match self.log_floor() {
            Timestamp::MIN => Cursor::START,
            floor => Cursor::after_snapshot(floor, 0),
        };
        let limit = 1 + self.dice.index(5);
        let mut range = LogRange { after: start, spaces: None, limit };
        let mut found = Vec::new();
        loop {
            let page = self.world.store.log(&range).expect("readable");
            assert!(page.commits.len() <= limit);
            found.extend(page.commits);
            match page.next {
                Some(next) => range.after = next,
                None => break,
            }
        }
        self.check_log_back(Cursor::after_snapshot(time.latest, 0), start, limit, &found);
        let wanted = self.oracle.log(time.latest);
        let wanted: BTreeSet<Place> = wanted
            .map(|(place, _)| place)
            .filter(|place| *place > (start.effective, start.sequence))
            .collect();
        let places: BTreeSet<Place> = found.iter().map(|c| (c.effective, c.id)).collect();
        assert_eq!(places, wanted);
        for commit in found {
            let place = (commit.effective, commit.id);
            let known = self.oracle.commits.get(&place).expect("it is known");
            assert_eq!((commit.backfilled, &commit.opened), (known.backfilled, &known.opened));
            assert_eq!(commit.message, known.message);
            let hashes = known.writes.iter().map(|(space, key, value)| {
                let content = value.as_ref().map(|v| (ContentHash::of(v), v.len() as u64));
                let erased = self.oracle.is_erased(space, key);
                let content = if erased { Written::Erased } else { content.into() };
                (space.clone(), key.clone(), content)
            });
            let found = commit.writes.into_iter().map(|w| (w.space, w.key, w.content));
            assert!(found.eq(hashes), "commit {place:?}");
        }
    }

    /// Read backwards, the log is what it is forwards.
    fn check_log_back(&self, before: Cursor, start: Cursor, limit: usize, forwards: &[Commit]) {
        let range = LogRange { after: start, spaces: None, limit };
        let (mut before, mut backwards) = (before, Vec::new());
        loop {
            let page = self.world.store.log_back(before, &range).expect("readable");
            assert!(page.commits.len() <= limit);
            backwards.extend(page.commits);
            match page.next {
                Some(next) => before = next,
                None => break,
            }
        }
        backwards.reverse();
        assert_eq!(backwards, forwards);
    }

    fn check_pending(&mut self) {
        let closed = self.world.closed();
        let limit = 1 + self.dice.index(3);
        let (mut after, mut found) = (Cursor::START, Vec::new());
        loop {
            let page = self.world.store.pending(after, limit).expect("readable");
            found.extend(page.commits.iter().map(|commit| (commit.effective, commit.id)));
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        let pending = self.oracle.commits.iter();
        let wanted: Vec<Place> = pending
            .filter(|(place, commit)| place.0 > closed && !commit.backfilled)
            .map(|(place, _)| *place)
            .collect();
        assert_eq!(found, wanted);
    }
}
