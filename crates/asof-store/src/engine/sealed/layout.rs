//! Where every byte of a sealed file is.
//!
//! ```text
//! page 0   superblock   magic, format version, page size; written once
//! page 1   header       the header redb rewrites in place, with what belongs to it
//! page 2   mark         which header is known to have been synced
//! page 3…  groups       one page of 512 seals, then the 512 pages they seal
//! ```
//!
//! A page has 4,096 bytes. The first three use one 512-byte sector each, so that a disk writes
//! them wholly or not at all; each ends in its own checksum. Integers are little-endian.
//!
//! Logical page 0 (the one with redb's header) is the header sector. Logical page `n` from 1 on
//! is in group `(n - 1) / 512`.

use std::io;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a page, redb's and ours.
pub(super) const PAGE: usize = 4_096;
/// What a disk writes wholly or not at all.
pub(super) const SECTOR: usize = 512;
/// Pages sealed by one page of seals.
pub(super) const GROUP_PAGES: usize = PAGE / size_of::<u64>();
/// Bytes in front of the first group.
pub(super) const PREFIX: usize = 3 * PAGE;
/// Format version this program writes, and the highest it reads.
pub(super) const FORMAT: u32 = 1;
/// How much of logical page 0 is kept: more than redb's header of 320 bytes.
pub(super) const HEADER_BYTES: usize = 448;

pub(super) const SUPERBLOCK_AT: u64 = 0;
pub(super) const HEADER_AT: u64 = PAGE as u64;
pub(super) const MARK_AT: u64 = 2 * PAGE as u64;

const MAGIC: [u8; 16] = *b"asof store\r\n\x1a\n\0\0";
const CHECKED: usize = SECTOR - size_of::<u64>();
// Apart from every page number, so that no sector passes for another or for a page.
const SUPERBLOCK_SEED: u64 = u64::MAX;
const HEADER_SEED: u64 = u64::MAX - 1;
const MARK_SEED: u64 = u64::MAX - 2;

const _: () = assert!(HEADER_BYTES + 2 * size_of::<u64>() <= CHECKED);
const _: () = assert!(GROUP_PAGES * size_of::<u64>() == PAGE);

/// One sector as it is on disk.
pub(super) type Sector = [u8; SECTOR];

/// The seal of a page with these bytes.
pub(super) fn seal_of(page: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, page)
}

/// The seal of a page that was never written and reads as zeros. Not zero itself, so that a lost
/// page of seals does not pass for one of blank pages.
pub(super) fn blank_seal(page: u64) -> u64 {
    xxh3_64_with_seed(b"never written", page)
}

/// Group and index in it of logical page `page`, which is not 0.
pub(super) fn group_of(page: u64) -> (usize, usize) {
    let index = to_usize(page.saturating_sub(1));
    (index / GROUP_PAGES, index % GROUP_PAGES)
}

/// Where the seals of `group` are.
pub(super) fn seals_at(group: usize) -> u64 {
    (PREFIX + group * (GROUP_PAGES + 1) * PAGE) as u64
}

/// Where logical page `page`, which is not 0, is.
pub(super) fn page_at(page: u64) -> u64 {
    let (group, index) = group_of(page);
    seals_at(group) + ((index + 1) * PAGE) as u64
}

/// Length of the file that holds `len` logical bytes.
pub(super) fn physical_len(len: u64) -> u64 {
    let pages = len.div_ceil(PAGE as u64);
    if pages <= 1 { PREFIX as u64 } else { page_at(pages - 1) + PAGE as u64 }
}

/// A page number or length within the address space.
pub(super) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// The superblock of the format this program writes.
pub(super) fn superblock() -> Sector {
    sector(
        &[&MAGIC, &FORMAT.to_le_bytes(), &u32::try_from(PAGE).unwrap_or_default().to_le_bytes()],
        SUPERBLOCK_SEED,
    )
}

/// The format version of a superblock, or `None` where it is damaged or not one. In every
/// version the magic, the version and the checksum are where they are in this one.
pub(super) fn superblock_format(bytes: &Sector) -> Option<u32> {
    let payload = checked(bytes, SUPERBLOCK_SEED)?;
    let rest = payload.strip_prefix(&MAGIC)?;
    rest.first_chunk().copied().map(u32::from_le_bytes)
}

/// What is kept of logical page 0, and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// redb's own bytes.
    pub(super) bytes: [u8; HEADER_BYTES],
    /// Counts the headers of commits: a header that only recovery or a change of length wrote
    /// keeps the number of the one it replaces.
    pub(super) number: u64,
    /// Logical length of the file.
    pub(super) len: u64,
}

impl Header {
    pub(super) fn encode(&self) -> Sector {
        let (number, len) = (self.number.to_le_bytes(), self.len.to_le_bytes());
        sector(&[&self.bytes, &number, &len], HEADER_SEED)
    }

    /// `None` where the sector is damaged.
    pub(super) fn decode(bytes: &Sector) -> Option<Self> {
        let payload = checked(bytes, HEADER_SEED)?;
        let (bytes, rest) = payload.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        Some(Self {
            bytes: *bytes,
            number: u64::from_le_bytes(*number),
            len: u64::from_le_bytes(*len),
        })
    }
}

/// The mark: every header up to `number` is known to have been synced, with all it leads to.
pub(super) fn mark(number: u64) -> Sector {
    sector(&[&number.to_le_bytes()], MARK_SEED)
}

/// The number of a mark; zero where there never was one, `None` where it is damaged.
pub(super) fn marked(bytes: &Sector) -> Option<u64> {
    if is_blank(bytes) {
        return Some(0);
    }
    let payload = checked(bytes, MARK_SEED)?;
    payload.first_chunk().copied().map(u64::from_le_bytes)
}

/// Whether it is all zeros.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Splits `len` bytes from logical page `page` on into runs that are contiguous on disk: first
/// page, and number of pages.
pub(super) fn runs(page: u64, len: usize) -> impl Iterator<Item = (u64, usize)> {
    let end = page + (len / PAGE) as u64;
    let mut next = page;
    core::iter::from_fn(move || {
        let left = to_usize(end - next);
        let (_, index) = group_of(next);
        let count = left.min(GROUP_PAGES - index);
        let run = (count > 0).then_some((next, count));
        next += count as u64;
        run
    })
}

pub(super) fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn sector(parts: &[&[u8]], seed: u64) -> Sector {
    let mut bytes = [0; SECTOR];
    let (payload, checksum) = bytes.split_at_mut(CHECKED);
    let parts = parts.iter().flat_map(|part| part.iter());
    for (to, from) in payload.iter_mut().zip(parts) {
        *to = *from;
    }
    checksum.copy_from_slice(&xxh3_64_with_seed(payload, seed).to_le_bytes());
    bytes
}

fn checked(bytes: &Sector, seed: u64) -> Option<&[u8]> {
    let (payload, checksum) = bytes.split_at(CHECKED);
    let checksum = checksum.first_chunk().copied().map(u64::from_le_bytes)?;
    (xxh3_64_with_seed(payload, seed) == checksum).then_some(payload)
}

#[cfg(test)]
mod tests;
