//! Row keys.
//!
//! | first byte | rest | row |
//! | --- | --- | --- |
//! | `b` | sequence, 8 | mark of a bad commit |
//! | `c` | control sequence, 8 | control record |
//! | `d` | name | what a release writes |
//! | `e` | control sequence, 8 | erasure of a key |
//! | `i` | hash of an idempotency key, 16 | outcome |
//! | `j` | accepted, 8; the same hash, 16 | (empty: order of expiry) |
//! | `l` | effective, 8; sequence, 8 | commit |
//! | `m` | name | meta: identity, ceiling, cap, log floor |
//! | `p` | name | pin |
//! | `q` | sequence, 8 | effective, 8: where the commit is in the log |
//! | `r` | name | release |
//! | `s` | space id, 4 | space |
//! | `t` | name | bearer token |
//! | `v` | space id, 4; key, escaped; inverted effective, 8; inverted sequence, 8 | version |
//! | `x` | space id, 4; source id | commit of a source id |
//!
//! A key's bytes are escaped so that no key is a prefix of another's row: `00` becomes `00 ff`,
//! and `00 01` ends it. Effective and sequence are inverted (subtracted from 2^64 - 1), so that a
//! key's newest version comes first and "the version at T" is one forward seek.

use asof_time::{Sequence, Timestamp};

use super::Decoder;
use crate::{Key, Result};

/// The number of a space: what rows carry in place of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SpaceId(pub(crate) u32);

pub(crate) const BAD: u8 = b'b';
pub(crate) const CONTROL: u8 = b'c';
pub(crate) const PLANNED: u8 = b'd';
pub(crate) const ERASURE: u8 = b'e';
pub(crate) const IDEMPOTENCY: u8 = b'i';
pub(crate) const IDEMPOTENCY_ORDER: u8 = b'j';
pub(crate) const LOG: u8 = b'l';
pub(crate) const META: u8 = b'm';
pub(crate) const PIN: u8 = b'p';
pub(crate) const SEQUENCE: u8 = b'q';
pub(crate) const RELEASE: u8 = b'r';
pub(crate) const SPACE: u8 = b's';
pub(crate) const TOKEN: u8 = b't';
pub(crate) const VERSION: u8 = b'v';
pub(crate) const SOURCE: u8 = b'x';

const ESCAPED: u8 = 0xff;
const END: u8 = 0x01;
/// Above [`END`] and below [`ESCAPED`]: makes the smallest row key after all versions of a key.
const AFTER_END: u8 = 0x02;
/// Inverted effective and inverted sequence.
const VERSION_TAIL: usize = 16;

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    row.push(tag);
    for part in parts {
        row.extend_from_slice(part);
    }
    row
}

pub(crate) fn bad(sequence: Sequence) -> Vec<u8> {
    tagged(BAD, &[&sequence.as_u64().to_be_bytes()])
}

pub(crate) fn control(sequence: u64) -> Vec<u8> {
    tagged(CONTROL, &[&sequence.to_be_bytes()])
}

/// The erasure that the control record `sequence` tells of.
pub(crate) fn erasure(sequence: u64) -> Vec<u8> {
    tagged(ERASURE, &[&sequence.to_be_bytes()])
}

pub(crate) fn parse_erasure(row: &[u8]) -> Result<u64> {
    let mut row = Decoder::new(row, "erasure key");
    row.byte()?;
    let sequence = u64::from_be_bytes(row.array()?);
    row.finish()?;
    Ok(sequence)
}

pub(crate) fn idempotency(hash: &[u8; 16]) -> Vec<u8> {
    tagged(IDEMPOTENCY, &[hash])
}

pub(crate) fn idempotency_order(accepted: Timestamp, hash: &[u8; 16]) -> Vec<u8> {
    tagged(IDEMPOTENCY_ORDER, &[&accepted.as_micros().to_be_bytes(), hash])
}

/// The first and the one after the last row of the outcomes accepted at one moment.
pub(crate) fn idempotency_order_at(accepted: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let micros = accepted.as_micros();
    let row = |micros: u64| tagged(IDEMPOTENCY_ORDER, &[&micros.to_be_bytes()]);
    (row(micros), row(micros + 1))
}

