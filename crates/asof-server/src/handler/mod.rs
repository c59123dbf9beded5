//! What each route does. The handlers hold no state and decide nothing: they ask the store and
//! word its answer.

pub(crate) mod backup;
pub(crate) mod commits;
pub(crate) mod control;
pub(crate) mod edges;
pub(crate) mod erase;
pub(crate) mod feed;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod operate;
pub(crate) mod ops;
pub(crate) mod point;
pub(crate) mod release;
pub(crate) mod spaces;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod walk;
pub(crate) mod write;

use asof_store::{DryRun, SpaceName};

use crate::dispatch::Call;
use crate::refusal::Refusal;

/// Whether the request only wants to know.
fn dry_run(call: &Call<'_>) -> Result<DryRun, Refusal> {
    Ok(if call.query.flag("dry_run")? { DryRun::Yes } else { DryRun::No })
}

/// The spaces of `?spaces=a,b`, which the caller may all read; `None` for all there are.
fn spaces_asked(call: &Call<'_>) -> Result<Option<Vec<SpaceName>>, Refusal> {
    let Some(text) = call.query.text("spaces")? else {
        call.caller.check_all().map_err(|mut refusal| {
            let problem = refusal.problem_mut();
            problem.detail.push_str("; name yours as `spaces=a,b`");
            refusal
        })?;
        return Ok(None);
    };
    let mut spaces = Vec::new();
    for name in text.split(',') {
        let space = SpaceName::new(name)?;
        call.caller.check_space(&space)?;
        spaces.push(space);
    }
    Ok(Some(spaces))
}
