//! Bodies of the fuzz targets: each takes any bytes and panics where a promise does not hold.
//!
//! Only there with the feature `fuzzing`, and in this crate's own tests, which run them seeded.

use core::fmt::{Debug, Display};
use core::ops::{Bound, ControlFlow};
use core::str::FromStr;

use asof_env::SystemClock;
use asof_time::{Epoch, Sequence, Timestamp};

use crate::codec::keys::{self, SpaceId, VersionRow, VersionsOf};
use crate::codec::rows::{
    self, ErasureRecord, Identity, LogRecord, Outcome, Place, SpaceRecord, VersionValue,
};
use crate::engine::{Batch, Direction, Durability, Engine as _, MemoryEngine};
use crate::{
    Actor, ContentHash, ContentType, Cursor, Key, Options, Result, SpaceName, backup, restore,
};

/// Decodes any bytes as any record. What decodes comes back from its own encoding.
pub fn codecs(data: &[u8]) {
    let Some((kind, row)) = data.split_first() else {
        return;
    };
    match kind % 12 {
        0 => comes_back(row, Identity::decode, Identity::encode),
        1 => comes_back(row, LogRecord::decode, LogRecord::encode),
        2 => comes_back(row, Outcome::decode, Outcome::encode),
        3 => comes_back(row, SpaceRecord::decode, SpaceRecord::encode),
        4 => comes_back(row, rows::decode_cap, rows::encode_cap),
        5 => comes_back(row, rows::decode_pin, rows::encode_pin),
        6 => comes_back(row, rows::decode_token, rows::encode_token),
        7 => comes_back(row, |row| Place::decode(row, "place"), Place::encode),
        8 => {
            let key = keys::control(7);
            comes_back(row, |row| rows::decode_control(&key, row), rows::encode_control);
        }
        9 => comes_back(row, rows::decode_bad, rows::encode_bad),
        10 => comes_back(row, ErasureRecord::decode, ErasureRecord::encode),
        _ => version_value(row),
    }
}

fn comes_back<T: PartialEq + Debug>(
    row: &[u8],
    decode: impl Fn(&[u8]) -> Result<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(record) = decode(row) {
        assert_eq!(decode(&encode(&record)).as_ref(), Ok(&record));
    }
}

fn version_value(row: &[u8]) {
    match VersionValue::decode(row) {
        Ok(VersionValue::Deleted) => assert_eq!(row, VersionValue::encode_deleted()),
        Ok(decoded @ VersionValue::Put { hash, content_type, bytes }) => {
            let Ok(content_type) = ContentType::new(content_type) else {
                return;
            };
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            let again = VersionValue::encode_put(&hash, &crate::Value { content_type, bytes });
            assert_eq!(VersionValue::decode(&again), Ok(decoded));
        }
        Ok(VersionValue::Erased { sequence, at }) => {
            let again = VersionValue::encode_erased(sequence, at);
            assert_eq!(VersionValue::decode(&again), VersionValue::decode(row));
        }
        Err(_) => {}
    }
}

/// Row keys of versions: any bytes parse or do not; made ones come back; and their order is the
/// order of (space, key, newest first).
pub fn version_keys(data: &[u8]) {
    let _ = VersionRow::parse(data).and_then(|row| row.key());
    let _ = keys::parse_log(data);
    let _ = keys::parse_sequence(data);
    let _ = keys::parse_space(data);
    let _ = keys::parse_idempotency_order(data);
    let (one, other) = data.split_at(data.len() / 2);
    let (Some(one), Some(other)) = (Version::from(one), Version::from(other)) else {
        return;
    };
    for version in [&one, &other] {
        let row = version.row();
        let parsed = VersionRow::parse(&row);
        let parsed = parsed.and_then(|row| {
            let (space, effective, sequence) = (row.space, row.effective, row.sequence);
            row.key().map(|key| Version { space, key, effective, sequence })
        });
        assert_eq!(parsed.as_ref(), Ok(version));
        let versions = VersionsOf::new(version.space, &version.key);
        assert!(versions.at(version.effective) <= row && row < versions.end());
        let first = keys::versions_from(version.space, "");
        assert!(first <= row && row < keys::versions_end(version.space));
    }
    assert_eq!(one.row().cmp(&other.row()), one.order().cmp(&other.order()));
}

