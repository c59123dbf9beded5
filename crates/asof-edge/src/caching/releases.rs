//! Which release of a service answers. A deploy is a commit: the release is read at the moment of
//! the request, and that read is an input of whoever calls the service.
//!
//! Where no releases are kept, the version that a service was last seen to name takes their place.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use asof_api::ErrorName;
use asof_api::body::{EdgeRelease, release_version};
use asof_cache::{Observed, Unstorable, always};
use asof_listen::Soon;
use asof_time::Validity;
use http::{HeaderMap, HeaderName, Request, StatusCode};
use tokio::task::AbortHandle;

use super::figures::ServiceLabel;
use super::level::Level;
use super::moment::Choice;
use super::root::{Root, encoded};
use super::serve::Served;
use super::{Inner, canonical};
use crate::body::Body;
use crate::config::{Plan, Releases, ServiceName, Version};
use crate::problem::{Problem, ProblemKind};
use crate::target::Target;

/// A release of a service, as of one moment.
#[derive(Debug)]
pub(crate) struct Release {
    /// Its text: part of every call of the service. Empty where none is in force.
    pub(crate) text: Box<str>,
    /// The read that says so, which is an input of whoever calls.
    pub(crate) input: Option<Observed>,
    /// Where it is in force; `None` where nothing can be said.
    pub(crate) validity: Option<Validity>,
}

impl Release {
    /// One that no store keeps.
    fn unkept(text: Box<str>) -> Self {
        Self { text, input: None, validity: Some(always()) }
    }
}

/// The version that each service was last known by.
#[derive(Debug, Default)]
pub(crate) struct Versions(Mutex<HashMap<Box<str>, Box<str>>>);

impl Versions {
    /// The version of a service; empty where none is known yet.
    pub(crate) fn last(&self, service: &str) -> Box<str> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(service).cloned().unwrap_or_default()
    }

    /// Takes note of a version, and says which one it takes the place of.
    fn note(&self, service: &str, version: &str) -> Option<Box<str>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(service).is_some_and(|last| **last == *version) {
            return None;
        }
        known.insert(service.into(), version.into())
    }
}

/// Whether the space that releases are kept in is there. While it is not, no release is a fact,
/// and nothing that depends on one is stored: a mistyped name would go unnoticed for ever.
#[derive(Debug, Default)]
pub(crate) struct Kept(AtomicU8);

impl Kept {
    const NOT_READ: u8 = 0;
    const READ: u8 = 1;
    const UNKNOWN: u8 = 2;

    /// Takes note of how a read of the space ended.
    fn note(&self, releases: &Releases, served: &Served) {
        let now = match served.content() {
            Some(content) if content.status().is_success() => Self::READ,
            Some(content) if content.status() == StatusCode::NOT_FOUND => {
                if is_unknown_space(content.body()) { Self::UNKNOWN } else { Self::READ }
            }
            // Nobody knows.
            Some(_) | None => return,
        };
        // Most reads find what was found before, and write nothing.
        if self.0.load(Ordering::Relaxed) == now {
            return;
        }
        let before = self.0.swap(now, Ordering::Relaxed);
        let Releases { store, space } = releases;
        if now == Self::UNKNOWN && before != now {
            tracing::warn!(
                %store, space,
                "the space of releases is unknown to the store, so nothing that depends on a \
                 release is stored: mend `releases.space`, or create the space"
            );
        } else if before == Self::UNKNOWN && before != now {
            tracing::info!(%store, space, "the space of releases is there");
        }
    }

    pub(crate) fn is_unknown(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::UNKNOWN
    }

    pub(crate) fn standing(&self) -> &'static str {
        match self.0.load(Ordering::Relaxed) {
            Self::UNKNOWN => {
                "the store does not know the space: nothing that depends on a release is stored; \
                 mend `releases.space`, or create the space"
            }
            Self::READ => "read",
            _ => "not read yet",
        }
    }

    /// The configuration names another space, of which nothing is known yet.
    pub(crate) fn forget(&self) {
        self.0.store(Self::NOT_READ, Ordering::Relaxed);
    }
}

