//! Reading everything there is, and checking that it fits together.

use core::fmt::Display;
use std::collections::HashSet;

use asof_time::{Sequence, Timestamp};

use crate::codec::keys::{self, SpaceId, VersionRow, VersionsOf};
use crate::codec::releases;
use crate::codec::rows::{self, ErasureRecord, LogRecord, Outcome, Place, VersionValue};
use crate::publish::Scene;
use crate::state::{each, get};
use crate::store::VerifyReport;
use crate::view::log;
use crate::{ContentHash, ControlAction, Error, ErrorKind, Key, Result, Written};

/// Problems told one by one; of more only the number matters.
const PROBLEMS_MAX: usize = 1_000;

/// Reads every row of `scene`, whose writer has given out no timestamp above `closed` for now.
pub(crate) fn verify(scene: &Scene, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    let mut check = Check {
        scene,
        progress,
        report: VerifyReport::default(),
        unclaimed: 0,
        erased: HashSet::new(),
    };
    check.kind(keys::ERASURE, Check::erasure)?;
    check.kind(keys::VERSION, Check::version)?;
    check.kind(keys::LOG, Check::log)?;
    if check.unclaimed > 0 {
        let count = check.unclaimed;
        check.problem(format!("{count} versions were written by no commit in the log"));
    }
    check.kind(keys::SEQUENCE, Check::sequence)?;
    check.kind(keys::SOURCE, Check::source)?;
    check.kind(keys::IDEMPOTENCY, Check::outcome)?;
    check.kind(keys::IDEMPOTENCY_ORDER, Check::outcome_order)?;
    let mut expected = 0;
    check.kind(keys::CONTROL, |_, key, row| {
        expected += 1;
        let record = rows::decode_control(key, row)?;
        if record.sequence == expected {
            return Ok(());
        }
        Err(Error::corrupt(format!("control record {} follows {}", record.sequence, expected - 1)))
    })?;
    check.kind(keys::RELEASE, Check::release)?;
    check.kind(keys::PLANNED, Check::planned)?;
    // Spaces, pins, tokens and meta were decoded when the store was opened.
    Ok(check.report)
}

struct Check<'a> {
    scene: &'a Scene,
    progress: &'a mut dyn FnMut(u64),
    report: VerifyReport,
    /// Versions found that the log must still account for: every write in the log has its own
    /// version, so equal numbers mean that each version has its write.
    unclaimed: u64,
    /// The keys that were erased.
    erased: HashSet<(SpaceId, Key)>,
}