#[derive(PartialEq, Eq, Debug)]
struct Version {
    space: SpaceId,
    key: Key,
    effective: Timestamp,
    sequence: Sequence,
}

impl Version {
    fn from(data: &[u8]) -> Option<Self> {
        let (numbers, key) = data.split_first_chunk::<5>()?;
        let [space, near, effective, sequence, end] = numbers.map(u64::from);
        let far = Timestamp::MAX.as_micros() - 255;
        Some(Self {
            space: SpaceId(
                u32::try_from(space % 3).ok()? + if end == 0 { u32::MAX - 2 } else { 0 },
            ),
            key: Key::from_bytes(key).ok()?,
            effective: Timestamp::from_micros(effective + if near % 2 == 0 { 0 } else { far })?,
            sequence: Sequence::new(sequence)?,
        })
    }

    fn row(&self) -> Vec<u8> {
        VersionsOf::new(self.space, &self.key).row(self.effective, self.sequence)
    }

    fn order(&self) -> impl Ord {
        let newest_first = core::cmp::Reverse((self.effective, self.sequence));
        (self.space, self.key.clone(), newest_first)
    }
}

/// Texts that callers hand in: what parses prints, and prints as what parses to the same.
pub fn texts(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    same_again::<Cursor>(text);
    same_again::<Timestamp>(text);
    same_again::<Epoch>(text);
    same_again::<ContentHash>(text);
    same_again::<SpaceName>(text);
    same_again::<Key>(text);
}

fn same_again<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(parsed) = text.parse::<T>() {
        assert_eq!(parsed.to_string().parse().ok(), Some(parsed));
    }
}

/// Any bytes as a backup, and any rows through one: refused or the same, never a panic. A byte
/// changed anywhere in it is noticed.
pub fn backups(data: &[u8]) {
    let nothing = &mut |_| {};
    let _ = backup::read(&mut &*data, &mut |_| Ok(()), nothing);

    let engine = MemoryEngine::new();
    let mut batch = Batch::default();
    for row in data.chunks(24) {
        let (key, value) = row.split_at(row.len() / 3);
        batch.put(key.to_vec(), value.to_vec());
    }
    commit(&engine, &batch);
    let mut stream = Vec::new();
    let told = engine.snapshot().map_err(Into::into).and_then(|snapshot| {
        let epoch = Epoch::from_random(data.len() as u64);
        backup::write(snapshot.as_ref(), epoch, Timestamp::MAX, &mut stream, nothing)
    });
    let copy = MemoryEngine::new();
    let mut take = |batch: Batch| {
        commit(&copy, &batch);
        Ok(())
    };
    assert_eq!(backup::read(&mut stream.as_slice(), &mut take, nothing), told);
    assert_eq!(all(&copy), all(&engine));
    // Rows that are no store make none, whatever they are.
    let options = Options { clock: std::sync::Arc::new(SystemClock), ..Options::default() };
    let target = MemoryEngine::new();
    let _ = restore::fill(&target, &mut stream.as_slice(), &options, &Actor::default(), nothing);

    let place = data.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let len = stream.len();
    if let Some(byte) = stream.get_mut(place % len) {
        *byte ^= 1;
    }
    backup::read(&mut stream.as_slice(), &mut |_| Ok(()), nothing).expect_err("it was changed");
}

fn commit(engine: &MemoryEngine, batch: &Batch) {
    let outcome = engine.commit(batch, Durability::Durable);
    assert_eq!(outcome, Ok(()));
}

fn all(engine: &MemoryEngine) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let outcome = engine.snapshot().and_then(|snapshot| {
        let all = (Bound::Unbounded, Bound::Unbounded);
        snapshot.scan(all, Direction::Forward, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
    });
    assert_eq!(outcome, Ok(()));
    rows
}

#[cfg(test)]
mod tests;
