//! Coordinates as JSON carries them.

use core::fmt;
use core::str::FromStr;

use asof_time::{Epoch, Sequence, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::Contract, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A timestamp. Written as an integer of microseconds; read from an integer or from RFC 3339.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment(pub Timestamp);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_micros())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentVisitor;
        impl Visitor<'_> for MomentVisitor {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a timestamp: an integer of microseconds below 2^53, or RFC 3339")
            }

            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Moment, E> {
                Timestamp::from_micros(micros)
                    .map(Moment)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(micros), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                text.parse().map(Moment).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(MomentVisitor)
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let micros = json_schema!({
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "maximum": Timestamp::MAX.as_micros(),
            "description": "Microseconds since 1970-01-01T00:00:00Z",
        });
        match generator.contract() {
            Contract::Serialize => micros,
            _ => json_schema!({
                "oneOf": [micros, { "type": "string", "format": "date-time" }],
            }),
        }
    }
}

/// The identity of a timeline, written as 14 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EpochId(pub Epoch);

impl From<Epoch> for EpochId {
    fn from(epoch: Epoch) -> Self {
        Self(epoch)
    }
}

impl From<EpochId> for Epoch {
    fn from(id: EpochId) -> Self {
        id.0
    }
}

impl Serialize for EpochId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EpochId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for EpochId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EpochId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{14}$",
            "description": "Identity of a timeline; a restore starts a new one",
        })
    }
}

/// The id of a commit: its place in the order of acceptance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommitId(pub Sequence);

impl From<Sequence> for CommitId {
    fn from(sequence: Sequence) -> Self {
        Self(sequence)
    }
}

impl From<CommitId> for Sequence {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl Serialize for CommitId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_u64())
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sequence::new(u64::deserialize(deserializer)?)
            .map(Self)
            .ok_or_else(|| de::Error::custom("a commit id is below 2^53"))
    }
}

impl JsonSchema for CommitId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CommitId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "maximum": Sequence::MAX.as_u64(),
        })
    }
}

/// How far a follower has come. Opaque: take it from the feed or a listing and hand it back.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Cursor(pub String);

impl Cursor {
    /// The cursor that follows on from a snapshot at `at`, taken when the store's last control
    /// record had the number `control`.
    pub fn after_snapshot(at: Timestamp, control: u64) -> Self {
        Self(format!("{}.{}.{control}", at.as_micros(), Sequence::MAX))
    }

    /// The same in the timeline `epoch`: refused by a store that has begun another one since.
    pub fn after_snapshot_of(epoch: Epoch, at: Timestamp, control: u64) -> Self {
        Self(format!("{epoch}.{}", Self::after_snapshot(at, control)))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// BLAKE3-256 of a value's bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The digits of a hash, by value of half a byte.
const HEX: &[u8; 16] = b"0123456789abcdef";

impl Hash {
    /// Its 64 digits.
    pub fn to_hex(self) -> [u8; 64] {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = digit(byte >> 4);
                *low = digit(byte & 15);
            }
        }
        hex
    }
}

fn digit(half: u8) -> u8 {
    HEX.get(usize::from(half)).copied().unwrap_or(b'0')
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_hex().iter().try_for_each(|digit| fmt::Write::write_char(f, char::from(*digit)))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says that a text is not a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseHashError;

impl fmt::Display for ParseHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a content hash is 64 hexadecimal digits")
    }
}

impl core::error::Error for ParseHashError {}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        if text.len() != 64 {
            return Err(ParseHashError);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = core::str::from_utf8(pair).map_err(|_| ParseHashError)?;
            if pair.starts_with('+') {
                return Err(ParseHashError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ParseHashError)?;
        }
        Ok(Self(hash))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = self.to_hex();
        serializer.serialize_str(core::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Hash {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "BLAKE3-256 of the bytes",
        })
    }
}
