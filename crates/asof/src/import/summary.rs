//! What an import did, for people and for programs.

use core::time::Duration;

use asof_api::Moment;
use serde::Serialize;

use super::meter;
use super::shrink::Shrinkage;
use crate::failure::Failure;
use crate::human;
use crate::output::Output;

/// What an import did.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Whether nothing was written, and this is what would be.
    pub(crate) dry_run: bool,
    /// The second word that it takes, where it takes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirm: Option<String>,
    /// Commits that are new.
    pub(crate) commits: u64,
    /// Commits that were there already.
    pub(crate) known: u64,
    /// Writes of the new commits.
    pub(crate) writes: u64,
    /// Bytes of the values of the new commits.
    pub(crate) value_bytes: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// New commits a second.
    pub(crate) commits_per_second: u64,
    /// Entries of the source that were left out.
    pub(crate) skipped: u64,
    /// By name.
    pub(crate) spaces: Vec<SpaceSummary>,
}

/// What an import did to one space.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SpaceSummary {
    /// Its name.
    pub(crate) space: String,
    /// What it is now.
    pub(crate) state: asof_api::body::SpaceStateName,
    /// Commits that are new.
    pub(crate) commits: u64,
    /// Commits that were there already.
    pub(crate) known: u64,
    /// Writes of the new commits.
    pub(crate) writes: u64,
    /// Bytes of the values of the new commits.
    pub(crate) value_bytes: u64,
    /// When the oldest commit seen takes effect.
    pub(crate) from: Option<Moment>,
    /// When the newest commit seen takes effect.
    pub(crate) to: Option<Moment>,
    /// What the live space loses; of an import that is not held, only a dry run always says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shrinks: Option<Shrinkage>,
    /// Whether a dry run found none.
    #[serde(skip)]
    pub(crate) is_new: bool,
}

impl Summary {
    /// The sum of `spaces`.
    pub(crate) fn of(spaces: Vec<SpaceSummary>, elapsed: Duration, skipped: u64) -> Self {
        let sum = |count: fn(&SpaceSummary) -> u64| spaces.iter().map(count).sum();
        let commits = sum(|space| space.commits);
        Self {
            dry_run: false,
            confirm: None,
            commits,
            known: sum(|space| space.known),
            writes: sum(|space| space.writes),
            value_bytes: sum(|space| space.value_bytes),
            seconds: elapsed.as_secs_f64(),
            commits_per_second: meter::rate(commits, elapsed),
            skipped,
            spaces,
        }
    }

    /// Prints what would be done. `confirm` is the second word that it takes.
    pub(crate) fn print_dry_run(
        self,
        confirm: Option<String>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let summary = Self { dry_run: true, confirm, ..self };
        if out.is_json() {
            return out.json(&summary);
        }
        out.line(&format!(
            "dry run, nothing is written: {} commits are new, with {} writes and {} of values; {} are \
             there already",
            human::count(summary.commits),
            human::count(summary.writes),
            human::size(summary.value_bytes),
            human::count(summary.known)
        ))?;
        summary.print_skipped(out)?;
        for space in &summary.spaces {
            let is = match (space.is_new, space.is_live()) {
                (true, _) => "would be made",
                (false, true) => "is live: the commits would take effect now",
                (false, false) => "is importing: the commits would take effect at their own times",
            };
            out.line(&format!("space {} {is}", space.space))?;
            if let Some(shrinks) = &space.shrinks {
                out.line(&shrinks.tell(&space.space))?;
            }
        }
        crate::blast::note_confirm(out, summary.confirm.as_deref());
        Ok(())
    }

    /// Prints it. `target` is what the next commands must be given to find the store.
    pub(crate) fn print(&self, target: &str, out: &mut Output) -> Result<(), Failure> {
        if out.is_json() {
            return out.json(self);
        }
        self.print_facts(out)?;
        if let Some(space) = self.spaces.iter().find(|space| space.commits > 0) {
            space.suggest(target, out)?;
        }
        Ok(())
    }

    /// Prints what was done, for people.
    pub(crate) fn print_facts(&self, out: &mut Output) -> Result<(), Failure> {
        if self.commits == 0 {
            out.line("nothing new to import")?;
        } else {
            out.line(&self.headline())?;
        }
        self.print_skipped(out)?;
        for space in &self.spaces {
            out.line(&space.line())?;
        }
        Ok(())
    }

    fn print_skipped(&self, out: &mut Output) -> Result<(), Failure> {
        if self.skipped == 0 {
            return Ok(());
        }
        let skipped = human::count(self.skipped);
        out.line(&format!("left out {skipped} entries no store can hold"))
    }

    fn headline(&self) -> String {
        let known = match self.known {
            0 => String::new(),
            known => format!(", {} were there already", human::count(known)),
        };
        let elapsed = Duration::from_secs_f64(self.seconds.max(0.0));
        format!(
            "imported {} commits, {} writes, {} of values in {:.1} s ({} commits/s, {}/s){known}",
            human::count(self.commits),
            human::count(self.writes),
            human::size(self.value_bytes),
            self.seconds,
            human::count(self.commits_per_second),
            human::size(meter::rate(self.value_bytes, elapsed)),
        )
    }
}

impl SpaceSummary {
    fn line(&self) -> String {
        let state = if self.is_live() { "live" } else { "importing" };
        match self.from.zip(self.to) {
            Some((from, to)) => {
                format!("space {} is {state}, with history from {} to {}", self.space, from.0, to.0)
            }
            None => format!("space {} is {state}", self.space),
        }
    }

    /// The commands that come next.
    fn suggest(&self, target: &str, out: &mut Output) -> Result<(), Failure> {
        let space = &self.space;
        if !self.is_live() {
            return out.line(&format!("take it live with: asof space live {space}{target}"));
        }
        out.line("try:")?;
        out.line(&format!("  asof ls {space} --limit 10{target}"))?;
        if let Some((from, to)) = self.from.zip(self.to) {
            out.line(&format!("  asof ls {space} --as-of {}{target}", from.0))?;
            out.line(&format!("  asof diff {space} {} {}{target}", from.0, to.0))?;
        }
        Ok(())
    }

    fn is_live(&self) -> bool {
        self.state == asof_api::body::SpaceStateName::Live
    }
}
