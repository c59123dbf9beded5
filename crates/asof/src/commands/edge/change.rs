//! What it changes to go over to another configuration, for people.

use asof_edge::Change;

use crate::failure::Failure;
use crate::output::Output;

pub(super) fn show(out: &mut Output, change: &Change) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(change);
    }
    if change.settings.is_empty() {
        return out.line("nothing changes");
    }
    if !change.routes.is_empty() {
        out.line("routes:")?;
        for route in &change.routes {
            out.line(&format!("  {route}"))?;
        }
    }
    out.line("settings:")?;
    for setting in &change.settings {
        out.line(&format!("  {setting}"))?;
    }
    for sentence in consequences(change) {
        out.line(sentence)?;
    }
    Ok(())
}

fn consequences(change: &Change) -> impl Iterator<Item = &'static str> {
    let drops = "all results that are held are dropped: a route means something else or is gone, and a \
                 result does not say which routes below its own it was made of";
    let parts = "other edges share no tree with this one until their configuration says the same";
    let restart = "it takes a restart, which drops all results; a reload is refused";
    let reload = "a reload takes it over: kill -HUP";
    [
        (change.drops_all && !change.restart).then_some(drops),
        change.parts_from_peers.then_some(parts),
        Some(if change.restart { restart } else { reload }),
    ]
    .into_iter()
    .flatten()
}
