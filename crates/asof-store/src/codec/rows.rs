//! Row values: the records behind the row keys.

use core::time::Duration;

use asof_time::{Epoch, Sequence, Timestamp};

use super::keys::SpaceId;
use super::{Decoder, Encoder};
use crate::{
    Actor, BadCommit, Cap, ContentHash, ContentType, ControlAction, ControlRecord, Erasable,
    ImportProgress, Key, Pin, Result, Retention, Role, Scope, SpaceName, Token, TokenHash, Value,
    Written,
};

/// What the store is: written once, when it is made, restored or upgraded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) layout: u64,
    pub(crate) epoch: Epoch,
    pub(crate) created: Timestamp,
}

impl Identity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::default();
        row.number(self.layout).number(self.epoch.as_u64()).moment(self.created);
        row.finish()
    }

    /// The layout comes first and is checked by the caller before anything else is believed.
    pub(crate) fn decode_layout(row: &[u8]) -> Result<u64> {
        Decoder::new(row, "identity").number()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "identity");
        let layout = row.number()?;
        let epoch = Epoch::from_random(row.number()?);
        let created = row.moment()?;
        row.finish()?;
        Ok(Self { layout, epoch, created })
    }
}

/// A moment alone: the ceiling, the floor of the log, the place of a commit.
pub(crate) fn encode_moment(at: Timestamp) -> Vec<u8> {
    at.as_micros().to_be_bytes().to_vec()
}

pub(crate) fn decode_moment(row: &[u8], what: &'static str) -> Result<Timestamp> {
    let mut row = Decoder::new(row, what);
    let at = Timestamp::from_micros(u64::from_be_bytes(row.array()?))
        .ok_or_else(|| row.bad("holds a time out of range"))?;
    row.finish()?;
    Ok(at)
}

/// What a version row holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VersionValue<'a> {
    Deleted,
    Put {
        hash: ContentHash,
        content_type: &'a str,
        bytes: &'a [u8],
    },
    /// The mark in place of all versions of a key: it was erased, by the control record of this
    /// sequence, at this wall time.
    Erased {
        sequence: u64,
        at: Timestamp,
    },
}

const DELETED: u8 = 0;
const PUT: u8 = 1;
const ERASED: u8 = 2;

impl<'a> VersionValue<'a> {
    pub(crate) fn encode_deleted() -> Vec<u8> {
        vec![DELETED]
    }

    pub(crate) fn encode_put(hash: &ContentHash, value: &Value) -> Vec<u8> {
        let content_type = value.content_type.as_str();
        let mut row = Encoder::with_capacity(1 + 32 + 2 + content_type.len() + value.bytes.len());
        row.byte(PUT).raw(hash.as_bytes()).text(content_type).raw(&value.bytes);
        row.finish()
    }

    pub(crate) fn encode_erased(sequence: u64, at: Timestamp) -> Vec<u8> {
        let mut row = Encoder::default();
        row.byte(ERASED).number(sequence).moment(at);
        row.finish()
    }

    /// Hash and size of what it holds.
    pub(crate) fn content(&self) -> Written {
        match self {
            Self::Deleted => Written::Deleted,
            Self::Put { hash, bytes, .. } => Written::Put(*hash, bytes.len() as u64),
            Self::Erased { .. } => Written::Erased,
        }
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "version");
        match row.byte()? {
            DELETED => {
                row.finish()?;
                Ok(Self::Deleted)
            }
            PUT => {
                let hash = ContentHash::from_bytes(row.array()?);
                let content_type = row.text()?;
                Ok(Self::Put { hash, content_type, bytes: row.rest() })
            }
            ERASED => {
                let (sequence, at) = (row.number()?, row.moment()?);
                row.finish()?;
                Ok(Self::Erased { sequence, at })
            }
            _ => Err(row.bad("is of an unknown kind")),
        }
    }
}

/// A content type that was checked when it was written.
pub(crate) fn stored_content_type(text: &str) -> Result<ContentType> {
    ContentType::new(text).map_err(|error| Decoder::new(&[], "version").bad(error.message()))
}

/// A commit in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogRecord {
    pub(crate) accepted: Timestamp,
    pub(crate) author: String,
    pub(crate) message: String,
    pub(crate) opened: Vec<SpaceId>,
    pub(crate) source: Option<LogSource>,
    pub(crate) backfilled: bool,
    pub(crate) writes: Vec<LogWrite>,
}