impl Check<'_> {
    /// Checks all rows of one kind; what is wrong with one is noted and the walk goes on.
    fn kind(
        &mut self,
        tag: u8,
        mut check: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let rows = self.scene.rows.clone();
        each(rows.as_ref(), tag, &mut |key, row| {
            self.report.rows += 1;
            if self.report.rows.is_multiple_of(10_000) {
                (self.progress)(self.report.rows);
            }
            match check(self, key, row) {
                Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
                Err(error) => {
                    self.problem(format!("{}: {}", Row(key), error.message()));
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        })
    }

    fn problem(&mut self, what: String) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(what);
        }
    }

    fn version(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let version = VersionRow::parse(key)?;
        let name = version.key()?;
        let (space, _) = self.space(version.space)?;
        if VersionsOf::new(version.space, &name).row(version.effective, version.sequence) != key {
            return Err(Error::corrupt("the row's key is not what its parts make"));
        }
        let erased = self.erased.contains(&(version.space, name.clone()));
        let value = VersionValue::decode(row)?;
        if let VersionValue::Erased { sequence, .. } = value {
            // A mark of no commit.
            let erasure = keys::erasure(sequence);
            let there = self.scene.rows.get(&erasure, &mut |_| {})?;
            if there && erased && VersionsOf::new(version.space, &name).mark() == key {
                return Ok(());
            }
            return Err(Error::corrupt(format!("`{name}` in `{space}` is marked, but not erased")));
        }
        self.report.versions += 1;
        if erased {
            return Err(Error::corrupt(format!(
                "`{name}` in `{space}` is left of what was erased"
            )));
        }
        if let VersionValue::Put { hash, content_type, bytes } = value {
            rows::stored_content_type(content_type)?;
            if ContentHash::of(bytes) != hash {
                return Err(Error::corrupt(format!(
                    "the value of `{name}` in `{space}` at {} does not have its hash",
                    version.effective
                )));
            }
        }
        if version.effective >= self.scene.state.log_floor {
            self.unclaimed += 1;
        }
        Ok(())
    }

    fn space(&self, id: SpaceId) -> Result<(crate::SpaceName, Timestamp)> {
        let name = self.scene.state.name_of(id)?;
        let (_, record) = self.scene.state.known_space(name)?;
        Ok((name.clone(), record.floor))
    }

    fn release(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let release = releases::decode(row)?;
        if keys::release(&release.name) != key {
            return Err(Error::corrupt("the release has another name than its row"));
        }
        let planned = get(self.scene.rows.as_ref(), &keys::planned(&release.name))?;
        let planned = planned.ok_or_else(|| Error::corrupt("the release has no planned writes"))?;
        if releases::decode_planned(&planned)?.len() as u64 != release.plan.writes {
            return Err(Error::corrupt("the release does not have as many writes as it says"));
        }
        match release.scheduled_commit() {
            None => Ok(()),
            Some(commit) => {
                let at = rows::encode_moment(release.plan.at);
                self.points_here(&keys::sequence(commit), &at, "its commit")
            }
        }
    }

    fn planned(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        for write in releases::decode_planned(row)? {
            let space = self.scene.state.space(&write.space);
            if let Some((space, _)) = space
                && self.erased.contains(&(space, write.key.clone()))
            {
                let key = &write.key;
                return Err(Error::corrupt(format!("it writes `{key}`, which was erased")));
            }
        }
        let name = String::from_utf8_lossy(key.get(1..).unwrap_or_default());
        if self.scene.state.releases.contains_key(name.as_ref()) {
            return Ok(());
        }
        Err(Error::corrupt("planned writes of no release"))
    }

    fn log(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        self.report.commits += 1;
        let (effective, sequence) = keys::parse_log(key)?;
        let record = LogRecord::decode(row)?;
        self.points_here(&keys::sequence(sequence), &rows::encode_moment(effective), "its id")?;
        if let Some(source) = &record.source {
            let place = Place { effective, sequence }.encode();
            self.points_here(&keys::source(source.space, &source.id), &place, "its source id")?;
        }
        for space in &record.opened {
            self.space(*space)?;
        }
        for write in &record.writes {
            self.write(effective, sequence, write)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        effective: Timestamp,
        sequence: Sequence,
        write: &rows::LogWrite,
    ) -> Result<()> {
        let (space, floor) = self.space(write.space)?;
        let erased = self.erased.contains(&(write.space, write.key.clone()));
        match (write.content == Written::Erased, erased) {
            (true, true) => return Ok(()),
            (false, false) => {}
            _ => {
                let message = format!("it tells otherwise of `{}` in `{space}`", write.key);
                return Err(Error::corrupt(format!("{message} than the list of what was erased")));
            }
        }
        let key = VersionsOf::new(write.space, &write.key).row(effective, sequence);
        let Some(row) = get(self.scene.rows.as_ref(), &key)? else {
            if effective <= floor {
                return Ok(());
            }
            let message = format!("it wrote `{}` in `{space}`, but no version is there", write.key);
            return Err(Error::corrupt(message));
        };
        if VersionValue::decode(&row)?.content() != write.content {
            return Err(Error::corrupt(format!(
                "it wrote something else to `{}` in `{space}` than is there",
                write.key
            )));
        }
        if effective >= self.scene.state.log_floor {
            self.unclaimed = self.unclaimed.saturating_sub(1);
        }
        Ok(())
    }

    fn points_here(&self, key: &[u8], expected: &[u8], what: &str) -> Result<()> {
        match get(self.scene.rows.as_ref(), key)? {
            Some(row) if row == expected => Ok(()),
            Some(_) => Err(Error::corrupt(format!("{what} leads elsewhere"))),
            None => Err(Error::corrupt(format!("{what} leads nowhere"))),
        }
    }

    fn sequence(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let sequence = keys::parse_sequence(key)?;
        if row.is_empty() {
            return Ok(());
        }
        let effective = rows::decode_moment(row, "commit id")?;
        self.leads_to(Place { effective, sequence })
    }

    fn source(&mut self, _: &[u8], row: &[u8]) -> Result<()> {
        self.leads_to(Place::decode(row, "source")?)
    }

    /// Whether a commit is in the log, as far as the log is whole.
    fn leads_to(&self, place: Place) -> Result<()> {
        let key = keys::log(place.effective, place.sequence);
        if place.effective < self.scene.state.log_floor || self.scene.rows.get(&key, &mut |_| {})? {
            return Ok(());
        }
        Err(Error::corrupt(format!("it leads to commit {}, which is not there", place.sequence)))
    }

    fn outcome(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let outcome = Outcome::decode(row)?;
        let hash = key.get(1..).and_then(|hash| hash.first_chunk::<16>());
        let hash = hash.ok_or_else(|| Error::corrupt("the key is cut short"))?;
        if outcome.request.is_some() && self.wrote_erased(outcome.place.sequence)? {
            return Err(Error::corrupt("it tells of a request that wrote what was erased"));
        }
        let order = keys::idempotency_order(outcome.accepted, hash);
        self.points_here(&order, &[], "its place in the order of expiry")
    }

    /// Whether a commit wrote a key that was erased since.
    fn wrote_erased(&self, id: Sequence) -> Result<bool> {
        if self.erased.is_empty() {
            return Ok(false);
        }
        let rows = self.scene.rows.as_ref();
        match log::find(&self.scene.state, |key| get(rows, key), id) {
            Ok((_, record)) => Ok(record.writes.iter().any(|w| w.content == Written::Erased)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn erasure(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let sequence = keys::parse_erasure(key)?;
        let ErasureRecord { space, key, at, .. } = ErasureRecord::decode(row)?;
        self.space(space)?;
        let mark = VersionsOf::new(space, &key).mark();
        self.points_here(&mark, &VersionValue::encode_erased(sequence, at), "its key's mark")?;
        let told = get(self.scene.rows.as_ref(), &keys::control(sequence))?;
        let told = told.map(|row| rows::decode_control(&keys::control(sequence), &row));
        if told.transpose()?.is_none_or(|record| record.action != ControlAction::KeyErased) {
            return Err(Error::corrupt("no control record tells of it"));
        }
        if self.erased.insert((space, key)) {
            return Ok(());
        }
        Err(Error::corrupt("its key was erased before"))
    }

    fn outcome_order(&mut self, key: &[u8], _: &[u8]) -> Result<()> {
        let (_, hash) = keys::parse_idempotency_order(key)?;
        if self.scene.rows.get(&keys::idempotency(&hash), &mut |_| {})? {
            return Ok(());
        }
        Err(Error::corrupt("the outcome it stands for is not there"))
    }
}

/// Names a row for people: its kind and the rest of its key.
struct Row<'a>(&'a [u8]);

impl Display for Row<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "row {}", self.0.escape_ascii())
    }
}
