//! Holds answers against what a run without any cache gives.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use asof_client::{Client, HistoryQuery, ReadAt};
use asof_time::Timestamp;

use super::in_rust::encoded;
use super::load::{Seen, Shelf, USERS, hash};
use super::web::{self, Http};
use crate::failure::Failure;
use crate::import::stop::Stop;

/// How late a write may be seen before an answer without it counts as stale.
pub(super) const SLACK: Duration = Duration::from_millis(250);

/// When something became what it is, oldest first.
type Versions = Vec<Timestamp>;

/// The place of a theme's name in [`Judge::themes`].
type Theme = usize;

/// Knows what every page was at every moment.
pub(super) struct Judge<'a> {
    shelf: &'a Shelf,
    /// A front that caches nothing and reads as of the moment it is told.
    front: String,
    http: Http,
    files: Vec<Versions>,
    users: Vec<Vec<(Timestamp, Theme)>>,
    themes: Vec<String>,
    known: HashMap<(usize, Timestamp, Theme), Option<u64>>,
}

/// How many answers were what.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Verdict {
    pub(super) judged: u64,
    /// What was true before the request, and was not any more.
    pub(super) stale: u64,
    /// What was never true.
    pub(super) inconsistent: u64,
    /// No answer.
    pub(super) failed: u64,
}

enum Ruling {
    Right,
    Stale,
    Inconsistent,
    Failed,
}

impl<'a> Judge<'a> {
    /// Learns all versions of all that was read.
    pub(super) fn new(shelf: &'a Shelf, client: &Client, front: String) -> Result<Self, Failure> {
        let versions = |space: &str, key: &str| {
            let query = HistoryQuery { limit: Some(10_000), ..HistoryQuery::default() };
            let body = client.history(space, key, query, ReadAt::default())?;
            let mut versions: Versions =
                body.versions.iter().map(|version| version.effective.0).collect();
            versions.reverse();
            Ok::<_, Failure>(versions)
        };
        let files: Result<_, _> =
            shelf.paths.iter().map(|path| versions(&shelf.space, path)).collect();
        let mut themes = Vec::new();
        let users: Result<Vec<_>, Failure> = (0..USERS)
            .map(|user| {
                let key = format!("u{user}");
                let versions = versions("users", &key)?.into_iter();
                let chosen =
                    versions.map(|at| Ok((at, place(&mut themes, theme(client, &key, at)?))));
                chosen.collect()
            })
            .collect();
        let users = users?;
        let (http, known) = (web::client(), HashMap::new());
        Ok(Self { shelf, front, http, files: files?, users, themes, known })
    }

    /// Judges all that was seen, or as much as there is time for until told to stop.
    pub(super) async fn judge(&mut self, seen: &[Seen], stop: &Stop) -> Verdict {
        let mut verdict = Verdict::default();
        for seen in seen {
            if stop.is_asked() {
                break;
            }
            verdict.judged += 1;
            match self.rule(seen).await {
                Ruling::Right => {}
                Ruling::Stale => verdict.stale += 1,
                Ruling::Inconsistent => verdict.inconsistent += 1,
                Ruling::Failed => verdict.failed += 1,
            }
        }
        verdict
    }

    /// What a cache that knows the future would have executed: each page once for each version of
    /// its file in each theme, and the other two services once for each version of the file. `None`
    /// where answers do not say of which moment they are.
    pub(super) fn executions_of_an_oracle(&self, seen: &[Seen]) -> Option<u64> {
        let (mut pages, mut files) = (HashSet::new(), HashSet::new());
        for seen in seen.iter().filter(|seen| seen.hash.is_some()) {
            let (at, user) = (seen.as_of?, usize::try_from(seen.user).ok()?);
            let version = within(self.files.get(seen.path)?, |at| *at, at, at).first()?;
            let (_, theme) = within(self.users.get(user)?, |(at, _)| *at, at, at).first()?;
            files.insert((seen.path, *version));
            pages.insert((seen.path, *version, *theme));
        }
        Some(pages.len() as u64 + 2 * files.len() as u64)
    }

