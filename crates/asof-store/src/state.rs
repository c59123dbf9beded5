//! What the store knows besides versions and log: spaces, cap, pins, tokens, releases.
//!
//! Small, held in memory whole, immutable once published. The writer changes a copy of it and
//! publishes that together with the snapshot it belongs to, so that a reader never sees a floor
//! without the rows that it promises.

use core::ops::{Bound, ControlFlow};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use asof_time::{Epoch, Sequence, Timestamp};

use crate::codec::LAYOUT_VERSION;
use crate::codec::keys::{self, SpaceId};
use crate::codec::releases;
use crate::codec::rows::{self, ErasureRecord, Identity, SpaceRecord};
use crate::engine::{Direction, KeyRange, Snapshot};
use crate::{
    BadCommit, Cap, Error, ErrorKind, Pin, Release, Result, SpaceInfo, SpaceName, SpaceState,
    StoreTime, Token,
};

pub(crate) const IDENTITY: &str = "identity";
pub(crate) const CEILING: &str = "ceiling";
pub(crate) const CAP: &str = "cap";
pub(crate) const LOG_FLOOR: &str = "log-floor";

/// The control state at some control sequence.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) epoch: Epoch,
    spaces: HashMap<SpaceName, (SpaceId, Arc<SpaceRecord>)>,
    names: BTreeMap<SpaceId, SpaceName>,
    pub(crate) cap: Option<Cap>,
    /// By their ids.
    pub(crate) bad: BTreeMap<Sequence, BadCommit>,
    pub(crate) pins: BTreeMap<String, Pin>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) releases: BTreeMap<String, Arc<Release>>,
    /// How many keys of a space were erased, where any were.
    pub(crate) erased: BTreeMap<SpaceId, u64>,
    pub(crate) control_sequence: u64,
    /// The log below this moment is no longer whole.
    pub(crate) log_floor: Timestamp,
    /// The highest floor of any space. Floors only rise, so it is kept up by each change.
    floor: Timestamp,
}

/// What a store is found to be when it is opened.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    pub(crate) state: State,
    pub(crate) ceiling: Timestamp,
    pub(crate) sequence: Sequence,
}