pub(crate) fn parse_idempotency_order(row: &[u8]) -> Result<(Timestamp, [u8; 16])> {
    let mut row = Decoder::new(row, "idempotency order");
    row.byte()?;
    let micros = u64::from_be_bytes(row.array()?);
    let accepted =
        Timestamp::from_micros(micros).ok_or_else(|| row.bad("has a time out of range"))?;
    let hash = row.array()?;
    row.finish()?;
    Ok((accepted, hash))
}

pub(crate) fn log(effective: Timestamp, sequence: Sequence) -> Vec<u8> {
    let (effective, sequence) = (effective.as_micros(), sequence.as_u64());
    tagged(LOG, &[&effective.to_be_bytes(), &sequence.to_be_bytes()])
}

pub(crate) fn parse_log(row: &[u8]) -> Result<(Timestamp, Sequence)> {
    let mut row = Decoder::new(row, "log key");
    row.byte()?;
    let effective = Timestamp::from_micros(u64::from_be_bytes(row.array()?));
    let sequence = Sequence::new(u64::from_be_bytes(row.array()?));
    let place = effective.zip(sequence).ok_or_else(|| row.bad("is out of range"))?;
    row.finish()?;
    Ok(place)
}

pub(crate) fn meta(name: &str) -> Vec<u8> {
    tagged(META, &[name.as_bytes()])
}

pub(crate) fn pin(name: &str) -> Vec<u8> {
    tagged(PIN, &[name.as_bytes()])
}

pub(crate) fn planned(release: &str) -> Vec<u8> {
    tagged(PLANNED, &[release.as_bytes()])
}

pub(crate) fn release(name: &str) -> Vec<u8> {
    tagged(RELEASE, &[name.as_bytes()])
}

pub(crate) fn sequence(sequence: Sequence) -> Vec<u8> {
    tagged(SEQUENCE, &[&sequence.as_u64().to_be_bytes()])
}

pub(crate) fn parse_sequence(row: &[u8]) -> Result<Sequence> {
    let mut row = Decoder::new(row, "commit id");
    row.byte()?;
    let sequence = Sequence::new(u64::from_be_bytes(row.array()?));
    let sequence = sequence.ok_or_else(|| row.bad("is out of range"))?;
    row.finish()?;
    Ok(sequence)
}

pub(crate) fn space(space: SpaceId) -> Vec<u8> {
    tagged(SPACE, &[&space.0.to_be_bytes()])
}

pub(crate) fn parse_space(row: &[u8]) -> Result<SpaceId> {
    let mut row = Decoder::new(row, "space key");
    row.byte()?;
    let id = u32::from_be_bytes(row.array()?);
    row.finish()?;
    Ok(SpaceId(id))
}

pub(crate) fn source(space: SpaceId, id: &str) -> Vec<u8> {
    tagged(SOURCE, &[&space.0.to_be_bytes(), id.as_bytes()])
}

pub(crate) fn token(name: &str) -> Vec<u8> {
    tagged(TOKEN, &[name.as_bytes()])
}

/// All versions of one key: the part of their row keys that they share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VersionsOf(Vec<u8>);

impl VersionsOf {
    pub(crate) fn new(space: SpaceId, key: &Key) -> Self {
        let key = key.as_str().as_bytes();
        let mut row = Vec::with_capacity(1 + 4 + key.len() + 2 + VERSION_TAIL);
        row.push(VERSION);
        row.extend_from_slice(&space.0.to_be_bytes());
        escape_into(&mut row, key);
        row.extend_from_slice(&[0, END]);
        Self(row)
    }