/// Where a commit was imported from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogSource {
    pub(crate) space: SpaceId,
    pub(crate) id: String,
    pub(crate) at: Timestamp,
}

/// One write of a commit; the value is in the version row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogWrite {
    pub(crate) space: SpaceId,
    pub(crate) key: Key,
    pub(crate) content: Written,
}

const HAS_SOURCE: u8 = 1;
const BACKFILLED: u8 = 2;

impl LogRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::with_capacity(
            64 + self.message.len()
                + self.writes.iter().map(|write| write.key.as_str().len() + 44).sum::<usize>(),
        );
        let source = if self.source.is_some() { HAS_SOURCE } else { 0 };
        let backfilled = if self.backfilled { BACKFILLED } else { 0 };
        row.byte(source | backfilled).moment(self.accepted);
        row.text(&self.author).text(&self.message);
        row.number(self.opened.len() as u64);
        for space in &self.opened {
            row.number(u64::from(space.0));
        }
        if let Some(source) = &self.source {
            row.number(u64::from(source.space.0)).text(&source.id).moment(source.at);
        }
        row.number(self.writes.len() as u64);
        for write in &self.writes {
            row.number(u64::from(write.space.0)).text(write.key.as_str());
            match &write.content {
                Written::Deleted => row.byte(DELETED),
                Written::Put(hash, len) => row.byte(PUT).raw(hash.as_bytes()).number(*len),
                Written::Erased => row.byte(ERASED),
            };
        }
        row.finish()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "log");
        let flags = row.byte()?;
        if flags & !(HAS_SOURCE | BACKFILLED) != 0 {
            return Err(row.bad("has unknown flags"));
        }
        let accepted = row.moment()?;
        let author = row.text()?.to_owned();
        let message = row.text()?.to_owned();
        let opened = (0..row.count()?).map(|_| space_id(&mut row)).collect::<Result<_>>()?;
        let source = if flags & HAS_SOURCE == 0 {
            None
        } else {
            let space = space_id(&mut row)?;
            Some(LogSource { space, id: row.text()?.to_owned(), at: row.moment()? })
        };
        let writes = (0..row.count()?).map(|_| log_write(&mut row)).collect::<Result<_>>()?;
        row.finish()?;
        let backfilled = flags & BACKFILLED != 0;
        Ok(Self { accepted, author, message, opened, source, backfilled, writes })
    }
}

fn space_id(row: &mut Decoder<'_>) -> Result<SpaceId> {
    let id = row.number()?;
    u32::try_from(id).map(SpaceId).map_err(|_| row.bad("holds a space number out of range"))
}

fn log_write(row: &mut Decoder<'_>) -> Result<LogWrite> {
    let space = space_id(row)?;
    let key = Key::new(row.text()?).map_err(|error| row.bad(error.message()))?;
    let content = match row.byte()? {
        DELETED => Written::Deleted,
        PUT => Written::Put(ContentHash::from_bytes(row.array()?), row.number()?),
        ERASED => Written::Erased,
        _ => return Err(row.bad("holds a write of an unknown kind")),
    };
    Ok(LogWrite { space, key, content })
}

/// Where a commit is: behind its id, its source id or its idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) effective: Timestamp,
    pub(crate) sequence: Sequence,
}

impl Place {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::default();
        row.moment(self.effective).number(self.sequence.as_u64());
        row.finish()
    }

    pub(crate) fn decode(row: &[u8], what: &'static str) -> Result<Self> {
        let mut row = Decoder::new(row, what);
        let place = Self { effective: row.moment()?, sequence: row.sequence()? };
        row.finish()?;
        Ok(place)
    }
}

/// The outcome of a request that carried an idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    /// Hash of the whole request, to notice a key used for another one; `None` where a key that
    /// it wrote was erased since, as the hash would tell whether a guess at the value is right.
    pub(crate) request: Option<[u8; 32]>,
    pub(crate) place: Place,
    pub(crate) accepted: Timestamp,
}

/// In place of the hash of a request that was erased. No request is known that has it.
const NO_REQUEST: [u8; 32] = [0; 32];

impl Outcome {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::default();
        row.raw(&self.request.unwrap_or(NO_REQUEST)).moment(self.place.effective);
        row.number(self.place.sequence.as_u64()).moment(self.accepted);
        row.finish()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "idempotency");
        let request = Some(row.array()?).filter(|request| *request != NO_REQUEST);
        let place = Place { effective: row.moment()?, sequence: row.sequence()? };
        let accepted = row.moment()?;
        row.finish()?;
        Ok(Self { request, place, accepted })
    }
}

