//! Which edges go by the cap, and whom they could ask for the software that is in force then.

use std::collections::BTreeMap;

use asof_api::body::{
    CapEdgeBody, CapReleaseBody, CapUpstreams, EdgeRelease, EdgeReport, EdgeStore, release_version,
};
use asof_env::BootTime;
use asof_store::{AsOf, Key, SpaceName, Store, StoreTime, View};
use asof_time::Timestamp;

use crate::edges::Edge;
use crate::limits::EDGE_LATE;

/// The edges that tell, by how they go by the cap of `store`.
pub(crate) fn edges(
    told: &BTreeMap<String, Edge>,
    store: &Store,
    now: BootTime,
) -> Vec<CapEdgeBody> {
    let time = store.time();
    told.iter().map(|(name, edge)| describe(name, edge, time, now)).collect()
}

/// As [`edges`], with the releases in force at `at`.
pub(crate) fn edges_at(
    told: &BTreeMap<String, Edge>,
    store: &Store,
    now: BootTime,
    at: Timestamp,
) -> Vec<CapEdgeBody> {
    let time = store.time();
    // Clearing a cap looks above it.
    let mut in_force = InForce { view: store.view(AsOf::Beyond(at)).ok(), known: BTreeMap::new() };
    let described = told.iter().map(|(name, edge)| CapEdgeBody {
        releases: in_force.at_edge(&edge.report, time),
        ..describe(name, edge, time, now)
    });
    described.collect()
}

fn describe(name: &str, edge: &Edge, time: StoreTime, now: BootTime) -> CapEdgeBody {
    let ours = edge.report.stores.iter().find(|store| is_ours(store, time));
    let moment = |micros: u64| Timestamp::from_micros(micros).map(Into::into);
    CapEdgeBody {
        name: name.to_owned(),
        heard: edge.heard_wall.into(),
        late: now.since(edge.heard) > EDGE_LATE,
        cap: ours.and_then(|ours| ours.cap).and_then(moment),
        through: ours.and_then(|ours| ours.through).and_then(moment),
        confirmed: ours.is_some_and(|ours| ours.cap == time.cap.map(Timestamp::as_micros)),
        releases: None,
    }
}

/// Edges call stores what they like; the timeline is nobody else's.
fn is_ours(store: &EdgeStore, time: StoreTime) -> bool {
    store.epoch.as_ref().is_some_and(|told| *told == time.epoch.to_string())
}

/// What is in force at one moment.
struct InForce {
    /// The store at that moment, where it can be read.
    view: Option<View>,
    /// What was read: several edges read the same.
    known: BTreeMap<(String, String), Read>,
}

/// A release as it was read.
#[derive(Clone)]
enum Read {
    Version(String),
    Nothing,
    Unknown,
}

impl InForce {
    /// The releases that an edge reads of this store; `None` where that is not known.
    fn at_edge(&mut self, report: &EdgeReport, time: StoreTime) -> Option<Vec<CapReleaseBody>> {
        let mut releases = Vec::new();
        for release in report.releases.as_ref()? {
            let store = report.stores.iter().find(|store| store.store == release.store)?;
            // Until it has heard of the store nobody knows which one it is.
            store.epoch.as_ref()?;
            if is_ours(store, time) {
                releases.push(self.release(release));
            }
        }
        Some(releases)
    }

    fn release(&mut self, release: &EdgeRelease) -> CapReleaseBody {
        let at = (release.space.clone(), release.key.clone());
        let view = self.view.as_ref();
        let read = self.known.entry(at).or_insert_with(|| read(view, release)).clone();
        let unstated =
            if release.unstated > 0 { CapUpstreams::Unstated } else { CapUpstreams::None };
        let (version, upstreams) = match read {
            Read::Unknown => (None, CapUpstreams::Unknown),
            Read::Nothing => (None, unstated),
            Read::Version(version) if release.versions.contains(&version) => {
                (Some(version), CapUpstreams::Own)
            }
            Read::Version(version) => (Some(version), unstated),
        };
        CapReleaseBody {
            space: release.space.clone(),
            key: release.key.clone(),
            service: release.service.clone(),
            version,
            upstreams,
        }
    }
}

fn read(view: Option<&View>, release: &EdgeRelease) -> Read {
    let read = || {
        let (space, key) = (SpaceName::new(&release.space).ok()?, Key::new(&release.key).ok()?);
        view?.get(&space, &key).ok()
    };
    match read() {
        None => Read::Unknown,
        Some(answer) => match answer.value {
            None => Read::Nothing,
            Some(value) => release_version(&value.bytes).map_or(Read::Unknown, Read::Version),
        },
    }
}