/// Whether an answer is the refusal of a store that does not know a space.
fn is_unknown_space(body: &[u8]) -> bool {
    let problem = serde_json::from_slice::<asof_api::Problem>(body);
    problem.is_ok_and(|problem| problem.name == ErrorName::UnknownSpace)
}

impl Inner {
    /// The release of a service in force for `root`.
    ///
    /// # Errors
    ///
    /// Where it is kept, and cannot be read or understood: nobody knows then whom to ask.
    pub(crate) fn release(
        self: &Arc<Self>,
        root: &Arc<Root>,
        service: &ServiceName,
    ) -> Soon<'_, Result<Release, Problem>> {
        let configured = root.plan.services.get(service);
        if configured.is_some() && root.plan.releases.is_some() {
            let (root, service) = (Arc::clone(root), service.clone());
            return Soon::later(async move { self.kept_release(&root, &service).await });
        }
        let named = configured.is_some_and(|configured| configured.version_header.is_some());
        let last = named.then(|| self.versions.last(service.as_str()));
        Soon::now(Ok(Release::unkept(last.unwrap_or_default())))
    }

    /// As [`Self::release`], where a store keeps it.
    async fn kept_release(
        self: &Arc<Self>,
        root: &Arc<Root>,
        service: &ServiceName,
    ) -> Result<Release, Problem> {
        let plan = &root.plan;
        let Some((configured, releases)) = plan.services.get(service).zip(plan.releases.as_ref())
        else {
            return Ok(Release::unkept("".into()));
        };
        let (mut key, mut chosen_by, mut validity) = (service.as_str(), None, Some(always()));
        if let Some(canary) = &configured.canary {
            let (value, known) = self.state(root, &canary.state).await?;
            let chosen = *value == canary.value;
            // Only whether it is that value matters, so only that is part of the read.
            let shown = if chosen { canary.value.as_str() } else { "" };
            chosen_by = Some((canary.state.as_str(), shown));
            key = if chosen { &canary.release } else { key };
            validity = known;
        }
        let path = format!("/v1/spaces/{}/keys/{}", encoded(&releases.space), encoded(key));
        let read = canonical::release(releases.store.as_str(), &path, chosen_by);
        let served = self.serve(root, Arc::clone(&read), None, Level::ROOT).await;
        self.kept.note(releases, &served);
        let unreadable = |why: &str| {
            tracing::error!(%service, key, why, "the release of a service cannot be read");
            let detail = format!("the release of `{service}` in force {why}");
            Problem::new(ProblemKind::Unavailable, detail)
        };
        let text = match served.content() {
            Some(content) if content.status().is_success() => {
                version(content.body()).ok_or_else(|| unreadable("is no version"))?
            }
            Some(content) if content.status() == StatusCode::NOT_FOUND => "".into(),
            _ => return Err(unreadable("cannot be read")),
        };
        let is_now = !matches!(root.choice, Choice::Asked | Choice::Preview);
        if is_now && chosen_by.is_none_or(|(_, shown)| shown.is_empty()) {
            self.versions.note(service.as_str(), &text);
        }
        let held = served.fact.as_ref().ok().map(|fact| fact.validity);
        let validity = validity.zip(held).and_then(|(one, other)| one.intersect(other));
        let input = Some(Observed { key: read.key(), call: read, fact: served.fact });
        Ok(Release { text, input, validity })
    }

    /// Whether the software that answered is that which was asked.
    pub(crate) fn is_of_release(
        &self,
        root: &Root,
        service: &ServiceName,
        release: &str,
        headers: &HeaderMap,
    ) -> Result<(), Unstorable> {
        let configured = root.plan.services.get(service);
        let Some(header) = configured.and_then(|service| service.version_header.as_ref()) else {
            return Ok(());
        };
        let named = named(headers, header);
        if root.plan.releases.is_none()
            && let Some(version) = &named
        {
            self.observed(service, version);
        }
        if named.as_ref().is_some_and(|version| version.as_str() == release) {
            return Ok(());
        }
        if root.plan.releases.is_some() {
            let named = named.as_ref().map(Version::as_str);
            self.metrics.other_versions.get_or_create(&ServiceLabel::of(service)).inc();
            tracing::error!(%service, release, named, "another version answers than is in force");
        }
        Err(Unstorable::OtherVersion)
    }

    /// A service names this version, and nobody announces releases. Another than before is a
    /// deploy: what the one before answered is not served any more, nor what was made of it.
    fn observed(&self, service: &ServiceName, version: &Version) {
        let Some(before) = self.versions.note(service.as_str(), version.as_str()) else { return };
        let dropped = self.cache.drop_where(|call| {
            *call.service == *service.as_str() && *call.release != *version.as_str()
        });
        self.peers.disown(&self.cache);
        tracing::warn!(
            %service, %before, now = %version, dropped = dropped.len(),
            "a service names another version"
        );
    }

    /// Watches the versions that services name where nobody announces them: whoever answers
    /// everything out of the cache would not see a deploy.
    pub(crate) fn watch_versions(self: &Arc<Self>, plan: &Arc<Plan>) {
        let mut tasks: Vec<AbortHandle> = Vec::new();
        for (name, service) in plan.services.iter().filter(|_| plan.releases.is_none()) {
            let (Some(header), Some(health)) = (&service.version_header, &service.health) else {
                continue;
            };
            let (inner, name, header) = (Arc::downgrade(self), name.clone(), header.clone());
            let (path, every) = (health.path.clone(), health.every);
            tasks.push(
                tokio::spawn(async move {
                    loop {
                        tokio::time::sleep(every).await;
                        let Some(inner) = inner.upgrade() else { return };
                        inner.watch_version(&name, &header, &path, every).await;
                    }
                })
                .abort_handle(),
            );
        }
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        for task in std::mem::replace(&mut *watching, tasks) {
            task.abort();
        }
    }

    async fn watch_version(
        &self,
        service: &ServiceName,
        header: &HeaderName,
        path: &str,
        patience: Duration,
    ) {
        let Ok(request) = Request::get(path).body(Body::empty()) else { return };
        let target = Target::Service(service.clone());
        let asked = self.forwarder.forward(&target, request);
        let Ok(Ok(answer)) =
            tokio::time::timeout(patience.max(Duration::from_secs(1)), asked).await
        else {
            return;
        };
        if let Some(version) = named(answer.headers(), header) {
            self.observed(service, &version);
        }
    }
}