    /// The first row key after all of its versions.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut row = self.0.clone();
        row.pop();
        row.push(AFTER_END);
        row
    }

    /// The row of one version.
    pub(crate) fn row(&self, effective: Timestamp, sequence: Sequence) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.0.len() + VERSION_TAIL);
        row.extend_from_slice(&self.0);
        row.extend_from_slice(&(u64::MAX - effective.as_micros()).to_be_bytes());
        row.extend_from_slice(&(u64::MAX - sequence.as_u64()).to_be_bytes());
        row
    }

    /// The row of the mark that the key was erased: before all of its versions in time, so that it
    /// is the version at every moment once the others are gone.
    pub(crate) fn mark(&self) -> Vec<u8> {
        self.row(Timestamp::MIN, Sequence::ZERO)
    }

    /// As [`at`](Self::at), in the memory that it has.
    pub(crate) fn into_at(self, at: Timestamp) -> VersionsAt {
        let mut row = self.0;
        let shared = row.len();
        row.extend_from_slice(&(u64::MAX - at.as_micros()).to_be_bytes());
        row.extend_from_slice(&(u64::MAX - Sequence::MAX.as_u64()).to_be_bytes());
        VersionsAt { row, shared }
    }

    /// Where the versions at or below `at` begin: seeking forward from here finds the one at `at`.
    pub(crate) fn at(&self, at: Timestamp) -> Vec<u8> {
        self.row(at, Sequence::MAX)
    }
}

/// Where the versions of one key at or below some moment begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct VersionsAt {
    row: Vec<u8>,
    /// Length of the part that all versions of the key share.
    shared: usize,
}

impl VersionsAt {
    /// The row key to seek.
    pub(crate) fn row(&self) -> &[u8] {
        &self.row
    }

    /// Whether `row` is that of a version of the key.
    pub(crate) fn covers(&self, row: &[u8]) -> bool {
        self.row.get(..self.shared) == row.get(..self.shared)
    }
}

/// The first row key of a space's versions whose keys begin with `prefix`.
pub(crate) fn versions_from(space: SpaceId, prefix: &str) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + 4 + prefix.len());
    row.push(VERSION);
    row.extend_from_slice(&space.0.to_be_bytes());
    escape_into(&mut row, prefix.as_bytes());
    row
}

/// The first row key after all of a space's versions.
pub(crate) fn versions_end(space: SpaceId) -> Vec<u8> {
    match space.0.checked_add(1) {
        Some(next) => tagged(VERSION, &[&next.to_be_bytes()]),
        None => vec![VERSION + 1],
    }
}

/// The parts of a version's row key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VersionRow<'a> {
    pub(crate) space: SpaceId,
    /// The key's bytes, still escaped, without the end mark.
    pub(crate) escaped: &'a [u8],
    pub(crate) effective: Timestamp,
    pub(crate) sequence: Sequence,
}

impl<'a> VersionRow<'a> {
    pub(crate) fn parse(row: &'a [u8]) -> Result<Self> {
        let mut parts = Decoder::new(row, "version key");
        parts.byte()?;
        let space = SpaceId(u32::from_be_bytes(parts.array()?));
        let rest = parts.rest();
        let bad = || Decoder::new(row, "version key").bad("is malformed");
        let (key, tail) = rest
            .len()
            .checked_sub(VERSION_TAIL)
            .and_then(|at| rest.split_at_checked(at))
            .ok_or_else(bad)?;
        let escaped = key.strip_suffix(&[0, END]).ok_or_else(bad)?;
        let mut tail = Decoder::new(tail, "version key");
        let effective = Timestamp::from_micros(u64::MAX - u64::from_be_bytes(tail.array()?));
        let sequence = Sequence::new(u64::MAX - u64::from_be_bytes(tail.array()?));
        let (effective, sequence) = effective.zip(sequence).ok_or_else(bad)?;
        Ok(Self { space, escaped, effective, sequence })
    }

    /// The key itself.
    pub(crate) fn key(&self) -> Result<Key> {
        let unescaped;
        let bytes = if self.escaped.contains(&0) {
            unescaped = unescape(self.escaped)?;
            &unescaped
        } else {
            self.escaped
        };
        Key::from_bytes(bytes)
            .map_err(|error| Decoder::new(&[], "version key").bad(error.message()))
    }
}

fn escape_into(row: &mut Vec<u8>, key: &[u8]) {
    if key.contains(&0) {
        for &byte in key {
            row.push(byte);
            if byte == 0 {
                row.push(ESCAPED);
            }
        }
    } else {
        row.extend_from_slice(key);
    }
}

fn unescape(escaped: &[u8]) -> Result<Vec<u8>> {
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        if byte == 0 && bytes.next() != Some(&ESCAPED) {
            return Err(Decoder::new(&[], "version key").bad("has a bad escape"));
        }
        key.push(byte);
    }
    Ok(key)
}
