//! A file whose every page is sealed with a checksum, under redb.
//!
//! redb keeps a Merkle tree of checksums but verifies it only when it repairs; between repairs a
//! flipped byte would be a wrong or a missing row. Here every read is checked, and what does not
//! match its seal is an error. [`layout`] says where the bytes are.
//!
//! # Crashes
//!
//! A commit is one sync: its pages, their seals and the header go out together, and a power
//! failure leaves any part of them. So after one, a page that does not match its seal may be
//! damage, or may belong to a commit that never was. What tells them apart:
//!
//! * The header is one sector, so it is the old one or the new one, never a mixture, and a header
//!   that does not match its checksum is damage, always.
//! * Headers are numbered, and after each sync the *mark* notes the number that is now durable.
//!   The mark itself is not synced (the next commit's sync carries it), so it costs a write into
//!   the page cache and may be one commit behind after a power failure; it is never ahead.
//! * Header marked: all it leads to was durable once. Every page must match its seal, and redb
//!   may not roll back. This is so after every clean close and, as the page cache outlives the
//!   process, after nearly every kill.
//! * Header not marked: redb repairs, and while it verifies the newest commit by its own
//!   checksums it is given the bytes as they are. If it accepts them, those pages are sealed
//!   anew with exactly the bytes it verified. If it rejects them, the commit was never whole; it
//!   goes back to the one before, which was synced before the rejected one wrote anything, so
//!   from there on every page must match its seal again.
//! * redb's repair is skipped only where the last commit was two-phase (those of closing and of
//!   repair), that is synced, seals included, before its header was written.
//!
//! What one sync cannot tell: damage to the pages of the last commit before a power failure whose
//! mark did not reach the disk looks like a commit that was cut short, and is rolled back. It
//! takes both at once, and the loss is that commit, wholly. Nor can seals tell a page and its
//! seal both replaced by older ones that matched each other.
//!
//! A disk is taken to write a sector of 512 bytes wholly or not at all.
//!
//! # Length
//!
//! The logical length is in the header sector. Growing extends the file before a header says so;
//! shrinking is only noted in the header, and the file is cut once a sync has made that header
//! durable. So the file is never shorter than its header says, unless someone cut it.

mod layout;
mod seals;

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use asof_env::storage::DiskFile;
use layout::{
    HEADER_AT, HEADER_BYTES, Header, MARK_AT, PAGE, PREFIX, SECTOR, SUPERBLOCK_AT, Sector,
};
use seals::Seals;

use super::EngineError;

/// Whether a file without a store in it may become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenEmpty {
    /// An empty file, or one whose creation was cut short, becomes an empty store.
    Create,
    /// It is `Corrupt`: the caller knows that there was a store.
    Refuse,
}

/// The sealed file. Shared by redb, which reads and writes through it, and the engine, which
/// tells it how opening goes and asks it what went wrong.
#[derive(Debug)]
pub(super) struct SealedFile {
    file: Arc<dyn DiskFile>,
    seals: Seals,
    state: Mutex<State>,
    /// What was found damaged first.
    damage: OnceLock<String>,
    /// Nothing is read or written any more.
    stopped: AtomicBool,
}

#[derive(Debug)]
struct State {
    header: Header,
    /// Highest header number known to be durable with all it leads to.
    marked: u64,
    phase: Phase,
    trust: Trust,
    /// A shrunk length is noted in the header; the file is still to be cut.
    cut_due: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// redb opens or repairs: its headers lead to nothing that an earlier one did not.
    Opening,
    /// Headers are those of commits.
    Running,
}

#[derive(Debug)]
enum Trust {
    /// What does not match its seal is damage.
    Seals,
    /// redb verifies what it reads. The pages that did not match, and the seals of their bytes.
    Repair(BTreeMap<u64, u64>),
}

impl SealedFile {
    /// Opens the store in `file`, or makes one where that is allowed.
    pub(super) fn open(
        file: Arc<dyn DiskFile>,
        when_empty: WhenEmpty,
    ) -> Result<Arc<Self>, EngineError> {
        let physical = file.len()?;
        let prefix = read_prefix(&*file, physical)?;
        let state = match (load(&prefix, physical)?, when_empty) {
            (Some(state), _) => state,
            (None, WhenEmpty::Create) => create(&*file)?,
            (None, WhenEmpty::Refuse) => return Err(corrupt("there is no store in it")),
        };
        let expected = layout::physical_len(state.header.len);
        if physical > expected {
            // Growth that no header came to speak of.
            file.set_len(expected)?;
        }
        Ok(Arc::new(Self {
            file,
            seals: Seals::default(),
            state: Mutex::new(state),
            damage: OnceLock::new(),
            stopped: AtomicBool::new(false),
        }))
    }

    /// redb begins to repair, and will verify what it reads.
    pub(super) fn repair_began(&self) {
        let mut state = self.state();
        if state.header.number > state.marked {
            state.trust = Trust::Repair(BTreeMap::new());
        }
    }