/// A space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SpaceRecord {
    pub(crate) name: SpaceName,
    pub(crate) state: crate::SpaceState,
    pub(crate) retention: Retention,
    pub(crate) floor: Timestamp,
    /// From which moment on the instants of sparse retention are whole.
    pub(crate) sparse_since: Timestamp,
    pub(crate) erasable: Erasable,
}

const IMPORTING: u8 = 0;
const LIVE: u8 = 1;
const KEEP_ALL: u8 = 0;
const KEEP_FOR: u8 = 1;
const SPARSE: u8 = 2;

impl SpaceRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::default();
        row.text(self.name.as_str());
        match &self.state {
            crate::SpaceState::Importing(progress) => {
                row.byte(IMPORTING).number(progress.commits);
                match progress.last_at {
                    None => row.byte(0),
                    Some(at) => row.byte(1).moment(at),
                };
                row.text(&progress.last_source_id);
            }
            crate::SpaceState::Live { since } => {
                row.byte(LIVE).moment(*since);
            }
        }
        match self.retention {
            Retention::KeepAll => row.byte(KEEP_ALL),
            Retention::KeepFor(age) => row.byte(KEEP_FOR).number(age.as_secs()),
            Retention::Sparse { dense, every } => {
                row.byte(SPARSE).number(dense.as_secs()).number(every.as_secs())
            }
        };
        row.moment(self.floor).moment(self.sparse_since);
        // Last, and only where it is so: rows of layouts 1 and 2 end before it.
        if self.erasable == Erasable::Yes {
            row.byte(1);
        }
        row.finish()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "space");
        let name = SpaceName::new(row.text()?).map_err(|error| row.bad(error.message()))?;
        let state = match row.byte()? {
            IMPORTING => {
                let commits = row.number()?;
                let last_at = if row.byte()? == 0 { None } else { Some(row.moment()?) };
                let last_source_id = row.text()?.to_owned();
                crate::SpaceState::Importing(ImportProgress { commits, last_at, last_source_id })
            }
            LIVE => crate::SpaceState::Live { since: row.moment()? },
            _ => return Err(row.bad("is in an unknown state")),
        };
        let retention = match row.byte()? {
            KEEP_ALL => Retention::KeepAll,
            KEEP_FOR => Retention::KeepFor(Duration::from_secs(row.number()?)),
            SPARSE => Retention::Sparse {
                dense: Duration::from_secs(row.number()?),
                every: Duration::from_secs(row.number()?),
            },
            _ => return Err(row.bad("has an unknown retention")),
        };
        if matches!(retention, Retention::Sparse { every, .. } if every.is_zero()) {
            return Err(row.bad("keeps instants that are no distance apart"));
        }
        let floor = row.moment()?;
        let sparse_since = row.moment()?;
        let erasable = match row.is_empty() {
            true => Erasable::No,
            false if row.byte()? == 1 => Erasable::Yes,
            false => return Err(row.bad("can be erased from in an unknown way")),
        };
        row.finish()?;
        Ok(Self { name, state, retention, floor, sparse_since, erasable })
    }
}

pub(crate) fn encode_control(record: &ControlRecord) -> Vec<u8> {
    let mut row = Encoder::default();
    row.byte(record.action.code()).moment(record.at);
    row.text(&record.by.name).text(&record.by.reason);
    row.text(&record.subject).text(&record.detail);
    row.finish()
}

pub(crate) fn decode_control(key: &[u8], row: &[u8]) -> Result<ControlRecord> {
    let mut key = Decoder::new(key, "control key");
    key.byte()?;
    let sequence = u64::from_be_bytes(key.array()?);
    key.finish()?;
    let mut row = Decoder::new(row, "control");
    let action = ControlAction::from_code(row.byte()?)?;
    let at = row.moment()?;
    let by = Actor { name: row.text()?.to_owned(), reason: row.text()?.to_owned() };
    let subject = row.text()?.to_owned();
    let detail = row.text()?.to_owned();
    row.finish()?;
    Ok(ControlRecord { sequence, at, by, action, subject, detail })
}

/// The expiry comes last and only where there is one: rows of layout 1 end before it.
pub(crate) fn encode_cap(cap: &Cap) -> Vec<u8> {
    let mut row = Encoder::default();
    row.moment(cap.at).moment(cap.set).text(&cap.by.name).text(&cap.by.reason);
    if let Some(expires) = cap.expires {
        row.moment(expires);
    }
    row.finish()
}

