//! The seals of all pages, in memory as far as they were needed.

use std::collections::BTreeSet;
use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use asof_env::storage::DiskFile;

use super::layout::{self, GROUP_PAGES, PAGE, blank_seal, group_of, seals_at, to_usize};

/// 8 bytes for every page of 4,096, read group by group as pages are read and then kept: 2 MiB
/// of memory for 1 GiB of file.
#[derive(Default, Debug)]
pub(super) struct Seals(RwLock<Groups>);

#[derive(Default, Debug)]
struct Groups {
    loaded: Vec<Option<Box<[u64; GROUP_PAGES]>>>,
    /// Groups whose page on disk is behind.
    dirty: BTreeSet<usize>,
}

impl Seals {
    /// Hands the seals of `count` pages of one group from `page` on to `check`.
    pub(super) fn with<T>(
        &self,
        file: &dyn DiskFile,
        page: u64,
        count: usize,
        check: impl FnOnce(&[u64]) -> T,
    ) -> io::Result<T> {
        let (group, index) = group_of(page);
        let outside = || layout::damaged("a page past the end of its group was read");
        {
            let groups = self.read();
            if let Some(Some(seals)) = groups.loaded.get(group) {
                let seals = seals.get(index..index + count).ok_or_else(outside)?;
                return Ok(check(seals));
            }
        }
        let mut groups = self.write();
        let seals = groups.load(file, group)?;
        let seals = seals.get(index..index + count).ok_or_else(outside)?;
        Ok(check(seals))
    }

    /// Sets the seals of the pages from `page` on, all of one group.
    pub(super) fn set(
        &self,
        file: &dyn DiskFile,
        page: u64,
        seals: impl Iterator<Item = u64>,
    ) -> io::Result<()> {
        let (group, index) = group_of(page);
        let mut groups = self.write();
        let old = groups.load(file, group)?;
        for (old, new) in old.iter_mut().skip(index).zip(seals) {
            *old = new;
        }
        groups.dirty.insert(group);
        Ok(())
    }

    /// The pages in `[from, until)` now exist and were never written.
    pub(super) fn grow(&self, file: &dyn DiskFile, from: u64, until: u64) -> io::Result<()> {
        let mut page = from.max(1);
        while page < until {
            let (group, index) = group_of(page);
            let count = to_usize(until - page).min(GROUP_PAGES - index);
            let end = page + count as u64;
            if index == 0 {
                // Nothing of this group is in use: what the disk has there is not read.
                self.write().put(group, Box::new([0; GROUP_PAGES]));
            }
            self.set(file, page, (page..end).map(blank_seal))?;
            page = end;
        }
        Ok(())
    }

    /// Forgets the groups that lie wholly at or after page `end`.
    pub(super) fn shrink(&self, end: u64) {
        let keep = if end <= 1 { 0 } else { group_of(end - 1).0 + 1 };
        let mut groups = self.write();
        groups.loaded.truncate(keep);
        groups.dirty.split_off(&keep);
    }

    /// Writes the pages of seals that are behind.
    pub(super) fn flush(&self, file: &dyn DiskFile) -> io::Result<()> {
        let mut groups = self.write();
        while let Some(&group) = groups.dirty.first() {
            let mut bytes = [0; PAGE];
            if let Some(Some(seals)) = groups.loaded.get(group) {
                for (to, seal) in bytes.chunks_exact_mut(size_of::<u64>()).zip(seals.iter()) {
                    to.copy_from_slice(&seal.to_le_bytes());
                }
                file.write_at(seals_at(group), &bytes)?;
            }
            groups.dirty.remove(&group);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Groups> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Groups> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Groups {
    fn load(&mut self, file: &dyn DiskFile, group: usize) -> io::Result<&mut [u64; GROUP_PAGES]> {
        if !matches!(self.loaded.get(group), Some(Some(_))) {
            let mut bytes = [0; PAGE];
            file.read_at(seals_at(group), &mut bytes)?;
            let mut seals = Box::new([0; GROUP_PAGES]);
            for (seal, from) in seals.iter_mut().zip(bytes.as_chunks().0) {
                *seal = u64::from_le_bytes(*from);
            }
            self.put(group, seals);
        }
        match self.loaded.get_mut(group) {
            Some(Some(seals)) => Ok(seals),
            _ => Err(layout::damaged("a group of seals is not there")),
        }
    }

    fn put(&mut self, group: usize, seals: Box<[u64; GROUP_PAGES]>) {
        if self.loaded.len() <= group {
            self.loaded.resize_with(group + 1, || None);
        }
        if let Some(slot) = self.loaded.get_mut(group) {
            *slot = Some(seals);
        }
    }
}