impl State {
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            spaces: HashMap::new(),
            names: BTreeMap::new(),
            cap: None,
            bad: BTreeMap::new(),
            pins: BTreeMap::new(),
            tokens: BTreeMap::new(),
            releases: BTreeMap::new(),
            erased: BTreeMap::new(),
            control_sequence: 0,
            log_floor: Timestamp::MIN,
            floor: Timestamp::MIN,
        }
    }

    pub(crate) fn space(&self, name: &SpaceName) -> Option<(SpaceId, &Arc<SpaceRecord>)> {
        self.spaces.get(name).map(|(id, record)| (*id, record))
    }

    /// The space, or the refusal that says there is none.
    pub(crate) fn known_space(&self, name: &SpaceName) -> Result<(SpaceId, &Arc<SpaceRecord>)> {
        self.space(name).ok_or_else(|| {
            Error::new(ErrorKind::UnknownSpace, format!("there is no space `{name}`"))
        })
    }

    /// The space, or the refusal that says it cannot be read.
    pub(crate) fn live_space(&self, name: &SpaceName) -> Result<(SpaceId, &Arc<SpaceRecord>)> {
        let (id, record) = self.known_space(name)?;
        match record.state {
            SpaceState::Live { .. } => Ok((id, record)),
            SpaceState::Importing(_) => Err(Error::new(
                ErrorKind::StillImporting,
                format!("space `{name}` is still importing; it can be read once it is live"),
            )),
        }
    }

    /// The name behind a number that a row carries.
    pub(crate) fn name_of(&self, id: SpaceId) -> Result<&SpaceName> {
        self.names
            .get(&id)
            .ok_or_else(|| Error::corrupt(format!("a row names space number {}, unknown", id.0)))
    }

    pub(crate) fn spaces(&self) -> impl Iterator<Item = (SpaceId, &SpaceRecord)> {
        self.names.iter().filter_map(|(id, name)| {
            self.spaces.get(name).map(|(_, record)| (*id, record.as_ref()))
        })
    }

    pub(crate) fn spaces_count(&self) -> usize {
        self.names.len()
    }

    /// A number that no space has had.
    pub(crate) fn next_space_id(&self) -> SpaceId {
        SpaceId(self.names.last_key_value().map_or(0, |(id, _)| id.0 + 1))
    }

    pub(crate) fn set_space(&mut self, id: SpaceId, record: SpaceRecord) {
        self.floor = self.floor.max(record.floor);
        self.names.insert(id, record.name.clone());
        self.spaces.insert(record.name.clone(), (id, Arc::new(record)));
    }

    /// At and above this moment every space can be read.
    pub(crate) fn floor(&self) -> Timestamp {
        self.floor
    }

    pub(crate) fn latest(&self, closed: Timestamp) -> Timestamp {
        self.cap.as_ref().map_or(closed, |cap| cap.at.min(closed))
    }

    /// Where a store of this state is in time.
    pub(crate) fn time(&self, closed: Timestamp) -> StoreTime {
        StoreTime {
            epoch: self.epoch,
            floor: self.floor,
            closed,
            cap: self.cap.as_ref().map(|cap| cap.at),
            latest: self.latest(closed),
        }
    }

    /// The moment that history must be kept from, because a pin or the cap holds it.
    pub(crate) fn held(&self) -> Timestamp {
        let pinned = self.pins.values().map(|pin| pin.at).min();
        let capped = self.cap.as_ref().map(|cap| cap.at);
        pinned.into_iter().chain(capped).min().unwrap_or(Timestamp::MAX)
    }

    /// The release that the pending commit `id` is.
    pub(crate) fn release_of(&self, id: Sequence) -> Option<&Release> {
        let mut releases = self.releases.values();
        releases.find(|release| release.scheduled_commit() == Some(id)).map(Arc::as_ref)
    }

    /// Reads all of it from a store; `None` where the store is empty.
    pub(crate) fn load(snapshot: &dyn Snapshot) -> Result<Option<Found>> {
        let Some(identity) = get(snapshot, &keys::meta(IDENTITY))? else {
            return Ok(None);
        };
        let layout = Identity::decode_layout(&identity)?;
        if layout > LAYOUT_VERSION {
            return Err(Error::invalid(format!(
                "the store has layout {layout}, this program reads up to {LAYOUT_VERSION}: use a \
                 newer asof"
            )));
        }
        let identity = Identity::decode(&identity)?;
        let mut state = Self::new(identity.epoch);
        each(snapshot, keys::SPACE, &mut |key, row| {
            state.set_space(keys::parse_space(key)?, SpaceRecord::decode(row)?);
            Ok(())
        })?;
        each(snapshot, keys::BAD, &mut |_, row| {
            let bad = rows::decode_bad(row)?;
            state.bad.insert(bad.commit, bad);
            Ok(())
        })?;
        each(snapshot, keys::PIN, &mut |_, row| {
            let pin = rows::decode_pin(row)?;
            state.pins.insert(pin.name.clone(), pin);
            Ok(())
        })?;
        each(snapshot, keys::TOKEN, &mut |_, row| {
            let token = rows::decode_token(row)?;
            state.tokens.insert(token.name.clone(), token);
            Ok(())
        })?;
        each(snapshot, keys::RELEASE, &mut |_, row| {
            let release = releases::decode(row)?;
            state.releases.insert(release.name.clone(), Arc::new(release));
            Ok(())
        })?;
        each(snapshot, keys::ERASURE, &mut |_, row| {
            *state.erased.entry(ErasureRecord::decode(row)?.space).or_default() += 1;
            Ok(())
        })?;
        state.cap =
            get(snapshot, &keys::meta(CAP))?.map(|row| rows::decode_cap(&row)).transpose()?;
        if let Some(row) = get(snapshot, &keys::meta(LOG_FLOOR))? {
            state.log_floor = rows::decode_moment(&row, "log floor")?;
        }
        if let Some((key, row)) = last(snapshot, keys::CONTROL)? {
            state.control_sequence = rows::decode_control(&key, &row)?.sequence;
        }
        let ceiling = get(snapshot, &keys::meta(CEILING))?
            .ok_or_else(|| Error::corrupt("the store has no ceiling"))?;
        let ceiling = rows::decode_moment(&ceiling, "ceiling")?;
        let sequence = match last(snapshot, keys::SEQUENCE)? {
            Some((key, _)) => keys::parse_sequence(&key)?,
            None => Sequence::ZERO,
        };
        Ok(Some(Found { identity, state, ceiling, sequence }))
    }
}

/// The value of one row.
pub(crate) fn get(snapshot: &dyn Snapshot, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut found = None;
    snapshot.get(key, &mut |value| found = Some(value.to_vec()))?;
    Ok(found)
}

/// Visits rows as a snapshot's own scan does, by what may fail: the first error ends the walk.
pub(crate) fn scan(
    snapshot: &dyn Snapshot,
    range: KeyRange<'_>,
    direction: Direction,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut outcome = Ok(());
    snapshot.scan(range, direction, &mut |key, value| match visit(key, value) {
        Ok(flow) => flow,
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome
}

/// Looks at one row, key and value; an error ends the walk.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Visits all rows of a kind.
pub(crate) fn each(snapshot: &dyn Snapshot, tag: u8, visit: &mut Visit<'_>) -> Result<()> {
    scan(snapshot, kind(&[tag], &[tag + 1]), Direction::Forward, |key, value| {
        visit(key, value).map(ControlFlow::Continue)
    })
}

/// The last row of a kind.
fn last(snapshot: &dyn Snapshot, tag: u8) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut found = None;
    snapshot.scan(kind(&[tag], &[tag + 1]), Direction::Backward, &mut |key, value| {
        found = Some((key.to_vec(), value.to_vec()));
        ControlFlow::Break(())
    })?;
    Ok(found)
}

fn kind<'a>(tag: &'a [u8; 1], after: &'a [u8; 1]) -> KeyRange<'a> {
    (Bound::Included(tag.as_slice()), Bound::Excluded(after.as_slice()))
}

impl From<&SpaceRecord> for SpaceInfo {
    fn from(record: &SpaceRecord) -> Self {
        Self {
            name: record.name.clone(),
            state: record.state.clone(),
            retention: record.retention,
            floor: record.floor,
            erasable: record.erasable,
        }
    }
}
