//! Where a git import into a live space goes on.

use asof_api::{Cursor, ErrorName};
use asof_client::{Cap, Client, CommitsQuery};
use asof_time::Timestamp;

use super::git::{GitSource, Imported};
use super::refusal::refused;
use crate::failure::Failure;

/// Where an import into a live space goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Resume {
    /// The last commit that the space has.
    pub(crate) last: Imported,
    /// When it took effect there.
    pub(crate) effective: Timestamp,
    /// How many commits the space has.
    pub(crate) known: u64,
}

/// Finds the last commit of `source` that the live space `space` has.
///
/// A space is given the commits in their order, so those it has are at the front: they are
/// searched for from the newest on, in steps that double.
///
/// # Errors
///
/// Where the space has none of them, or has others after them: another history was imported, or
/// this one was rewritten.
pub(crate) fn find(source: &GitSource, space: &str, client: &Client) -> Result<Resume, Failure> {
    let is_known = |index: usize| -> Result<bool, Failure> {
        let Some(id) = source.id(index) else {
            return Ok(false);
        };
        Ok(client.source(space, &id.to_string())?.is_some())
    };
    let (mut known, mut new) = (None, source.len());
    let mut step = 1;
    while new > 0 {
        let index = new.saturating_sub(step);
        if is_known(index)? {
            known = Some(index);
            break;
        }
        new = index;
        step *= 2;
    }
    let Some(mut known) = known else {
        return Err(refused(format!(
            "space `{space}` is live and has none of the commits of this history: import it into \
             a new space"
        )));
    };
    while known + 1 < new {
        let middle = known.midpoint(new);
        if is_known(middle)? {
            known = middle;
        } else {
            new = middle;
        }
    }
    describe(source, known, space, client)
}

fn describe(
    source: &GitSource,
    index: usize,
    space: &str,
    client: &Client,
) -> Result<Resume, Failure> {
    let gone = || refused(format!("space `{space}` changed meanwhile: try again"));
    let id = source.id(index).ok_or_else(gone)?;
    let answer = client.source(space, &id.to_string())?.ok_or_else(gone)?;
    let effective = answer.effective.0;
    let at = match client.commit_by_id(answer.commit.0) {
        Ok(commit) => commit.source.map_or(effective, |source| source.at.0),
        // Its place in the log is no longer kept.
        Err(error) if error.name() == ErrorName::NotFound => effective,
        Err(error) => return Err(error.into()),
    };
    check_nothing_after(space, effective, client)?;
    Ok(Resume { last: Imported { id, at }, effective, known: index as u64 + 1 })
}

/// Refuses where the space was given commits after `last` that are not in the history.
fn check_nothing_after(space: &str, last: Timestamp, client: &Client) -> Result<(), Failure> {
    let mut query = CommitsQuery {
        after: Some(Cursor::after_snapshot(last, 0)),
        spaces: vec![space.to_owned()],
        limit: None,
        cap: Cap::Obey,
    };
    loop {
        let page = match client.commits(&query) {
            // What is not kept cannot be looked at.
            Err(error) if error.name() == ErrorName::BelowFloor => return Ok(()),
            page => page?,
        };
        let sources = page.commits.into_iter().filter_map(|commit| commit.source);
        if let Some(other) = sources.into_iter().find(|source| source.space == space) {
            return Err(refused(format!(
                "commit {}, imported into space `{space}` before, is not among the first parents \
                 of this revision: the history was rewritten, or another branch is meant; what \
                 was imported cannot be taken back: import into a space of another name",
                other.id
            )));
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}
