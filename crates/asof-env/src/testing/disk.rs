//! A disk that loses power.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SeededRandom;
use crate::storage::DiskFile;

/// What a disk writes wholly or not at all, in bytes.
const SECTOR: usize = 512;

/// A file in memory that forgets, after a power failure, what a disk may forget.
///
/// Every write, change of length and sync is one operation, counted from zero. What was synced
/// stays; each operation since may be there, not there, or, for a write, there in some of its
/// sectors, each chosen by a seed apart from the others.
#[derive(Debug, Default)]
pub struct SimDisk {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Pending>,
    operations: u64,
    writes: u64,
    syncs: u64,
    cut_at: Option<u64>,
    fail_write_at: Option<u64>,
    fail_sync_at: Option<u64>,
}

#[derive(Debug)]
struct Pending {
    change: Change,
    /// A sync that failed has dropped it: no later sync makes it durable.
    dropped: bool,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl SimDisk {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file of `bytes`, all durable.
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let state = State { durable: bytes.clone(), current: bytes, ..State::default() };
        Self { state: Mutex::new(state) }
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many writes there were.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Cuts the power at operation `n`: that one happens in part, and every call from then on
    /// fails.
    pub fn lose_power_at(&self, n: u64) {
        self.state().cut_at = Some(n);
    }

    /// Fails write `n` (counted over writes alone) with `StorageFull`, once.
    pub fn fail_write_at(&self, n: u64) {
        self.state().fail_write_at = Some(n);
    }

    /// Fails sync `n` (counted over syncs alone) with an I/O error, once. As on Linux, what it
    /// should have made durable is not made so by a later sync either.
    pub fn fail_sync_at(&self, n: u64) {
        self.state().fail_sync_at = Some(n);
    }

    /// Whether the power is off.
    pub fn is_down(&self) -> bool {
        self.state().down()
    }

    /// What the machine finds when the power is back.
    #[must_use]
    pub fn after_crash(&self, seed: u64) -> Self {
        let state = self.state();
        let random = SeededRandom::new(seed);
        let mut image = state.durable.clone();
        // Some failures lose all or nothing; a fair coin for each write would hardly ever.
        let mood = random.below(8);
        for pending in &state.pending {
            let fate = match mood {
                0 => 0,
                1 => 1,
                _ => random.below(3),
            };
            match (fate, &pending.change) {
                (0, _) => {}
                (2, Change::Write { offset, bytes }) => tear(&mut image, *offset, bytes, &random),
                (_, change) => apply(&mut image, change),
            }
        }
        Self::with_bytes(image)
    }

    /// The file as it is read now.
    pub fn bytes(&self) -> Vec<u8> {
        self.state().current.clone()
    }

    /// Flips the bits `xor` of the byte at `offset`, at rest. Past the end nothing happens.
    pub fn corrupt(&self, offset: usize, xor: u8) {
        let mut state = self.state();
        let State { durable, current, .. } = &mut *state;
        for image in [durable, current] {
            if let Some(byte) = image.get_mut(offset) {
                *byte ^= xor;
            }
        }
    }

    /// Cuts the file to `len` bytes, at rest.
    pub fn truncate(&self, len: usize) {
        let mut state = self.state();
        state.durable.truncate(len);
        state.current.truncate(len);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn down(&self) -> bool {
        self.cut_at.is_some_and(|at| self.operations > at)
    }

    fn powered(&self) -> io::Result<()> {
        if self.down() {
            return Err(io::Error::other("the power is off"));
        }
        Ok(())
    }

    /// Counts one operation; whether the power failed in it is for the caller to ask after.
    fn count(&mut self) -> io::Result<()> {
        self.powered()?;
        self.operations += 1;
        Ok(())
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        apply(&mut self.current, &change);
        self.pending.push(Pending { change, dropped: false });
        self.powered()
    }
}

impl DiskFile for SimDisk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.powered()?;
        Ok(state.current.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        state.powered()?;
        let start = position(offset)?;
        let found = start
            .checked_add(out.len())
            .and_then(|end| state.current.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        let write = state.writes;
        state.writes += 1;
        if state.fail_write_at == Some(write) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.change(Change::Write { offset: position(offset)?, bytes: bytes.to_vec() })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.change(Change::SetLen(position(len)?))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.count()?;
        state.powered()?;
        let sync = state.syncs;
        state.syncs += 1;
        if state.fail_sync_at == Some(sync) {
            for pending in &mut state.pending {
                pending.dropped = true;
            }
            return Err(io::Error::other("the disk failed to sync"));
        }
        let State { durable, pending, .. } = &mut *state;
        for pending in pending.drain(..).filter(|pending| !pending.dropped) {
            apply(durable, &pending.change);
        }
        Ok(())
    }
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::SetLen(len) => image.resize(*len, 0),
        Change::Write { offset, bytes } => put(image, *offset, bytes),
    }
}

/// Writes a random choice of the sectors that `bytes` touches.
fn tear(image: &mut Vec<u8>, offset: usize, bytes: &[u8], random: &SeededRandom) {
    let mut at = offset;
    let mut left = bytes;
    while !left.is_empty() {
        let (piece, rest) = left.split_at(left.len().min(SECTOR - at % SECTOR));
        if random.below(2) == 0 {
            put(image, at, piece);
        }
        at += piece.len();
        left = rest;
    }
}

fn put(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    if let Some(range) = image.get_mut(offset..end) {
        range.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