/// The version that an answer names.
fn named(headers: &HeaderMap, header: &HeaderName) -> Option<Version> {
    headers.get(header)?.to_str().ok()?.trim().parse().ok()
}

/// The version that a value is.
fn version(body: &[u8]) -> Option<Box<str>> {
    let text = release_version(body)?;
    text.parse::<Version>().ok().map(|version| version.as_str().into())
}

/// The releases that the edge reads, and whom it can ask for them.
pub(super) fn read_releases(plan: &Plan) -> Vec<EdgeRelease> {
    let Some(releases) = &plan.releases else { return Vec::new() };
    let services = plan.services.iter().flat_map(|(name, service)| {
        let canary = service.canary.as_ref().map(|canary| canary.release.as_str());
        [Some(name.as_str()), canary].into_iter().flatten().map(move |key| EdgeRelease {
            store: releases.store.as_str().to_owned(),
            space: releases.space.clone(),
            key: key.to_owned(),
            service: name.as_str().to_owned(),
            versions: service.versions.keys().map(|version| version.as_str().to_owned()).collect(),
            unstated: service.upstreams.len() as u64,
        })
    });
    services.collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_a_text_or_in_an_object() {
        for (value, wanted) in [
            ("1.2.3\n", Some("1.2.3")),
            ("7", Some("7")),
            ("\"v2\"", Some("v2")),
            ("{\"version\": \"2\", \"by\": \"ann\"}", Some("2")),
            ("{\"version\": 2}", None),
            ("{}", None),
            ("two words", None),
            ("", None),
        ] {
            assert_eq!(version(value.as_bytes()).as_deref(), wanted, "{value}");
        }
        assert_eq!(version(b"\xff"), None);
    }
}