    async fn rule(&mut self, seen: &Seen) -> Ruling {
        let Some(said) = seen.hash else { return Ruling::Failed };
        let earliest = seen.begun.saturating_sub(SLACK);
        if let Some(at) = seen.as_of {
            // Whoever says of which moment an answer is must be right about just that moment. It
            // is stale once something of it was written since.
            return match self.is(seen, said, at, at).await {
                true if at < earliest && self.was_written(seen, at, earliest) => Ruling::Stale,
                true => Ruling::Right,
                false => Ruling::Inconsistent,
            };
        }
        if self.is(seen, said, earliest, seen.ended).await {
            Ruling::Right
        } else if self.is(seen, said, Timestamp::MIN, seen.ended).await {
            Ruling::Stale
        } else {
            Ruling::Inconsistent
        }
    }

    /// Whether the page's file or its user was written in `(from, to]`.
    fn was_written(&self, seen: &Seen, from: Timestamp, to: Timestamp) -> bool {
        let files = self.files.get(seen.path);
        let users = usize::try_from(seen.user).ok().and_then(|user| self.users.get(user));
        files.is_some_and(|files| within(files, |at| *at, from, to).len() > 1)
            || users.is_some_and(|users| within(users, |(at, _)| *at, from, to).len() > 1)
    }

    /// Whether the page was that at some moment in `[from, to]`: its file and its user's theme as
    /// they were then, both. From the newest moment back, since most are of late.
    async fn is(&mut self, seen: &Seen, said: u64, from: Timestamp, to: Timestamp) -> bool {
        let mut moment = to;
        loop {
            let Some((file, theme)) = self.in_force(seen, moment) else { return false };
            if self.truth(seen.path, file, theme.1).await == Some(said) {
                return true;
            }
            // Just before the later of the two was written.
            let begun = file.max(theme.0);
            match begun.prev() {
                Some(before) if begun > from => moment = before,
                _ => return false,
            }
        }
    }

    /// The version of the page's file and the theme of its user at a moment, where there was either.
    fn in_force(&self, seen: &Seen, at: Timestamp) -> Option<(Timestamp, (Timestamp, Theme))> {
        let user = usize::try_from(seen.user).ok()?;
        let file = within(self.files.get(seen.path)?, |at| *at, at, at).first()?;
        let theme = within(self.users.get(user)?, |(at, _)| *at, at, at).first()?;
        Some((*file, *theme))
    }

    async fn truth(&mut self, path: usize, at: Timestamp, theme: Theme) -> Option<u64> {
        let key = (path, at, theme);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let name = self.shelf.paths.get(path).map(|name| encoded(name))?;
        let theme = self.themes.get(theme)?;
        let uri = format!("{}/pages/{name}", self.front);
        let moment = at.as_micros().to_string();
        let got = web::get(&self.http, &uri, &[("demo-at", &moment), ("demo-theme", theme)]).await;
        let truth = got.status.is_success().then(|| hash(&got.body));
        self.known.insert(key, truth);
        truth
    }
}

/// Where `theme` is among `themes`, which it joins if it is new.
fn place(themes: &mut Vec<String>, theme: String) -> Theme {
    themes.iter().position(|known| *known == theme).unwrap_or_else(|| {
        themes.push(theme);
        themes.len() - 1
    })
}

/// The versions that were in force at some moment in `[from, to]`.
fn within<T>(versions: &[T], at: impl Fn(&T) -> Timestamp, from: Timestamp, to: Timestamp) -> &[T] {
    let first = versions.partition_point(|version| at(version) <= from).saturating_sub(1);
    let end = versions.partition_point(|version| at(version) <= to);
    versions.get(first..end).unwrap_or_default()
}

fn theme(client: &Client, key: &str, at: Timestamp) -> Result<String, Failure> {
    let answer = client.get("users", key, ReadAt::at(at))?;
    let value: Option<serde_json::Value> =
        answer.found.and_then(|found| serde_json::from_slice(&found.bytes).ok());
    let theme = value.and_then(|value| value.get("theme")?.as_str().map(str::to_owned));
    Ok(theme.unwrap_or_else(|| "light".to_owned()))
}
