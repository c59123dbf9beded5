//! The keys of a range at one moment, a page at a time.

use core::ops::ControlFlow;

use asof_time::Timestamp;

use super::walk::{Found, Holding, Seen, Walk};
use super::{Entry, Ground, Read, ScanPage, ScanRange, View};
use crate::codec::keys::{self, VersionsOf};
use crate::{Key, Result};

/// Bytes of values after which a page ends.
const PAGE_VALUE_BYTES: u64 = 16 << 20;

/// Keys without a value looked at for one page before it ends: many deleted keys in a row must
/// not make a page take for ever.
const PAGE_KEYS_LOOKED_AT: usize = 100_000;

pub(super) fn scan(view: &View, ground: &Ground, range: &ScanRange) -> Result<Read<ScanPage>> {
    let mut start = keys::versions_from(ground.id, &range.prefix);
    if let Some(after) = &range.after {
        start = start.max(VersionsOf::new(ground.id, after).end());
    }
    let walk = Walk {
        rows: view.scene.rows.as_ref(),
        moments: &[view.as_of],
        through: view.known_through(),
        values: range.values,
    };
    let mut page = Page::new(view, ground, range);
    walk.run(start, &keys::versions_end(ground.id), &mut |seen| page.take(seen))?;
    let Page { from, until, entries, erased, next, .. } = page;
    let validity = view.validity(ground, from, until);
    Ok(Read { value: ScanPage { entries, erased, next }, validity })
}

struct Page<'a> {
    view: &'a View,
    ground: &'a Ground,
    range: &'a ScanRange,
    entries: Vec<Entry>,
    erased: Vec<Key>,
    /// The last key listed.
    last: Option<Key>,
    next: Option<Key>,
    bytes: u64,
    looked_at: usize,
    /// The latest change at or before the moment, and the first one after it, over all keys
    /// looked at: between them the page is true.
    from: Timestamp,
    until: Option<Timestamp>,
}

impl<'a> Page<'a> {
    fn new(view: &'a View, ground: &'a Ground, range: &'a ScanRange) -> Self {
        Self {
            view,
            ground,
            range,
            entries: Vec::new(),
            erased: Vec::new(),
            last: None,
            next: None,
            bytes: 0,
            looked_at: 0,
            from: ground.readable.floor(),
            until: None,
        }
    }

    fn take(&mut self, mut seen: Seen) -> ControlFlow<()> {
        if !seen.key.as_str().starts_with(&self.range.prefix) {
            return ControlFlow::Break(());
        }
        let found = seen.at(0);
        let from = found.as_ref().map_or(self.from, |found| found.effective);
        self.from = self.from.max(from);
        self.until = [self.until, seen.until].into_iter().flatten().min();
        self.looked_at += 1;

        let found = found.filter(|found| found.content != Holding::Nothing);
        let Some(Found { effective, commit, content, value }) = found else {
            if self.looked_at < PAGE_KEYS_LOOKED_AT {
                return ControlFlow::Continue(());
            }
            self.next = Some(seen.key);
            return ControlFlow::Break(());
        };
        let listed = self.entries.len() + self.erased.len();
        if listed == self.range.limit || self.bytes >= PAGE_VALUE_BYTES {
            self.next.clone_from(&self.last);
            return ControlFlow::Break(());
        }
        self.last = Some(seen.key.clone());
        let Holding::Value(content) = content else {
            self.erased.push(seen.key);
            return ControlFlow::Continue(());
        };
        if value.is_some() {
            self.bytes += content.bytes;
        }
        let validity = self.view.validity(self.ground, effective, seen.until);
        self.entries.push(Entry { key: seen.key, validity, effective, commit, content, value });
        ControlFlow::Continue(())
    }
}