    /// The newest commit did not verify, and redb would go back to the one before. An error
    /// where the newest is known to have been whole.
    pub(super) fn repair_falls_back(&self) -> io::Result<()> {
        let mut state = self.state();
        state.trust = Trust::Seals;
        if state.header.number > state.marked {
            return Ok(());
        }
        drop(state);
        Err(self.found_damaged("the last durable commit does not verify"))
    }

    /// redb has verified every page it read since it began, or since it fell back.
    pub(super) fn repair_accepted(&self) -> io::Result<()> {
        let mut state = self.state();
        let trust = core::mem::replace(&mut state.trust, Trust::Seals);
        if let Trust::Repair(pages) = trust {
            for (page, seal) in pages {
                self.seals.set(&*self.file, page, core::iter::once(seal))?;
            }
        }
        Ok(())
    }

    /// redb is open, and has synced whatever opening wrote.
    pub(super) fn opened(&self) -> io::Result<()> {
        let mut state = self.state();
        state.phase = Phase::Running;
        state.trust = Trust::Seals;
        let number = state.header.number;
        self.write_mark(&mut state, number)
    }

    /// Refuses every later call, so that what is on disk stays as it is.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// What was found damaged, if anything was.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Bytes of the file.
    pub(super) fn physical_len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn found_damaged(&self, what: &str) -> io::Error {
        layout::damaged(self.damage.get_or_init(|| what.to_owned()))
    }

