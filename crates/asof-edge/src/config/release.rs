//! Which software answers: where the release of each service is kept, and who is shown another.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{StateName, StoreName};
use super::plan::Plan;
use super::read::{Reader, value};
use super::url::BaseUrl;
use super::walk::{Section, nearest};
use crate::limits;

/// Where releases are kept: the name of a service is the key, its version the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Releases {
    /// The store.
    pub store: StoreName,
    /// The space in it.
    pub space: String,
}

/// A declared state value that chooses another release of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canary {
    /// The state value.
    pub state: StateName,
    /// What it must be.
    pub value: String,
    /// The key in the space of releases that is read then.
    pub release: String,
}

/// The text by which software is named: 1 to 128 visible characters of ASCII. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(Arc<str>);

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let most = limits::VERSION_LENGTH_MAX;
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > most || !visible {
            let shown: String = text.chars().take(most).collect();
            return Err(format!(
                "`{}` is no version: it is 1 to {most} visible characters of ASCII",
                shown.escape_debug()
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::borrow::Borrow<str> for Version {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// `[releases]`.
pub(crate) fn releases(reader: &mut Reader<'_>, mut section: Section<'_, '_>) -> Option<Releases> {
    reader.stands(&section, "store");
    let store = section.parsed("store", str::parse::<StoreName>).map(value);
    if store.is_none() && section.place_of("store") == section.place {
        section.wrong("store", section.place, "missing; name one of [stores]");
    }
    let space = section.parsed("space", space).map_or_else(|| "releases".to_owned(), value);
    section.finish();
    store.map(|store| Releases { store, space })
}

/// `services.NAME.canary`.
pub(crate) fn canary(reader: &mut Reader<'_>, mut section: Section<'_, '_>) -> Option<Canary> {
    reader.stands(&section, "state");
    let state = section.parsed("state", str::parse::<StateName>).map(value);
    let wanted = section.text("value").map(value);
    let release = section.parsed("release", space).map(value);
    if state.is_none() || wanted.is_none() || release.is_none() {
        let why = "takes `state`, its `value`, and the key of the `release` that is read then";
        section.sheet.mistake(section.place, format!("{}: {why}", section.path));
    }
    section.finish();
    Some(Canary { state: state?, value: wanted?, release: release? })
}

/// `services.NAME.versions`.
pub(crate) fn versions(section: &mut Section<'_, '_>) -> BTreeMap<Version, Vec<BaseUrl>> {
    let mut versions = BTreeMap::new();
    for (version, mut below) in section.named::<Version>("versions") {
        let upstreams = below.parsed_set::<BaseUrl>("upstreams").unwrap_or_default();
        if upstreams.is_empty() {
            let why = "at least one is needed, such as [\"http://127.0.0.1:9002\"]";
            below.wrong("upstreams", below.place_of("upstreams"), why);
        }
        below.finish();
        versions.insert(version, upstreams.into_iter().map(value).collect());
    }
    versions
}

fn space(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    if plain { Ok(text.to_owned()) } else { Err("is empty or holds what is no text".to_owned()) }
}

/// What does not fit about releases: the path of a member, and why.
pub(crate) fn misfits(plan: &Plan) -> Vec<(String, String)> {
    let mut misfits = Vec::new();
    let hint = |what: &str, name: &str, known: Vec<&str>| match nearest(name, &known) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`"),
    };
    if let Some(releases) = &plan.releases
        && !plan.stores.contains_key(&releases.store)
    {
        let known = plan.stores.keys().map(StoreName::as_str).collect();
        let why = hint("store", releases.store.as_str(), known);
        misfits.push(("releases.store".to_owned(), why));
    }
    for (name, service) in &plan.services {
        let path = format!("services.{name}");
        if plan.releases.is_none() && !service.versions.is_empty() {
            let why = "the release in force chooses among them, so it must be kept: add [releases]";
            misfits.push((format!("{path}.versions"), why.to_owned()));
        }
        let Some(canary) = &service.canary else { continue };
        if plan.releases.is_none() {
            let why = "a canary is another release, so releases must be kept: add [releases]";
            misfits.push((format!("{path}.canary.state"), why.to_owned()));
        }
        if !plan.states.contains_key(&canary.state) {
            let known = plan.states.keys().map(StateName::as_str).collect();
            let why = hint("state value", canary.state.as_str(), known);
            misfits.push((format!("{path}.canary.state"), why));
        }
    }
    misfits
}