pub(crate) fn decode_cap(row: &[u8]) -> Result<Cap> {
    let mut row = Decoder::new(row, "cap");
    let (at, set) = (row.moment()?, row.moment()?);
    let by = Actor { name: row.text()?.to_owned(), reason: row.text()?.to_owned() };
    let expires = if row.is_empty() { None } else { Some(row.moment()?) };
    row.finish()?;
    Ok(Cap { at, by, set, expires })
}

pub(crate) fn encode_bad(bad: &BadCommit) -> Vec<u8> {
    let mut row = Encoder::default();
    row.number(bad.commit.as_u64()).moment(bad.effective).moment(bad.marked);
    row.text(&bad.by.name).text(&bad.by.reason);
    row.finish()
}

pub(crate) fn decode_bad(row: &[u8]) -> Result<BadCommit> {
    let mut row = Decoder::new(row, "bad commit");
    let commit = row.sequence()?;
    let (effective, marked) = (row.moment()?, row.moment()?);
    let by = Actor { name: row.text()?.to_owned(), reason: row.text()?.to_owned() };
    row.finish()?;
    Ok(BadCommit { commit, effective, by, marked })
}

/// An erasure, but for its sequence, which is in the row's key, and its space's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ErasureRecord {
    pub(crate) space: SpaceId,
    pub(crate) key: Key,
    pub(crate) at: Timestamp,
    pub(crate) by: Actor,
    pub(crate) versions: u64,
    pub(crate) bytes: u64,
}

impl ErasureRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Encoder::default();
        row.number(u64::from(self.space.0)).text(self.key.as_str()).moment(self.at);
        row.text(&self.by.name).text(&self.by.reason);
        row.number(self.versions).number(self.bytes);
        row.finish()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self> {
        let mut row = Decoder::new(row, "erasure");
        let space = space_id(&mut row)?;
        let key = Key::new(row.text()?).map_err(|error| row.bad(error.message()))?;
        let at = row.moment()?;
        let by = Actor { name: row.text()?.to_owned(), reason: row.text()?.to_owned() };
        let (versions, bytes) = (row.number()?, row.number()?);
        row.finish()?;
        Ok(Self { space, key, at, by, versions, bytes })
    }
}

pub(crate) fn encode_pin(pin: &Pin) -> Vec<u8> {
    let mut row = Encoder::default();
    row.text(&pin.name).text(&pin.owner).text(&pin.reason).moment(pin.at).moment(pin.expires);
    row.finish()
}

pub(crate) fn decode_pin(row: &[u8]) -> Result<Pin> {
    let mut row = Decoder::new(row, "pin");
    let pin = Pin {
        name: row.text()?.to_owned(),
        owner: row.text()?.to_owned(),
        reason: row.text()?.to_owned(),
        at: row.moment()?,
        expires: row.moment()?,
    };
    row.finish()?;
    Ok(pin)
}

pub(crate) fn encode_token(token: &Token) -> Vec<u8> {
    let mut row = Encoder::default();
    row.text(&token.name).byte(match token.role {
        Role::Reader => 1,
        Role::Writer => 2,
        Role::Operator => 3,
    });
    match &token.scope {
        Scope::All => {
            row.byte(0);
        }
        Scope::Spaces(spaces) => {
            row.byte(1).number(spaces.len() as u64);
            for space in spaces {
                row.text(space.as_str());
            }
        }
    }
    row.raw(&token.hash.0).moment(token.created);
    row.finish()
}

pub(crate) fn decode_token(row: &[u8]) -> Result<Token> {
    let mut row = Decoder::new(row, "token");
    let name = row.text()?.to_owned();
    let role = match row.byte()? {
        1 => Role::Reader,
        2 => Role::Writer,
        3 => Role::Operator,
        _ => return Err(row.bad("has an unknown role")),
    };
    let scope = match row.byte()? {
        0 => Scope::All,
        1 => Scope::Spaces(
            (0..row.count()?)
                .map(|_| SpaceName::new(row.text()?).map_err(|error| row.bad(error.message())))
                .collect::<Result<_>>()?,
        ),
        _ => return Err(row.bad("has an unknown scope")),
    };
    let hash = TokenHash(row.array()?);
    let created = row.moment()?;
    row.finish()?;
    Ok(Token { name, role, scope, hash, created })
}