    fn running(&self) -> io::Result<()> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(io::Error::other("the engine has stopped after an error"));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_pages(&self, page: u64, out: &mut [u8]) -> io::Result<()> {
        let mut rest = out;
        for (page, count) in layout::runs(page, rest.len()) {
            let (run, after) = rest.split_at_mut(count * PAGE);
            self.file.read_at(layout::page_at(page), run).map_err(|error| self.explain(error))?;
            let odd = self
                .seals
                .with(&*self.file, page, count, |seals| mismatches(page, run, seals))
                .map_err(|error| self.explain(error))?;
            if !odd.is_empty() {
                self.mismatched(odd)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn mismatched(&self, odd: Vec<(u64, u64)>) -> io::Result<()> {
        let mut state = self.state();
        match &mut state.trust {
            Trust::Repair(pages) => {
                pages.extend(odd);
                Ok(())
            }
            Trust::Seals => {
                let page = odd.first().map_or(0, |&(page, _)| page);
                Err(self.found_damaged(&format!("page {page} does not match its checksum")))
            }
        }
    }

    /// A file that ends within its own length was cut.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return self.found_damaged("the file ends before its length");
        }
        error
    }

    fn write_header(&self, header: &Header) -> io::Result<()> {
        self.file.write_at(HEADER_AT, &header.encode())
    }

    fn write_mark(&self, state: &mut State, number: u64) -> io::Result<()> {
        if number > state.marked {
            self.file.write_at(MARK_AT, &layout::mark(number))?;
            state.marked = number;
        }
        Ok(())
    }

    /// Cuts the file to a length whose header is durable.
    fn cut(&self, state: &mut State) -> io::Result<()> {
        if state.cut_due {
            self.file.set_len(layout::physical_len(state.header.len))?;
            state.cut_due = false;
        }
        Ok(())
    }
}

/// How redb sees it.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<SealedFile>);

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.running()?;
        Ok(self.0.state().header.len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.running()?;
        let len = self.0.state().header.len;
        let Some(page) = page_of(offset, out.len(), len)? else {
            let state = self.0.state();
            let from = layout::to_usize(offset);
            let header = state.header.bytes.get(from..from + out.len());
            out.copy_from_slice(header.ok_or(io::ErrorKind::InvalidInput)?);
            return Ok(());
        };
        self.0.read_pages(page, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.running()?;
        let mut state = self.0.state();
        let Some(page) = page_of(offset, data.len(), state.header.len)? else {
            let mut header = state.header.clone();
            let from = layout::to_usize(offset);
            let range = header.bytes.get_mut(from..from + data.len());
            range.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(data);
            if state.phase == Phase::Running || header.number == 0 {
                header.number += 1;
            }
            self.0.write_header(&header)?;
            state.header = header;
            return Ok(());
        };
        drop(state);
        let mut rest = data;
        for (page, count) in layout::runs(page, data.len()) {
            let (run, after) = rest.split_at(count * PAGE);
            let seals = run
                .chunks_exact(PAGE)
                .zip(page..)
                .map(|(bytes, page)| layout::seal_of(page, bytes));
            self.0.seals.set(&*self.0.file, page, seals)?;
            self.0.file.write_at(layout::page_at(page), run)?;
            rest = after;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.running()?;
        let sealed = &*self.0;
        let mut state = sealed.state();
        let old = state.header.len;
        let pages = |len: u64| len.div_ceil(PAGE as u64);
        if len < old {
            state.header.len = len;
            state.cut_due = true;
            sealed.seals.shrink(pages(len));
            sealed.write_header(&state.header)?;
        } else if len > old {
            if state.cut_due {
                // What was cut off must read as zeros, so the cut happens first.
                sealed.seals.flush(&*sealed.file)?;
                sealed.file.sync()?;
                sealed.cut(&mut state)?;
            }
            sealed.file.set_len(layout::physical_len(len))?;
            sealed.seals.grow(&*sealed.file, pages(old), pages(len))?;
            state.header.len = len;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.running()?;
        let sealed = &*self.0;
        sealed.seals.flush(&*sealed.file)?;
        let (number, cut_due) = {
            let state = sealed.state();
            (state.header.number, state.cut_due)
        };
        sealed.file.sync()?;
        let mut state = sealed.state();
        if cut_due {
            sealed.cut(&mut state)?;
        }
        if state.phase == Phase::Running {
            sealed.write_mark(&mut state, number)?;
        }
        Ok(())
    }
}

/// The used sectors of the first three pages; zeros where the file is shorter.
fn read_prefix(file: &dyn DiskFile, physical: u64) -> io::Result<Vec<u8>> {
    let mut prefix = vec![0; PREFIX];
    let there = layout::to_usize(physical).min(PREFIX);
    if let Some(bytes) = prefix.get_mut(..there) {
        file.read_at(0, bytes)?;
    }
    Ok(prefix)
}

/// The store as its first pages tell, or `None` where its creation was never finished.
fn load(prefix: &[u8], physical: u64) -> Result<Option<State>, EngineError> {
    let sector = |at: u64| -> Result<&Sector, EngineError> {
        prefix
            .get(layout::to_usize(at)..)
            .and_then(|rest| rest.first_chunk::<SECTOR>())
            .ok_or_else(|| corrupt("the file is too short"))
    };
    let superblock = sector(SUPERBLOCK_AT)?;
    if layout::is_blank(prefix) && physical <= PREFIX as u64 {
        return Ok(None);
    }
    match layout::superblock_format(superblock) {
        Some(layout::FORMAT) => {}
        Some(found) if found > layout::FORMAT => {
            return Err(EngineError::NewerFormat { found, supported: layout::FORMAT });
        }
        Some(_) | None => return Err(corrupt("it does not begin like a store, or is damaged")),
    }
    if physical < PREFIX as u64 {
        return Err(corrupt("it was cut"));
    }
    let marked = layout::marked(sector(MARK_AT)?).ok_or_else(|| corrupt("its mark is damaged"))?;
    let header = if layout::is_blank(sector(HEADER_AT)?) {
        None
    } else {
        let header = Header::decode(sector(HEADER_AT)?);
        Some(header.ok_or_else(|| corrupt("its header is damaged"))?)
    };
    match header {
        // The first number is that of creation, which was not followed by a mark: nobody has
        // ever been told that the store is there.
        None | Some(Header { number: 1, .. }) if marked == 0 => Ok(None),
        Some(header) if header.number >= marked => {
            if physical < layout::physical_len(header.len) {
                return Err(corrupt("it was cut"));
            }
            Ok(Some(State {
                header,
                marked,
                phase: Phase::Opening,
                trust: Trust::Seals,
                cut_due: false,
            }))
        }
        _ => Err(corrupt("its header was lost")),
    }
}

/// An empty store: redb has yet to write its header.
fn create(file: &dyn DiskFile) -> io::Result<State> {
    // The superblock comes last: a file that has one is as long as the first pages.
    file.set_len(PREFIX as u64)?;
    file.write_at(HEADER_AT, &[0; SECTOR])?;
    file.sync()?;
    file.write_at(SUPERBLOCK_AT, &layout::superblock())?;
    file.sync()?;
    Ok(State {
        header: Header { bytes: [0; HEADER_BYTES], number: 0, len: 0 },
        marked: 0,
        phase: Phase::Opening,
        trust: Trust::Seals,
        cut_due: false,
    })
}

/// The pages of `run` that do not match their seals, with the seals of the bytes they have.
fn mismatches(page: u64, run: &[u8], seals: &[u64]) -> Vec<(u64, u64)> {
    let pages = run.chunks_exact(PAGE).zip(page..).zip(seals);
    pages
        .filter_map(|((bytes, page), &seal)| {
            let actual = layout::seal_of(page, bytes);
            let blank = || seal == layout::blank_seal(page) && layout::is_blank(bytes);
            (actual != seal && !blank()).then_some((page, actual))
        })
        .collect()
}

/// The page that `len` bytes at `offset` begin with, or `None` where they are of logical page 0.
fn page_of(offset: u64, len: usize, end: u64) -> io::Result<Option<u64>> {
    let outside = offset.checked_add(len as u64).is_none_or(|to| to > end);
    if outside {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "outside of the file"));
    }
    if offset < PAGE as u64 {
        return Ok(None);
    }
    if !offset.is_multiple_of(PAGE as u64) || !len.is_multiple_of(PAGE) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not whole pages"));
    }
    Ok(Some(offset / PAGE as u64))
}

fn corrupt(what: &str) -> EngineError {
    EngineError::Corrupt(what.to_owned())
}
